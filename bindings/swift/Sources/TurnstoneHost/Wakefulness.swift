import Foundation
import Turnstone

/// Keeps the store awake while somebody needs it, and suspended otherwise: a lock on its file that is held when the system
/// suspends the app kills the app.
actor Wakefulness<Store: HostedStore> {
    /// How often letting go is tried while a closure of the app holds on to a transaction.
    private let triesMax = 3

    private let open: @Sendable () async throws -> Store
    private let woken: @Sendable (Store) -> Void
    private var store: Store?
    private var holders: Set<UUID> = []
    private var isAwake = false
    private var isTurning = false
    private var waiting: [CheckedContinuation<Void, Never>] = []

    init(open: @escaping @Sendable () async throws -> Store, woken: @escaping @Sendable (Store) -> Void) {
        self.open = open
        self.woken = woken
    }

    /// Gives the store, opened and awake, and keeps it so until `end`. A store that could not be opened is tried anew next
    /// time: before the first unlock it cannot.
    func begin(_ holder: UUID) async throws -> Store {
        holders.insert(holder)
        do {
            return try await oneAtATime { try await self.wake() }
        } catch {
            holders.remove(holder)
            throw error
        }
    }

    /// Lets go; the last one suspends the store, and returns when nothing of it is held.
    func end(_ holder: UUID) async {
        guard holders.remove(holder) != nil else { return }
        await oneAtATime { await self.sleepUnlessHeld() }
    }

    /// Gives the store, opened; awake only while somebody holds it so.
    func opened() async throws -> Store {
        let holder = UUID()
        let store = try await begin(holder)
        await end(holder)
        return store
    }

    private func wake() async throws -> Store {
        let found: Store
        if let store {
            found = store
            if !isAwake {
                do {
                    try await found.resume()
                } catch TurnstoneError.closed {
                    // The app closed it: the next caller opens it anew.
                    self.store = nil
                    throw TurnstoneError.closed(code: "closed", text: "the store was closed by the app")
                }
            }
        } else {
            found = try await open()
            store = found
        }
        if !isAwake {
            isAwake = true
            woken(found)
        }
        return found
    }

    private func sleepUnlessHeld() async {
        guard let store, isAwake else { return }
        for _ in 0..<triesMax where holders.isEmpty {
            do {
                try await store.suspend()
                isAwake = false
                return
            } catch {
                // Locks may still be held, or nobody can tell: what asks next begins by waking it all the same.
                isAwake = false
            }
        }
    }

    /// Waking and suspending never overlap, and the last word wins.
    private func oneAtATime<T: Sendable>(_ turn: () async throws -> T) async rethrows -> T {
        while isTurning { await withCheckedContinuation { waiting.append($0) } }
        isTurning = true
        defer {
            isTurning = false
            let woken = waiting
            waiting = []
            woken.forEach { $0.resume() }
        }
        return try await turn()
    }
}
