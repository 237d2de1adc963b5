import Foundation
import Turnstone

#if canImport(FoundationNetworking)
    import FoundationNetworking
#endif

/// An answer while it comes: in memory, or in the file where it is large.
struct PartialAnswer {
    private let bytesMax: Int
    private let file: URL
    private var memory = Data()
    private var written: FileHandle?
    private var length = 0
    /// The first bytes: they tell what is packed.
    private var start = Data()
    /// A larger answer goes to the file.
    private static let memoryBytesMax = 256 << 10

    init(bytesMax: Int, file: URL) {
        self.bytesMax = bytesMax
        self.file = file
    }

    /// - Throws: `HTTPFailure.tooLarge`, or that the file cannot be written.
    mutating func take(_ data: Data) throws {
        length += data.count
        guard length <= bytesMax else { throw HTTPFailure.tooLarge }
        if start.count < 4 { start.append(data.prefix(4 - start.count)) }
        if let written {
            try written.write(contentsOf: data)
        } else if length <= PartialAnswer.memoryBytesMax {
            memory.append(data)
        } else {
            guard FileManager.default.createFile(atPath: file.path, contents: nil) else { throw HTTPFailure.broken }
            let opened = try FileHandle(forWritingTo: file)
            try opened.write(contentsOf: memory)
            try opened.write(contentsOf: data)
            written = opened
            memory = Data()
        }
    }

    /// - Throws: That the file cannot be written.
    mutating func complete(_ head: HTTPURLResponse) throws -> HTTPResponse {
        try written?.close()
        let all = head.allHeaderFields.map { (name: "\($0.key)".lowercased(), value: "\($0.value)") }
        let headers = all.filter { $0.name != "content-encoding" || isPacked(as: $0.value) }
        return HTTPResponse(status: head.statusCode, headers: headers, body: written == nil ? .bytes(memory) : .file(file))
    }

    /// URLSession unpacks what it can, which grows with the system's version, and leaves the header as it was. An answer of the
    /// server is JSON: it never begins like something that is packed.
    private func isPacked(as encoding: String) -> Bool {
        switch encoding.lowercased() {
        case "gzip", "x-gzip": start.starts(with: [0x1f, 0x8b])
        case "zstd": start.starts(with: [0x28, 0xb5, 0x2f, 0xfd])
        // What the server was not asked for; the store refuses it.
        default: true
        }
    }
}
