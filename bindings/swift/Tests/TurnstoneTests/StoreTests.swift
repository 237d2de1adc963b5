import Foundation
import Testing

@testable import Turnstone

/// A query that never ends, nor comes to a row.
let endless = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n"

@Suite struct StoreTests {
    private func offline(_ body: (Device) async throws -> Void) async throws {
        let a = try await Device()
        try await body(a)
        try await a.store.close()
    }

    @Test func a_list_of_changes_is_one_transaction() async throws {
        try await offline { a in
            let id = try await a.insert("first")
            let written = try await a.store.write {
                $0.insert("notes", ["title": "second"])
                $0.execute("UPDATE notes SET body = ? WHERE id = ?", ["b", .text(id)])
                $0.increment("notes", id: id, "views", by: 3)
            }
            #expect(written.ids.count == 1)
            let row = try await a.store.query("SELECT count(*) AS n, sum(views) AS v, sum(body = 'b') AS b FROM notes")[0]
            #expect(try [row.int("n"), row.int("v"), row.int("b")] == [2, 3, 1])
            #expect(try await a.store.status().pendingGroups == 2)
        }
    }

    @Test func a_failing_change_undoes_all_of_its_transaction() async throws {
        try await offline { a in
            let id = try await a.insert("first")
            let error = await failure {
                try await a.store.write {
                    $0.delete("notes", id: id)
                    $0.update("notes", id: id, ["title": "gone"])
                }
            }
            #expect(error?.code == "row_missing")
            #expect(try await a.titles() == ["first"])
        }
    }

    @Test func a_write_id_is_used_once_and_gives_the_same_ids() async throws {
        try await offline { a in
            let first = try await a.store.write(writeID: "import-1") { $0.insert("notes", ["title": "one"]) }
            let again = try await a.store.write(writeID: "import-1") { $0.insert("notes", ["title": "two"]) }
            #expect(!first.repeated && again.repeated && first.ids == again.ids)
            #expect(try await a.titles() == ["one"])
        }
    }

    @Test func plain_sql_is_captured() async throws {
        try await offline { a in
            for n in 0..<3 { _ = try await a.insert("n\(n)") }
            #expect(try await a.store.execute("UPDATE notes SET pinned = 1") == 3)
            #expect(try await a.store.status().pendingGroups == 4)
        }
    }

    @Test func upsert_makes_or_changes() async throws {
        try await offline { a in
            try await a.store.write { $0.upsert("notes", id: "n1", ["title": "made"]) }
            try await a.store.write { $0.upsert("notes", id: "n1", ["title": "changed"]) }
            #expect(try await a.titles() == ["changed"])
        }
    }

    private struct Note: Codable, Equatable {
        var id: String
        var title: String
        var pinned: Bool
        var views: Int64
        var weight: Double?
        var photo: Data?
        var meta: String?
        var color: String?
    }

