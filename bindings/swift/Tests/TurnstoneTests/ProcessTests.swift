import Foundation
import Testing

@testable import Turnstone

/// What needs a process of its own: kills, counts, planted panics, and the one log of a process.
@Suite struct ProcessTests {
    @Test func what_a_killed_process_left_opens_with_everything() async throws {
        let place = try folder()
        var acked: [String] = []
        for round in 1...3 {
            let victim = try Beside(["write", place.path])
            for _ in 0..<40 { acked.append(try #require(victim.line())) }
            #expect(victim.kill() == SIGKILL, "it was killed, and did not end by itself")
            // What it said before it died is in the pipe still; a line that was cut was not said.
            while let line = victim.line() { acked.append(line) }
            let a = try await Device(in: place)
            let found = Set(try await a.store.query("SELECT id FROM notes").map { try $0.text("id")! })
            #expect(found.isSuperset(of: acked), "what was acked is there")
            #expect(found.count <= acked.count + round, "at most one write of each killed process was on its way")
            #expect(try await a.store.status().pendingGroups == found.count, "and each will be sent")
            try await a.store.close()
        }
    }

    @Test func stores_open_and_close_without_a_leak() async throws {
        // No disk where there is memory: what is counted is handles.
        let memory = URL(fileURLWithPath: "/dev/shm/turnstone-\(UUID().uuidString)")
        let isThere = (try? FileManager.default.createDirectory(at: memory, withIntermediateDirectories: false)) != nil
        let place = try isThere ? memory : folder()
        defer { try? FileManager.default.removeItem(at: place) }
        let aside = try Beside(["cycle", place.path, "10000"])
        let held = try (0..<2).map { _ in try #require(aside.line()).split(separator: " ").map { Int($0)! } }
        let (before, after) = (held[0], held[1])
        print("files, threads, ours and KiB after 1,000 rounds \(before), after 10,000 \(after)")
        #expect(before[0] == after[0] && before[2] == after[2], "\(before) then \(after)")
        #expect(after[1] <= before[1] + 2, "\(before) then \(after)")
        #expect(after[3] <= before[3] + 16 << 10, "\(before) then \(after)")
    }

    @Test func a_panic_is_internal_and_the_store_goes_on() async throws {
        let place = try folder()
        try FileManager.default.createDirectory(at: place.appendingPathComponent("elsewhere"), withIntermediateDirectories: false)
        let aside = try Beside(["panic", place.path])
        let list = try String(contentsOf: repository.appendingPathComponent("bindings/calls.txt"), encoding: .utf8)
        var calls = Set(list.split(separator: "\n").map(String.init).filter { !$0.hasPrefix("#") })
        // What tells the store something, or ends something, throws nothing: nobody could do anything about it.
        let quiet: Set = ["token_changed", "network_changed", "poke", "expire", "set_conditions"]
        let undone: Set = ["transaction_rollback", "cancel_cancel"]
        var last: String?
        while let line = aside.line() {
            last = line
            let said = line.split(separator: " ").map(String.init)
            guard said.count == 3 else { continue }
            let (name, thrown) = (said[0], said[1])
            #expect(calls.remove(name) != nil, "\(name) is a call of the library, once")
            #expect(said[2] == "went", "\(name) was not called")
            if quiet.contains(name) || name.hasSuffix("_cancel") && !undone.contains(name) {
                #expect(thrown == "nothing", "\(line)")
            } else if !undone.contains(name) {
                let isLost = name.hasPrefix("transaction_") && thrown == "transaction_lost"
                #expect(thrown == "panic" || isLost, "\(line)")
            }
        }
        #expect(calls.isEmpty, "a panic was planted in every call but \(calls)")
        #expect(last == "titles after,before", "no call that panicked did anything, and the store goes on")
    }

    /// Like the hooks of `ReentryTests`: the sink does not wait for itself (I-63).
    @Test(.timeLimit(.minutes(1))) func a_log_sink_may_call_its_store() async throws {
        let server = try TestServer()
        let aside = try Beside(["log-call", try folder().path, server.url, server.token])
        var last: String?
        while let line = aside.line() { last = line }
        #expect(last == "the sink was answered, and wrote: by a sink, in a transaction")
    }

    @Test func log_lines_reach_the_app_by_level_and_hold_nothing_of_a_person() async throws {
        let server = try TestServer()
        let other = try await Device(server.remote())
        try await other.store.write { $0.insert("guarded", id: "canary-row", ["name": "theirs"]) }
        try await other.store.sync()
        let aside = try Beside(["log", try folder().path, server.url, server.token, "canary-token"])
        var lines: [String] = []
        while let line = aside.line() { lines.append(line) }
        func told(_ level: String) -> [String] { lines.filter { $0.hasPrefix("\(level) | aside | ") } }
        #expect(told("trace").contains { $0.hasSuffix("info turnstone: opened a store") })
        #expect(told("trace").contains { $0.contains("debug turnstone: /sync/v1/hello: 401") })
        #expect(told("trace").contains { $0.contains("debug turnstone: /sync/v1/push: 200") })
        #expect(told("warn").count == 2 && told("warn").allSatisfy { $0.contains("| warn turnstone: the identity witness") })
        #expect(told("info").count == 4 && told("info").filter { $0.contains("opened a store") }.count == 2)
        #expect(!lines.contains { $0.contains("on a caller's thread") })
        let (meant, shown) = (lines.filter { $0.hasPrefix("meant") }, lines.filter { !$0.hasPrefix("meant") })
        #expect(meant.count == 1 && meant[0].contains("canary-text"), "\(lines)")
        #expect(shown.contains { $0.hasPrefix("shown | DeadLetter(id: ") }, "\(lines)")
        for canary in ["canary-row", "canary-text", "canary-token", server.token] {
            #expect(!shown.contains { $0.contains(canary) }, "\(canary)")
        }
        try await other.store.close()
    }

    @Test func i_61_options_requests_and_answers_show_neither_people_nor_tokens_nor_bodies() throws {
        let headers = [(name: "authorization", value: "Bearer canary")]
        let body = Body.bytes(Data("canary".utf8))
        let file = URL(fileURLWithPath: "/canary")
        let request = HTTPRequest(
            method: "POST", path: "/sync/v1/push?device=canary", headers: headers, body: body, answerBytesMax: 1, answerFile: file)
        let answer = HTTPResponse(status: 200, headers: headers, body: body)
        var options = Options(path: "app.db", schema: schema, remote: .http("https://example.com", tokens: Always(token: "canary")))
        options.account = "canary"
        for value in [request, answer, body, Body.file(file), options, options.remote as Any] as [Any] {
            var dumped = ""
            dump(value, to: &dumped)
            for shown in ["\(value)", String(reflecting: value), dumped] {
                #expect(!shown.contains("canary") && !shown.contains("99"), "\(shown)")
            }
        }
        #expect("\(request)" == "POST /sync/v1/push, 6 bytes" && "\(answer)" == "200, 6 bytes")
    }
}

/// The process beside this one: see `Aside`. Killed at the latest with this object.
private final class Beside {
    private let process = Process()
    private let output = Pipe()
    private var read = Data()

    init(_ arguments: [String]) throws {
        let tests = URL(fileURLWithPath: "/proc/self/exe").resolvingSymlinksInPath()
        process.executableURL = tests.deletingLastPathComponent().appendingPathComponent("Aside")
        process.arguments = arguments
        process.standardOutput = output
        try process.run()
    }

    /// The next line it says; nil: it has ended.
    func line() -> String? {
        while true {
            if let end = read.firstIndex(of: 10) {
                defer { read.removeSubrange(...end) }
                return String(decoding: read[..<end], as: UTF8.self)
            }
            let more = output.fileHandleForReading.availableData
            if more.isEmpty { return nil }
            read += more
        }
    }

    /// Kills it where it stands, and gives the signal that it ended with.
    func kill() -> Int32 {
        Foundation.kill(process.processIdentifier, SIGKILL)
        process.waitUntilExit()
        return process.terminationReason == .uncaughtSignal ? process.terminationStatus : 0
    }

    deinit { if process.isRunning { _ = kill() } }
}
