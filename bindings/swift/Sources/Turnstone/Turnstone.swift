import Foundation
import TurnstoneFFI

/// A database on this device that syncs.
///
/// Usable from any task; nothing of it runs on yours. Reads and writes never wait for the network. Open one for a file, keep
/// it, and `close` it.
///
/// Every call throws `TurnstoneError`. A write that has begun is done even when its task is cancelled.
public final class Turnstone: Sendable {
    private let store: FfiStore

    private init(_ store: FfiStore) { self.store = store }

    /// Opens a database file, making it if there is none, and brings it to the schema.
    public static func open(_ options: Options) async throws -> Turnstone {
        let given = try options.ffi()
        return Turnstone(try await translating { try await FfiStore.open(options: given, hooks: options.hooks) })
    }

    /// Runs the changes that `block` names as one transaction: all of it is saved, or nothing; here, on the server and on
    /// every other device. With a `writeID` it is done once, however often it is asked for, also after a crash.
    @discardableResult
    public func write(
        writeID: String? = nil, isolation: isolated (any Actor)? = #isolation, _ block: (inout Changes) throws -> Void
    ) async throws -> Written {
        var changes = Changes()
        try block(&changes)
        let list = changes.list
        let written = try await translating { try await store.write(changes: list, writeId: writeID) }
        return Written(ids: written.ids, repeated: written.repeated)
    }

    /// Runs one SQL statement as its own transaction and says how many rows it changed.
    @discardableResult
    public func execute(_ sql: String, _ params: [Value] = []) async throws -> Int {
        Int(try await translating { try await store.execute(sql: sql, params: params.map(\.ffi)) })
    }

    /// Runs a transaction that reads before it writes. If `block` throws, nothing of it happened.
    public func transaction<T: Sendable>(
        isolation: isolated (any Actor)? = #isolation, _ block: (Transaction) async throws -> T
    ) async throws -> T {
        let transaction = try await translating { try await store.begin() }
        do {
            let value = try await block(Transaction(transaction: transaction))
            try await translating { try await transaction.commit() }
            return value
        } catch {
            // After a commit that failed there is nothing left to undo.
            try? await transaction.rollback()
            throw error
        }
    }

    /// Reads one row.
    public func get(_ table: String, id: String) async throws -> Row? {
        try await translating { try await store.get(table: table, id: id) }.map { Rows($0)[0] }
    }

    /// Runs a query. For more than some ten thousand rows use `pages`. Cancelling the task ends the query itself.
    public func query(_ sql: String, _ params: [Value] = []) async throws -> Rows {
        let cancel = try translating { try FfiCancel.create() }
        return try await withTaskCancellationHandler {
            Rows(try await translating { try await store.query(sql: sql, params: params.map(\.ffi), cancel: cancel) })
        } onCancel: {
            try? cancel.cancel()
        }
    }

    /// Runs a query and makes a value of each row.
    public func query<T: Decodable>(_ sql: String, _ params: [Value] = [], as type: T.Type) async throws -> [T] {
        try await query(sql, params).map { try $0.decode(type) }
    }

    /// Runs a query whose rows come page by page, all of one moment.
    public func pages(_ sql: String, _ params: [Value] = [], rowsMax: Int = 1_000) -> Watching<Rows> {
        let params = params.map(\.ffi)
        return Watching { [store] in
            let pages = try store.pages(sql: sql, params: params, rowsMax: UInt32(clamping: rowsMax), bytesMax: 1 << 20)
            return Source(next: { try await pages.next().map { Rows($0) } }, cancel: { try? pages.cancel() })
        }
    }

    /// Watches a query: its rows now, and again after every commit that changes a table it reads.
    public func watch(_ sql: String, _ params: [Value] = []) -> Watching<Rows> {
        let params = params.map(\.ffi)
        return Watching { [store] in
            let watch = try await store.watch(sql: sql, params: params)
            return Source(next: { try await watch.next().map { Rows($0) } }, cancel: { try? watch.cancel() })
        }
    }

    /// Where a row stands.
    public func rowState(_ table: String, id: String) async throws -> RowState {
        RowState(try await translating { try await store.rowState(table: table, id: id) })
    }

    /// Where a row stands: now, and again whenever it changes.
    public func watchRowState(_ table: String, id: String) -> Watching<RowState> {
        Watching { [store] in
            let watch = try await store.watchRowState(table: table, id: id)
            return Source(next: { try await watch.next().map { RowState($0) } }, cancel: { try? watch.cancel() })
        }
    }

    /// Waits until the server has decided every write of a row and what became of them is back here: `.synced`, or `.failed`
    /// with the reason. Without a network it waits for one: cancel the task to stop waiting. A store that is closed meanwhile
    /// throws `TurnstoneError.closed`.
    public func whenDecided(_ table: String, id: String) async throws -> RowState {
        for try await state in watchRowState(table, id: id) {
            switch state {
            case .synced, .failed, .conflict: return state
            case .saved, .sending, .retrying: continue
            }
        }
        try Task.checkCancellation()
        throw TurnstoneError.closed(code: "closed", text: "the store was closed before the row was decided")
    }

