import Foundation
import Testing

@testable import Turnstone

/// What a view model does: everything from the main actor, with its own state in the closures.
@MainActor @Suite struct MainActorTests {
    private var written = 0

    @Test mutating func a_view_model_writes_from_the_main_actor() async throws {
        let a = try await Device()
        try await a.store.write {
            $0.insert("notes", ["title": "one"])
            written += 1
        }
        let count = try await a.store.transaction { transaction in
            written += 1
            return try await transaction.query("SELECT id FROM notes").count
        }
        #expect(count == 1 && written == 2)
        try await a.store.close()
    }
}
