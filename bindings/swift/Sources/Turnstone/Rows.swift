import Foundation

/// The rows of a query. They are one block of memory; a cell is decoded when you look at it. Keep what you need from a row
/// rather than the row itself: each one keeps all of them in memory.
public struct Rows: RandomAccessCollection, Sendable {
    /// The names of the columns, in the order of the query.
    public let columns: [String]
    /// The first row: 0.
    public let startIndex = 0
    /// How many rows there are.
    public let endIndex: Int

    /// An array and not `Data`: it is read cell by cell, which is what arrays are fast at.
    private let block: [UInt8]
    private let tags: Int
    private let slots: Int
    private let heap: Int

    init(_ data: Data) {
        precondition(data.count >= 20 && data.prefix(4).elementsEqual("TSR1".utf8), "this is not a buffer of rows")
        let block = [UInt8](data)
        self.block = block
        let width = Rows.number(block, 4)
        endIndex = Rows.number(block, 8)
        tags = Rows.number(block, 12)
        heap = Rows.number(block, 16)
        slots = (tags + width * endIndex + 7) / 8 * 8
        var names: [String] = []
        var at = 20
        for _ in 0..<width {
            let length = Rows.number(block, at)
            names.append(String(decoding: block[at + 4..<at + 4 + length], as: UTF8.self))
            at += 4 + length
        }
        columns = names
    }

    /// A row, from 0. One that is not there ends the app, as it does in an array.
    public subscript(position: Int) -> Row {
        precondition(indices.contains(position), "row \(position) of \(count)")
        return Row(rows: self, index: position)
    }

    /// Where a column is. Where two have one name, the first counts. Few columns are found faster one by one than by hash.
    fileprivate func place(_ name: String) -> Int? { columns.firstIndex(of: name) }

    private static func number(_ block: [UInt8], _ at: Int) -> Int {
        block.withUnsafeBytes { Int(UInt32(littleEndian: $0.loadUnaligned(fromByteOffset: at, as: UInt32.self))) }
    }

    fileprivate func cell(_ row: Int, _ column: Int) -> (tag: UInt8, slot: UInt64) {
        let place = row * columns.count + column
        return block.withUnsafeBytes {
            ($0[tags + place], UInt64(littleEndian: $0.loadUnaligned(fromByteOffset: slots + place * 8, as: UInt64.self)))
        }
    }

    fileprivate func string(_ slot: UInt64) -> String {
        block.withUnsafeBytes { String(decoding: UnsafeRawBufferPointer(rebasing: $0[range(slot)]), as: UTF8.self) }
    }

    fileprivate func bytes(_ slot: UInt64) -> Data { Data(block[range(slot)]) }

    private func range(_ slot: UInt64) -> Range<Int> {
        let from = heap + Int(slot & 0xffff_ffff)
        return from..<from + Int(slot >> 32)
    }
}

/// One row of a query, or a row read by its id. Columns are found by name.
public struct Row: Sendable {
    let rows: Rows
    let index: Int

    /// The names of the columns.
    public var columns: [String] { rows.columns }

    /// Whether there is a column of this name.
    public func has(_ name: String) -> Bool { rows.place(name) != nil }

    /// The value of a column, as what it is.
    public func value(_ name: String) throws -> Value {
        guard let place = rows.place(name) else {
            throw RowError.noColumn(name, has: columns)
        }
        let (tag, slot) = rows.cell(index, place)
        switch tag {
        case 1: return .int(Int64(bitPattern: slot))
        case 2: return .real(Double(bitPattern: slot))
        case 3: return .text(rows.string(slot))
        case 4: return .bytes(rows.bytes(slot))
        case 5: return .bool(slot == 1)
        case 6: return .json(rows.string(slot))
        default: return .null
        }
    }

    /// The text, or JSON text, of a column.
    public func text(_ name: String) throws -> String? {
        switch try value(name) {
        case .null: return nil
        case .text(let text), .json(let text): return text
        default: throw RowError.otherType(name, wanted: "a text")
        }
    }

    /// The whole number of a column.
    public func int(_ name: String) throws -> Int64? {
        switch try value(name) {
        case .null: return nil
        case .int(let int): return int
        case .bool(let bool): return bool ? 1 : 0
        default: throw RowError.otherType(name, wanted: "a whole number")
        }
    }

    /// The number of a column.
    public func double(_ name: String) throws -> Double? {
        switch try value(name) {
        case .null: return nil
        case .real(let real): return real
        case .int(let int): return Double(int)
        default: throw RowError.otherType(name, wanted: "a number")
        }
    }

    /// Yes or no, of a column. Queries give 0 and 1, which count.
    public func bool(_ name: String) throws -> Bool? {
        switch try value(name) {
        case .null: return nil
        case .bool(let bool): return bool
        case .int(let int) where int == 0 || int == 1: return int == 1
        default: throw RowError.otherType(name, wanted: "a boolean")
        }
    }

    /// The bytes of a column.
    public func bytes(_ name: String) throws -> Data? {
        switch try value(name) {
        case .null: return nil
        case .bytes(let bytes): return bytes
        default: throw RowError.otherType(name, wanted: "bytes")
        }
    }
}

extension Row: CustomStringConvertible {
    /// The columns, and never what is in them.
    public var description: String { "Row(\(columns))" }
}

/// A row was asked for something that it is not.
public enum RowError: Error, Equatable, Sendable {
    /// The query has no such column.
    case noColumn(String, has: [String])
    /// The column holds something else.
    case otherType(String, wanted: String)
}
