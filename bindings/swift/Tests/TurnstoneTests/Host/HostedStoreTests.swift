import Foundation
import Testing

@testable import Turnstone
@testable import TurnstoneHost

/// The iOS host with the real library and a real server; only the system is the test's own.
@Suite struct HostedStoreTests {
    private func host(
        _ place: URL, _ remote: Remote, _ asker: FakeAsker = FakeAsker(), autoSync: Bool = true
    ) -> SyncHost<Turnstone> {
        SyncHost(
            asker: asker,
            open: {
                var options = Device.options(place, remote)
                options.autoSync = autoSync
                return try await Turnstone.open(options)
            })
    }

    @Test func h8_what_was_written_leaves_with_the_last_seconds_and_the_store_is_suspended() async throws {
        let server = try TestServer()
        let (place, asker) = (try folder(), FakeAsker())
        let host = host(place, server.remote(), asker)
        try await host.entered()
        let store = try await host.store()
        try await store.write { $0.insert("notes", ["title": "from the phone"]) }
        let leaving = FakeTime()
        await host.left(leaving)
        #expect(try await leaving.given() == [.noData])
        #expect(await failure { try await store.query("SELECT 1") }?.code == "suspended")
        // Another opener can have the file: nothing of it is held.
        let other = try await Turnstone.open(Device.options(place))
        #expect(try await other.status().pendingGroups == 0)
        try await other.close()
        // Written elsewhere, fetched by a task, seen when somebody looks again.
        let b = try await Device(server.remote())
        _ = try await b.insert("from elsewhere")
        try await b.store.sync()
        let task = FakeTime()
        await host.granted(task, .refresh)
        #expect(try await task.given() == [.newData])
        #expect(asker.last?.isEmpty == false, "the next task is asked for")
        try await host.entered()
        #expect(try await store.query("SELECT id FROM notes").count == 2)
        try await store.close()
        try await b.store.close()
        withExtendedLifetime(server) {}
    }

    @Test func i_50_a_task_that_is_taken_back_ends_within_its_grace_and_loses_nothing() async throws {
        let place = try folder()
        let silent = Silent()
        // It syncs only when asked, so the first request is the task's.
        let asker = FakeAsker()
        let host = host(place, .custom(silent, tokens: Always(token: "token")), asker, autoSync: false)
        try await host.entered()
        let store = try await host.store()
        try await store.write { $0.insert("notes", ["title": "kept"]) }
        let time = FakeTime()
        let running = Task { await host.granted(time, .processing) }
        for await _ in silent.called { break }
        let asked = asker.asked.value.count
        time.takeBack()
        #expect(try await time.given() == [.failed])
        // A run that ends asks for the next one.
        #expect(asker.asked.value.count == asked + 1, "it heard it before the grace was over, and was not cut off")
        await running.value
        let status = try await store.status()
        #expect(status.pendingGroups == 1 && status.lastErrorCode == nil)
        try await store.close()
    }
}
