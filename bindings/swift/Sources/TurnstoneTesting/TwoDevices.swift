import Foundation
import Turnstone

/// A device of a test: a store in a folder of its own, and its link to the server.
public struct TestDevice: Sendable {
    /// The store; it syncs when asked.
    public let store: Turnstone
    /// Its network: cut it, or lose answers.
    public let link: Link
    private let folder: URL

    /// A new device of this server. `change` may set further options.
    public init(of server: TestServer, schema: String, change: (inout Options) -> Void = { _ in }) async throws {
        folder = FileManager.default.temporaryDirectory.appendingPathComponent("turnstone-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        link = Link()
        let path = folder.appendingPathComponent("app.db").path
        var options = Options(path: path, schema: schema, remote: try server.remote(over: link), durability: .process)
        change(&options)
        store = try await Turnstone.open(options)
    }

    /// Closes the store and removes its folder.
    public func close() async throws {
        try await store.close()
        try FileManager.default.removeItem(at: folder)
    }
}

/// Two devices of one person and their server: what it takes to see what happens when both change the same thing.
public struct TwoDevices: Sendable {
    /// The first.
    public let a: TestDevice
    /// The other.
    public let b: TestDevice
    private let server: TestServer

    /// Two new devices with this schema, in TOML. `change` may set further options.
    public init(schema: String, change: (inout Options) -> Void = { _ in }) async throws {
        server = try await TestServer.start(schema: schema)
        a = try await TestDevice(of: server, schema: schema, change: change)
        b = try await TestDevice(of: server, schema: schema, change: change)
    }

    /// Syncs in turns until both have everything.
    public func settle() async throws {
        for _ in 0..<2 {
            for device in [a, b] { try await device.store.sync() }
        }
    }

    /// Closes both.
    public func close() async throws {
        try await a.close()
        try await b.close()
    }
}
