import CSQLite
import Foundation
import Turnstone

/// W2: every row into a value, page by page; beside it SQLite's C API over a table of the same rows.
func rows(_ store: Turnstone, _ folder: URL, count: Int, pairs: Int) async throws {
    for start in stride(from: 0, to: count, by: 1_000) {
        try await store.write { changes in
            for note in (start..<min(start + 1_000, count)).map({ Note($0) }) {
                changes.insert(
                    "notes", id: note.id,
                    [
                        "title": .text(note.title), "body": .text(note.body), "updated_at": .int(Int64(note.updatedAt)),
                        "pinned": .bool(note.pinned), "tag": .text(note.tag),
                    ])
            }
        }
    }
    let limit = try Limit(folder.appendingPathComponent("limit.db").path, count: count)
    var (limits, ours, ratios) = ([Double](), [Double](), [Double]())
    // The first pair warms both up.
    for pair in 0...pairs {
        let clock = ContinuousClock()
        var start = clock.now
        precondition(limit.read().count == count)
        let limited = Double(count) / seconds(clock.now - start)
        start = clock.now
        let notes = try await read(store)
        let our = Double(count) / seconds(clock.now - start)
        precondition(notes.count == count)
        guard pair > 0 else { continue }
        limits.append(limited)
        ours.append(our)
        ratios.append(our / limited)
    }
    let (by, our, ratio) = (median(limits), median(ours), median(ratios))
    print(
        "W2 ffi, Swift: \(count) rows  limit (C API) \(text(by, digits: 0))/s  ours \(text(our, digits: 0))/s  "
            + "ratio \(text(ratio)) (\(text(ratios.min()!)) to \(text(ratios.max()!)))  goal 0.8")
    print(
        #"{"row":"W2","language":"swift","rows":\#(count),"limit":\#(by),"ours":\#(our),"ratio":\#(ratio),"goal":0.8}"#)
}

private func read(_ store: Turnstone) async throws -> [Note] {
    var notes: [Note] = []
    for try await page in store.pages(everything) {
        for row in page {
            notes.append(
                Note(
                    id: try row.text("id")!, title: try row.text("title")!, body: try row.text("body")!,
                    updatedAt: Int(try row.int("updated_at")!), pinned: try row.bool("pinned")!, tag: try row.text("tag")!))
        }
    }
    return notes
}

/// The same rows in plain SQLite.
private final class Limit {
    private var database: OpaquePointer?

    init(_ path: String, count: Int) throws {
        precondition(sqlite3_open(path, &database) == 0)
        run("CREATE TABLE notes (id TEXT PRIMARY KEY, title TEXT NOT NULL, body TEXT NOT NULL, "
            + "updated_at INTEGER NOT NULL, pinned INTEGER NOT NULL, tag TEXT NOT NULL)")
        run("BEGIN")
        let insert = prepare("INSERT INTO notes VALUES (?, ?, ?, ?, ?, ?)")
        // -1: SQLite makes a copy of its own.
        func bind(_ index: Int32, _ text: String) { sqlite3_bind_text(insert, index, text, -1, -1) }
        for note in (0..<count).map({ Note($0) }) {
            bind(1, note.id)
            bind(2, note.title)
            bind(3, note.body)
            sqlite3_bind_int64(insert, 4, Int64(note.updatedAt))
            sqlite3_bind_int64(insert, 5, note.pinned ? 1 : 0)
            bind(6, note.tag)
            precondition(sqlite3_step(insert) == 101)
            sqlite3_reset(insert)
        }
        sqlite3_finalize(insert)
        run("COMMIT")
    }

    deinit { sqlite3_close(database) }

    func read() -> [Note] {
        let select = prepare(everything)
        var notes: [Note] = []
        func string(_ column: Int32) -> String { String(cString: sqlite3_column_text(select, column)) }
        while sqlite3_step(select) == 100 {
            notes.append(
                Note(
                    id: string(0), title: string(1), body: string(2), updatedAt: Int(sqlite3_column_int64(select, 3)),
                    pinned: sqlite3_column_int64(select, 4) != 0, tag: string(5)))
        }
        sqlite3_finalize(select)
        return notes
    }

    private func run(_ sql: String) { precondition(sqlite3_exec(database, sql, nil, nil, nil) == 0) }

    private func prepare(_ sql: String) -> OpaquePointer? {
        var statement: OpaquePointer?
        precondition(sqlite3_prepare_v2(database, sql, -1, &statement, nil) == 0)
        return statement
    }
}
