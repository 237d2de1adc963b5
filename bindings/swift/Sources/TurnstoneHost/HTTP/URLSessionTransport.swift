import Foundation
import Turnstone

#if canImport(FoundationNetworking)
    import FoundationNetworking
#endif

/// Moves requests with URLSession: the certificates, the proxy, the VPN and the App Transport Security of the phone count.
///
/// What is synced is kept nowhere on the way: there is no cache, no cookie and no stored credential, and no redirect is followed,
/// which would carry the token elsewhere.
public final class URLSessionTransport: HTTPTransport {
    private let base: String
    private let session: URLSession
    private let exchanges = Exchanges()
    /// The longest that one exchange may take, in seconds.
    private static let totalSecondsMax: TimeInterval = 300

    /// A way to one server. Keep it as long as the store: it holds the connections.
    ///
    /// - Parameters:
    ///   - url: The server's address, such as `https://sync.example.com`.
    ///   - configuration: The app's own, for a proxy, for headers, or to stay off the cellular network; never one for the
    ///     background. Its `timeoutIntervalForRequest` counts, 60 seconds without a byte unless it says otherwise; its cache,
    ///     cookies and credentials are not used.
    ///   - allowPlainHTTP: Whether plain `http` to another machine is allowed: for development only. To this machine it always is.
    /// - Throws: `TurnstoneError.invalidArgument` with the code `invalid_remote`, if the address cannot be used.
    public init(_ url: String, configuration: URLSessionConfiguration = .ephemeral, allowPlainHTTP: Bool = false) throws {
        base = try URLSessionTransport.checked(url, allowPlainHTTP: allowPlainHTTP)
        guard let configuration = configuration.copy() as? URLSessionConfiguration else {
            throw URLSessionTransport.refused("the configuration cannot be copied")
        }
        configuration.urlCache = nil
        configuration.requestCachePolicy = .reloadIgnoringLocalCacheData
        configuration.httpCookieStorage = nil
        configuration.httpCookieAcceptPolicy = .never
        configuration.httpShouldSetCookies = false
        configuration.urlCredentialStorage = nil
        configuration.timeoutIntervalForResource = min(
            configuration.timeoutIntervalForResource, URLSessionTransport.totalSecondsMax)
        #if !canImport(FoundationNetworking)
            // The store knows better when to try again.
            configuration.waitsForConnectivity = false
            if configuration.tlsMinimumSupportedProtocolVersion.rawValue < tls_protocol_version_t.TLSv12.rawValue {
                configuration.tlsMinimumSupportedProtocolVersion = .TLSv12
            }
        #endif
        session = URLSession(configuration: configuration, delegate: exchanges, delegateQueue: nil)
    }

    deinit {
        // A session keeps itself and its delegate until it is told.
        session.finishTasksAndInvalidate()
    }

    /// Sends a request and gives the whole answer, an answer of more than 256 KiB in its file.
    ///
    /// - Throws: `HTTPFailure`, or `CancellationError`: then the connection of the request is given up.
    public func exchange(_ request: HTTPRequest) async throws -> HTTPResponse {
        guard let url = URL(string: base + request.path) else { throw HTTPFailure.broken }
        var asked = URLRequest(url: url, cachePolicy: .reloadIgnoringLocalCacheData)
        asked.timeoutInterval = session.configuration.timeoutIntervalForRequest
        asked.httpMethod = request.method
        asked.httpShouldHandleCookies = false
        for (name, value) in request.headers { asked.setValue(value, forHTTPHeaderField: name) }
        let task: URLSessionTask
        switch request.body {
        case .file(let file): task = session.uploadTask(with: asked, fromFile: file)
        case .bytes(let data) where request.method == "GET" && data.isEmpty: task = session.dataTask(with: asked)
        case .bytes(let data): task = session.uploadTask(with: asked, from: data)
        }
        return try await exchanges.run(task, bytesMax: request.answerBytesMax, file: request.answerFile)
    }

    /// The address without a slash at its end.
    private static func checked(_ url: String, allowPlainHTTP: Bool) throws -> String {
        guard let parts = URLComponents(string: url), let host = parts.host, !host.isEmpty else {
            throw refused("it is not a URL such as https://sync.example.com")
        }
        guard parts.user == nil, parts.password == nil else {
            throw refused("a URL with a name or password would leak them: give a token instead")
        }
        guard parts.query == nil, parts.fragment == nil else {
            throw refused("it has a query or fragment: give only scheme, host, port and path")
        }
        switch parts.scheme?.lowercased() {
        case "https": break
        case "http" where allowPlainHTTP || isThisMachine(host): break
        case "http": throw refused("plain http would show the token to everybody: use https")
        default: throw refused("its scheme is neither https nor http")
        }
        return url.hasSuffix("/") ? String(url.dropLast()) : url
    }

    private static func isThisMachine(_ host: String) -> Bool {
        let host = host.lowercased()
        return ["localhost", "::1", "[::1]"].contains(host) || (host.hasPrefix("127.") && host.allSatisfy { "0123456789.".contains($0) })
    }

    private static func refused(_ why: String) -> TurnstoneError {
        .invalidArgument(code: "invalid_remote", text: "the server's address cannot be used: \(why)")
    }
}
