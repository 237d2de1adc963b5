package dev.turnstone.sample

import dev.turnstone.Decision
import dev.turnstone.Phase
import dev.turnstone.Status

/**
 * What the bar at the foot of the screen says.
 *
 * @property now what is so.
 * @property next what happens next, and why; empty where there is nothing to say.
 */
data class StatusLine(val now: String, val next: String, val tone: Tone)

/** How much attention a status asks for. */
enum class Tone { Calm, Working, Waiting, NeedsPerson }

/** What there is to say about a store, at a time in milliseconds since 1970. */
fun statusLine(status: Status, nowMillis: Long): StatusLine {
    val waiting = when (status.pendingOps) {
        0L -> "All notes are synced"
        1L -> "1 change is saved here"
        else -> "${status.pendingOps} changes are saved here"
    }
    val next = next(status.next, nowMillis)
    return when {
        !status.hasRemote -> StatusLine("Notes stay on this phone", "There is no server yet", Tone.Calm)
        status.phase == Phase.NeedsAuth -> StatusLine(waiting, "Sign in to sync them", Tone.NeedsPerson)
        status.phase == Phase.Stopped -> StatusLine(waiting, stopped(status.lastErrorCode), Tone.NeedsPerson)
        status.deadLetters > 0 -> StatusLine(refused(status.deadLetters), next, Tone.NeedsPerson)
        status.phase == Phase.Pushing -> StatusLine(waiting, "Sending now", Tone.Working)
        status.phase == Phase.Pulling -> StatusLine(waiting, "Fetching news", Tone.Working)
        status.phase == Phase.Connecting -> StatusLine(waiting, "Reaching the server", Tone.Working)
        status.pendingOps > 0 -> StatusLine(waiting, next, Tone.Waiting)
        else -> StatusLine(waiting, next, Tone.Calm)
    }
}

private fun refused(letters: Long): String = if (letters == 1L) "1 change was refused" else "$letters changes were refused"

private fun stopped(code: String?): String = "Sync has stopped" + (code?.let { " ($it)" } ?: "")

private fun next(decision: Decision, nowMillis: Long): String = when (decision) {
    is Decision.Now -> "Syncs now"
    is Decision.At -> words(decision.why, inWords(decision.atMillis - nowMillis))
    is Decision.Background -> words(decision.wish.why, "when the phone gives time")
    is Decision.Idle -> ""
}

private fun words(why: String, whenText: String): String = when (why) {
    "debounce" -> "Sends $whenText, unless you go on typing"
    "poll" -> "Looks for news $whenText"
    "offline" -> "Waits for the network; looks again $whenText"
    "retry_after" -> "The server asked for patience; tries again $whenText"
    "server_trouble" -> "The server has trouble; asks gently $whenText"
    "sign_in" -> "Sign in to sync"
    "upgrade" -> "Update the app to sync"
    "storage" -> "The phone is full; tries again $whenText"
    "constraints" -> "Waits for a better network or more power"
    else -> "Tries again $whenText"
}

/** A wait as a person says it. */
internal fun inWords(millis: Long): String = when {
    millis < 1_000 -> "now"
    millis < 60_000 -> "in ${(millis + 999) / 1_000} s"
    else -> "in ${(millis + 59_999) / 60_000} min"
}
