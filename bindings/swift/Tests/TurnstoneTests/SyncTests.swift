import Foundation
import Testing

@testable import Turnstone

@Suite struct SyncTests {
    @Test func offline_edits_of_different_fields_both_survive() async throws {
        let server = try TestServer()
        let a = try await Device(server.remote())
        let b = try await Device(server.remote())
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
        #expect(try await a.store.stateHash() == b.store.stateHash())
        try await a.store.close()
        try await b.store.close()
    }
}
