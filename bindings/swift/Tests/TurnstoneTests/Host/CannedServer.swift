import Foundation

/// A server on loopback that gives these answers as they stand, one for each connection, and then the last again.
final class CannedServer: @unchecked Sendable {
    let port: UInt16
    private let lock = NSLock()
    private let listening: Int32
    private var answers: [Data]
    private var heads: [String] = []
    private var bodies: [Data] = []
    private var hungUp = 0

    /// - Parameter holds: Whether a connection is never closed from this side, so that an answer need not end.
    init(_ answers: [Data], holds: Bool = false) throws {
        self.answers = answers
        // Whoever refuses a long answer hangs up.
        signal(SIGPIPE, SIG_IGN)
        #if canImport(Glibc)
            let socket = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        #else
            let socket = socket(AF_INET, SOCK_STREAM, 0)
        #endif
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_addr.s_addr = UInt32(0x7f00_0001).bigEndian
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        let bound = withUnsafeMutablePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                bind(socket, $0, length) == 0 && listen(socket, 16) == 0 && getsockname(socket, $0, &length) == 0
            }
        }
        guard bound else { throw POSIXError(.EADDRNOTAVAIL) }
        port = UInt16(bigEndian: address.sin_port)
        listening = socket
        Thread.detachNewThread { [weak self] in
            while true {
                let connection = accept(socket, nil, nil)
                guard connection >= 0 else { return }
                Thread.detachNewThread { [weak self] in self?.serve(connection, holds: holds) }
            }
        }
    }

    deinit {
        shutdown(listening, Int32(SHUT_RDWR))
        close(listening)
    }

    var url: String { "http://127.0.0.1:\(port)" }
    /// The heads of the requests that came, in lower case.
    var asked: [String] { lock.withLock { heads } }
    /// The bodies that came with them.
    var received: [Data] { lock.withLock { bodies } }
    /// How many connections the other side has given up.
    var givenUp: Int { lock.withLock { hungUp } }

    /// An answer as it travels.
    static func answer(_ status: String, _ headers: [String] = [], body: Data = Data(), length: Int? = nil) -> Data {
        let head = ["HTTP/1.1 \(status)"] + headers + ["content-length: \(length ?? body.count)", "connection: close", "", ""]
        return Data(head.joined(separator: "\r\n").utf8) + body
    }

    private func serve(_ connection: Int32, holds: Bool) {
        defer { close(connection) }
        guard let (head, body) = request(connection) else { return }
        let answer = lock.withLock {
            heads.append(head)
            bodies.append(body)
            return answers.count > 1 ? answers.removeFirst() : answers[0]
        }
        write(answer, to: connection)
        // Read to the end, so that nothing is reset that is still on its way.
        if !holds { shutdown(connection, Int32(SHUT_WR)) }
        while read(connection) != nil {}
        lock.withLock { hungUp += 1 }
    }

    private func request(_ connection: Int32) -> (String, Data)? {
        var all = Data()
        let end = Data("\r\n\r\n".utf8)
        while all.range(of: end) == nil {
            guard let more = read(connection) else { return nil }
            all += more
        }
        guard let split = all.range(of: end) else { return nil }
        let head = String(decoding: all[..<split.lowerBound], as: UTF8.self).lowercased()
        let lengths = head.components(separatedBy: "\r\n").compactMap { line in
            line.hasPrefix("content-length:") ? Int(line.dropFirst(15).trimmingCharacters(in: .whitespaces)) : nil
        }
        if head.contains("expect: 100-continue") { write(Data("HTTP/1.1 100 Continue\r\n\r\n".utf8), to: connection) }
        var body = Data(all[split.upperBound...])
        while body.count < lengths.first ?? 0 {
            guard let more = read(connection) else { return nil }
            body += more
        }
        return (head, body)
    }

    private func read(_ connection: Int32) -> Data? {
        var buffer = [UInt8](repeating: 0, count: 64 << 10)
        let count = recv(connection, &buffer, buffer.count, 0)
        return count > 0 ? Data(buffer[..<count]) : nil
    }

    private func write(_ data: Data, to connection: Int32) {
        var left = data[...]
        while !left.isEmpty {
            let count = left.withUnsafeBytes { send(connection, $0.baseAddress, $0.count, 0) }
            guard count > 0 else { return }
            left = left.dropFirst(count)
        }
    }
}
