import Foundation
import Testing

@testable import Turnstone

@Suite struct SyncTests {
    private func onTwo(_ body: (Device, Device) async throws -> Void) async throws {
        let server = try TestServer()
        let (a, b) = (try await Device(server.remote()), try await Device(server.remote()))
        try await body(a, b)
        try await a.store.close()
        try await b.store.close()
        withExtendedLifetime(server) {}
    }

    @Test func offline_edits_of_different_fields_both_survive() async throws {
        try await onTwo { a, b in
            let id = try await a.insert("plan")
            try await settle(a, b)
            try await a.store.write { $0.update("notes", id: id, ["title": "plan A"]) }
            try await b.store.write { $0.update("notes", id: id, ["body": "by b"]) }
            try await settle(a, b)
            for device in [a, b] {
                let row = try #require(try await device.store.get("notes", id: id))
                #expect(try row.text("title") == "plan A")
                #expect(try row.text("body") == "by b")
            }
            let (one, other) = (try await a.store.stateHash(), try await b.store.stateHash())
            #expect(one == other && one.rows == 1)
        }
    }

    @Test func overlapping_edits_of_one_field_end_the_same_everywhere() async throws {
        try await onTwo { a, b in
            let id = try await a.insert("plan")
            try await settle(a, b)
            try await a.store.write { $0.update("notes", id: id, ["title": "by a"]) }
            try await b.store.write { $0.update("notes", id: id, ["title": "by b"]) }
            try await settle(a, b)
            let (one, other) = (try await a.titles(), try await b.titles())
            #expect(one == other && (one == ["by a"] || one == ["by b"]))
        }
    }

    @Test func a_delete_against_an_unseen_edit_keeps_the_edit() async throws {
        try await onTwo { a, b in
            let id = try await a.insert("plan")
            try await settle(a, b)
            try await a.store.write { $0.update("notes", id: id, ["body": "still needed"]) }
            try await a.store.sync()
            try await b.store.write { $0.delete("notes", id: id) }
            #expect(try await b.store.get("notes", id: id) == nil)
            try await settle(b, a)
            for device in [a, b] {
                #expect(try await device.store.get("notes", id: id)?.text("body") == "still needed")
            }
        }
    }

