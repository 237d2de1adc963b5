import Foundation
import Testing
import Turnstone
import TurnstoneHost

// The quickstart of docs/swift.md, as it stands there.

let notesSchema = """
    name = "notes"
    version = 1
    tables.notes.fields.title = { type = "text", default = "" }
    tables.notes.fields.pinned = { type = "boolean", default = false }
    """

struct Note: Codable {
    var id: String
    var title: String
    var pinned: Bool
}

func quickstart(path: String, url: String, tokens: any TokenProvider) async throws {
    let remote = Remote.custom(try URLSessionTransport(url), tokens: tokens)
    let store = try await Turnstone.open(Options(path: path, schema: notesSchema, remote: remote))

    // One closure is one transaction: here, on the server, and on every other device.
    let id = try await store.write { $0.insert("notes", ["title": "Shopping"]) }.ids[0]

    // Plain SQL is captured just the same.
    try await store.execute("UPDATE notes SET pinned = 1 WHERE id = ?", [.text(id)])

    // A live query: its rows now, and after every commit that changes them.
    for try await rows in store.watch("SELECT * FROM notes") {
        print(try rows.map { try $0.decode(Note.self) })
        break
    }

    try await store.sync()
    print(try await store.rowState("notes", id: id))  // synced
    try await store.close()
}

@Suite struct QuickstartTests {
    @Test func the_quickstart_runs_as_it_is_written() async throws {
        let server = try TestServer()
        let path = try folder().appendingPathComponent("app.db").path
        try await quickstart(path: path, url: server.url, tokens: Always(token: server.token))
        let here = try String(contentsOfFile: #filePath, encoding: .utf8)
        let root = URL(fileURLWithPath: #filePath).appendingPathComponent("../../../../../").standardized
        let page = try String(contentsOf: root.appendingPathComponent("docs/swift.md"), encoding: .utf8)
        let block = page.components(separatedBy: "```swift\n")[1].components(separatedBy: "```")[0]
        #expect(block.count > 500 && here.contains(block), "docs/swift.md and this file say the same")
    }
}
