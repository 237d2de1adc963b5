import Foundation
import Turnstone

/// The first token, and the one for every other time.
private struct Two: TokenProvider {
    let first: String
    let token: String
    func token(_ reason: TokenReason) async throws -> String { reason == .first ? first : token }
}

/// A key store that is locked: opening warns of it, and then says that it opened.
private struct Locked: Witness {
    struct Fault: Error {}
    func read() throws -> String? { throw Fault() }
    func write(_ token: String) throws { throw Fault() }
}

/// Counts what it is told of.
private final class Count: @unchecked Sendable {
    private let lock = NSLock()
    private var told = 0

    var now: Int { lock.withLock { told } }
    func up() { lock.withLock { told += 1 } }
}

/// Says each line, with the level asked for and the thread it came on: at every level where nothing is left out, then of
/// openings that warn.
func keepLog(_ folder: URL, url: String, token: String, first: String) async throws {
    let remote = Remote.http(url, tokens: Two(first: first, token: token))
    /// Lines come in their order: they are all there once the last one is, so many times.
    func keep(_ level: LogLevel, until last: String, times: Int, _ work: () async throws -> Void) async throws {
        let count = Count()
        try Turnstone.log(level) { line in
            let thread = try? String(contentsOfFile: "/proc/thread-self/comm", encoding: .utf8)
            let isAside = thread?.hasPrefix("turnstone") ?? false
            say("\(level) | \(isAside ? "aside" : "on a caller's thread") | \(line)")
            if line.text.contains(last) { count.up() }
        }
        try await work()
        try await waitUntil { count.now >= times }
    }
    try await keep(.trace, until: "opened a store", times: 2) {
        let store = try await Turnstone.open(options(folder, remote))
        try await store.write { $0.insert("guarded", id: "canary-row", ["name": "canary-text"]) }
        try await store.sync()
        _ = try? await store.execute("INSERT INTO notes (id) VALUES ('canary-text', 1)")
        for letter in try await store.deadLetters() {
            var dumped = ""
            dump(letter, to: &dumped)
            say("shown | \(letter) \(String(reflecting: letter)) \(dumped.replacingOccurrences(of: "\n", with: " "))")
            say("meant | \(letter.opsJSON)")
        }
        try await store.close()
        try await Turnstone.open(options(folder)).close()
    }
    for (level, last) in [(LogLevel.warn, "witness cannot be read"), (.info, "opened a store")] {
        try await keep(level, until: last, times: 2) {
            for _ in 0..<2 {
                var options = try options(folder)
                options.witness = Locked()
                try await Turnstone.open(options).close()
            }
        }
    }
}

/// A sink that calls the store whose lines it takes, and waits for what it says.
func callFromLog(_ folder: URL, url: String, token: String) async throws {
    let answered = Count()
    let store = try await Turnstone.open(options(folder, .http(url, tokens: Two(first: token, token: token))))
    try Turnstone.log(.debug) { _ in
        guard answered.now < 3 else { return }
        let done = DispatchSemaphore(value: 0)
        Task {
            defer { done.signal() }
            _ = try await store.status()
            _ = try await store.query("SELECT count(*) FROM notes")
            try await store.write { $0.insert("notes", ["title": "by a sink"]) }
            for try await rows in store.watch("SELECT title FROM notes") where !rows.isEmpty { break }
            try await store.transaction { _ = try await $0.write { $0.insert("notes", ["title": "in a transaction"]) } }
            store.poke()
            answered.up()
        }
        done.wait()
    }
    while answered.now == 0 { try await store.sync() }
    try Turnstone.log(to: nil)
    let titles = Set(try await store.query("SELECT title FROM notes").map { try $0.text("title")! })
    say("the sink was answered, and wrote: \(titles.sorted().joined(separator: ", "))")
    try await store.close()
}
