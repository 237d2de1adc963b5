package dev.turnstone.android

import dev.turnstone.Budget
import dev.turnstone.Conditions
import dev.turnstone.RunReason
import dev.turnstone.Turnstone
import dev.turnstone.TurnstoneException
import kotlinx.coroutines.CoroutineScope
import kotlinx.coroutines.delay
import kotlinx.coroutines.flow.MutableStateFlow
import kotlinx.coroutines.flow.combine
import kotlinx.coroutines.flow.conflate
import kotlinx.coroutines.flow.filterNotNull
import kotlinx.coroutines.flow.update
import kotlinx.coroutines.launch
import kotlinx.coroutines.sync.Mutex
import kotlinx.coroutines.sync.withLock
import java.io.IOException
import kotlin.time.Duration
import kotlin.time.Duration.Companion.minutes
import kotlin.time.Duration.Companion.seconds

/**
 * The store of a process, and what stands between it and the system: it opens the store once, hands hints on to it, asks the
 * system for what it wishes, and gives it the time that a worker gets.
 *
 * @param scope lives as long as the process, away from the main thread.
 * @param settle what the store wishes is passed on once it has been so for this long: while somebody types, it changes often.
 * @param open opens the store; asked again at the next need if it failed.
 */
public class StoreHost(
    private val scope: CoroutineScope,
    private val queue: WorkQueue,
    private val sdk: Int,
    private val nowMillis: () -> Long,
    private val pollEvery: Duration? = 15.minutes,
    private val settle: Duration = 2.seconds,
    private val open: suspend () -> Turnstone,
) {
    private val opening = Mutex()
    private var opened: Turnstone? = null
    private val conditions = MutableStateFlow<Conditions?>(null)
    private val planning = Mutex()
    private var held: WorkPlan? = null
    private val runs = MutableStateFlow(0)

    /** The store. Opens it at the first call, which may take a moment. */
    public suspend fun store(): Turnstone = opening.withLock {
        opened ?: open().also { store ->
            opened = store
            // What is known already counts from the first moment, not from when the scope has time.
            conditions.value?.let(store::setConditions)
            scope.launch { conditions.filterNotNull().collect(store::setConditions) }
            scope.launch { combine(store.nextWakes, runs) { _, running -> running }.conflate().collect { pass(store) } }
        }
    }

    /** Passes on what the device is like, also to a store that is opened later. */
    public fun setConditions(now: Conditions): Unit = conditions.update { now }

    /**
     * Gives the store the time of a worker. [isOnce]: the worker is the one asked for once, not the periodic one. Cancelling
     * ends the run within a second.
     */
    public suspend fun run(isOnce: Boolean, reason: RunReason = RunReason.Scheduled, budget: Budget = BUDGET): RunResult {
        val store = try {
            store()
        } catch (error: TurnstoneException) {
            return afterFailedOpen(error)
        } catch (_: IOException) {
            // The folder or the schema could not be reached: that passes, or the app's own start says so.
            return RunResult.Retry
        }
        runs.update { it + 1 }
        try {
            val report = store.runBackground(budget, reason)
            val after = afterRun(report.outcome, store.nextWake().wish, nowMillis(), sdk)
            planning.withLock {
                // To replace it would stop the very worker that asks.
                after.once?.let { queue.once(it, if (isOnce) Existing.Append else Existing.Replace) }
                if (isOnce || after.once != null) held = held?.copy(once = after.once)
            }
            return after.result
        } catch (error: TurnstoneException) {
            return afterFailedOpen(error)
        } finally {
            runs.update { it - 1 }
        }
    }

    /** Asks the system for what the store wishes now, if that is news. A worker that runs asks at its end instead. */
    private suspend fun pass(store: Turnstone) {
        delay(settle)
        planning.withLock {
            if (runs.value > 0) return
            val plan = workPlan(store.nextWake().wish, pollEvery, nowMillis(), sdk)
            // After the start of a process nobody knows what the last one left behind.
            if (held == null || plan.once != held?.once) {
                plan.once?.let { queue.once(it, Existing.Replace) } ?: queue.cancelOnce()
            }
            if (held == null || plan.periodic != held?.periodic) {
                plan.periodic?.let(queue::periodic) ?: queue.cancelPeriodic()
            }
            held = plan
        }
    }

    private companion object {
        /** WorkManager gives about ten minutes. */
        private val BUDGET = Budget(9.minutes)
    }
}
