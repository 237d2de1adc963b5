package dev.turnstone

import org.junit.jupiter.api.Assertions.assertEquals
import org.junit.jupiter.api.Test

class DeadLetterTest {
    @Test
    fun a_dead_letter_that_is_sent_again_reaches_the_server() = test {
        TestServer().use { server ->
            Device.open(server.remote()).use { a -> Device.open(server.remote()).use { b -> sentAgain(a, b) } }
        }
    }

    private suspend fun sentAgain(a: Device, b: Device) {
        a.store.write { insertWithId("guarded", "g1", "name" to "theirs") }
        a.store.sync()
        b.store.write { insertWithId("guarded", "g1", "name" to "mine") }
        b.store.sync()
        val letter = b.store.deadLetters().single()
        // What stood in its way goes.
        a.store.write { delete("guarded", "g1") }
        settle(a, b)
        b.store.retryDeadLetter(letter.id)
        val status = b.store.status()
        assertEquals(0L to 1L, status.deadLetters to status.pendingGroups)
        val missing = fails<TurnstoneException.InvalidArgument> { b.store.retryDeadLetter(letter.id) }
        assertEquals("dead_letter_missing", missing.code)
        val report = b.store.sync()
        assertEquals(1L to 0L, report.groupsPushed to report.rejected)
        a.store.sync()
        assertEquals("mine", a.store.get("guarded", "g1")!!.text("name"))
    }
}
