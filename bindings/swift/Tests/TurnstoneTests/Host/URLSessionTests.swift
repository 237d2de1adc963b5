import Foundation
import Testing

@testable import Turnstone
@testable import TurnstoneHost

#if canImport(FoundationNetworking)
    import FoundationNetworking
#endif

@Suite(.timeLimit(.minutes(2))) struct URLSessionTests {
    private func get(
        answerBytesMax: Int = 1 << 20, headers: [(name: String, value: String)] = [], at place: URL? = nil
    ) throws -> HTTPRequest {
        try request("GET", .bytes(Data()), answerBytesMax, headers, at: place)
    }

    private func request(
        _ method: String, _ body: Body, _ answerBytesMax: Int = 1 << 20, _ headers: [(name: String, value: String)] = [],
        at place: URL? = nil
    ) throws -> HTTPRequest {
        HTTPRequest(
            method: method, path: "/sync/v1/hello?a=b", headers: headers, body: body, answerBytesMax: answerBytesMax,
            answerFile: try (place ?? folder()).appendingPathComponent("answer"))
    }

    private func refusal(_ exchange: () async throws -> HTTPResponse) async -> HTTPFailure? {
        do {
            _ = try await exchange()
            return nil
        } catch {
            return error as? HTTPFailure
        }
    }

    private func bytes(_ answer: HTTPResponse) throws -> Data {
        switch answer.body {
        case .bytes(let data): data
        case .file(let url): try Data(contentsOf: url)
        }
    }

    private func header(_ name: String, of answer: HTTPResponse) -> String? {
        answer.headers.first { $0.name == name }?.value
    }

    @Test func everything_travels_over_urlsession_also_as_files() async throws {
        let server = try TestServer()
        func remote() throws -> Remote {
            .custom(try URLSessionTransport(server.url + "/"), tokens: Always(token: server.token), bodyFileAbove: 100)
        }
        let (a, b) = (try await Device(try remote()), try await Device(try remote()))
        try await a.store.write { changes in
            for number in 0..<500 {
                changes.insert("notes", ["title": .text("note \(number)"), "body": .text(String(repeating: "x", count: number))])
            }
        }
        while try await a.store.status().pendingGroups > 0 { try await a.store.sync() }
        try await b.store.sync()
        #expect(try await b.titles().count == 500)
        #expect(try await a.store.stateHash() == b.store.stateHash())
        for device in [a, b] {
            let left = try? FileManager.default.contentsOfDirectory(atPath: device.place.appendingPathComponent("app.bodies").path)
            #expect(left ?? [] == [])
            try await device.store.close()
        }
        withExtendedLifetime(server) {}
    }

    @Test func a_token_that_ended_is_renewed_over_urlsession() async throws {
        let server = try TestServer()
        let tokens = Tokens([try server.mint(seconds: 1), server.token])
        try await Task.sleep(for: .seconds(2))
        let device = try await Device(.custom(try URLSessionTransport(server.url), tokens: tokens))
        _ = try await device.insert("kept")
        try await device.store.sync()
        #expect(tokens.reasons == [.first, .expired])
        #expect(try await device.store.status().pendingGroups == 0)
        try await device.store.close()
        withExtendedLifetime(server) {}
    }

    @Test func a_request_goes_out_as_it_is_and_its_body_also_from_a_file() async throws {
        let server = try CannedServer([CannedServer.answer("200 OK")])
        let transport = try URLSessionTransport(server.url)
        let packed = Data((0..<300_000).map { UInt8(truncatingIfNeeded: $0 &* 31) })
        let file = try folder().appendingPathComponent("request")
        try packed.write(to: file)
        let headers = [("authorization", "Bearer secret"), ("accept-encoding", "zstd, gzip"), ("content-encoding", "zstd")]
        for body in [Body.bytes(packed), .file(file)] {
            #expect(try await transport.exchange(try request("POST", body, 1 << 20, headers)).status == 200)
        }
        #expect(server.received == [packed, packed])
        for head in server.asked {
            #expect(head.hasPrefix("post /sync/v1/hello?a=b http/1.1\r\n"), "\(head)")
            for (name, value) in headers { #expect(head.contains("\r\n\(name): \(value.lowercased())"), "\(head)") }
        }
        #expect(FileManager.default.fileExists(atPath: file.path), "the store's to remove")
    }

    @Test func no_redirect_is_followed_and_no_cookie_or_answer_kept() async throws {
        let moved = CannedServer.answer(
            "302 Found", ["location: /elsewhere", "set-cookie: a=b; path=/", "cache-control: max-age=3600", "X-Case: As Sent"],
            body: Data("moved".utf8))
        let server = try CannedServer([moved])
        let transport = try URLSessionTransport(server.url)
        for _ in 0..<2 {
            let answer = try await transport.exchange(try get())
            #expect(answer.status == 302)
            #expect(try bytes(answer) == Data("moved".utf8))
            #expect(header("location", of: answer) == "/elsewhere" && header("x-case", of: answer) == "As Sent")
        }
        #expect(server.asked.count == 2, "asked anew, and nowhere else")
        #expect(server.asked.allSatisfy { !$0.contains("cookie") && $0.hasPrefix("get /sync/v1/hello") })
    }

    @Test func an_answer_that_urlsession_has_unpacked_is_not_called_packed() async throws {
        let plain = Data(#"{"hello":"world"}"#.utf8)
        let packings = [
            "gzip": "H4sIAAAAAAACA6tWykjNyclXslIqzy/KSVGqBQDRQQnYEQAAAA==", "zstd": "KLUv/QRYiQAAeyJoZWxsbyI6IndvcmxkIn2OI6ZS",
        ]
        for (encoding, text) in packings {
            let packed = try #require(Data(base64Encoded: text))
            let server = try CannedServer([CannedServer.answer("200 OK", ["content-encoding: \(encoding)"], body: packed)])
            let answer = try await URLSessionTransport(server.url).exchange(try get(headers: [("accept-encoding", "zstd, gzip")]))
            let isUnpacked = header("content-encoding", of: answer) == nil
            #expect(try bytes(answer) == (isUnpacked ? plain : packed))
            #expect(isUnpacked || encoding != "gzip", "which every system unpacks")
        }
    }

    @Test func an_answer_that_is_still_packed_keeps_its_word_for_it() throws {
        let starts: [(String, [UInt8])] = [("gzip", [0x1f, 0x8b, 8, 0]), ("zstd", [0x28, 0xb5, 0x2f, 0xfd])]
        for (encoding, start) in starts {
            let head = HTTPURLResponse(
                url: URL(string: "http://a")!, statusCode: 200, httpVersion: "HTTP/1.1", headerFields: ["Content-Encoding": encoding])!
            // Also where the first bytes come one by one.
            var packed = PartialAnswer(bytesMax: 100, file: try folder().appendingPathComponent("answer"))
            for byte in start + [1, 2, 3] { try packed.take(Data([byte])) }
            #expect(header("content-encoding", of: try packed.complete(head)) == encoding)
            var unpacked = PartialAnswer(bytesMax: 100, file: try folder().appendingPathComponent("answer"))
            try unpacked.take(Data("{}".utf8))
            #expect(header("content-encoding", of: try unpacked.complete(head)) == nil)
        }
    }

    @Test func a_large_answer_is_a_file_and_a_too_large_one_is_refused() async throws {
        let large = Data(repeating: 7, count: 300 << 10)
        let server = try CannedServer([CannedServer.answer("200 OK", body: large)])
        let transport = try URLSessionTransport(server.url)
        for max in [1 << 20, large.count] {
            let request = try get(answerBytesMax: max)
            let answer = try await transport.exchange(request)
            guard case .file(request.answerFile) = answer.body else { Issue.record("\(max): in memory"); continue }
            #expect(try bytes(answer) == large)
        }
        for max in [large.count - 1, 10] {
            #expect(await refusal { try await transport.exchange(try get(answerBytesMax: max)) } == .tooLarge, "\(max)")
        }
    }

    @Test func why_there_is_no_answer_is_told_in_one_word() async throws {
        let short = try CannedServer([CannedServer.answer("200 OK", body: Data("half".utf8), length: 100)])
        #expect(await refusal { try await URLSessionTransport(short.url).exchange(try get()) } == .broken)
        // No port that was free a moment ago: another test may have taken it.
        #expect(await refusal { try await URLSessionTransport("http://127.0.0.1:1").exchange(try get()) } == .offline)
        let silent = try CannedServer([Data()], holds: true)
        let impatient = URLSessionConfiguration.ephemeral
        impatient.timeoutIntervalForRequest = 1
        let transport = try URLSessionTransport(silent.url, configuration: impatient)
        #expect(await refusal { try await transport.exchange(try get()) } == .timeout)
        #expect(HTTPFailure(.serverCertificateUntrusted) == .untrusted && HTTPFailure(.notConnectedToInternet) == .offline)
        #expect(HTTPFailure(.secureConnectionFailed) == .broken && HTTPFailure(.networkConnectionLost) == .broken)
    }

    @Test func a_cancelled_exchange_gives_the_connection_up() async throws {
        let begun = CannedServer.answer("200 OK", body: Data(repeating: 1, count: 400 << 10), length: 1 << 20)
        let server = try CannedServer([begun], holds: true)
        let transport = try URLSessionTransport(server.url)
        let place = try folder()
        let waiting = Task { try await transport.exchange(try get(at: place)) }
        // Until the answer is on its way into the file.
        let file = place.appendingPathComponent("answer").path
        while !FileManager.default.fileExists(atPath: file) { try await Task.sleep(for: .milliseconds(5)) }
        let started = ContinuousClock.now
        waiting.cancel()
        await #expect(throws: CancellationError.self) { try await waiting.value }
        while server.givenUp == 0 { try await Task.sleep(for: .milliseconds(5)) }
        #expect(ContinuousClock.now - started < .seconds(30), "half of what would end it anyway")
        // One that is cancelled before it begins asks nobody.
        let late = Task {
            while !Task.isCancelled { await Task.yield() }
            return try await transport.exchange(try get())
        }
        late.cancel()
        await #expect(throws: CancellationError.self) { try await late.value }
        #expect(server.asked.count == 1)
    }

    @Test func a_certificate_that_nobody_trusts_gets_no_request() async throws {
        let server = try SelfSigned()
        let refused = await refusal {
            try await URLSessionTransport(server.url).exchange(try get(headers: [("authorization", "Bearer secret")]))
        }
        #if canImport(FoundationNetworking)
            // It has one word for every failure of TLS.
            #expect(refused == .broken)
        #else
            #expect(refused == .untrusted)
        #endif
        #expect(!server.heard().contains("secret"))
    }

    @Test func an_address_that_would_show_the_token_is_refused() throws {
        for good in ["https://sync.example.com", "https://example.com:8443/sub/", "http://localhost:8080", "http://127.0.0.1:1", "http://[::1]:1"] {
            #expect(throws: Never.self, "\(good)") { try URLSessionTransport(good) }
        }
        let bad = ["http://sync.example.com", "http://127.0.0.1.example.com", "https://a:b@example.com", "https://example.com?x=1",
            "https://example.com#x", "ftp://example.com", "sync.example.com", "", "https://"]
        for address in bad {
            #expect(performing: { try URLSessionTransport(address) }, throws: { error in
                (error as? TurnstoneError)?.code == "invalid_remote" && !"\(error)".contains("a:b")
            })
        }
        #expect(throws: Never.self) { try URLSessionTransport("http://sync.example.com", allowPlainHTTP: true) }
    }
}

