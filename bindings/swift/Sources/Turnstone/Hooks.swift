import Foundation
import TurnstoneFFI

/// Why a token is needed.
public enum TokenReason: Sendable {
    /// The first one since the store was opened: a kept one will do.
    case first
    /// The last one has expired: a fresh one is needed.
    case expired
    /// The server refused the last one: a fresh one is needed, or somebody has to sign in.
    case rejected
}

/// Gives the token that requests carry. Never called twice at the same time for one store. It may call the store, but never
/// wait for `sync()`: that waits for the token.
public protocol TokenProvider: Sendable {
    /// Gives a token, without the word `Bearer`. For any reason but `.first` a kept one must not be given again. Throw
    /// `SignInRequired` where nobody is signed in: syncing stops until `tokenChanged()`. Whatever else is thrown means that
    /// none can be had now: it is asked for again later.
    func token(_ reason: TokenReason) async throws -> String
}

/// Thrown by a `TokenProvider`: nobody is signed in.
public struct SignInRequired: Error {
    /// There is no more to say.
    public init() {}
}

/// The body of a request or an answer.
public enum Body: Sendable {
    /// In memory.
    case bytes(Data)
    /// In a file. The library removes it when it is done with it.
    case file(URL)
}

/// What goes out.
public struct HTTPRequest: Sendable {
    /// `GET` or `POST`.
    public let method: String
    /// Path and query, from `/sync/v1` on: append it to the server's address.
    public let path: String
    /// Send them as they are; names are in lower case.
    public let headers: [(name: String, value: String)]
    /// As it travels: packed already.
    public let body: Body
    /// The longest answer to accept.
    public let answerBytesMax: Int
    /// Where to put an answer that is too large for memory.
    public let answerFile: URL
}

/// What comes back: complete, and with `content-encoding` as the server sent it.
public struct HTTPResponse: Sendable {
    /// The status of HTTP, such as 200. Every one is an answer; only no answer is an `HTTPFailure`.
    public let status: Int
    /// All of them; upper and lower case do not matter.
    public let headers: [(name: String, value: String)]
    /// As it travelled, or where it was put.
    public let body: Body

    /// An answer, complete.
    public init(status: Int, headers: [(name: String, value: String)], body: Body) {
        self.status = status
        self.headers = headers
        self.body = body
    }
}

/// How large it is: what a person wrote has no place in a log.
extension Body: CustomStringConvertible, CustomReflectable {
    /// How many bytes, or that it is a file.
    public var description: String {
        switch self {
        case .bytes(let data): "\(data.count) bytes"
        case .file: "a file"
        }
    }

    /// No more than ``description`` says, for `dump` and the debugger.
    public var customMirror: Mirror { Mirror(self, children: []) }
}

/// Where it goes. The token in its headers has no place in a log, nor has its body.
extension HTTPRequest: CustomStringConvertible, CustomReflectable {
    /// Method, path without what follows the question mark, and size.
    public var description: String { "\(method) \(path.prefix { $0 != "?" }), \(body)" }

    /// No more than ``description`` says, for `dump` and the debugger.
    public var customMirror: Mirror { Mirror(self, children: ["method": method]) }
}

/// Its status, without headers and body.
extension HTTPResponse: CustomStringConvertible, CustomReflectable {
    /// Status and size.
    public var description: String { "\(status), \(body)" }

    /// No more than ``description`` says, for `dump` and the debugger.
    public var customMirror: Mirror { Mirror(self, children: ["status": status]) }
}

/// Thrown by an `HTTPTransport`: why there is no answer.
public enum HTTPFailure: Error, Sendable {
    /// No server was reached.
    case offline
    /// The server did not answer in time.
    case timeout
    /// The connection broke before the answer was complete.
    case broken
    /// The answer is longer than was asked for.
    case tooLarge
    /// The other end could not prove who it is.
    case untrusted
}

/// Moves requests. No redirects, retries, caches or cookies: the store owns all of that.
public protocol HTTPTransport: Sendable {
    /// Sends a request and gives the whole answer, or throws an `HTTPFailure`. Cancelled when nobody waits any more.
    func exchange(_ request: HTTPRequest) async throws -> HTTPResponse
}

final class HostTokens: FfiTokenProvider {
    private let provider: any TokenProvider

    init(provider: any TokenProvider) { self.provider = provider }

    func token(reason: FfiTokenReason) async throws -> String {
        let why: TokenReason
        switch reason {
        case .first: why = .first
        case .expired: why = .expired
        case .rejected: why = .rejected
        }
        do {
            return try await provider.token(why)
        } catch is SignInRequired {
            throw FfiTokenFailure.SignIn
        } catch {
            throw FfiTokenFailure.Later
        }
    }
}

final class HostHTTP: FfiHttpTransport {
    private let transport: any HTTPTransport

    init(transport: any HTTPTransport) { self.transport = transport }

    func exchange(request: FfiHttpRequest) async throws -> FfiHttpResponse {
        let body: Body
        switch request.body {
        case .bytes(let value): body = .bytes(value)
        case .file(let path): body = .file(URL(fileURLWithPath: path))
        }
        let asked = HTTPRequest(
            method: request.method, path: request.path, headers: request.headers.map { ($0.name, $0.value) }, body: body,
            answerBytesMax: Int(clamping: request.answerBytesMax), answerFile: URL(fileURLWithPath: request.answerFile)
        )
        do {
            let answer = try await transport.exchange(asked)
            let body: FfiBody
            switch answer.body {
            case .bytes(let data): body = .bytes(value: data)
            case .file(let url): body = .file(path: url.path)
            }
            let headers = answer.headers.map { FfiHeader(name: $0.name, value: $0.value) }
            return FfiHttpResponse(status: UInt16(clamping: answer.status), headers: headers, body: body)
        } catch let failure as HTTPFailure {
            switch failure {
            case .offline: throw FfiHttpFailure.Offline
            case .timeout: throw FfiHttpFailure.Timeout
            case .broken: throw FfiHttpFailure.Broken
            case .tooLarge: throw FfiHttpFailure.TooLarge
            case .untrusted: throw FfiHttpFailure.Untrusted
            }
        } catch {
            throw FfiHttpFailure.Broken
        }
    }
}
