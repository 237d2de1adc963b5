import Foundation
import Turnstone
import TurnstoneFFI

/// The real server inside this process: no port, and its data goes with it. For tests.
public final class TestServer: Sendable {
    private let server: FfiTestServer

    private init(_ server: FfiTestServer) { self.server = server }

    /// A server without data that knows this schema, in TOML.
    public static func start(schema: String) async throws -> TestServer {
        TestServer(try await FfiTestServer.create(schema: schema))
    }

    /// The way to it for one device, over `link`. All users share one set of data.
    public func remote(over link: Link = Link(), user: String = "somebody") throws -> Remote {
        .custom(Carrier(server: server, link: link), tokens: Fixed(token: try server.token(user: user)))
    }
}

/// The network between one device and the server.
public final class Link: @unchecked Sendable {
    private let lock = NSLock()
    private var up = true
    private var toLose = 0

    /// A link that is up.
    public init() {}

    /// Whether it is up; a device without it is offline.
    public var isUp: Bool {
        get { lock.withLock { up } }
        set { lock.withLock { up = newValue } }
    }

    /// Loses the answers to the next pushes: the server has them, and the device cannot know.
    public func loseAnswers(_ count: Int = 1) { lock.withLock { toLose += count } }

    func losesAnswer() -> Bool {
        lock.withLock {
            guard toLose > 0 else { return false }
            toLose -= 1
            return true
        }
    }
}

private struct Fixed: TokenProvider {
    let token: String
    func token(_ reason: TokenReason) async throws -> String { token }
}

private struct Carrier: HTTPTransport {
    let server: FfiTestServer
    let link: Link

    func exchange(_ request: HTTPRequest) async throws -> HTTPResponse {
        guard link.isUp else { throw HTTPFailure.offline }
        let body: FfiBody
        switch request.body {
        case .bytes(let data): body = .bytes(value: data)
        case .file(let file): body = .file(path: file.path)
        }
        let asked = FfiHttpRequest(
            method: request.method, path: request.path,
            headers: request.headers.map { FfiHeader(name: $0.name, value: $0.value) }, body: body,
            answerBytesMax: UInt64(request.answerBytesMax), answerFile: request.answerFile.path
        )
        let answer = try await server.exchange(request: asked)
        if request.path.hasPrefix("/sync/v1/push"), link.losesAnswer() { throw HTTPFailure.broken }
        guard case .bytes(let data) = answer.body else { throw HTTPFailure.broken }
        return HTTPResponse(
            status: Int(answer.status), headers: answer.headers.map { ($0.name, $0.value) }, body: .bytes(data)
        )
    }
}
