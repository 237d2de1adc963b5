import Foundation
import Testing
import Turnstone

@testable import NotesModel

/// The three screens, without a screen: the real library and a real server.
@MainActor @Suite struct NotesTests {
    /// Writes a note in the editor and gives its id.
    private func write(_ title: String, in store: Turnstone) async throws -> String {
        let editor = NoteEditor(store: store, id: nil)
        editor.title = title
        await editor.save()
        #expect(editor.problem == nil)
        return try #require(try await store.query("SELECT id FROM notes WHERE title = ?", [.text(title)]).first?.text("id"))
    }

    @Test func a_note_is_listed_at_once_and_its_badge_goes_when_it_is_synced() async throws {
        let server = try Server()
        let store = try await phone(server)
        // What it does at its start is done, and what is written next waits: whoever asks is served all the same.
        try await store.sync()
        store.setConditions(Conditions(network: .offline))
        let list = NotesList(store: store)
        let following = Task { await list.follow() }
        let id = try await write("Shopping", in: store)
        #expect(await becomes { list.notes.map(\.id) == [id] })
        let badge = RowBadge(store: store, id: id)
        let watching = Task { await badge.follow() }
        #expect(await becomes { badge.badge == .saved }, "\(String(describing: badge.badge))")
        try await store.sync()
        #expect(await becomes { badge.badge == nil })
        following.cancel()
        watching.cancel()
        try await store.close()
        withExtendedLifetime(server) {}
    }

    @Test func what_one_phone_types_appears_on_the_other() async throws {
        let server = try Server()
        let (one, other) = (try await phone(server), try await phone(server))
        let id = try await write("Shopping", in: one)
        let editor = NoteEditor(store: one, id: id)
        let following = Task { await editor.follow() }
        #expect(await becomes { editor.title == "Shopping" })
        editor.body = "\n milk \n bread"
        await editor.saveSoon()
        try await one.sync()
        try await other.sync()
        let list = NotesList(store: other)
        let listing = Task { await list.follow() }
        #expect(await becomes { list.notes.first.map { [$0.shownTitle, $0.preview] } == ["Shopping", "milk"] })
        await list.delete(id)
        #expect(await becomes { list.notes.isEmpty })
        try await other.sync()
        try await one.sync()
        #expect(await becomes { editor.isGone })
        editor.title = "too late"
        await editor.save()
        #expect(editor.problem == nil, "a note that is gone is not written to")
        following.cancel()
        listing.cancel()
        try await one.close()
        try await other.close()
        withExtendedLifetime(server) {}
    }

    @Test func typing_in_one_field_leaves_the_other_to_other_phones() async throws {
        let store = try await phone()
        let id = try await write("before", in: store)
        let editor = NoteEditor(store: store, id: id)
        let following = Task { await editor.follow() }
        #expect(await becomes { editor.title == "before" })
        editor.title = "typed here"
        // Another phone, or another screen.
        try await store.write { $0.update("notes", id: id, ["title": "typed there", "body": "milk"]) }
        #expect(await becomes { editor.body == "milk" })
        #expect(editor.title == "typed here")
        try await store.write { $0.update("notes", id: id, ["body": "milk and bread"]) }
        #expect(await becomes { editor.body == "milk and bread" })
        await editor.save()
        let row = try #require(try await store.get("notes", id: id))
        #expect(try row.text("title") == "typed here" && row.text("body") == "milk and bread")
        following.cancel()
        try await store.close()
    }

    @Test func a_new_note_is_kept_once_and_without_a_word_not_at_all() async throws {
        let store = try await phone()
        let editor = NoteEditor(store: store, id: nil)
        await editor.save()
        #expect(try await store.query("SELECT id FROM notes").isEmpty)
        editor.body = "milk"
        await editor.save()
        editor.title = "Shopping"
        await editor.save()
        let rows = try await store.query("SELECT title, body FROM notes")
        #expect(rows.count == 1)
        #expect(try rows[0].text("title") == "Shopping" && rows[0].text("body") == "milk")
        try await store.close()
    }

    @Test func the_status_bar_says_how_much_waits_and_what_happens_next() async throws {
        let server = try Server()
        let store = try await phone(server)
        try await store.sync()
        let bar = StatusBar(store: store)
        let following = Task { await bar.follow() }
        #expect(await becomes { bar.line?.next == "Looks for news in 15 min" }, "\(String(describing: bar.line))")
        #expect(bar.line?.now == "All notes are synced" && bar.line?.tone == .calm)
        _ = try await write("Shopping", in: store)
        // What is saved is seen at once, what happens next when the scheduler has heard of it.
        #expect(
            await becomes {
                bar.line?.now == "1 change is saved here" && bar.line?.next.hasSuffix("s, unless you go on typing") == true
            }, "\(String(describing: bar.line))")
        // By itself, a few seconds after the last write.
        #expect(await becomes { bar.line?.now == "All notes are synced" }, "\(String(describing: bar.line))")
        following.cancel()
        try await store.close()
        withExtendedLifetime(server) {}
    }

    @Test func without_a_server_it_is_a_notes_app_on_this_phone() async throws {
        let store = try await phone()
        let list = NotesList(store: store)
        let following = Task { await list.follow() }
        let id = try await write("kept", in: store)
        #expect(await becomes { list.notes.count == 1 })
        #expect(StatusLine(try await store.status()).now == "Notes stay on this phone")
        following.cancel()
        try await store.close()
        await list.delete(id)
        #expect(list.problem?.isEmpty == false, "a closed store is said, not hidden")
    }
}

@Suite struct WordTests {
    @Test func every_state_has_a_badge_and_synced_has_none() {
        let states: [RowState] = [.saved, .sending, .retrying(attempts: 1, at: nil), .conflict, .failed(reason: "row_exists")]
        #expect(states.map { Badge($0) } == Badge.allCases && Badge(.synced) == nil)
        #expect(Set(Badge.allCases.map(\.symbol)).count == Badge.allCases.count)
    }

    @Test func every_situation_has_its_words() {
        let now = Date(timeIntervalSince1970: 1_800_000_000)
        func next(_ why: String, in seconds: Double = 12) -> String {
            StatusLine(pending: 1, decision: .at(now.addingTimeInterval(seconds), why: why), at: now).next
        }
        #expect(next("debounce") == "Sends in 12 s, unless you go on typing")
        #expect(next("poll", in: 61) == "Looks for news in 2 min")
        #expect(next("offline", in: 0.4) == "Waits for the network; looks again now")
        #expect(next("retry_after") == "The server asked for patience; tries again in 12 s")
        #expect(next("a_newer_word") == "Tries again in 12 s")
        func line(_ phase: Phase, dead: Int = 0, code: String? = nil) -> StatusLine {
            StatusLine(pending: 2, deadLetters: dead, phase: phase, code: code, decision: .now(why: "written"), at: now)
        }
        #expect(line(.pushing) == StatusLine(now: "2 changes are saved here", next: "Sending now", tone: .working))
        #expect(line(.waiting).tone == .waiting && line(.needsAuth).next == "Sign in to sync them")
        #expect(line(.pushing, dead: 1).now == "1 change was refused" && line(.idle, dead: 3).tone == .needsPerson)
        #expect(line(.stopped, code: "schema_ahead").next == "Sync has stopped (schema_ahead)")
        let wish = Wish(kind: .smallPush, network: .connected, batteryNotLow: false, earliest: nil, why: "backoff")
        #expect(
            StatusLine(pending: 1, decision: .background(wish), at: now).next == "Tries again when the phone gives time")
    }
}
