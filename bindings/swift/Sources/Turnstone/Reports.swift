import Foundation
import TurnstoneFFI

/// What a write did.
public struct Written: Equatable, Sendable {
    /// The ids of the rows that its inserts made, in their order.
    public let ids: [String]
    /// Whether its write id was used before: nothing was written then, and `ids` are those of the first time.
    public let repeated: Bool
}

/// Where a row stands, for the badge beside it.
public enum RowState: Equatable, Sendable {
    /// Saved on this device; not sent yet.
    case saved
    /// Being sent.
    case sending
    /// Sent without success so far; sent next at `at`, where that is known.
    case retrying(attempts: Int, at: Date?)
    /// The server has it.
    case synced
    /// Somebody must decide between two versions.
    case conflict
    /// The server refused a change of it, which is now a dead letter; `reason` is a stable code.
    case failed(reason: String)

    init(_ state: FfiRowState) {
        switch state {
        case .saved: self = .saved
        case .sending: self = .sending
        case .retrying(let attempts, let at): self = .retrying(attempts: Int(attempts), at: at.map(date))
        case .synced: self = .synced
        case .conflict: self = .conflict
        case .failed(let reason): self = .failed(reason: reason)
        }
    }
}

/// What happens now.
public enum Phase: Equatable, Sendable {
    /// Nothing: everything is synced, or nobody asked.
    case idle
    /// The server is asked who it is and what it takes.
    case connecting
    /// Local changes are sent.
    case pushing
    /// Changes of others are fetched.
    case pulling
    /// It waits for its next attempt: see `Status.nextAttempt`.
    case waiting
    /// Somebody must sign in; then `tokenChanged()`.
    case needsAuth
    /// Nothing helps but an update, or somebody who looks at the server: see `Status.lastErrorCode`.
    case stopped
}

/// Where a store stands.
public struct Status: Equatable, Sendable {
    /// Local transactions the server has not decided yet.
    public let pendingGroups: Int
    /// Their changes.
    public let pendingOps: Int
    /// Of those transactions, ones that wait behind a refused one.
    public let parkedGroups: Int
    /// When the oldest of them was written.
    public let oldestPending: Date?
    /// Refused changes that wait for a person.
    public let deadLetters: Int
    /// What went wrong last, a stable code; nil once everything was synced again.
    public let lastErrorCode: String?
    /// When that was.
    public let lastError: Date?
    /// When everything was last sent and fetched.
    public let lastSynced: Date?
    /// When the next attempt is.
    public let nextAttempt: Date?
    /// Why then: a stable word.
    public let nextAttemptWhy: String?
    /// What happens now.
    public let phase: Phase
    /// Whether the store has a server at all.
    public let hasRemote: Bool
    /// What happens next, and why.
    public let next: Decision

    init(_ status: FfiStatus) {
        pendingGroups = Int(status.pendingGroups)
        pendingOps = Int(status.pendingOps)
        parkedGroups = Int(status.parkedGroups)
        oldestPending = status.oldestPendingAtMs.map(date)
        deadLetters = Int(status.deadLetters)
        lastErrorCode = status.lastErrorCode
        lastError = status.lastErrorAtMs.map(date)
        lastSynced = status.lastSyncedAtMs.map(date)
        nextAttempt = status.nextAttemptAtMs.map(date)
        nextAttemptWhy = status.nextAttemptWhy
        switch status.phase {
        case .idle: phase = .idle
        case .connecting: phase = .connecting
        case .pushing: phase = .pushing
        case .pulling: phase = .pulling
        case .waiting: phase = .waiting
        case .needsAuth: phase = .needsAuth
        case .stopped: phase = .stopped
        }
        hasRemote = status.hasRemote
        next = Decision(status.next)
    }
}

/// What a sync did.
public struct SyncReport: Equatable, Sendable {
    /// Local transactions the server has now decided.
    public let groupsPushed: Int
    /// Of those, accepted as they were.
    public let applied: Int
    /// Accepted beside changes they had not seen.
    public let merged: Int
    /// Refused for good: now dead letters.
    public let rejected: Int
    /// Local transactions the server wants to see again later.
    public let waiting: Int
    /// Rows that came from the server.
    public let rowsPulled: Int
    /// Overlapping changes that a policy decided.
    public let overlaps: Int
    /// Bytes sent in bodies, as they travelled.
    public let bytesUp: Int
    /// Bytes received in bodies, as the transport gave them: URLSession unpacks them.
    public let bytesDown: Int
    /// Requests made.
    public let requests: Int
    /// How long it took.
    public let took: Duration

    init(_ report: FfiSyncReport) {
        groupsPushed = Int(report.groupsPushed)
        applied = Int(report.applied)
        merged = Int(report.merged)
        rejected = Int(report.rejected)
        waiting = Int(report.waiting)
        rowsPulled = Int(report.rowsPulled)
        overlaps = Int(report.overlaps)
        bytesUp = Int(report.bytesUp)
        bytesDown = Int(report.bytesDown)
        requests = Int(report.requests)
        took = .milliseconds(report.tookMs)
    }
}

/// A refused change: read it, repair the row, send it again.
public struct DeadLetter: Equatable, Sendable, Identifiable {
    /// Its number, for `retryDeadLetter`.
    public let id: Int64
    /// The local transaction it was part of.
    public let group: String
    /// Which change of it, from 0; nil: all of them.
    public let change: Int?
    /// Why it was refused: a stable code.
    public let reason: String
    /// The fields it was refused for, as `table.field`.
    public let fields: [String]
    /// What was meant: a JSON list of ops.
    public let opsJSON: String
    /// How often it was sent.
    public let attempts: Int
    /// When it was refused.
    public let at: Date

    init(_ letter: FfiDeadLetter) {
        id = letter.id
        group = letter.gid
        change = letter.n.map(Int.init)
        reason = letter.reason
        fields = letter.fields
        opsJSON = letter.opsJson
        attempts = Int(letter.attempts)
        at = date(letter.atMs)
    }
}

/// Which one it is and why, without `opsJSON`: what a person wrote has no place in a log.
extension DeadLetter: CustomStringConvertible, CustomReflectable {
    /// Everything but `opsJSON`.
    public var description: String {
        "DeadLetter(id: \(id), group: \(group), reason: \(reason), fields: \(fields), attempts: \(attempts), at: \(at))"
    }

    /// Which one it is and why, for `dump` and the debugger.
    public var customMirror: Mirror { Mirror(self, children: ["id": id, "group": group, "reason": reason]) }
}

/// The hash of what the server confirmed to this device: equal everywhere once the network is quiet.
public struct StateHash: Equatable, Sendable {
    /// The commit it stands for.
    public let at: Int
    /// How many rows there are.
    public let rows: Int
    /// The hash, in hex.
    public let hash: String
}

/// This installation, and its present life: what a token or a support request may name.
public struct Identity: Equatable, Sendable {
    /// The installation: a new one has another.
    public let device: String
    /// Its life: a copy or a restored backup gets another.
    public let incarnation: String
}

func date(_ ms: UInt64) -> Date { Date(timeIntervalSince1970: Double(ms) / 1000) }
