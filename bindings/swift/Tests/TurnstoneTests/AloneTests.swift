import Foundation
import Testing
import TurnstoneFFI

@testable import Turnstone

/// Planted panics would be stepped on by tests beside them, so the calls they stand in are called by nobody else.
@Suite(.serialized) struct AloneTests {
    @Test func a_panic_is_internal_and_the_store_goes_on() async throws {
        let a = try await Device()
        _ = try await a.insert("before")
        plantPanic(name: "checkpoint")
        #expect(await failure { try await a.store.checkpoint() }?.code == "panic")
        plantPanic(name: "totals")
        do {
            _ = try a.store.totals()
            Issue.record("no panic was seen")
        } catch let error as TurnstoneError {
            guard case .internal("panic", _) = error else { Issue.record("\(error)"); return }
        }
        plantPanic(name: "poke")
        a.store.poke()
        try await a.store.checkpoint()
        _ = try await a.insert("after")
        #expect(try await a.titles() == ["after", "before"])
        try await a.store.close()
    }

    /// Here, because it asks for totals.
    @Test func a_store_that_never_synced_asked_for_nothing() async throws {
        let server = try TestServer()
        let a = try await Device(server.remote())
        #expect(try a.store.totals().requests == 0)
        try await a.store.close()
    }

    @Test func stores_open_and_close_without_a_leak() async throws {
        let options = Device.options(try folder())
        func count(_ what: String) -> Int {
            (try? FileManager.default.contentsOfDirectory(atPath: "/proc/self/\(what)").count) ?? 0
        }
        var before = (files: 0, threads: 0)
        for round in 0..<1_000 {
            let store = try await Turnstone.open(options)
            _ = try await store.status()
            try await store.close()
            if round == 100 { before = (count("fd"), count("task")) }
        }
        // Other tests run beside this one, so some of either may come and go. What leaked stays.
        func isWell() -> Bool { count("fd") <= before.files + 200 && count("task") <= before.threads + 100 }
        for _ in 0..<600 where !isWell() { try await Task.sleep(for: .milliseconds(100)) }
        #expect(isWell(), "\(before)")
    }
}