    @Test func every_kind_of_value_comes_back_as_it_was() async throws {
        try await offline { a in
            let photo = Data([0, 255, 7])
            try await a.store.write {
                $0.insert(
                    "notes", id: "row-1",
                    [
                        "title": "naïve 🐦", "pinned": true, "views": .int(.min), "weight": -2.5, "photo": .bytes(photo),
                        "meta": .json(#"{"a":[1,2]}"#),
                    ])
            }
            let row = try #require(try await a.store.get("notes", id: "row-1"))
            #expect(row.columns == ["id", "title", "body", "pinned", "views", "weight", "photo", "meta"])
            #expect(try row.value("pinned") == .bool(true))
            #expect(try row.value("meta") == .json(#"{"a":[1,2]}"#))
            #expect(try row.text("body") == "" && row.int("views") == .min && row.double("weight") == -2.5)
            let queried = try await a.store.query("SELECT pinned, NULL AS missing FROM notes")[0]
            #expect(try queried.value("pinned") == .int(1) && queried.bool("pinned") == true)
            #expect(try queried.text("missing") == nil)
            #expect(throws: RowError.self) { try queried.text("none") }
            let note = Note(
                id: "row-1", title: "naïve 🐦", pinned: true, views: .min, weight: -2.5, photo: photo,
                meta: #"{"a":[1,2]}"#, color: nil)
            #expect(try row.decode(Note.self) == note)
            #expect(try await a.store.query("SELECT * FROM notes", as: Note.self) == [note])
        }
    }

    @Test func no_rows_still_name_the_columns() async throws {
        try await offline { a in
            let rows = try await a.store.query("SELECT id, title AS t FROM notes")
            #expect(rows.isEmpty && rows.columns == ["id", "t"])
            #expect(try await a.store.get("notes", id: "none") == nil)
        }
    }

    @Test func pages_are_of_one_moment_and_end() async throws {
        try await offline { a in
            let names = (0..<25).map { String(format: "%02d", $0) }
            try await a.store.write { for name in names { $0.insert("notes", ["title": .text(name)]) } }
            var sizes: [Int] = []
            var titles: [String] = []
            for try await page in a.store.pages("SELECT title FROM notes ORDER BY title", rowsMax: 10) {
                sizes.append(page.count)
                titles += try page.map { try $0.text("title")! }
                _ = try await a.insert("zz written between two pages")
            }
            #expect(sizes == [10, 10, 5] && titles == names)
        }
    }

    @Test func local_only_tables_stay_on_the_device() async throws {
        let server = try TestServer()
        let a = try await Device(server.remote())
        try await a.store.write { $0.insert("drafts", ["text": "mine alone"]) }
        #expect(try await a.store.status().pendingGroups == 0)
        #expect(try await a.store.sync().groupsPushed == 0)
        #expect(try await a.store.query("SELECT 1 FROM drafts").count == 1)
        try await a.store.close()
    }

    @Test func closed_and_opened_again_everything_is_there() async throws {
        let a = try await Device()
        _ = try await a.insert("kept")
        try await a.store.close()
        let again = try await Device(in: a.place)
        #expect(try await again.titles() == ["kept"])
        #expect(try await again.store.status().pendingGroups == 1)
        try await again.store.close()
    }

    @Test func local_sql_is_run_at_open() async throws {
        var options = Device.options(try folder())
        options.localSQL = ["CREATE VIEW IF NOT EXISTS pinned AS SELECT title FROM notes WHERE pinned"]
        let store = try await Turnstone.open(options)
        try await store.write { $0.insert("notes", ["title": "a", "pinned": true]) }
        #expect(try await store.query("SELECT title FROM pinned").map { try $0.text("title") } == ["a"])
        try await store.close()
    }

    @Test(.timeLimit(.minutes(1))) func a_cancelled_query_ends_at_once() async throws {
        try await offline { a in
            let query = Task { [store = a.store] in try await store.query(endless) }
            try await Task.sleep(for: .milliseconds(50))
            query.cancel()
            await #expect(throws: CancellationError.self) { try await query.value }
            #expect(try await a.titles().isEmpty)
        }
    }

    @Test func i_53_the_sqlite_inside_resets_its_log_safely() async throws {
        try await offline { a in
            let version = try #require(try await a.store.query("SELECT sqlite_version() AS v")[0].text("v"))
            #expect(version.compare("3.51.3", options: .numeric) != .orderedAscending, "\(version)")
        }
    }

    @Test func fifty_callers_at_once() async throws {
        try await offline { a in
            try await withThrowingTaskGroup(of: Void.self) { group in
                for n in 0..<50 {
                    group.addTask {
                        let id = try await a.insert("\(n)")
                        #expect(try await a.store.get("notes", id: id)?.text("title") == "\(n)")
                    }
                }
                try await group.waitForAll()
            }
            #expect(try await a.titles().count == 50)
        }
    }
}