    /// Where the store stands: how much waits, what went wrong, what happens next.
    public func status() async throws -> Status {
        Status(try await translating { try await store.status() })
    }

    /// Where the store stands: now, and again whenever it changes.
    public func watchStatus() -> Watching<Status> {
        Watching { [store] in
            let watch = try await store.watchStatus()
            return Source(next: { try await watch.next().map { Status($0) } }, cancel: { try? watch.cancel() })
        }
    }

    /// Syncs until quiet: everything that can be sent is sent, everything there is to fetch is fetched. Cancelling ends the
    /// wait; what is under way ends by itself and loses nothing.
    @discardableResult
    public func sync() async throws -> SyncReport {
        let cancel = try translating { try FfiCancel.create() }
        return try await withTaskCancellationHandler {
            SyncReport(try await translating { try await store.sync(cancel: cancel) })
        } onCancel: {
            try? cancel.cancel()
        }
    }

    /// Syncs in time that the operating system gave: one small push first, then everything else, until quiet or until
    /// `budget` is spent. A sync that runs already serves it too; there is never more than one. What can go wrong with a
    /// sync is an outcome, not an error. Cancelling the task is like `expire()`: the report still comes.
    public func runBackground(budget: Budget, reason: RunReason) async throws -> BackgroundReport {
        // A task that was cancelled before hears of it before there is anything to end.
        let (budget, reason) = ((Task.isCancelled ? Budget(time: .zero) : budget).ffi, reason.ffi)
        return try await withTaskCancellationHandler {
            BackgroundReport(try await translating { try await store.runBackground(budget: budget, reason: reason) })
        } onCancel: {
            expire()
        }
    }

    /// Says that the operating system takes its time back. Returns at once; a background run ends within a second, and
    /// nothing counts as a failed attempt. What a person who looks on waits for goes on.
    public func expire() { signal { try store.expire() } }

    /// Says what the device is like. A hint: it can start a sync and put one off, never stop it for good. Until it is
    /// called, a person is taken to look on.
    public func setConditions(_ conditions: Conditions) { signal { try store.setConditions(conditions: conditions.ffi) } }

    /// What happens next and why, and what the operating system is to hold in case the process ends.
    public var nextWake: NextWake { get throws { NextWake(try translating { try store.nextWake() }) } }

    /// What happens next: now, and again whenever it changes. For hosts, which pass it on to the operating system.
    public var nextWakes: Watching<NextWake> {
        Watching { [store] in
            let watch = try await store.watchNextWake()
            return Source(next: { try await watch.next().map { NextWake($0) } }, cancel: { try? watch.cancel() })
        }
    }

    /// Lets go of the database file before the system suspends the app: when it returns no lock is held and no thread takes
    /// one, until `resume()`. Takes a second at most. Until then calls throw `TurnstoneError.retryable` with the code
    /// `suspended`, open transactions are rolled back and watches wait. Nothing that was written is lost.
    public func suspend() async throws { try await translating { try await store.suspendStore() } }

    /// Takes the database file again after `suspend()`, and goes on where it was. `TurnstoneError.unavailable` with the code
    /// `already_open` while another process has the file: it can be tried again.
    public func resume() async throws { try await translating { try await store.resumeStore() } }

    /// Says that the app has a new token, or that somebody signed in.
    public func tokenChanged() { signal { try store.tokenChanged() } }

    /// Says whether there seems to be a network. A hint: it can start a sync and put one off, never stop it for good.
    public func networkChanged(up: Bool) { signal { try store.networkChanged(up: up) } }

    /// Says that the server has something new (a push notification, say).
    public func poke() { signal { try store.poke() } }

    /// Every refused change, oldest first.
    public func deadLetters() async throws -> [DeadLetter] {
        try await translating { try await store.deadLetters() }.map { DeadLetter($0) }
    }

    /// Sends a refused change again, as a new one based on the rows as they are now.
    public func retryDeadLetter(_ id: Int64) async throws {
        try await translating { try await store.retryDeadLetter(id: id) }
    }

    /// The hash of what the server confirmed to this device.
    public func stateHash() async throws -> StateHash {
        let state = try await translating { try await store.stateHash() }
        return StateHash(at: Int(state.at), rows: Int(state.rows), hash: state.hash)
    }

    /// This installation, and its present life.
    public func identity() async throws -> Identity {
        let identity = try await translating { try await store.identity() }
        return Identity(device: identity.device, incarnation: identity.incarnation)
    }

    /// Where the database came from, as its `Witness` said when it was opened.
    public var origin: Origin { get throws { Origin(try translating { try store.origin() }) } }

    /// What syncing did since the store was opened.
    public func totals() throws -> SyncReport { SyncReport(try translating { try store.totals() }) }

    /// Moves what was committed from the write-ahead log into the file.
    public func checkpoint() async throws { try await translating { try await store.checkpoint() } }

    /// Ends syncing, every watch and every open transaction, and closes the file. Later calls throw
    /// `TurnstoneError.closed`; closing twice is fine.
    public func close() async throws { try await translating { try await store.shutdown() } }
}

/// Tells the store something. Where that fails the store has a fault of its own, which nobody who signals can do anything
/// about.
private func signal(_ tell: () throws -> Void) { try? tell() }
