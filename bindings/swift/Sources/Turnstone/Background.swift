import Foundation
import TurnstoneFFI

/// What a background run may use.
public struct Budget: Equatable, Sendable {
    /// How long it may take. Keep back what the system needs to hear of it: ask for 25 s where it gives 30.
    public var time: Duration
    /// How many bytes may travel, both ways together; nil: any number. The request that passes it still ends well.
    public var bytesMax: Int?

    /// A budget of so much time, and of so many bytes.
    public init(time: Duration, bytesMax: Int? = nil) {
        self.time = time
        self.bytesMax = bytesMax
    }

    var ffi: FfiBudget { FfiBudget(timeMs: milliseconds(time), bytesMax: bytesMax.map { UInt64(clamping: $0) }) }
}

/// Why the system gave time.
public enum RunReason: Equatable, Sendable {
    /// It was asked for, and its time has come (an app refresh).
    case scheduled
    /// A push message said that there is news.
    case poked
    /// The app leaves the foreground, and may still finish something.
    case leaving
    /// The device is idle and charged (a processing task).
    case maintenance

    var ffi: FfiRunReason {
        switch self {
        case .scheduled: .scheduled
        case .poked: .poked
        case .leaving: .leaving
        case .maintenance: .maintenance
        }
    }
}

/// What to tell the system after a background run.
public enum Outcome: Equatable, Sendable {
    /// Everything is synced.
    case done
    /// There is more to do: ask for time again, soon.
    case moreWork
    /// Not now: ask for time again after so long.
    case retryAfter(Duration)
    /// Somebody must sign in: asking for time is of no use until `tokenChanged()`.
    case needsAuth
    /// Nothing helps but an update, or somebody who looks at the server: asking for time is of no use.
    case permanent

    init(_ outcome: FfiOutcome) {
        switch outcome {
        case .done: self = .done
        case .moreWork: self = .moreWork
        case .retryAfter(let ms): self = .retryAfter(.milliseconds(ms))
        case .needsAuth: self = .needsAuth
        case .permanent: self = .permanent
        }
    }
}

/// Why a background run ended.
public enum Stopped: Equatable, Sendable {
    /// There was nothing left to do.
    case finished
    /// It could not go on: see the code.
    case failed
    /// Its time was over.
    case timeUp
    /// The system took its time back.
    case expired
    /// Its bytes were spent.
    case bytesSpent

    init(_ stopped: FfiStopped) {
        switch stopped {
        case .finished: self = .finished
        case .failed: self = .failed
        case .timeUp: self = .timeUp
        case .expired: self = .expired
        case .bytesSpent: self = .bytesSpent
        }
    }
}

/// What a background run did.
public struct BackgroundReport: Equatable, Sendable {
    /// What to tell the system.
    public let outcome: Outcome
    /// Why it ended.
    public let stopped: Stopped
    /// What went wrong, if something did: a stable code.
    public let code: String?
    /// What was pushed and pulled, in how many bytes; in the background also what came since the store woke or since the run
    /// before.
    public let sync: SyncReport

    init(_ report: FfiBackgroundReport) {
        outcome = Outcome(report.outcome)
        stopped = Stopped(report.stopped)
        code = report.code
        sync = SyncReport(report.sync)
    }
}

/// The network, as the system describes it.
public enum Network: Equatable, Sendable {
    /// Nobody said: nothing is held back for it.
    case unknown
    /// None.
    case offline
    /// One that costs nothing.
    case unmetered
    /// One that somebody pays for, or that the person wants spared (Low Data Mode).
    case metered
    /// A foreign one.
    case roaming
}

/// What the device is like. A hint: it can put work off, never stop it for good.
public struct Conditions: Equatable, Sendable {
    /// The network.
    public var network: Network
    /// Whether the network was seen to reach the internet; a captive portal does not.
    public var validated: Bool
    /// Whether a person looks at the app.
    public var foreground: Bool
    /// Whether the device saves power.
    public var lowPower: Bool
    /// Whether it is being charged; then it need not.
    public var charging: Bool

