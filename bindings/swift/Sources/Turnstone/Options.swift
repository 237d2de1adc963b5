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
    /// Whose database it is: any text of the app's own, the same for the same person. Opening it for another is
    /// `TurnstoneError.otherAccount`; nil: it is whoever's that opens it.
    public var account: String?
    /// The largest value of one field, in bytes, at least 1; nil: 1 MiB, which every server accepts.
    public var valueBytesMax: Int?
    /// Whether it syncs by itself: `debounce` after a write, at the start, after failures, and every `pollEvery`.
    public var autoSync: Bool
    /// How long a sync waits for further writes, with `autoSync`: 2 to 5 seconds.
    public var debounce = Duration.seconds(3)
    /// How often to look for news while quiet, a second at least; nil: never.
    public var pollEvery: Duration?
    /// Holds what the store wishes of the operating system.
    public var scheduler: (any PlatformScheduler)?
    /// Tells a copy of the database from the one this device knows, before anything is sent: see `Origin`.
    public var witness: (any Witness)?
    /// Reserved for encryption, which is not built yet: a store with one is refused.
    public var keys: (any KeyProvider)?

    /// Options with the usual for everything but the file and the schema. `Turnstone.open` looks at their values.
    public init(
        path: String, schema: String, remote: Remote? = nil, durability: Durability = .power, appVersion: String? = nil,
        localSQL: [String] = [], valueBytesMax: Int? = nil, autoSync: Bool = false, pollEvery: Duration? = .seconds(900)
    ) {
        self.path = path
        self.schema = schema
        self.remote = remote
        self.durability = durability
        self.appVersion = appVersion
        self.localSQL = localSQL
        self.valueBytesMax = valueBytesMax
        self.autoSync = autoSync
        self.pollEvery = pollEvery
    }
}

/// Which file it is. Whose, and what the app brings along, has no place in a log.
extension Options: CustomStringConvertible, CustomReflectable {
    /// The file.
    public var description: String { "Options(path: \(path))" }

    /// No more than ``description`` says, for `dump` and the debugger.
    public var customMirror: Mirror { Mirror(self, children: ["path": path]) }
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
    ///
    /// The library for apps has no HTTP of its own and refuses a store with this (`TurnstoneError.invalidArgument`, code
    /// `no_http`): give `custom` with a `URLSessionTransport` there. This one is for hosts and tests.
    public static func http(_ url: String, tokens: any TokenProvider, allowPlainHTTP: Bool = false) -> Remote {
        Remote(url: url, allowPlainHTTP: allowPlainHTTP, tokens: tokens)
    }

    /// A server reached by a transport of the app's, such as `URLSessionTransport` of `TurnstoneHost`. Bodies larger than
    /// `bodyFileAbove` bytes travel as files.
    public static func custom(
        _ transport: any HTTPTransport, tokens: any TokenProvider, bodyFileAbove: Int = 256 << 10
    ) -> Remote {
        Remote(transport: transport, bodyFileAbove: bodyFileAbove, tokens: tokens)
    }
}

/// Where it is. The app's provider may hold a token, which has no place in a log.
extension Remote: CustomStringConvertible, CustomReflectable {
    /// The address, or that the app brought a transport.
    public var description: String { "Remote(\(url ?? "a transport of the app's own"))" }

    /// No more than ``description`` says, for `dump` and the debugger.
    public var customMirror: Mirror { Mirror(self, children: []) }
}

extension Options {
    /// - Throws: `TurnstoneError.invalidArgument` with the code `bad_options` for a value that means nothing.
    func ffi() throws -> FfiOptions {
        try require(pollEvery.map { $0 >= .seconds(1) } ?? true, "pollEvery is shorter than a second; nil: never")
        try require((.seconds(2) ... .seconds(5)).contains(debounce), "debounce is not from 2 to 5 seconds")
        try require(valueBytesMax.map { $0 > 0 } ?? true, "valueBytesMax is not positive; nil: the usual")
        try require(remote.map { $0.bodyFileAbove >= 0 } ?? true, "bodyFileAbove is negative")
        return FfiOptions(
            path: path,
            schema: schema,
            durability: durability == .power ? .power : .process,
            appVersion: appVersion,
            localSql: localSQL,
            account: account,
            valueBytesMax: valueBytesMax.map { UInt64(clamping: $0) },
            url: remote?.url,
            allowPlainHttp: remote?.allowPlainHTTP ?? false,
            autoSync: autoSync,
            debounceMs: milliseconds(debounce),
            pollMs: pollEvery.map(milliseconds),
            bodyFileAbove: UInt64(clamping: remote?.bodyFileAbove ?? 0)
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

private func require(_ isGood: Bool, _ otherwise: String) throws {
    if !isGood { throw TurnstoneError.invalidArgument(code: "bad_options", text: otherwise) }
}
