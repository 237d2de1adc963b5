import Foundation
import TurnstoneFFI

/// The operating system's scheduler: BGTaskScheduler, or a test's.
public protocol PlatformScheduler: Sendable {
    /// Holds this wish instead of the last one; nil: nothing is to be held any more. Called one at a time, on a thread of its
    /// own, at first with what is wished when the store opens.
    func schedule(_ wish: Wish?)
}

/// Keeps one short text for one database, in a place that backups and copies do not carry along: a Keychain item that is
/// this-device-only. It may throw: what cannot be read decides nothing.
public protocol Witness: Sendable {
    /// What is kept; nil: nothing ever was.
    func read() throws -> String?
    /// Keeps this instead.
    func write(_ token: String) throws
}

/// Where a database came from, as its `Witness` says.
public enum Origin: Equatable, Sendable {
    /// There is no witness, or it cannot be read.
    case unknown
    /// The first opening.
    case new
    /// The database that this device knows.
    case known
    /// A copy, from a backup or another device. It syncs under a new identity; nothing is lost.
    case copied
    /// This device knew another database, which is gone. What it had not synced is gone with it: tell the person. After a
    /// new installation of the app that is what is to be expected: the Keychain stays.
    case lost

    init(_ origin: FfiOrigin) {
        switch origin {
        case .unknown: self = .unknown
        case .new: self = .new
        case .known: self = .known
        case .copied: self = .copied
        case .lost: self = .lost
        }
    }
}

/// Gives the key of the database. Reserved: a store with one is refused until encryption is built.
public protocol KeyProvider: Sendable {
    /// Gives the key.
    func key() throws -> Data
}

final class HostScheduler: FfiPlatformScheduler {
    private let scheduler: any PlatformScheduler

    init(scheduler: any PlatformScheduler) { self.scheduler = scheduler }

    func schedule(wish: FfiWish?) throws { scheduler.schedule(wish.map { Wish($0) }) }
}

final class HostWitness: FfiWitness {
    private let witness: any Witness

    init(witness: any Witness) { self.witness = witness }

    func read() throws -> String? {
        do { return try witness.read() } catch { throw FfiHookFailure.Failed }
    }

    func write(token: String) throws {
        do { try witness.write(token) } catch { throw FfiHookFailure.Failed }
    }
}

final class HostKeys: FfiKeyProvider {
    private let keys: any KeyProvider

    init(keys: any KeyProvider) { self.keys = keys }

    func key() throws -> Data {
        do { return try keys.key() } catch { throw FfiHookFailure.Failed }
    }
}