    /// What is known of the device; what is not said holds nothing back.
    public init(
        network: Network = .unknown, validated: Bool = true, foreground: Bool = true, lowPower: Bool = false,
        charging: Bool = false
    ) {
        self.network = network
        self.validated = validated
        self.foreground = foreground
        self.lowPower = lowPower
        self.charging = charging
    }

    var ffi: FfiConditions {
        let network: FfiNetwork
        switch self.network {
        case .unknown: network = .unknown
        case .offline: network = .offline
        case .unmetered: network = .unmetered
        case .metered: network = .metered
        case .roaming: network = .roaming
        }
        return FfiConditions(
            network: network, validated: validated, foreground: foreground, lowPower: lowPower, charging: charging
        )
    }
}

/// A kind of work.
public enum WorkKind: Equatable, Sendable {
    /// What a person wrote, in small batches.
    case smallPush
    /// What others wrote since.
    case pull
    /// Everything there is, once.
    case bootstrap
}

/// What work in the background needs of the network.
public enum NetworkNeed: Equatable, Sendable {
    /// There must be one.
    case connected
    /// One at home.
    case notRoaming
    /// One that costs nothing.
    case unmetered
}

/// What the operating system is to hold for the store: a request for time.
public struct Wish: Equatable, Sendable {
    /// What would be done.
    public let kind: WorkKind
    /// What the network must be like.
    public let network: NetworkNeed
    /// Whether the device must not be saving power, unless it is charged.
    public let batteryNotLow: Bool
    /// Not before; nil: at once.
    public let earliest: Date?
    /// Why: a stable word, such as `debounce`, `backoff`, `retry_after` or `poll`.
    public let why: String

    /// A wish, for the tests of a scheduler of the app's own.
    public init(kind: WorkKind, network: NetworkNeed, batteryNotLow: Bool, earliest: Date?, why: String) {
        self.kind = kind
        self.network = network
        self.batteryNotLow = batteryNotLow
        self.earliest = earliest
        self.why = why
    }

    init(_ wish: FfiWish) {
        switch wish.kind {
        case .smallPush: kind = .smallPush
        case .pull: kind = .pull
        case .bootstrap: kind = .bootstrap
        }
        switch wish.network {
        case .connected: network = .connected
        case .notRoaming: network = .notRoaming
        case .unmetered: network = .unmetered
        }
        batteryNotLow = wish.batteryNotLow
        earliest = wish.earliestAtMs.map(date)
        why = wish.why
    }
}

/// What happens next. Each says why, in a stable word.
public enum Decision: Equatable, Sendable {
    /// It syncs, or is about to.
    case now(why: String)
    /// It waits until then, and is awake to see it.
    case at(Date, why: String)
    /// The operating system is asked for time: the process may not live to see it.
    case background(Wish)
    /// Nothing by itself.
    case idle(why: String)

    init(_ decision: FfiDecision) {
        switch decision {
        case .now(let why): self = .now(why: why)
        case .at(let ms, let why): self = .at(date(ms), why: why)
        case .background(let wish): self = .background(Wish(wish))
        case .idle(let why): self = .idle(why: why)
        }
    }
}

/// What happens next, and what the operating system is to hold for it.
public struct NextWake: Equatable, Sendable {
    /// What happens next, and why.
    public let decision: Decision
    /// What to have submitted to the operating system in case the process ends. Nil: nothing, and what was submitted can go.
    public let wish: Wish?

    /// A wake, for the tests of a host of the app's own.
    public init(decision: Decision, wish: Wish?) {
        self.decision = decision
        self.wish = wish
    }

    init(_ next: FfiNextWake) {
        decision = Decision(next.decision)
        wish = next.wish.map { Wish($0) }
    }
}

func milliseconds(_ duration: Duration) -> UInt64 {
    let (seconds, attoseconds) = duration.components
    guard seconds >= 0, attoseconds >= 0 else { return 0 }
    let (whole, isTooLong) = UInt64(seconds).multipliedReportingOverflow(by: 1000)
    return isTooLong ? .max : whole + UInt64(attoseconds / 1_000_000_000_000_000)
}
