import Foundation
import Turnstone

/// Holds what an app asks of the system's task scheduler.
public protocol TaskAsker: Sendable {
    /// Asks for these, and takes back every kind that is not among them. Says why where the system refuses, nil where it does not.
    func ask(_ requests: [TaskRequest]) -> String?
}

/// Gives the system's time to a store, and its wishes to the system. Knows no framework of Apple: what does is beside it.
public final class SyncHost<Store: HostedStore>: Sendable {
    private let wakefulness: Wakefulness<Store>
    private let feed: ConditionsFeed<Store>
    private let asker: any TaskAsker
    private let now: @Sendable () -> Date
    private let scene = Scene()

    /// - Parameter open: opens the store. Called once it is needed, and again if it threw.
    public init(
        asker: any TaskAsker, now: @escaping @Sendable () -> Date = { Date() },
        open: @escaping @Sendable () async throws -> Store
    ) {
        let feed = ConditionsFeed<Store>()
        self.feed = feed
        self.asker = asker
        self.now = now
        wakefulness = Wakefulness(open: open, woken: { feed.tell($0) })
    }

    /// The store, opened. It is awake while a person looks at the app and while the system gives time.
    public func store() async throws -> Store { try await wakefulness.opened() }

    /// Says what the device is like.
    public func deviceChanged(_ change: (inout DeviceState) -> Void) { feed.update(change) }

    /// A person looks at the app: the store is awake from here on.
    public func entered() async throws {
        scene.isActive = true
        feed.update { $0.isForeground = true }
        let store = try await wakefulness.begin(scene.id)
        // Left again meanwhile: what left has not found it awake.
        if !scene.isActive { await wakefulness.end(scene.id) }
        hold(try? store.nextWake, after: nil)
    }

    /// Nobody looks at the app any more: what a person wrote is sent with the seconds that are left, then the store is
    /// suspended. `time` must have been taken at the very moment the scene changed.
    public func left(_ time: any GivenTime) async {
        scene.isActive = false
        feed.update { $0.isForeground = false }
        await spend(time) { [self] store, stretch in
            var result = FetchResult.noData
            // News are not worth the last seconds.
            if try await store.hasUnsent() {
                result = try await run(store, stretch, .leaving, .leaving)
            } else {
                hold(try? store.nextWake, after: nil)
            }
            if !scene.isActive { await wakefulness.end(scene.id) }
            return result
        }
        if !scene.isActive { await wakefulness.end(scene.id) }
    }

    /// The scheduler gave time: it is asked for the next at once, then the store syncs.
    public func granted(_ time: any GivenTime, _ kind: TaskRequest.Kind) async {
        _ = asker.ask([Asking.fallback(now: now())])
        await spend(time) { [self] store, stretch in
            let next = try store.nextWake
            guard Asking.suits(next.wish, feed.conditions) else {
                hold(next, after: .retryAfter(.seconds(900)))
                return .noData
            }
            switch kind {
            case .refresh: return try await run(store, stretch, .refresh, .scheduled)
            case .processing: return try await run(store, stretch, .processing, .maintenance)
            }
        }
    }

    /// A silent push says that there is news.
    public func pushed(_ time: any GivenTime) async {
        await spend(time, atMost: Budget.pushed.time + Stretch.grace) { [self] store, stretch in
            try await run(store, stretch, .pushed, .poked)
        }
    }

    /// Syncs because a person asked for it, and goes on for a while when they leave meanwhile.
    @discardableResult
    public func sync(_ time: any GivenTime) async throws -> SyncReport {
        let holder = UUID()
        let store = try await wakefulness.begin(holder)
        let syncing = Task { try await store.sync() }
        let stretch = Stretch(
            time, stop: { syncing.cancel() }, leave: { [wakefulness] _ in await wakefulness.end(holder) }
        )
        let result = await withTaskCancellationHandler {
            await syncing.result
        } onCancel: {
            syncing.cancel()
        }
        stretch.ended(.noData)
        return try result.get()
    }

    /// One stretch of time: the store is awake in it, and suspended before it is given back if nobody else needs it.
    private func spend(
        _ time: any GivenTime, atMost limit: Duration? = nil,
        _ work: @escaping @Sendable (Store, Stretch) async throws -> FetchResult
    ) async {
        let opened = Opened<Store>()
        let stretch = Stretch(
            time, stop: { opened.store?.expire() }, leave: { [wakefulness] in await wakefulness.end($0) }
        )
        if let limit { stretch.endAfter(limit) }
        var result = FetchResult.failed
        if let store = try? await wakefulness.begin(stretch.id) {
            opened.store = store
            // Taken back before it began: the store is let go of, and nothing is begun.
            if !stretch.isTakenBack { result = (try? await work(store, stretch)) ?? .failed }
            if stretch.isOver { await wakefulness.end(stretch.id) }
        }
        stretch.ended(result)
    }

    private func run(
        _ store: Store, _ stretch: Stretch, _ budget: Budget, _ reason: RunReason
    ) async throws -> FetchResult {
        let report = try await store.runBackground(budget: budget, reason: reason)
        hold(try? store.nextWake, after: report.outcome)
        return FetchResult(report)
    }

    private func hold(_ next: NextWake?, after outcome: Outcome?) {
        guard let next else { return }
        _ = asker.ask(Asking.requests(for: next.wish, after: outcome, now: now()))
    }
}

/// What given time is good for. The system gives a little more; what is left is for letting go.
extension Budget {
    /// A refresh task: about 30 seconds, and less when the system likes.
    static let refresh = Budget(time: .seconds(25))
    /// A processing task: minutes; the system says when they are over.
    static let processing = Budget(time: .seconds(240))
    /// The last seconds before the app is suspended.
    static let leaving = Budget(time: .seconds(20))
    /// A silent push: 30 seconds.
    static let pushed = Budget(time: .seconds(25))
}

/// Whether a person looks at the app.
private final class Scene: @unchecked Sendable {
    let id = UUID()
    private let lock = NSLock()
    private var active = false

    var isActive: Bool {
        get { lock.withLock { active } }
        set { lock.withLock { active = newValue } }
    }
}

/// The store of a stretch, once it is open.
private final class Opened<Store: HostedStore>: @unchecked Sendable {
    private let lock = NSLock()
    private var opened: Store?

    var store: Store? {
        get { lock.withLock { opened } }
        set { lock.withLock { opened = newValue } }
    }
}
