import TurnstoneFFI

/// An open transaction: reads see what it wrote, nobody else does before it ends. Other writes wait for it, so do in it
/// only what must be decided together; never call the store itself from inside. After 10 seconds without a call it is
/// rolled back.
public struct Transaction: Sendable {
    let transaction: FfiTransaction

    /// Carries changes out and gives the ids of the rows that inserts made. If it throws, none of them happened.
    @discardableResult
    public func write(_ block: (inout Changes) throws -> Void) async throws -> [String] {
        var changes = Changes()
        try block(&changes)
        let list = changes.list
        return try await translating { try await transaction.apply(changes: list) }
    }

    /// Runs one SQL statement and says how many rows it changed.
    @discardableResult
    public func execute(_ sql: String, _ params: [Value] = []) async throws -> Int {
        Int(try await translating { try await transaction.execute(sql: sql, params: params.map(\.ffi)) })
    }

    /// Runs a query on what this transaction sees.
    public func query(_ sql: String, _ params: [Value] = []) async throws -> Rows {
        Rows(try await translating { try await transaction.query(sql: sql, params: params.map(\.ffi)) })
    }

    /// Reads one row as this transaction sees it.
    public func get(_ table: String, id: String) async throws -> Row? {
        try await translating { try await transaction.get(table: table, id: id) }.map { Rows($0)[0] }
    }
}
