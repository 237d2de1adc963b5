import Foundation
import Testing

@testable import Turnstone

/// What starts a sync, beside the call of that name. The limit is no longer than the next look by itself.
@Suite struct StartTests {
    private func waits(_ device: Device, for reason: String) async throws {
        for try await status in device.store.watchStatus() {
            if case .at(_, why: reason) = status.next { break }
        }
    }

    @Test(.timeLimit(.minutes(1))) func a_poke_starts_a_sync() async throws {
        let server = try TestServer()
        let (a, b) = (try await Device(server.remote(), autoSync: true), try await Device(server.remote()))
        try await a.store.sync()
        _ = try await b.insert("news")
        try await b.store.sync()
        // Nothing of the opening is under way any more.
        try await waits(a, for: "poll")
        #expect(try await a.titles() == [])
        a.store.poke()
        for try await rows in a.store.watch("SELECT title FROM notes") where !rows.isEmpty { break }
        #expect(try await a.titles() == ["news"])
        try await a.store.close()
        try await b.store.close()
    }

    @Test(.timeLimit(.minutes(1))) func the_network_coming_back_starts_a_sync() async throws {
        let server = try TestServer()
        let a = try await Device(server.remote(), autoSync: true)
        try await a.store.sync()
        a.store.networkChanged(up: false)
        _ = try await a.insert("written offline")
        try await waits(a, for: "offline")
        let back = ContinuousClock.now
        a.store.networkChanged(up: true)
        for try await status in a.store.watchStatus() where status.pendingGroups == 0 { break }
        // By itself it looks again after a minute.
        #expect(ContinuousClock.now - back < .seconds(30))
        try await a.store.close()
    }
}
