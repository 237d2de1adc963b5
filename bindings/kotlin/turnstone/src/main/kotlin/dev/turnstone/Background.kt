package dev.turnstone

import dev.turnstone.internal.FfiBackgroundReport
import dev.turnstone.internal.FfiBudget
import dev.turnstone.internal.FfiConditions
import dev.turnstone.internal.FfiDecision
import dev.turnstone.internal.FfiKind
import dev.turnstone.internal.FfiNetwork
import dev.turnstone.internal.FfiNetworkNeed
import dev.turnstone.internal.FfiNextWake
import dev.turnstone.internal.FfiOutcome
import dev.turnstone.internal.FfiRunReason
import dev.turnstone.internal.FfiStopped
import dev.turnstone.internal.FfiWish
import kotlin.time.Duration
import kotlin.time.Duration.Companion.milliseconds

/**
 * What a background run may use.
 *
 * @property time how long it may take. Keep back what the system needs to hear of it: ask for 25 s where it gives 30.
 * @property bytesMax how many bytes may travel, both ways together; null: any number. The request that passes it still ends well.
 */
public data class Budget(val time: Duration, val bytesMax: Long? = null)

/** Why the system gave time. */
public enum class RunReason {
    /** It was asked for, and its time has come (a worker, an app refresh). */
    Scheduled,

    /** A push message said that there is news. */
    Poked,

    /** The app leaves the foreground, and may still finish something. */
    Leaving,

    /** The device is idle and charged. */
    Maintenance,
}

/** What to tell the system after a background run. */
public sealed interface Outcome {
    /** Everything is synced. */
    public data object Done : Outcome

    /** There is more to do: ask for time again, soon. */
    public data object MoreWork : Outcome

    /** Not now: ask for time again after [delay]. Let the system add no back-off of its own. */
    public data class RetryAfter(val delay: Duration) : Outcome

    /** Somebody must sign in: asking for time is of no use until [Turnstone.tokenChanged]. */
    public data object NeedsAuth : Outcome

    /** Nothing helps but an update, or somebody who looks at the server: asking for time is of no use. */
    public data object Permanent : Outcome
}

/** Why a background run ended. */
public enum class Stopped {
    /** There was nothing left to do. */
    Finished,

    /** It could not go on: see the code. */
    Failed,

    /** Its time was over. */
    TimeUp,

    /** The system took its time back. */
    Expired,

    /** Its bytes were spent. */
    BytesSpent,
}

/**
 * What a background run did.
 *
 * @property outcome what to tell the system.
 * @property stopped why it ended.
 * @property code what went wrong, if something did: a stable code.
 * @property sync what was pushed and pulled, in how many bytes; in the background also what came since the store woke or since the
 *   run before.
 */
public data class BackgroundReport(
    val outcome: Outcome,
    val stopped: Stopped,
    val code: String?,
    val sync: SyncReport,
)

/** The network, as the system describes it. */
public enum class Network {
    /** Nobody said: nothing is held back for it. */
    Unknown,

    /** None. */
    Offline,

    /** One that costs nothing. */
    Unmetered,

    /** One that somebody pays for, or that the person wants spared (Data Saver). */
    Metered,

    /** A foreign one. */
    Roaming,
}

/**
 * What the device is like. A hint: it can put work off, never stop it for good.
 *
 * @property network the network, as the system describes it.
 * @property validated whether the network was seen to reach the internet; a captive portal does not.
 * @property foreground whether a person looks at the app.
 * @property lowPower whether the device saves power.
 * @property charging whether it is being charged; then it need not.
 */
public data class Conditions(
    val network: Network = Network.Unknown,
    val validated: Boolean = true,
    val foreground: Boolean = true,
    val lowPower: Boolean = false,
    val charging: Boolean = false,
)

/** A kind of work. */
public enum class WorkKind {
    /** What a person wrote, in small batches. */
    SmallPush,

    /** What others wrote since. */
    Pull,

    /** Everything there is, once. */
    Bootstrap,
}

/** What work in the background needs of the network. */
public enum class NetworkNeed {
    /** There must be one. */
    Connected,

    /** One at home. */
    NotRoaming,

    /** One that costs nothing. */
    Unmetered,
}

/**
 * What the operating system is to hold for the store: a request for time.
 *
 * @property kind what would be done.
 * @property network what the network must be like.
 * @property batteryNotLow whether the device must not be saving power, unless it is charged.
 * @property earliestAtMillis not before, in milliseconds since 1970; null: at once.
 * @property why a stable word, such as `debounce`, `backoff`, `retry_after` or `poll`.
 */
