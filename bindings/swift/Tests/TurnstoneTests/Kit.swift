import Foundation
import Testing

@testable import Turnstone

/// The folder of the repository.
let repository = URL(fileURLWithPath: #filePath).appendingPathComponent("../../../../..").standardizedFileURL

/// The schema of the suites.
let schema = try! String(contentsOf: repository.appendingPathComponent("bindings/suite.toml"), encoding: .utf8)

func folder() throws -> URL {
    let url = FileManager.default.temporaryDirectory.appendingPathComponent("turnstone-\(UUID().uuidString)")
    try FileManager.default.createDirectory(at: url, withIntermediateDirectories: true)
    return url
}

/// A real `turnstone serve` on loopback. It ends with this object, and with this process.
final class TestServer {
    let url: String
    let token: String
    private let place: URL
    private let process = Process()
    private let input = Pipe()
    private static var command: URL {
        URL(fileURLWithPath: ProcessInfo.processInfo.environment["TURNSTONE_CARGO"]!).appendingPathComponent("turnstone")
    }

    init() throws {
        place = try folder()
        let file = place.appendingPathComponent("schema.toml")
        try schema.write(to: file, atomically: true, encoding: .utf8)
        let output = Pipe()
        process.executableURL = TestServer.command
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

    /// A token that ends after so many seconds.
    func mint(seconds: Int, _ more: String...) throws -> String {
        let minting = Process()
        let output = Pipe()
        minting.executableURL = TestServer.command
        let key = place.appendingPathComponent("server.db.key").path
        minting.arguments = ["token", "--key-file", key, "--ttl", String(seconds)] + more
        minting.standardOutput = output
        try minting.run()
        let text = String(decoding: output.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
        minting.waitUntilExit()
        return text.trimmingCharacters(in: .whitespacesAndNewlines)
    }

    func remote() -> Remote { .http(url, tokens: Always(token: token)) }

    deinit {
        try? input.fileHandleForWriting.close()
        process.waitUntilExit()
        try? FileManager.default.removeItem(at: place)
    }
}

struct Always: TokenProvider {
    let token: String
    func token(_ reason: TokenReason) async throws -> String { token }
}

/// A store in a folder of its own.
struct Device {
    let place: URL
    let store: Turnstone
    var path: String { Device.options(place).path }

    init(_ remote: Remote? = nil, in place: URL? = nil, autoSync: Bool = false) async throws {
        self.place = try place ?? folder()
        var options = Device.options(self.place, remote)
        options.autoSync = autoSync
        store = try await Turnstone.open(options)
    }

    static func options(_ place: URL, _ remote: Remote? = nil) -> Options {
        Options(path: place.appendingPathComponent("app.db").path, schema: schema, remote: remote, durability: .process)
    }

    func insert(_ title: String) async throws -> String {
        try await store.write { $0.insert("notes", ["title": .text(title)]) }.ids[0]
    }

    func titles() async throws -> [String] {
        try await store.query("SELECT title FROM notes ORDER BY title").map { try $0.text("title")! }
    }
}

/// Syncs in turns until all have everything.
func settle(_ devices: Device...) async throws {
    for _ in 0..<2 {
        for device in devices { try await device.store.sync() }
    }
}
