import Foundation
import Testing

@testable import Turnstone

@Suite struct ErrorTests {
    @Test func a_wrong_schema_is_invalid_argument() async throws {
        var options = Device.options(try folder())
        options.schema = "tables = 3"
        let error = await failure { [options] in try await Turnstone.open(options) }
        guard case .invalidArgument("schema", _)? = error else { Issue.record("\(String(describing: error))"); return }
    }

    @Test func a_missing_folder_is_unavailable() async throws {
        let options = Device.options(try folder().appendingPathComponent("missing"))
        let error = await failure { try await Turnstone.open(options) }
        guard case .unavailable("folder_missing", _)? = error else { Issue.record("\(String(describing: error))"); return }
    }

    @Test func a_file_that_is_no_database_is_corrupt_and_untouched() async throws {
        let options = Device.options(try folder())
        let letter = "this is a letter and not a database"
        try letter.write(toFile: options.path, atomically: true, encoding: .utf8)
        let error = await failure { try await Turnstone.open(options) }
        guard case .corrupt("not_a_database", _)? = error else { Issue.record("\(String(describing: error))"); return }
        #expect(try String(contentsOfFile: options.path, encoding: .utf8) == letter)
    }

    @Test func a_second_opener_is_unavailable() async throws {
        let a = try await Device()
        let error = await failure { try await Turnstone.open(Device.options(a.place)) }
        guard case .unavailable("already_open", _)? = error else { Issue.record("\(String(describing: error))"); return }
        try await a.store.close()
    }

    @Test func a_database_of_another_account_is_refused_and_says_what_waits() async throws {
        var options = Device.options(try folder())
        options.account = "ann"
        let store = try await Turnstone.open(options)
        try await store.write { $0.insert("notes", ["title": "hers"]) }
        try await store.close()
        var others = options
        others.account = "ben"
        let error = await failure { [others] in try await Turnstone.open(others) }
        guard case .otherAccount("other_account", _, pendingGroups: 1)? = error else {
            Issue.record("\(String(describing: error))")
            return
        }
        let again = try await Turnstone.open(options)
        #expect(try await again.status().pendingGroups == 1)
        try await again.close()
    }

    @Test func an_unknown_table_is_invalid_argument() async throws {
        let a = try await Device()
        let error = await failure { try await a.store.get("cats", id: "1") }
        guard case .invalidArgument("unknown_table", _)? = error else { Issue.record("\(String(describing: error))"); return }
        try await a.store.close()
    }

    @Test func wrong_sql_is_invalid_argument() async throws {
        let a = try await Device()
        let error = await failure { try await a.store.query("SELEKT 1") }
        guard case .invalidArgument("sql", _)? = error else { Issue.record("\(String(describing: error))"); return }
        try await a.store.close()
    }

    @Test func a_store_without_a_server_says_so() async throws {
        let a = try await Device()
        let error = await failure { try await a.store.sync() }
        guard case .invalidArgument("no_remote", _)? = error else { Issue.record("\(String(describing: error))"); return }
        try await a.store.close()
    }

    @Test func a_closed_store_says_closed_and_closing_twice_is_fine() async throws {
        let a = try await Device()
        try await a.store.close()
        try await a.store.close()
        for error in [await failure { try await a.store.status() }, await failure { try await a.insert("late") }] {
            guard case .closed? = error else { Issue.record("\(String(describing: error))"); return }
        }
    }
}
