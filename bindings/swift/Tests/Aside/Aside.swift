import Foundation
import Turnstone
import TurnstoneFFI

/// A process of its own: to be killed, or for counting and planting what nobody else meets. What it finds it says, a line
/// each; the tests that start it judge.
@main struct Aside {
    static func main() async throws {
        let arguments = CommandLine.arguments
        let folder = URL(fileURLWithPath: arguments[2])
        switch arguments[1] {
        case "write": try await writeForEver(folder)
        case "cycle": try await openAndClose(folder, rounds: Int(arguments[3])!)
        case "panic": try await plantPanics(folder)
        case "log": try await keepLog(folder, url: arguments[3], token: arguments[4], first: arguments[5])
        case "log-call": try await callFromLog(folder, url: arguments[3], token: arguments[4])
        default: fatalError("nobody knows how to \(arguments[1])")
        }
    }
}

func say(_ line: String) { FileHandle.standardOutput.write(Data("\(line)\n".utf8)) }

func options(_ folder: URL, _ remote: Remote? = nil) throws -> Options {
    let schema = URL(fileURLWithPath: #filePath).appendingPathComponent("../../../../suite.toml").standardizedFileURL
    return Options(
        path: folder.appendingPathComponent("app.db").path, schema: try String(contentsOf: schema, encoding: .utf8),
        remote: remote, durability: .process)
}

/// Writes and says so, until it is killed.
func writeForEver(_ folder: URL) async throws {
    let store = try await Turnstone.open(options(folder))
    while true {
        say(try await store.write { $0.insert("notes", ["title": "acked"]) }.ids[0])
    }
}

/// Opens and closes so often, and says what was held after a tenth of it and at the end.
func openAndClose(_ folder: URL, rounds: Int) async throws {
    let options = try options(folder)
    for _ in 0..<rounds / 10 { try await Turnstone.open(options).close() }
    // Threads that wait end after ten seconds without work; one works for all calls.
    try await waitUntil { held("task", of: "turnstone") <= 1 }
    say(held())
    for _ in rounds / 10..<rounds { try await Turnstone.open(options).close() }
    try await waitUntil { held("task", of: "turnstone") <= 1 }
    say(held())
}

func waitUntil(_ isSo: () -> Bool) async throws {
    for _ in 0..<600 where !isSo() { try await Task.sleep(for: .milliseconds(50)) }
}

/// Open files, threads, those of the library, and memory of its own in KiB.
func held() -> String {
    let status = (try? String(contentsOfFile: "/proc/self/status", encoding: .utf8)) ?? ""
    let line = status.split(separator: "\n").first { $0.hasPrefix("RssAnon:") } ?? ""
    return "\(held("fd")) \(held("task")) \(held("task", of: "turnstone")) \(line.filter(\.isNumber))"
}

func held(_ what: String, of name: String? = nil) -> Int {
    let all = (try? FileManager.default.contentsOfDirectory(atPath: "/proc/self/\(what)")) ?? []
    guard let name else { return all.count }
    let names = all.map { (try? String(contentsOfFile: "/proc/self/\(what)/\($0)/comm", encoding: .utf8)) ?? "" }
    return names.filter { $0.hasPrefix(name) }.count
}