public data class Wish(
    val kind: WorkKind,
    val network: NetworkNeed,
    val batteryNotLow: Boolean,
    val earliestAtMillis: Long?,
    val why: String,
)

/** What happens next. Each says why, in a stable word; `docs/background.md` lists them. */
public sealed interface Decision {
    /** It syncs, or is about to; [why] is a stable word. */
    public data class Now(val why: String) : Decision

    /** It waits until [atMillis] (milliseconds since 1970), and is awake to see it; [why] is a stable word. */
    public data class At(val atMillis: Long, val why: String) : Decision

    /** The operating system is asked for time, as [wish] says: the process may not live to see it. */
    public data class Background(val wish: Wish) : Decision

    /** Nothing by itself; [why] is a stable word. */
    public data class Idle(val why: String) : Decision
}

/**
 * What happens next, and what the operating system is to hold for it.
 *
 * @property decision what happens next, and why.
 * @property wish what to have registered with the operating system in case the process ends. Null: nothing, and what was
 *   registered can go.
 */
public data class NextWake(val decision: Decision, val wish: Wish?)

internal fun Budget.toFfi(): FfiBudget {
    if (time.isNegative() || (bytesMax ?: 0) < 0) throw TurnstoneException.InvalidArgument("budget", "a budget is not negative")
    return FfiBudget(time.inWholeMilliseconds.toULong(), bytesMax?.toULong())
}

internal fun RunReason.toFfi(): FfiRunReason = when (this) {
    RunReason.Scheduled -> FfiRunReason.SCHEDULED
    RunReason.Poked -> FfiRunReason.POKED
    RunReason.Leaving -> FfiRunReason.LEAVING
    RunReason.Maintenance -> FfiRunReason.MAINTENANCE
}

internal fun Conditions.toFfi(): FfiConditions = FfiConditions(
    network = when (network) {
        Network.Unknown -> FfiNetwork.UNKNOWN
        Network.Offline -> FfiNetwork.OFFLINE
        Network.Unmetered -> FfiNetwork.UNMETERED
        Network.Metered -> FfiNetwork.METERED
        Network.Roaming -> FfiNetwork.ROAMING
    },
    validated = validated,
    foreground = foreground,
    lowPower = lowPower,
    charging = charging,
)

internal fun FfiBackgroundReport.toApp(): BackgroundReport = BackgroundReport(
    outcome = when (val outcome = outcome) {
        is FfiOutcome.Done -> Outcome.Done
        is FfiOutcome.MoreWork -> Outcome.MoreWork
        is FfiOutcome.RetryAfter -> Outcome.RetryAfter(outcome.delayMs.toLong().milliseconds)
        is FfiOutcome.NeedsAuth -> Outcome.NeedsAuth
        is FfiOutcome.Permanent -> Outcome.Permanent
    },
    stopped = when (stopped) {
        FfiStopped.FINISHED -> Stopped.Finished
        FfiStopped.FAILED -> Stopped.Failed
        FfiStopped.TIME_UP -> Stopped.TimeUp
        FfiStopped.EXPIRED -> Stopped.Expired
        FfiStopped.BYTES_SPENT -> Stopped.BytesSpent
    },
    code = code,
    sync = sync.toApp(),
)

internal fun FfiWish.toApp(): Wish = Wish(
    kind = when (kind) {
        FfiKind.SMALL_PUSH -> WorkKind.SmallPush
        FfiKind.PULL -> WorkKind.Pull
        FfiKind.BOOTSTRAP -> WorkKind.Bootstrap
    },
    network = when (network) {
        FfiNetworkNeed.CONNECTED -> NetworkNeed.Connected
        FfiNetworkNeed.NOT_ROAMING -> NetworkNeed.NotRoaming
        FfiNetworkNeed.UNMETERED -> NetworkNeed.Unmetered
    },
    batteryNotLow = batteryNotLow,
    earliestAtMillis = earliestAtMs?.toLong(),
    why = why,
)

internal fun FfiDecision.toApp(): Decision = when (this) {
    is FfiDecision.Now -> Decision.Now(why)
    is FfiDecision.At -> Decision.At(atMs.toLong(), why)
    is FfiDecision.Background -> Decision.Background(wish.toApp())
    is FfiDecision.Idle -> Decision.Idle(why)
}

internal fun FfiNextWake.toApp(): NextWake = NextWake(decision.toApp(), wish?.toApp())