/// A server with a certificate of its own making, by OpenSSL.
private final class SelfSigned {
    let url: String
    private let process = Process()
    private let input = Pipe()
    private let output = Pipe()
    private var said = Data()

    init() throws {
        let place = try folder()
        let (key, certificate) = (place.appendingPathComponent("key.pem").path, place.appendingPathComponent("cert.pem").path)
        let making = Process()
        making.executableURL = URL(fileURLWithPath: "/usr/bin/env")
        making.arguments = [
            "openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", key, "-out", certificate, "-days", "1",
            "-subj", "/CN=127.0.0.1",
        ]
        making.standardError = FileHandle.nullDevice
        try making.run()
        making.waitUntilExit()
        process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
        // Prints what it is sent.
        process.arguments = ["openssl", "s_server", "-accept", "127.0.0.1:0", "-key", key, "-cert", certificate]
        process.standardInput = input
        process.standardOutput = output
        process.standardError = FileHandle.nullDevice
        try process.run()
        var port: Substring?
        while port == nil {
            let more = output.fileHandleForReading.availableData
            guard !more.isEmpty else { throw HTTPFailure.offline }
            said += more
            let lines = String(decoding: said, as: UTF8.self).split(separator: "\n", omittingEmptySubsequences: false).dropLast()
            port = lines.first { $0.hasPrefix("ACCEPT ") }?.split(separator: ":").last
        }
        url = "https://127.0.0.1:\(port!)"
    }

    /// All that it said; ends it.
    func heard() -> String {
        // It inherits a mask under which it would not hear of anything gentler.
        kill(process.processIdentifier, SIGKILL)
        process.waitUntilExit()
        said += output.fileHandleForReading.readDataToEndOfFile()
        return String(decoding: said, as: UTF8.self)
    }
}
