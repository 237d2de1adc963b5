import Foundation
import Observation
import Turnstone

/// The list of notes.
@MainActor @Observable public final class NotesList {
    /// The last edited first.
    public private(set) var notes: [Note] = []
    /// Why the last thing asked for did not happen.
    public private(set) var problem: String?
    private let store: Turnstone

    public init(store: Turnstone) { self.store = store }

    /// Follows the notes until its task ends.
    public func follow() async {
        await reporting {
            for try await rows in store.watch("SELECT id, title, body FROM notes ORDER BY updated_at DESC, id LIMIT 500") {
                notes = try rows.map { try $0.decode(Note.self) }
            }
        }
    }

    public func delete(_ id: String) async {
        await reporting { try await store.write { $0.delete("notes", id: id) } }
    }

    private func reporting(_ work: () async throws -> Void) async {
        do {
            try await work()
            problem = nil
        } catch is CancellationError {
        } catch {
            problem = error.localizedDescription
        }
    }
}

/// Where one note stands.
@MainActor @Observable public final class RowBadge {
    public private(set) var badge: Badge?
    private let store: Turnstone
    private let id: String

    public init(store: Turnstone, id: String) {
        self.store = store
        self.id = id
    }

    /// Follows the note until its task ends.
    public func follow() async {
        do {
            for try await state in store.watchRowState("notes", id: id) { badge = Badge(state) }
        } catch {
            // The list says what is wrong with the store.
        }
    }
}

extension Value {
    static var now: Value { .int(Int64(Date().timeIntervalSince1970 * 1000)) }
}
