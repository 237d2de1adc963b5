package dev.turnstone.android

import dev.turnstone.NetworkNeed
import dev.turnstone.Outcome
import dev.turnstone.TurnstoneException
import dev.turnstone.Wish
import dev.turnstone.WorkKind
import kotlin.time.Duration
import kotlin.time.Duration.Companion.milliseconds
import kotlin.time.Duration.Companion.minutes

// What WorkManager is asked for, as plain functions: the Android files only carry it out.

/**
 * A run to be had once, for something that waits.
 *
 * @property network what the network must be like.
 * @property batteryNotLow whether the battery must not be low.
 * @property notBeforeMillis not before, in milliseconds since 1970; null: at once.
 * @property expedited whether WorkManager is asked to hurry, as far as its quota goes.
 */
public data class OneOff(
    val network: NetworkNeed,
    val batteryNotLow: Boolean,
    val notBeforeMillis: Long?,
    val expedited: Boolean,
) {
    /** How long to wait from a time in milliseconds since 1970. */
    public fun delay(nowMillis: Long): Duration = ((notBeforeMillis ?: nowMillis) - nowMillis).coerceAtLeast(0).milliseconds
}

/**
 * The look for news that comes round by itself.
 *
 * @property every how often: 15 minutes at least, WorkManager takes nothing shorter.
 * @property network what the network must be like.
 * @property batteryNotLow whether the battery must not be low.
 */
public data class Periodic(val every: Duration, val network: NetworkNeed, val batteryNotLow: Boolean)

/** What is to be registered, [once] and as [periodic] work; null: nothing, and what was registered goes. */
public data class WorkPlan(val once: OneOff?, val periodic: Periodic?)

/** What a worker tells WorkManager. */
public enum class RunResult {
    /** The run is over. What comes next was asked for as new work, with the core's own delay. */
    Success,

    /** The core never came to run, so that WorkManager's back-off is the only one. */
    Retry,

    /** It would fail again. */
    Failure,
}

/** How a run ends: the [result] to tell WorkManager, and the work to ask for [once] before saying it; null: none. */
public data class AfterRun(val result: RunResult, val once: OneOff?)

/**
 * What the system is to hold for a [wish] of the core.
 *
 * @param sdk the Android version. Before 12 (31), expedited work is a foreground service with a notification: not asked for.
 */
public fun workPlan(wish: Wish?, pollEvery: Duration?, nowMillis: Long, sdk: Int): WorkPlan {
    if (wish == null) return WorkPlan(null, null)
    return WorkPlan(once(wish, nowMillis, sdk), pollEvery?.let(::periodic))
}

/** How a run ends that came to an [outcome]; [wish] is what the core wants now. */
public fun afterRun(outcome: Outcome, wish: Wish?, nowMillis: Long, sdk: Int): AfterRun = AfterRun(
    RunResult.Success,
    when (outcome) {
        Outcome.Done, Outcome.NeedsAuth, Outcome.Permanent -> null
        Outcome.MoreWork -> wish?.let { once(it, nowMillis, sdk) }
        is Outcome.RetryAfter -> wish?.let { once(it, nowMillis, sdk) }?.let { next ->
            val earliest = nowMillis + outcome.delay.inWholeMilliseconds
            next.copy(notBeforeMillis = maxOf(earliest, next.notBeforeMillis ?: 0), expedited = false)
        }
    },
)

/** How a run ends whose store could not be opened. */
public fun afterFailedOpen(error: TurnstoneException): RunResult = when (error) {
    is TurnstoneException.Retryable,
    is TurnstoneException.StorageFull,
    is TurnstoneException.Unavailable,
    is TurnstoneException.KeyUnavailable,
    -> RunResult.Retry
    else -> RunResult.Failure
}

private fun once(wish: Wish, nowMillis: Long, sdk: Int): OneOff? = when (wish.why) {
    // Nothing is known to wait: the periodic work looks.
    "poll" -> null
    // No run helps: somebody must sign in or update, and the app's next start tries again.
    "sign_in", "upgrade" -> null
    else -> {
        val notBefore = wish.earliestAtMillis?.takeIf { it > nowMillis }
        // Expedited work may neither be delayed nor wait for the battery: WorkManager throws.
        val isUrgent = wish.kind == WorkKind.SmallPush && notBefore == null && !wish.batteryNotLow
        OneOff(wish.network, wish.batteryNotLow, notBefore, expedited = isUrgent && sdk >= SDK_EXPEDITED_WITHOUT_SERVICE)
    }
}

private fun periodic(every: Duration): Periodic =
    Periodic(maxOf(every, PERIOD_MIN), NetworkNeed.NotRoaming, batteryNotLow = true)

/** WorkManager takes nothing shorter. */
private val PERIOD_MIN: Duration = 15.minutes
private const val SDK_EXPEDITED_WITHOUT_SERVICE: Int = 31
