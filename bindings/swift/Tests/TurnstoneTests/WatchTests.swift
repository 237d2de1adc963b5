import Foundation
import Observation
import Testing

@testable import Turnstone

@Suite struct WatchTests {
    @Test func a_watch_gives_rows_now_and_after_each_commit() async throws {
        let a = try await Device()
        var seen = a.store.watch("SELECT title FROM notes ORDER BY title").makeAsyncIterator()
        #expect(try await seen.next()?.count == 0)
        _ = try await a.insert("one")
        #expect(try await seen.next()?.map { try $0.text("title") } == ["one"])
        try await a.store.write { $0.insert("drafts", ["text": "another table"]) }
        _ = try await a.insert("two")
        #expect(try await seen.next()?.map { try $0.text("title") } == ["one", "two"])
        let watch = a.store.watch("SELECT title FROM notes")
        let waiting = Task {
            var rows = 0
            for try await _ in watch { rows += 1 }
            return rows
        }
        try await Task.sleep(for: .milliseconds(100))
        waiting.cancel()
        // A cancelled reader ends; it may have been cancelled before the first rows came.
        let ended = try? await waiting.value
        #expect(ended == nil || ended! <= 1)
        try await a.store.close()
    }

    @Test func a_watch_ends_when_the_store_closes() async throws {
        let a = try await Device()
        var seen = a.store.watch("SELECT 1 FROM notes").makeAsyncIterator()
        #expect(try await seen.next() != nil)
        try await a.store.close()
        #expect(try await seen.next() == nil)
    }

    @Test func a_watch_sees_what_a_sync_brings() async throws {
        let server = try TestServer()
        let (a, b) = (try await Device(server.remote()), try await Device(server.remote()))
        var seen = b.store.watch("SELECT title FROM notes").makeAsyncIterator()
        #expect(try await seen.next()?.isEmpty == true)
        _ = try await a.insert("from a")
        try await settle(a, b)
        #expect(try await seen.next()?.map { try $0.text("title") } == ["from a"])
        try await a.store.close()
        try await b.store.close()
    }

    @Test func the_state_of_a_row_and_of_the_store_can_be_watched() async throws {
        let server = try TestServer()
        let a = try await Device(server.remote())
        let id = try await a.insert("one")
        var rows = a.store.watchRowState("notes", id: id).makeAsyncIterator()
        var status = a.store.watchStatus().makeAsyncIterator()
        #expect(try await rows.next() == .saved)
        #expect(try await status.next()?.pendingGroups == 1)
        try await a.store.sync()
        while try await rows.next() != .synced {}
        while try await status.next()?.pendingGroups != 0 {}
        try await a.store.close()
    }

    @MainActor
    @Test func a_status_model_follows_its_store() async throws {
        let a = try await Device()
        let model = StatusModel()
        let (changes, tell) = AsyncStream<Void>.makeStream()
        withObservationTracking {
            _ = model.status
        } onChange: {
            tell.yield()
        }
        let following = Task { try await model.follow(a.store) }
        for await _ in changes { break }
        _ = try await a.insert("one")
        while model.status?.pendingGroups != 1 { try await Task.sleep(for: .milliseconds(5)) }
        try await a.store.close()
        try await following.value
    }

    @Test func a_transaction_reads_what_it_wrote_and_is_atomic() async throws {
        let a = try await Device()
        let count = try await a.store.transaction { tx in
            let ids = try await tx.write {
                $0.insert("notes", ["title": "one"])
                $0.insert("notes", ["title": "two"])
            }
            #expect(try await tx.get("notes", id: ids[0])?.text("title") == "one")
            // What fails inside is undone alone; the transaction goes on.
            let error = await failure {
                try await tx.write {
                    $0.insert("notes", ["title": "three"])
                    $0.update("notes", id: "none", ["title": "x"])
                }
            }
            #expect(error?.code == "row_missing")
            #expect(try await tx.execute("UPDATE notes SET body = 'x'") == 2)
            #expect(try await a.titles().isEmpty, "nobody else sees it yet")
            return try await tx.query("SELECT count(*) AS n FROM notes")[0].int("n")
        }
        #expect(count == 2)
        #expect(try await a.titles() == ["one", "two"])
        #expect(try await a.store.status().pendingGroups == 1)
        try await a.store.close()
    }

    @Test func a_transaction_that_is_rolled_back_never_happened() async throws {
        struct ChangedMind: Error {}
        let a = try await Device()
        await #expect(throws: ChangedMind.self) {
            try await a.store.transaction { tx in
                try await tx.write { $0.insert("notes", ["title": "one"]) }
                throw ChangedMind()
            }
        }
        _ = try await a.insert("two")
        #expect(try await a.titles() == ["two"])
        try await a.store.close()
    }
}
