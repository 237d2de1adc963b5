import Foundation
import TurnstoneFFI

/// What an acknowledged write survives.
public enum Durability: Sendable {
    /// Power loss at any moment.
    case power
    /// Any kill of the process, not power loss: faster.
    case process
}

/// How a store is opened.
public struct Options: Sendable {
    /// The database file; its folder must exist.
    public var path: String
    /// The schema, in TOML.
    public var schema: String
    /// The server to sync with; without one the store works all the same, offline.
    public var remote: Remote?
    /// What an acknowledged write survives.
    public var durability: Durability
    /// The app's own version: recorded with every write, so that a bad release can be told apart.
    public var appVersion: String?
    /// SQL of the app's own, run at every open: full-text tables, views. Each statement must be repeatable.
    public var localSQL: [String]
    /// The largest value of one field; nil: 1 MiB, which every server accepts.
    public var valueBytesMax: Int?
    /// Whether it syncs by itself: 3 seconds after a write, at the start, after failures, and every `pollSeconds`.
    public var autoSync: Bool
    /// How often to look for news while quiet, in seconds; nil: never.
    public var pollSeconds: Double?
    /// Holds what the store wishes of the operating system.
    public var scheduler: (any PlatformScheduler)?
    /// Tells a copy of the database from the one this device knows, before anything is sent: see `Origin`.
    public var witness: (any Witness)?
    /// Reserved for encryption, which is not built yet: a store with one is refused.
    public var keys: (any KeyProvider)?

    public init(
        path: String, schema: String, remote: Remote? = nil, durability: Durability = .power, appVersion: String? = nil,
        localSQL: [String] = [], valueBytesMax: Int? = nil, autoSync: Bool = false, pollSeconds: Double? = 900
    ) {
        self.path = path
        self.schema = schema
        self.remote = remote
        self.durability = durability
        self.appVersion = appVersion
        self.localSQL = localSQL
        self.valueBytesMax = valueBytesMax
        self.autoSync = autoSync
        self.pollSeconds = pollSeconds
    }
}

/// The server a store syncs with.
public struct Remote: Sendable {
    var url: String?
    var allowPlainHTTP = false
    var transport: (any HTTPTransport)?
    var bodyFileAbove = 256 << 10
    var tokens: any TokenProvider

    /// A server reached by the built-in HTTP, at a URL such as `https://sync.example.com`. Plain `http` to another machine
    /// only where it is allowed, which is for development.
    public static func http(_ url: String, tokens: any TokenProvider, allowPlainHTTP: Bool = false) -> Remote {
        Remote(url: url, allowPlainHTTP: allowPlainHTTP, tokens: tokens)
    }

    /// A server reached by a transport of the app's own, such as URLSession. Bodies larger than `bodyFileAbove` bytes
    /// travel as files.
    public static func custom(
        _ transport: any HTTPTransport, tokens: any TokenProvider, bodyFileAbove: Int = 256 << 10
    ) -> Remote {
        Remote(transport: transport, bodyFileAbove: bodyFileAbove, tokens: tokens)
    }
}

extension Options {
    var ffi: FfiOptions {
        FfiOptions(
            path: path,
            schema: schema,
            durability: durability == .power ? .power : .process,
            appVersion: appVersion,
            localSql: localSQL,
            valueBytesMax: valueBytesMax.map(UInt64.init),
            url: remote?.url,
            allowPlainHttp: remote?.allowPlainHTTP ?? false,
            autoSync: autoSync,
            pollMs: pollSeconds.map { UInt64($0 * 1000) },
            bodyFileAbove: UInt64(remote?.bodyFileAbove ?? 0)
        )
    }

    var hooks: FfiHooks {
        FfiHooks(
            tokens: remote.map { HostTokens(provider: $0.tokens) },
            transport: (remote?.transport).map { HostHTTP(transport: $0) },
            scheduler: scheduler.map { HostScheduler(scheduler: $0) },
            witness: witness.map { HostWitness(witness: $0) },
            keys: keys.map { HostKeys(keys: $0) }
        )
    }
}
