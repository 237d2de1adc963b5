package dev.turnstone.sample

import dev.turnstone.Decision
import dev.turnstone.NetworkNeed
import dev.turnstone.Phase
import dev.turnstone.RowState
import dev.turnstone.Status
import dev.turnstone.Wish
import dev.turnstone.WorkKind
import org.junit.jupiter.api.Assertions.assertEquals
import org.junit.jupiter.api.Assertions.assertTrue
import org.junit.jupiter.api.Test

class StatusLineTest {
    private fun status(
        pending: Long = 0,
        letters: Long = 0,
        phase: Phase = Phase.Idle,
        next: Decision = Decision.Idle("nothing_to_do"),
        remote: Boolean = true,
        error: String? = null,
    ) = Status(
        pendingGroups = pending, pendingOps = pending, parkedGroups = 0, oldestPendingAtMillis = null, deadLetters = letters,
        lastErrorCode = error, lastErrorAtMillis = null, lastSyncedAtMillis = null,
        nextAttemptAtMillis = null, nextAttemptWhy = null, phase = phase, hasRemote = remote, next = next,
    )

    private fun said(status: Status): String = statusLine(status, NOW).let { "${it.tone}: ${it.now}. ${it.next}" }

    @Test
    fun it_says_what_happens_next_and_why() {
        assertEquals("Calm: All notes are synced. Looks for news in 15 min", said(status(next = Decision.At(NOW + 900_000, "poll"))))
        assertEquals(
            "Waiting: 2 changes are saved here. Sends in 3 s, unless you go on typing",
            said(status(pending = 2, phase = Phase.Waiting, next = Decision.At(NOW + 3_000, "debounce"))),
        )
        assertEquals(
            "Waiting: 1 change is saved here. The server asked for patience; tries again in 2 min",
            said(status(pending = 1, phase = Phase.Waiting, next = Decision.At(NOW + 61_000, "retry_after"))),
        )
        assertEquals("Waiting: 1 change is saved here. Syncs now", said(status(1, next = Decision.Now("written"))))
        val wish = Wish(WorkKind.SmallPush, NetworkNeed.Connected, batteryNotLow = false, earliestAtMillis = null, why = "debounce")
        assertEquals(
            "Waiting: 1 change is saved here. Sends when the phone gives time, unless you go on typing",
            said(status(1, next = Decision.Background(wish))),
        )
        assertEquals("NeedsPerson: 1 change was refused. Syncs now", said(status(letters = 1, next = Decision.Now("opened"))))
        assertEquals("Working: 1 change is saved here. Sending now", said(status(pending = 1, phase = Phase.Pushing)))
    }

    @Test
    fun what_a_person_must_do_comes_first() {
        assertEquals("NeedsPerson: 1 change is saved here. Sign in to sync them", said(status(1, phase = Phase.NeedsAuth)))
        assertEquals("NeedsPerson: 2 changes were refused. ", said(status(letters = 2)))
        val stopped = said(status(1, phase = Phase.Stopped, error = "schema_too_old"))
        assertEquals("NeedsPerson: 1 change is saved here. Sync has stopped (schema_too_old)", stopped)
        assertEquals("Calm: Notes stay on this phone. There is no server yet", said(status(3, remote = false)))
    }

    @Test
    fun a_reason_of_a_newer_library_still_reads_well() {
        assertEquals("Waiting: 1 change is saved here. Tries again now", said(status(1, next = Decision.At(NOW, "a_new_reason"))))
    }

    @Test
    fun waits_are_never_said_shorter_than_they_are() {
        for ((millis, words) in listOf(-5L to "now", 1_000L to "in 1 s", 59_001L to "in 60 s", 60_001L to "in 2 min")) {
            assertEquals(words, inWords(millis))
        }
    }

    @Test
    fun a_note_without_a_title_still_has_a_name_and_only_synced_ones_have_no_badge() {
        assertEquals(NoteItem("1", "Untitled", "bread", null), item(Note("1", " ", "\n  bread\nbutter"), badge(RowState.Synced)))
        val states = listOf(RowState.Saved, RowState.Sending, RowState.Retrying(1, null), RowState.Conflict, RowState.Failed("x"))
        assertEquals(Badge.entries, states.map { badge(it) })
        assertTrue(Badge.Failed.needsPerson && Badge.Conflict.needsPerson && !Badge.Retrying.needsPerson)
    }
}

private const val NOW = 1_700_000_000_000L
