import Foundation
import Observation
import Turnstone

/// One note while it is edited, or a new one. Only fields that were typed in are saved, so that an edit of the other field elsewhere stands.
@MainActor @Observable public final class NoteEditor {
    public var title = ""
    public var body = ""
    /// Whether the note was deleted meanwhile, here or elsewhere.
    public private(set) var isGone = false
    public private(set) var problem: String?
    /// What the note was when the fields last agreed with it.
    private var seen: Note?
    private let store: Turnstone
    private var id: String?
    private var isSaving = false

    /// - Parameter id: nil for a new note, which is made when there is a word to keep.
    public init(store: Turnstone, id: String?) {
        self.store = store
        self.id = id
    }

    /// Changes with every key: what to wait on before saving.
    public var typed: [String] { [title, body] }

    /// Follows the note until its task ends: what changes elsewhere appears, except in a field that was typed in.
    public func follow() async {
        guard let id else { return }
        do {
            for try await rows in store.watch("SELECT id, title, body FROM notes WHERE id = ?", [.text(id)]) {
                guard let row = rows.first else {
                    isGone = true
                    continue
                }
                isGone = false
                take(try row.decode(Note.self))
            }
        } catch is CancellationError {
        } catch {
            problem = error.localizedDescription
        }
    }

    func take(_ note: Note) {
        if title == seen?.title ?? "" { title = note.title }
        if body == seen?.body ?? "" { body = note.body }
        // A field that was typed in differs from the note still, and is saved.
        seen = note
    }

    /// Saves a moment after the last key; cancelled by the next.
    public func saveSoon() async {
        guard (try? await Task.sleep(for: .milliseconds(500))) != nil else { return }
        await save()
    }

    /// Saves what was typed. A new note without a word is not kept.
    public func save() async {
        // One at a time: what is typed meanwhile is saved by the next.
        guard !isSaving, !isGone, id == nil || seen != nil else { return }
        isSaving = true
        defer { isSaving = false }
        let (title, body) = (title, body)
        var fields: [String: Value] = [:]
        if title != seen?.title ?? "" { fields["title"] = .text(title) }
        if body != seen?.body ?? "" { fields["body"] = .text(body) }
        guard !fields.isEmpty else { return }
        fields["updated_at"] = .now
        do {
            let known = id
            let written = try await store.write { [fields] changes in
                if let known {
                    changes.update("notes", id: known, fields)
                } else {
                    changes.insert("notes", fields)
                }
            }
            if let made = written.ids.first {
                id = made
                seen = Note(id: made, title: title, body: body)
            }
            // Only what was saved: the other field may have changed elsewhere meanwhile.
            if fields["title"] != nil { seen?.title = title }
            if fields["body"] != nil { seen?.body = body }
            problem = nil
        } catch {
            problem = error.localizedDescription
        }
    }
}
