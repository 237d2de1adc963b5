import Foundation
import TurnstoneFFI

/// The value of a field or of a query's parameter. Literals do: `"Shopping"`, `3`, `2.5`, `true`, `nil`.
public enum Value: Equatable, Sendable {
    /// No value.
    case null
    /// Yes or no.
    case bool(Bool)
    /// A whole number; also a time, in milliseconds since 1970.
    case int(Int64)
    /// A number.
    case real(Double)
    /// A text.
    case text(String)
    /// Bytes.
    case bytes(Data)
    /// A JSON text.
    case json(String)

    var ffi: FfiValue {
        switch self {
        case .null: return .null
        case .bool(let value): return .bool(value: value)
        case .int(let value): return .int(value: value)
        case .real(let value): return .real(value: value)
        case .text(let value): return .text(value: value)
        case .bytes(let value): return .bytes(value: value)
        case .json(let value): return .json(value: value)
        }
    }
}

extension Value: ExpressibleByStringLiteral, ExpressibleByStringInterpolation, ExpressibleByIntegerLiteral,
    ExpressibleByFloatLiteral, ExpressibleByBooleanLiteral, ExpressibleByNilLiteral
{
    /// `"Shopping"` is a text.
    public init(stringLiteral value: String) { self = .text(value) }
    /// `1` is a whole number.
    public init(integerLiteral value: Int64) { self = .int(value) }
    /// `1.5` is a number.
    public init(floatLiteral value: Double) { self = .real(value) }
    /// `true` is a boolean.
    public init(booleanLiteral value: Bool) { self = .bool(value) }
    /// `nil` is NULL.
    public init(nilLiteral: ()) { self = .null }
}

/// Collects the changes of one transaction. They are carried out in order, all or none, when the closure has ended.
public struct Changes {
    var list: [FfiChange] = []

    /// Makes a row; without an `id` a new one is made. Fields that are not named take their default.
    public mutating func insert(_ table: String, id: String? = nil, _ fields: [String: Value]) {
        list.append(.insert(table: table, id: id, fields: ffi(fields)))
    }

    /// Changes fields of a row that is there.
    public mutating func update(_ table: String, id: String, _ fields: [String: Value]) {
        list.append(.update(table: table, id: id, fields: ffi(fields)))
    }

    /// Changes fields of a row that is there, else makes it.
    public mutating func upsert(_ table: String, id: String, _ fields: [String: Value]) {
        list.append(.upsert(table: table, id: id, fields: ffi(fields)))
    }

    /// Removes a row, if it is there.
    public mutating func delete(_ table: String, id: String) {
        list.append(.delete(table: table, id: id))
    }

    /// Adds to a counter. Increments of several devices add up.
    public mutating func increment(_ table: String, id: String, _ field: String, by: Int64 = 1) {
        list.append(.increment(table: table, id: id, field: field, by: by))
    }

    /// Runs one SQL statement. What it changes is synced like everything else.
    public mutating func execute(_ sql: String, _ params: [Value] = []) {
        list.append(.sql(sql: sql, params: params.map(\.ffi)))
    }
}

private func ffi(_ fields: [String: Value]) -> [FfiField] {
    fields.map { FfiField(name: $0.key, value: $0.value.ffi) }
}
