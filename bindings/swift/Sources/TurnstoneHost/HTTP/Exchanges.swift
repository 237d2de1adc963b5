import Foundation
import Turnstone

#if canImport(FoundationNetworking)
    import FoundationNetworking
#endif

/// Hands what a session tells to the exchange that waits for it.
final class Exchanges: NSObject, URLSessionDataDelegate, @unchecked Sendable {
    private let lock = NSLock()
    private var running: [Int: Exchange] = [:]

    /// Starts a task and waits for its end, or for its cancellation.
    func run(_ task: URLSessionTask, bytesMax: Int, file: URL) async throws -> HTTPResponse {
        let exchange = Exchange(PartialAnswer(bytesMax: bytesMax, file: file))
        let id = task.taskIdentifier
        return try await withTaskCancellationHandler {
            try await withCheckedThrowingContinuation { waiting in
                guard exchange.begin(waiting) else { return }
                lock.withLock { running[id] = exchange }
                task.resume()
            }
        } onCancel: {
            exchange.end(.failure(CancellationError()))
            task.cancel()
        }
    }

    private func exchange(of task: URLSessionTask) -> Exchange? { lock.withLock { running[task.taskIdentifier] } }

    func urlSession(
        _ session: URLSession, task: URLSessionTask, willPerformHTTPRedirection response: HTTPURLResponse,
        newRequest request: URLRequest, completionHandler: @escaping @Sendable (URLRequest?) -> Void
    ) {
        // The redirect itself is the answer.
        completionHandler(nil)
    }

    func urlSession(_ session: URLSession, dataTask: URLSessionDataTask, didReceive data: Data) {
        guard let exchange = exchange(of: dataTask) else { return }
        do {
            try exchange.take(data)
        } catch {
            exchange.end(.failure(error as? HTTPFailure ?? .broken))
            dataTask.cancel()
        }
    }

    func urlSession(_ session: URLSession, task: URLSessionTask, didCompleteWithError error: (any Error)?) {
        guard let exchange = lock.withLock({ running.removeValue(forKey: task.taskIdentifier) }) else { return }
        if let error {
            exchange.end(.failure((error as? URLError).map { HTTPFailure($0.code) } ?? .broken))
        } else if let head = task.response as? HTTPURLResponse {
            exchange.end(exchange.complete(head))
        } else {
            exchange.end(.failure(HTTPFailure.broken))
        }
    }
}

/// One exchange: whoever waits for it hears exactly once how it ended, and nothing is written to its file afterwards.
private final class Exchange: @unchecked Sendable {
    private enum Stage {
        case new
        case running(CheckedContinuation<HTTPResponse, any Error>)
        case over
    }

    private let lock = NSLock()
    private var stage = Stage.new
    private var answer: PartialAnswer

    init(_ answer: PartialAnswer) { self.answer = answer }

    /// False where it was cancelled before: then whoever waits has heard of it.
    func begin(_ waiting: CheckedContinuation<HTTPResponse, any Error>) -> Bool {
        let isNew = lock.withLock {
            guard case .new = stage else { return false }
            stage = .running(waiting)
            return true
        }
        if !isNew { waiting.resume(throwing: CancellationError()) }
        return isNew
    }

    func take(_ data: Data) throws {
        try lock.withLock {
            guard case .running = stage else { return }
            try answer.take(data)
        }
    }

    func complete(_ head: HTTPURLResponse) -> Result<HTTPResponse, any Error> {
        lock.withLock { Result { try answer.complete(head) } }
    }

    func end(_ result: Result<HTTPResponse, any Error>) {
        let before = lock.withLock {
            defer { stage = .over }
            return stage
        }
        if case .running(let waiting) = before { waiting.resume(with: result) }
    }
}

extension HTTPFailure {
    /// What the system's words mean for the store. Which host or certificate it was stays out of it.
    init(_ code: URLError.Code) {
        switch code {
        case .notConnectedToInternet, .cannotFindHost, .cannotConnectToHost, .dnsLookupFailed, .internationalRoamingOff,
            .callIsActive, .dataNotAllowed:
            self = .offline
        case .timedOut: self = .timeout
        case .serverCertificateUntrusted, .serverCertificateHasBadDate, .serverCertificateHasUnknownRoot,
            .serverCertificateNotYetValid, .appTransportSecurityRequiresSecureConnection:
            self = .untrusted
        default: self = .broken
        }
    }
}
