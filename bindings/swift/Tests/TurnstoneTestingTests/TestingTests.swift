import Testing
import Turnstone
import TurnstoneTesting

private let schema = """
    name = "notes"
    version = 1
    [tables.notes]
    fields.title = { type = "text", default = "" }
    fields.body = { type = "text", default = "" }
    fields.views = { type = "integer", default = 0, merge = "counter" }
    """

@Suite struct TestingTests {
    @Test func two_devices_in_one_process_end_equal() async throws {
        let two = try await TwoDevices(schema: schema)
        let id = try await two.a.store.write { $0.insert("notes", ["title": "plan"]) }.ids[0]
        try await two.settle()
        try await two.a.store.write { $0.update("notes", id: id, ["title": "plan A"]) }
        try await two.b.store.write { $0.update("notes", id: id, ["body": "by b"]) }
        try await two.settle()
        for device in [two.a, two.b] {
            let row = try #require(try await device.store.get("notes", id: id))
            #expect(try row.text("title") == "plan A")
            #expect(try row.text("body") == "by b")
        }
        let (one, other) = (try await two.a.store.stateHash(), try await two.b.store.stateHash())
        #expect(one == other)
        try await two.close()
    }

    @Test func a_link_can_be_cut_and_can_lose_answers() async throws {
        let two = try await TwoDevices(schema: schema)
        two.a.link.isUp = false
        let id = try await two.a.store.write { $0.insert("notes", ["title": "offline"]) }.ids[0]
        await #expect(throws: TurnstoneError.self) { try await two.a.store.sync() }
        two.a.link.isUp = true
        two.a.link.loseAnswers()
        try await two.a.store.write { $0.increment("notes", id: id, "views", by: 5) }
        while try await two.a.store.status().pendingGroups > 0 { _ = try? await two.a.store.sync() }
        try await two.settle()
        #expect(try await two.b.store.get("notes", id: id)?.int("views") == 5)
        try await two.close()
    }

    @Test func a_wrong_schema_is_said_at_once() async throws {
        await #expect(throws: (any Error).self) { try await TestServer.start(schema: "tables = 3") }
    }
}
