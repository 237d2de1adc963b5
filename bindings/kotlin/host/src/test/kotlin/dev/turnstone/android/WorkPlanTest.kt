package dev.turnstone.android

import dev.turnstone.NetworkNeed
import dev.turnstone.Outcome
import dev.turnstone.TurnstoneException
import dev.turnstone.Wish
import dev.turnstone.WorkKind
import org.junit.jupiter.api.Assertions.assertEquals
import org.junit.jupiter.api.Assertions.assertFalse
import org.junit.jupiter.api.Assertions.assertNull
import org.junit.jupiter.api.Assertions.assertTrue
import org.junit.jupiter.api.Test
import kotlin.time.Duration
import kotlin.time.Duration.Companion.hours
import kotlin.time.Duration.Companion.minutes
import kotlin.time.Duration.Companion.seconds

class WorkPlanTest {
    private val push = Wish(WorkKind.SmallPush, NetworkNeed.Connected, false, null, "time_up")
    private val bootstrap = Wish(WorkKind.Bootstrap, NetworkNeed.Unmetered, true, null, "constraints")

    private fun plan(wish: Wish?, pollEvery: Duration? = 15.minutes, sdk: Int = 34) = workPlan(wish, pollEvery, NOW, sdk)

    @Test
    fun what_a_person_wrote_is_asked_for_at_once_on_any_network() {
        assertEquals(OneOff(NetworkNeed.Connected, batteryNotLow = false, notBeforeMillis = null, expedited = true), plan(push).once)
    }

    @Test
    fun constraints_are_those_of_the_wish() {
        assertEquals(OneOff(NetworkNeed.Unmetered, batteryNotLow = true, notBeforeMillis = null, expedited = false), plan(bootstrap).once)
    }

    @Test
    fun nothing_is_expedited_that_workmanager_would_throw_at() {
        val later = push.copy(earliestAtMillis = NOW + 1)
        val weak = push.copy(batteryNotLow = true)
        for (wish in listOf(later, weak, bootstrap)) assertFalse(plan(wish).once!!.expedited, "$wish")
        // Before Android 12 expedited work is a foreground service, which we are not.
        assertFalse(plan(push, sdk = 30).once!!.expedited)
        assertTrue(plan(push, sdk = 31).once!!.expedited)
    }

    @Test
    fun delays_count_from_now_and_are_never_negative() {
        val once = plan(push.copy(earliestAtMillis = NOW + 90_000)).once!!
        assertEquals(90.seconds, once.delay(NOW))
        assertEquals(Duration.ZERO, once.delay(NOW + 100_000))
        assertNull(plan(push.copy(earliestAtMillis = NOW - 1)).once!!.notBeforeMillis)
    }

    @Test
    fun a_look_for_news_is_left_to_the_periodic_work() {
        val poll = Wish(WorkKind.Pull, NetworkNeed.NotRoaming, true, NOW + 900_000, "poll")
        assertEquals(WorkPlan(null, Periodic(15.minutes, NetworkNeed.NotRoaming, batteryNotLow = true)), plan(poll))
        assertEquals(15.minutes, plan(poll, pollEvery = 1.minutes).periodic!!.every, "WorkManager takes nothing shorter")
        assertEquals(3.hours, plan(poll, pollEvery = 3.hours).periodic!!.every)
        assertNull(plan(push, pollEvery = null).periodic)
    }

    @Test
    fun no_wish_means_nothing_is_registered() = assertEquals(WorkPlan(null, null), plan(null))

    @Test
    fun no_run_is_asked_for_that_could_not_help() {
        for (why in listOf("sign_in", "upgrade")) assertNull(plan(push.copy(earliestAtMillis = NOW + 60_000, why = why)).once, why)
    }

    @Test
    fun workmanager_never_backs_off_on_top_of_the_core() {
        val outcomes = listOf(Outcome.Done, Outcome.MoreWork, Outcome.RetryAfter(5.minutes), Outcome.NeedsAuth, Outcome.Permanent)
        for (outcome in outcomes) assertEquals(RunResult.Success, afterRun(outcome, push, NOW, 34).result, "$outcome")
        assertEquals(listOf(false, true, true, false, false), outcomes.map { afterRun(it, push, NOW, 34).once != null })
    }

    @Test
    fun more_work_is_asked_for_with_the_constraints_of_what_is_left() {
        assertEquals(plan(bootstrap).once, afterRun(Outcome.MoreWork, bootstrap, NOW, 34).once)
        assertNull(afterRun(Outcome.MoreWork, null, NOW, 34).once, "an app that syncs only when it asks")
    }

    @Test
    fun a_retry_waits_as_long_as_the_core_says_and_is_not_expedited() {
        val short = afterRun(Outcome.RetryAfter(5.minutes), push, NOW, 34).once!!
        assertEquals(5.minutes, short.delay(NOW))
        assertFalse(short.expedited)
        val long = afterRun(Outcome.RetryAfter(1.seconds), push.copy(earliestAtMillis = NOW + 600_000), NOW, 34).once!!
        assertEquals(10.minutes, long.delay(NOW), "the wish knows of a longer one")
    }

    @Test
    fun only_where_the_core_never_ran_may_workmanager_back_off() {
        assertEquals(RunResult.Retry, afterFailedOpen(TurnstoneException.StorageFull("x", "x")))
        assertEquals(RunResult.Retry, afterFailedOpen(TurnstoneException.KeyUnavailable("x", "x")), "the keystore comes back")
        assertEquals(RunResult.Failure, afterFailedOpen(TurnstoneException.Corrupt("x", "x")))
        assertEquals(RunResult.Failure, afterFailedOpen(TurnstoneException.InvalidArgument("x", "x")))
    }
}

internal const val NOW: Long = 1_700_000_000_000
