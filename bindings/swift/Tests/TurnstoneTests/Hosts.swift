import Foundation

@testable import Turnstone

#if canImport(FoundationNetworking)
    import FoundationNetworking
#endif

/// URLSession as an app's transport, with answers that get lost.
final class Host: HTTPTransport, @unchecked Sendable {
    private let url: String
    private let lock = NSLock()
    private var toLose: Int
    private var carried = 0

    init(url: String, losePushes: Int = 0) {
        self.url = url
        toLose = losePushes
    }

    /// How many answers are still to be lost.
    var left: Int { lock.withLock { toLose } }
    /// How many bodies came as files.
    var files: Int { lock.withLock { carried } }

    func exchange(_ request: HTTPRequest) async throws -> HTTPResponse {
        var asked = URLRequest(url: URL(string: url + request.path)!)
        asked.httpMethod = request.method
        for (name, value) in request.headers { asked.setValue(value, forHTTPHeaderField: name) }
        // URLSession unpacks gzip by itself; the library wants the body as it came.
        asked.setValue("identity", forHTTPHeaderField: "accept-encoding")
        switch request.body {
        case .bytes(let data): if request.method == "POST" { asked.httpBody = data }
        case .file(let file):
            lock.withLock { carried += 1 }
            asked.httpBody = try Data(contentsOf: file)
        }
        let (data, answer) = try await URLSession.shared.data(for: asked)
        let isPush = request.path.hasPrefix("/sync/v1/push")
        let isLost = lock.withLock {
            guard isPush, toLose > 0 else { return false }
            toLose -= 1
            return true
        }
        if isLost { throw HTTPFailure.broken }
        guard let answer = answer as? HTTPURLResponse else { throw HTTPFailure.broken }
        try data.write(to: request.answerFile)
        let headers = answer.allHeaderFields.map { (name: "\($0.key)", value: "\($0.value)") }
        return HTTPResponse(status: answer.statusCode, headers: headers, body: .file(request.answerFile))
    }
}

/// Never answers, and says when it was called.
struct Silent: HTTPTransport {
    let called: AsyncStream<Void>
    private let call: AsyncStream<Void>.Continuation

    init() { (called, call) = AsyncStream.makeStream() }

    func exchange(_ request: HTTPRequest) async throws -> HTTPResponse {
        call.yield()
        try await Task.sleep(for: .seconds(600))
        throw HTTPFailure.timeout
    }
}

/// Gives tokens in order, the last one for ever; nil: nobody is signed in. Keeps the reasons.
final class Tokens: TokenProvider, @unchecked Sendable {
    private let lock = NSLock()
    private var tokens: [String?]
    private var asked: [TokenReason] = []

    init(_ tokens: [String?]) { self.tokens = tokens }

    var reasons: [TokenReason] { lock.withLock { asked } }

    func token(_ reason: TokenReason) async throws -> String {
        let token = lock.withLock {
            asked.append(reason)
            return tokens.count > 1 ? tokens.removeFirst() : tokens[0]
        }
        guard let token else { throw SignInRequired() }
        return token
    }
}

/// The error of Turnstone that a call throws.
func failure<T>(_ call: () async throws -> T) async -> TurnstoneError? {
    do {
        _ = try await call()
        return nil
    } catch {
        return error as? TurnstoneError
    }
}
