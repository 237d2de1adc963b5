import Foundation
import Turnstone

let benchSchema = """
    name = "bench"
    version = 1
    tables.notes.fields.title = { type = "text", default = "" }
    tables.notes.fields.body = { type = "text", default = "" }
    tables.notes.fields.updated_at = { type = "integer", default = 0 }
    tables.notes.fields.pinned = { type = "boolean", default = false }
    tables.notes.fields.tag = { type = "text", default = "" }
    tables.beats.fields.at = { type = "integer", default = 0 }
    """

let everything = "SELECT id, title, body, updated_at, pinned, tag FROM notes"

/// What both sides make of a row.
struct Note {
    var id: String
    var title: String
    var body: String
    var updatedAt: Int
    var pinned: Bool
    var tag: String

    /// The same note for the same number, on both sides.
    init(_ n: Int) {
        var state = UInt64(n &* 2_654_435_761 &+ 1)
        func words(_ length: Int) -> String {
            var text = ""
            while text.utf8.count < length {
                state = state &* 6_364_136_223_846_793_005 &+ 1
                text += "word\(state >> 54) "
            }
            return text
        }
        id = String(repeating: "0", count: 24) + String(100_000_000 + n).suffix(8)
        title = words(40)
        body = words(400)
        updatedAt = 1_700_000_000_000 + n
        pinned = n % 20 == 0
        tag = "tag\(n % 10)"
    }

    init(id: String, title: String, body: String, updatedAt: Int, pinned: Bool, tag: String) {
        (self.id, self.title, self.body, self.updatedAt) = (id, title, body, updatedAt)
        (self.pinned, self.tag) = (pinned, tag)
    }
}

/// W2 (rows into values) and W9 (write to emission) from Swift. `--small` shows that it works and says nothing more.
@main struct Bench {
    static func main() async throws {
        let isSmall = CommandLine.arguments.contains("--small")
        let folder = FileManager.default.temporaryDirectory.appendingPathComponent("turnstone-bench-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder) }
        let path = folder.appendingPathComponent("app.db").path
        let store = try await Turnstone.open(Options(path: path, schema: benchSchema, durability: .process))
        try await rows(store, folder, count: isSmall ? 2_000 : 100_000, pairs: isSmall ? 2 : 7)
        try await watches(store, queries: isSmall ? 10 : 100, writes: isSmall ? 200 : 10_000)
        try await store.close()
    }
}

func median(_ numbers: [Double]) -> Double { numbers.sorted()[numbers.count / 2] }

func text(_ number: Double, digits: Int = 2) -> String { String(format: "%.\(digits)f", number) }

func seconds(_ duration: Duration) -> Double {
    Double(duration.components.seconds) + Double(duration.components.attoseconds) / 1e18
}
