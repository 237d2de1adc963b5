import Foundation
import Testing

@testable import Turnstone

/// Holds pushes until the gate is open. Keeps how many were under way at once, and what waited to be sent as each began.
private final class Gate: HTTPTransport, @unchecked Sendable {
    let reached: AsyncStream<Void>
    private let http: Host
    private let lock = NSLock()
    private let arrival: AsyncStream<Void>.Continuation
    private let opening: AsyncStream<Void>
    private let door: AsyncStream<Void>.Continuation
    private var opened: Turnstone?
    private var (underWay, mostAtOnce, waits) = (0, 0, [Int]())

    init(_ http: Host) {
        self.http = http
        (reached, arrival) = AsyncStream.makeStream()
        (opening, door) = AsyncStream.makeStream()
    }

    var store: Turnstone? {
        get { lock.withLock { opened } }
        set { lock.withLock { opened = newValue } }
    }
    var most: Int { lock.withLock { mostAtOnce } }
    var waiting: [Int] { lock.withLock { waits } }

    func open() { door.finish() }

    func exchange(_ request: HTTPRequest) async throws -> HTTPResponse {
        guard request.path.hasPrefix("/sync/v1/push"), let store else { return try await http.exchange(request) }
        lock.withLock {
            underWay += 1
            mostAtOnce = max(mostAtOnce, underWay)
        }
        let pending = try await store.status().pendingGroups
        lock.withLock { waits.append(pending) }
        arrival.yield()
        for await _ in opening {}
        defer { lock.withLock { underWay -= 1 } }
        return try await http.exchange(request)
    }
}

/// A worker and the UI share one sync.
@Suite struct FlightTests {
    @Test(.timeLimit(.minutes(1))) func a_worker_and_the_ui_share_one_flight_that_begins_small() async throws {
        let server = try TestServer()
        let gate = Gate(Host(url: server.url))
        let a = try await Device(.custom(gate, tokens: Always(token: server.token)))
        gate.store = a.store
        for n in 0..<60 { _ = try await a.insert("\(n)") }
        let store = a.store
        let worker = Task { try await store.runBackground(budget: Budget(time: .seconds(20)), reason: .scheduled) }
        for await _ in gate.reached { break }
        let ui = Task { try await store.sync() }
        for try await next in store.nextWakes where next.decision == .now(why: "requested") { break }
        gate.open()
        _ = try await ui.value
        _ = try await worker.value
        #expect(gate.most == 1, "one push at a time")
        #expect(gate.waiting == [60, 10], "the first of a run takes fifty")
        #expect(try await store.status().pendingGroups == 0)
        let b = try await Device(server.remote())
        try await b.store.sync()
        #expect(try await b.titles().count == 60, "each once")
        gate.store = nil
        try await store.close()
        try await b.store.close()
    }
}