    @Test func a_delete_wins_where_the_table_says_so_and_the_edit_is_kept() async throws {
        try await onTwo { a, b in
            try await a.store.write { $0.insert("strict", id: "s1", ["name": "old"]) }
            try await settle(a, b)
            try await a.store.write { $0.delete("strict", id: "s1") }
            try await a.store.sync()
            try await b.store.write { $0.update("strict", id: "s1", ["name": "what b typed"]) }
            try await settle(b, a)
            for device in [a, b] { #expect(try await device.store.get("strict", id: "s1") == nil) }
            let letters = try await b.store.deadLetters()
            #expect(letters.count == 1 && letters[0].opsJSON.contains("what b typed"))
        }
    }

    @Test func a_lost_answer_changes_nothing_twice() async throws {
        let server = try TestServer()
        let host = Host(url: server.url, losePushes: 1)
        let a = try await Device(.custom(host, tokens: Always(token: server.token)))
        let id = try await a.insert("counted")
        try await a.store.write { $0.increment("notes", id: id, "views", by: 5) }
        while try await a.store.status().pendingGroups > 0 { _ = try? await a.store.sync() }
        #expect(host.left == 0)
        let b = try await Device(server.remote())
        try await b.store.sync()
        #expect(try await b.store.get("notes", id: id)?.int("views") == 5)
        #expect(try await b.titles().count == 1)
        try await a.store.close()
        try await b.store.close()
    }

    @Test func increments_of_two_devices_add_up() async throws {
        try await onTwo { a, b in
            let id = try await a.insert("counted")
            try await settle(a, b)
            for _ in 0..<3 { try await a.store.write { $0.increment("notes", id: id, "views") } }
            try await b.store.write { $0.increment("notes", id: id, "views", by: 10) }
            try await settle(a, b)
            for device in [a, b] { #expect(try await device.store.get("notes", id: id)?.int("views") == 13) }
        }
    }

    @Test func a_refused_change_is_a_dead_letter_with_its_payload() async throws {
        try await onTwo { a, b in
            try await a.store.write { $0.insert("guarded", id: "g1", ["name": "theirs"]) }
            try await a.store.sync()
            try await b.store.write { $0.insert("guarded", id: "g1", ["name": "mine"]) }
            #expect(try await b.store.sync().rejected == 1)
            let letter = try #require(try await b.store.deadLetters().first)
            #expect(letter.opsJSON.contains("mine") && letter.attempts == 1)
            #expect(try await b.store.rowState("guarded", id: "g1") == .failed(reason: letter.reason))
            #expect(try await b.store.status().deadLetters == 1)
        }
    }

    @Test func a_dead_letter_that_is_sent_again_reaches_the_server() async throws {
        try await onTwo { a, b in
            try await a.store.write { $0.insert("guarded", id: "g1", ["name": "theirs"]) }
            try await a.store.sync()
            try await b.store.write { $0.insert("guarded", id: "g1", ["name": "mine"]) }
            try await b.store.sync()
            let letter = try #require(try await b.store.deadLetters().first)
            // What stood in its way goes.
            try await a.store.write { $0.delete("guarded", id: "g1") }
            try await settle(a, b)
            try await b.store.retryDeadLetter(letter.id)
            let status = try await b.store.status()
            #expect(status.deadLetters == 0 && status.pendingGroups == 1)
            #expect(await failure { try await b.store.retryDeadLetter(letter.id) }?.code == "dead_letter_missing")
            let report = try await b.store.sync()
            #expect(report.groupsPushed == 1 && report.rejected == 0)
            try await a.store.sync()
            #expect(try await a.store.get("guarded", id: "g1")?.text("name") == "mine")
        }
    }

    @Test func a_write_is_waited_for_until_it_is_decided() async throws {
        try await onTwo { a, b in
            let id = try await a.insert("waited for")
            try await b.store.write { $0.insert("guarded", id: "g1", ["name": "theirs"]) }
            try await b.store.sync()
            try await a.store.write { $0.insert("guarded", id: "g1", ["name": "mine"]) }
            let store = a.store
            async let synced = store.whenDecided("notes", id: id)
            async let refused = store.whenDecided("guarded", id: "g1")
            try await store.sync()
            #expect(try await synced == .synced)
            guard case .failed = try await refused else { Issue.record("not refused"); return }
            try await store.write { $0.update("notes", id: id, ["title": "for ever"]) }
            let never = Task { try await store.whenDecided("notes", id: id) }
            try await store.close()
            #expect(await failure { try await never.value }?.code == "closed")
        }
    }

    @Test func an_expired_token_is_asked_for_again_with_its_reason() async throws {
        let server = try TestServer()
        let tokens = Tokens([try server.mint(seconds: 1), server.token])
        try await Task.sleep(for: .seconds(2))
        let a = try await Device(.http(server.url, tokens: tokens))
        _ = try await a.insert("a")
        #expect(try await a.store.sync().groupsPushed == 1)
        #expect(tokens.reasons == [.first, .expired])
        try await a.store.close()
    }

    @Test func a_token_that_is_refused_again_is_asked_for_as_rejected() async throws {
        let server = try TestServer()
        let tokens = Tokens([try server.mint(seconds: 1), "not a token", server.token])
        try await Task.sleep(for: .seconds(2))
        let a = try await Device(.http(server.url, tokens: tokens))
        _ = try await a.insert("kept")
        // It was renewed once: now somebody has to look.
        #expect(await failure { try await a.store.sync() }?.code == "sync_auth")
        #expect(try await a.store.status().pendingGroups == 1)
        #expect(try await a.store.sync().groupsPushed == 1)
        #expect(tokens.reasons == [.first, .expired, .rejected])
        try await a.store.close()
    }

    @Test func nobody_signed_in_is_auth_required() async throws {
        let server = try TestServer()
        let tokens = Tokens([nil, server.token])
        let a = try await Device(.http(server.url, tokens: tokens))
        _ = try await a.insert("kept")
        let error = await failure { try await a.store.sync() }
        guard case .authRequired("sync_auth", _)? = error else { Issue.record("\(String(describing: error))"); return }
        #expect(try await a.store.status().pendingGroups == 1)
        a.store.tokenChanged()
        try await a.store.sync()
        #expect(try await a.store.status().pendingGroups == 0)
        try await a.store.close()
    }

    @Test func a_token_of_another_account_sends_nothing() async throws {
        let server = try TestServer()
        let tokens = Tokens([server.token, try server.mint(seconds: 600, "--sub", "somebody-else"), server.token])
        let a = try await Device(.http(server.url, tokens: tokens))
        _ = try await a.insert("hers")
        try await a.store.sync()
        _ = try await a.insert("hers too")
        a.store.tokenChanged()
        let error = await failure { try await a.store.sync() }
        guard case .authRequired("sync_other_account", _)? = error else {
            Issue.record("\(String(describing: error))")
            return
        }
        #expect(try await a.store.status().pendingGroups == 1)
        let b = try await Device(server.remote())
        try await b.store.sync()
        #expect(try await b.titles() == ["hers"])
        a.store.tokenChanged()
        try await a.store.sync()
        #expect(try await a.store.status().pendingGroups == 0)
        try await a.store.close()
        try await b.store.close()
    }

    @Test(.timeLimit(.minutes(1))) func a_cancelled_sync_ends_at_once() async throws {
        // A transport that does not answer for ten minutes.
        let a = try await Device(.custom(Silent(), tokens: Always(token: "token")))
        _ = try await a.insert("a")
        let store = a.store
        let sync = Task { try await store.sync() }
        try await Task.sleep(for: .milliseconds(100))
        sync.cancel()
        await #expect(throws: CancellationError.self) { try await sync.value }
        #expect(try await a.titles() == ["a"])
        try await a.store.close()
    }

    @Test func a_transport_of_the_apps_own_carries_everything_also_as_files() async throws {
        let server = try TestServer()
        let host = Host(url: server.url)
        let a = try await Device(.custom(host, tokens: Always(token: server.token), bodyFileAbove: 100))
        try await a.store.write { for n in 0..<200 { $0.insert("notes", ["title": "note \(n)"]) } }
        while try await a.store.status().pendingGroups > 0 { try await a.store.sync() }
        #expect(host.files > 0, "the large body went as a file")
        let b = try await Device(server.remote())
        try await b.store.sync()
        #expect(try await b.titles().count == 200)
        let bodies = a.place.appendingPathComponent("app.bodies").path
        #expect(try FileManager.default.contentsOfDirectory(atPath: bodies).isEmpty, "no file is left behind")
        try await a.store.close()
        try await b.store.close()
    }

    @Test func no_server_is_retryable_and_keeps_everything() async throws {
        let a = try await Device(.http("http://127.0.0.1:1", tokens: Always(token: "token")))
        _ = try await a.insert("kept")
        let error = await failure { try await a.store.sync() }
        guard case .retryable? = error else { Issue.record("\(String(describing: error))"); return }
        let status = try await a.store.status()
        #expect(status.pendingGroups == 1 && status.lastErrorCode != nil && status.hasRemote)
        try await a.store.close()
    }

    @Test func devices_have_identities_of_their_own() async throws {
        try await onTwo { a, b in
            let (one, other) = (try await a.store.identity(), try await b.store.identity())
            #expect(one != other && one.device.count == 32)
        }
    }

    @Test func a_store_that_never_synced_asked_for_nothing() async throws {
        let server = try TestServer()
        let a = try await Device(server.remote())
        #expect(try a.store.totals().requests == 0)
        try await a.store.close()
    }
}
