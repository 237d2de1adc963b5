import Foundation

extension Row {
    /// Makes a `Decodable` value of this row: each property is the column of its name (or coding key).
    public func decode<T: Decodable>(_ type: T.Type = T.self) throws -> T {
        try T(from: RowDecoder(row: self))
    }
}

private struct RowDecoder: Decoder {
    let row: Row
    var codingPath: [any CodingKey] { [] }
    var userInfo: [CodingUserInfoKey: Any] { [:] }

    func container<Key: CodingKey>(keyedBy type: Key.Type) -> KeyedDecodingContainer<Key> {
        KeyedDecodingContainer(Columns(row: row))
    }

    func unkeyedContainer() throws -> any UnkeyedDecodingContainer { throw flat }
    func singleValueContainer() throws -> any SingleValueDecodingContainer { throw flat }

    private var flat: DecodingError {
        .dataCorrupted(.init(codingPath: [], debugDescription: "a row becomes a type with a property for each column"))
    }
}

private struct Columns<Key: CodingKey>: KeyedDecodingContainerProtocol {
    let row: Row
    var codingPath: [any CodingKey] { [] }
    var allKeys: [Key] { row.columns.compactMap(Key.init(stringValue:)) }

    func contains(_ key: Key) -> Bool { row.has(key.stringValue) }
    func decodeNil(forKey key: Key) throws -> Bool { try row.value(key.stringValue) == .null }
    func decode(_ type: Bool.Type, forKey key: Key) throws -> Bool { try there(row.bool(key.stringValue), key) }
    func decode(_ type: String.Type, forKey key: Key) throws -> String { try there(row.text(key.stringValue), key) }
    func decode(_ type: Double.Type, forKey key: Key) throws -> Double { try there(row.double(key.stringValue), key) }
    func decode(_ type: Float.Type, forKey key: Key) throws -> Float { Float(try decode(Double.self, forKey: key)) }
    func decode(_ type: Int.Type, forKey key: Key) throws -> Int { try whole(key) }
    func decode(_ type: Int8.Type, forKey key: Key) throws -> Int8 { try whole(key) }
    func decode(_ type: Int16.Type, forKey key: Key) throws -> Int16 { try whole(key) }
    func decode(_ type: Int32.Type, forKey key: Key) throws -> Int32 { try whole(key) }
    func decode(_ type: Int64.Type, forKey key: Key) throws -> Int64 { try whole(key) }
    func decode(_ type: UInt.Type, forKey key: Key) throws -> UInt { try whole(key) }
    func decode(_ type: UInt8.Type, forKey key: Key) throws -> UInt8 { try whole(key) }
    func decode(_ type: UInt16.Type, forKey key: Key) throws -> UInt16 { try whole(key) }
    func decode(_ type: UInt32.Type, forKey key: Key) throws -> UInt32 { try whole(key) }
    func decode(_ type: UInt64.Type, forKey key: Key) throws -> UInt64 { try whole(key) }

    func decode<T: Decodable>(_ type: T.Type, forKey key: Key) throws -> T {
        if type == Data.self, let bytes = try there(row.bytes(key.stringValue), key) as? T { return bytes }
        if type == Date.self {
            // A timestamp: milliseconds since 1970.
            let date = Date(timeIntervalSince1970: Double(try whole(key) as Int64) / 1000)
            if let date = date as? T { return date }
        }
        return try T(from: Cell(row: row, key: key))
    }

    func nestedContainer<Nested: CodingKey>(
        keyedBy type: Nested.Type, forKey key: Key
    ) throws -> KeyedDecodingContainer<Nested> { throw nested(key) }
    func nestedUnkeyedContainer(forKey key: Key) throws -> any UnkeyedDecodingContainer { throw nested(key) }
    func superDecoder() throws -> any Decoder { RowDecoder(row: row) }
    func superDecoder(forKey key: Key) throws -> any Decoder { throw nested(key) }

    private func whole<Number: FixedWidthInteger>(_ key: Key) throws -> Number {
        let int = try there(row.int(key.stringValue), key)
        guard let number = Number(exactly: int) else {
            throw DecodingError.dataCorrupted(.init(codingPath: [key], debugDescription: "the number does not fit"))
        }
        return number
    }

    private func there<T>(_ value: T?, _ key: Key) throws -> T {
        guard let value else {
            throw DecodingError.valueNotFound(T.self, .init(codingPath: [key], debugDescription: "the column is null"))
        }
        return value
    }

    private func nested(_ key: Key) -> DecodingError {
        .dataCorrupted(.init(codingPath: [key], debugDescription: "a column holds one value"))
    }
}

/// One cell, for types made of a single value, such as enums of texts.
private struct Cell<Key: CodingKey>: Decoder, SingleValueDecodingContainer {
    let row: Row
    let key: Key
    var codingPath: [any CodingKey] { [key] }
    var userInfo: [CodingUserInfoKey: Any] { [:] }
    private var columns: Columns<Key> { Columns(row: row) }

    func container<Nested: CodingKey>(keyedBy type: Nested.Type) throws -> KeyedDecodingContainer<Nested> { throw single }
    func unkeyedContainer() throws -> any UnkeyedDecodingContainer { throw single }
    func singleValueContainer() -> any SingleValueDecodingContainer { self }
    func decodeNil() -> Bool { (try? row.value(key.stringValue)) == .null }
    func decode(_ type: Bool.Type) throws -> Bool { try columns.decode(type, forKey: key) }
    func decode(_ type: String.Type) throws -> String { try columns.decode(type, forKey: key) }
    func decode(_ type: Double.Type) throws -> Double { try columns.decode(type, forKey: key) }
    func decode(_ type: Float.Type) throws -> Float { try columns.decode(type, forKey: key) }
    func decode(_ type: Int.Type) throws -> Int { try columns.decode(type, forKey: key) }
    func decode(_ type: Int8.Type) throws -> Int8 { try columns.decode(type, forKey: key) }
    func decode(_ type: Int16.Type) throws -> Int16 { try columns.decode(type, forKey: key) }
    func decode(_ type: Int32.Type) throws -> Int32 { try columns.decode(type, forKey: key) }
    func decode(_ type: Int64.Type) throws -> Int64 { try columns.decode(type, forKey: key) }
    func decode(_ type: UInt.Type) throws -> UInt { try columns.decode(type, forKey: key) }
    func decode(_ type: UInt8.Type) throws -> UInt8 { try columns.decode(type, forKey: key) }
    func decode(_ type: UInt16.Type) throws -> UInt16 { try columns.decode(type, forKey: key) }
    func decode(_ type: UInt32.Type) throws -> UInt32 { try columns.decode(type, forKey: key) }
    func decode(_ type: UInt64.Type) throws -> UInt64 { try columns.decode(type, forKey: key) }
    func decode<T: Decodable>(_ type: T.Type) throws -> T { try T(from: self) }

    private var single: DecodingError {
        .dataCorrupted(.init(codingPath: [key], debugDescription: "a column holds one value"))
    }
}
