import Foundation
import Turnstone

@testable import NotesModel

/// A real `turnstone serve` on loopback with the schema of the app. It ends with this object, and with this process.
final class Server {
    let url: String
    let token: String
    private let process = Process()
    private let input = Pipe()

    init() throws {
        let place = try folder()
        let file = place.appendingPathComponent("schema.toml")
        try Notes.schema.write(to: file, atomically: true, encoding: .utf8)
        let output = Pipe()
        let built = ProcessInfo.processInfo.environment["TURNSTONE_CARGO"]!
        process.executableURL = URL(fileURLWithPath: built).appendingPathComponent("turnstone")
        process.arguments = [
            "serve", "--dev", "--listen", "127.0.0.1:0", "--stop-with-stdin", "--json",
            "--db", place.appendingPathComponent("server.db").path, "--schema", file.path,
        ]
        process.standardInput = input
        process.standardOutput = output
        try process.run()
        var line = Data()
        while !line.contains(10) {
            let more = output.fileHandleForReading.availableData
            guard !more.isEmpty else { throw HTTPFailure.offline }
            line += more
        }
        let said = try JSONSerialization.jsonObject(with: line) as! [String: Any]
        url = said["listening"] as! String
        token = said["token"] as! String
    }

    deinit {
        try? input.fileHandleForWriting.close()
        process.waitUntilExit()
    }
}

func folder() throws -> URL {
    let url = FileManager.default.temporaryDirectory.appendingPathComponent("notes-\(UUID().uuidString)")
    try FileManager.default.createDirectory(at: url, withIntermediateDirectories: true)
    return url
}

/// One phone with the app on it.
func phone(_ server: Server? = nil) async throws -> Turnstone {
    let path = try folder().appendingPathComponent("app.db").path
    return try await Turnstone.open(try Notes.options(path: path, server: server?.url, token: server?.token))
}

/// Waits until something is so; false where it does not.
@MainActor func becomes(_ isSo: () -> Bool) async -> Bool {
    for _ in 0..<3_000 {
        if isSo() { return true }
        try? await Task.sleep(for: .milliseconds(10))
    }
    return false
}
