import Foundation
import Testing

@testable import Turnstone

@Suite struct HostsTests {
    private struct Wishes: PlatformScheduler {
        let tell: AsyncStream<Wish?>.Continuation
        func schedule(_ wish: Wish?) { tell.yield(wish) }
    }

    @Test(.timeLimit(.minutes(1))) func the_platform_scheduler_holds_what_is_wished() async throws {
        let server = try TestServer()
        let (wishes, tell) = AsyncStream<Wish?>.makeStream()
        var options = Device.options(try folder(), server.remote())
        options.autoSync = true
        options.scheduler = Wishes(tell: tell)
        let store = try await Turnstone.open(options)
        try await store.sync()
        store.setConditions(Conditions(network: .offline, foreground: false))
        try await store.write { $0.insert("notes", ["title": "to be sent"]) }
        for await wish in wishes where wish?.kind == .smallPush {
            #expect(wish?.batteryNotLow == false)
            break
        }
        try await store.sync()
        // The pull of that very sync may have been wished for, too. Then only news are, later.
        for await wish in wishes where wish?.kind == .pull && wish?.earliest != nil {
            break
        }
        try await store.close()
    }

    private final class Outside: Witness, @unchecked Sendable {
        struct Locked: Error {}
        private let lock = NSLock()
        private var text: String?
        private var shut = false

        var isLocked: Bool {
            get { lock.withLock { shut } }
            set { lock.withLock { shut = newValue } }
        }

        func read() throws -> String? {
            if isLocked { throw Locked() }
            return lock.withLock { text }
        }

        func write(_ token: String) throws { lock.withLock { text = token } }
    }

    /// Opens, and gives where it came from and its present life.
    private func visit(_ place: URL, _ outside: Outside) async throws -> (origin: Origin, life: String) {
        var options = Device.options(place)
        options.witness = outside
        let store = try await Turnstone.open(options)
        let found = (try store.origin, try await store.identity().incarnation)
        try await store.close()
        return found
    }

    @Test func a_copied_database_renews_its_identity() async throws {
        let (phone, other) = (try folder(), try folder())
        let (here, there) = (Outside(), Outside())
        let first = try await visit(phone, here)
        #expect(first.origin == .new)
        #expect(try await visit(phone, here) == (.known, first.life))
        let (from, to) = (phone.appendingPathComponent("app.db"), other.appendingPathComponent("app.db"))
        try FileManager.default.copyItem(at: from, to: to)
        there.isLocked = true
        #expect(try await visit(other, there) == (.unknown, first.life), "what cannot be read decides nothing")
        there.isLocked = false
        let copy = try await visit(other, there)
        #expect(copy.origin == .copied && copy.life != first.life)
        #expect(try await visit(other, there) == (.known, copy.life))
        #expect(try await visit(phone, here) == (.known, first.life))
    }

    @Test func a_lost_database_is_not_silently_a_new_one() async throws {
        let outside = Outside()
        #expect(try await visit(try folder(), outside).origin == .new)
        #expect(try await visit(try folder(), outside).origin == .lost)
    }

    private struct Keys: KeyProvider {
        func key() throws -> Data { Data(repeating: 7, count: 32) }
    }

    @Test func a_key_provider_is_refused_with_a_reason() async throws {
        var options = Device.options(try folder())
        options.keys = Keys()
        let error = await failure { [options] in try await Turnstone.open(options) }
        guard case .invalidArgument("no_encryption", let text)? = error else { Issue.record("\(String(describing: error))"); return }
        #expect(text.contains("not built"))
        #expect(!FileManager.default.fileExists(atPath: options.path), "nothing was made that looks encrypted and is not")
    }

    private struct Nowhere: HTTPTransport {
        func exchange(_ request: HTTPRequest) async throws -> HTTPResponse { throw HTTPFailure.offline }
    }

    @Test func options_that_mean_nothing_are_refused() async throws {
        let good = Device.options(try folder())
        func remote(_ above: Int) -> Remote { .custom(Nowhere(), tokens: Always(token: "token"), bodyFileAbove: above) }
        let bad: [(inout Options) -> Void] = [
            { $0.pollEvery = .seconds(-1) }, { $0.pollEvery = .zero }, { $0.pollEvery = .milliseconds(999) },
            { $0.valueBytesMax = -1 }, { $0.valueBytesMax = 0 }, { $0.remote = remote(-1) },
            { $0.debounce = .seconds(1) }, { $0.debounce = .seconds(6) },
        ]
        for change in bad {
            var options = good
            change(&options)
            let error = await failure { [options] in try await Turnstone.open(options) }
            guard case .invalidArgument("bad_options", _)? = error else { Issue.record("\(String(describing: error))"); continue }
        }
        #expect(!FileManager.default.fileExists(atPath: good.path))
        var options = good
        // More milliseconds than there are numbers for.
        (options.pollEvery, options.valueBytesMax, options.remote) = (.seconds(Int64.max), 1, remote(0))
        try await Turnstone.open(options).close()
    }
}
