package dev.turnstone.testing

import dev.turnstone.TurnstoneException
import kotlinx.coroutines.runBlocking
import kotlinx.coroutines.withTimeout
import org.junit.jupiter.api.Assertions.assertEquals
import org.junit.jupiter.api.Assertions.assertTrue
import org.junit.jupiter.api.Test
import kotlin.time.Duration.Companion.seconds

class TestingTest {
    private val schema = """
        name = "notes"
        version = 1
        [tables.notes]
        fields.title = { type = "text", default = "" }
        fields.body = { type = "text", default = "" }
        fields.views = { type = "integer", default = 0, merge = "counter" }
    """.trimIndent()

    private fun onTwo(body: suspend TwoDevices.() -> Unit): Unit =
        runBlocking { withTimeout(60.seconds) { TwoDevices.with(schema).use { it.body() } } }

    @Test
    fun two_devices_in_one_process_end_equal() = onTwo {
        val id = a.store.write { insert("notes", "title" to "plan") }.ids.single()
        settle()
        a.store.write { update("notes", id, "title" to "plan A") }
        b.store.write { update("notes", id, "body" to "by b") }
        settle()
        for (device in listOf(a, b)) {
            val row = device.store.get("notes", id)!!
            assertEquals("plan A" to "by b", row.text("title") to row.text("body"))
        }
        assertEquals(a.store.stateHash(), b.store.stateHash())
    }

    @Test
    fun a_link_can_be_cut_and_can_lose_answers() = onTwo {
        a.link.isUp = false
        val id = a.store.write { insert("notes", "title" to "offline") }.ids.single()
        assertTrue(runCatching { a.store.sync() }.exceptionOrNull() is TurnstoneException.Retryable)
        a.link.isUp = true
        a.link.loseAnswers()
        a.store.write { increment("notes", id, "views", by = 5) }
        while (a.store.status().pendingGroups > 0) runCatching { a.store.sync() }
        settle()
        assertEquals(5, b.store.get("notes", id)!!.long("views"))
    }

    @Test
    fun a_wrong_schema_is_said_at_once() {
        val thrown = runCatching { runBlocking { TestServer.start("tables = 3") } }.exceptionOrNull()
        assertTrue(thrown is IllegalArgumentException, "$thrown")
    }
}
