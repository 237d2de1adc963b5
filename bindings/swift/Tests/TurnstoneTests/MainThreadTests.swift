import Foundation
import Testing

@testable import Turnstone

/// What is called here is called on the main actor, and ends only by what that actor does afterwards: a call that held it
/// would never end.
@MainActor @Suite struct MainThreadTests {
    private struct Slow: Witness {
        let told: DispatchSemaphore
        func read() throws -> String? {
            if told.wait(timeout: .now() + 30) == .timedOut { throw HTTPFailure.timeout }
            return nil
        }
        func write(_ token: String) throws {}
    }

    @Test(.timeLimit(.minutes(1))) func no_call_holds_the_thread_it_is_made_on() async throws {
        let told = DispatchSemaphore(value: 0)
        var options = Device.options(try folder())
        options.witness = Slow(told: told)
        // Each of these begins on this actor, and it goes on once they wait.
        let opening = Task { [options] in try await Turnstone.open(options) }
        await Task.yield()
        told.signal()
        let store = try await opening.value
        #expect(try store.origin == .new)

        let reading = Task { try await store.query(endless) }
        let (writing, changing) = try await store.transaction { transaction in
            let writing = (0..<50).map { n in Task { try await store.write { $0.insert("notes", ["title": .text("\(n)")]) } } }
            let changing = Task { try await store.execute("UPDATE notes SET pinned = 1") }
            await Task.yield()
            // They wait for the transaction, and signals wait for nobody.
            store.setConditions(Conditions())
            store.networkChanged(up: true)
            store.tokenChanged()
            store.poke()
            store.expire()
            _ = (try store.nextWake, try store.totals())
            #expect(try await store.query("SELECT 1 FROM notes").isEmpty)
            return (writing, changing)
        }
        for write in writing { _ = try await write.value }
        _ = try await changing.value
        reading.cancel()
        await #expect(throws: CancellationError.self) { try await reading.value }
        try await store.close()
    }
}
