import Foundation
import Testing

@testable import Turnstone

/// The store that hooks call once it is open, and how often they did.
private final class Own: @unchecked Sendable {
    private let lock = NSLock()
    private var opened: Turnstone?
    private var made = 0

    var store: Turnstone? {
        get { lock.withLock { opened } }
        set { lock.withLock { opened = newValue } }
    }
    var calls: Int { lock.withLock { made } }

    /// Everything that an app may ask of a store inside a hook.
    func call() async throws {
        guard let store, calls < 3 else { return }
        _ = try await store.status()
        _ = try await store.query("SELECT count(*) FROM notes")
        try await store.write { $0.insert("notes", ["title": "by a hook"]) }
        for try await rows in store.watch("SELECT title FROM notes") where !rows.isEmpty { break }
        try await store.transaction { _ = try await $0.write { $0.insert("notes", ["title": "and in a transaction"]) } }
        store.poke()
        store.tokenChanged()
        _ = try store.nextWake
        lock.withLock { made += 1 }
    }
}

private struct OwnTokens: TokenProvider {
    let own: Own
    let token: String
    func token(_ reason: TokenReason) async throws -> String {
        try await own.call()
        return token
    }
}

private struct OwnHTTP: HTTPTransport {
    let own: Own
    let host: Host
    func exchange(_ request: HTTPRequest) async throws -> HTTPResponse {
        try await own.call()
        return try await host.exchange(request)
    }
}

private struct OwnScheduler: PlatformScheduler {
    let own: Own
    /// On a thread of its own, which may wait.
    func schedule(_ wish: Wish?) {
        let done = DispatchSemaphore(value: 0)
        Task {
            try? await own.call()
            done.signal()
        }
        done.wait()
    }
}

private final class Opener: Witness, @unchecked Sendable {
    let path: URL
    private let lock = NSLock()
    private var said: [String] = []

    init(_ path: URL) { self.path = path }

    var codes: [String] { lock.withLock { said } }

    func read() throws -> String? {
        let done = DispatchSemaphore(value: 0)
        Task { [self] in
            let other = try await Device()
            _ = try await other.insert("elsewhere")
            try await other.store.close()
            let code = await failure { try await Turnstone.open(Device.options(path)) }?.code
            lock.withLock { said.append(code ?? "opened") }
            done.signal()
        }
        _ = done.wait(timeout: .now() + 30)
        return nil
    }

    func write(_ token: String) throws {}
}

/// Hooks that call the store they belong to: none of them waits for itself (I-63).
@Suite struct ReentryTests {
    @Test(.timeLimit(.minutes(1))) func a_token_provider_may_call_its_store() async throws {
        let (server, own) = (try TestServer(), Own())
        let a = try await Device(.http(server.url, tokens: OwnTokens(own: own, token: server.token)))
        own.store = a.store
        try await a.store.sync()
        #expect(own.calls > 0)
        try await a.store.close()
    }

    @Test(.timeLimit(.minutes(1))) func a_transport_may_call_its_store() async throws {
        let (server, own) = (try TestServer(), Own())
        let http = OwnHTTP(own: own, host: Host(url: server.url))
        let a = try await Device(.custom(http, tokens: Always(token: server.token)))
        own.store = a.store
        for _ in 0..<2 { try await a.store.sync() }
        #expect(own.calls == 3)
        #expect(try await a.titles().count == 6)
        try await a.store.close()
    }

    @Test(.timeLimit(.minutes(1))) func a_scheduler_may_call_its_store() async throws {
        let (server, own) = (try TestServer(), Own())
        var options = Device.options(try folder(), server.remote())
        options.autoSync = true
        options.scheduler = OwnScheduler(own: own)
        let store = try await Turnstone.open(options)
        own.store = store
        while own.calls == 0 {
            try await store.write { $0.insert("notes", ["title": "a new wish"]) }
            store.setConditions(Conditions(foreground: false))
            try await Task.sleep(for: .milliseconds(10))
        }
        try await store.close()
    }

    @Test(.timeLimit(.minutes(1)))
    func a_witness_may_open_other_stores_and_is_told_that_its_own_is_being_opened() async throws {
        let place = try folder()
        let witness = Opener(place)
        var options = Device.options(place)
        options.witness = witness
        try await Turnstone.open(options).close()
        #expect(witness.codes == ["already_open"])
    }
}
