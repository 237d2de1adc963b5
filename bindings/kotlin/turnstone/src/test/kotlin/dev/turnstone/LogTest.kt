package dev.turnstone

import org.junit.jupiter.api.Assertions.assertEquals
import org.junit.jupiter.api.Assertions.assertFalse
import org.junit.jupiter.api.Assertions.assertNotEquals
import org.junit.jupiter.api.Assertions.assertTrue
import org.junit.jupiter.api.Test
import java.nio.file.Files
import java.nio.file.Path
import java.util.concurrent.LinkedBlockingQueue
import java.util.concurrent.TimeUnit

class LogTest {
    private class Line(val line: LogLine, val thread: String)

    /** The thread of the system: the virtual machine makes a new one of its own for each call from outside. */
    private fun thread(): String = Files.readSymbolicLink(Path.of("/proc/thread-self")).toString()

    /** The lines that come of something, up to the one that holds [last] for the [times]th time. */
    private suspend fun linesOf(level: LogLevel, last: String, times: Int, work: suspend () -> Unit): List<Line> {
        val lines = LinkedBlockingQueue<Line>()
        Turnstone.logTo(level) { lines.put(Line(it, thread())) }
        try {
            work()
            val found = mutableListOf<Line>()
            while (found.count { last in it.line.text } < times) {
                found += lines.poll(30, TimeUnit.SECONDS) ?: throw AssertionError("$times times $last: ${found.map { it.line }}")
            }
            return found
        } finally {
            Turnstone.logTo(level, null)
        }
    }

    private object Locked : Witness {
        override fun read(): String? = error("the key store is locked")

        override fun write(token: String): Unit = error("the key store is locked")
    }

    @Test
    fun log_lines_reach_the_app_by_level_and_hold_nothing_of_a_person() = test {
        val (row, text, token) = listOf("canary-row", "canary-text", "canary-token")
        TestServer().use { server ->
            val lines = linesOf(LogLevel.Trace, "opened a store", times = 3) {
                val tokens = TokenProvider { if (it == TokenReason.First) token else server.token }
                Device.open(server.remote()).use { first ->
                    first.store.write { insertWithId("guarded", row, "name" to "theirs") }
                    first.store.sync()
                }
                Device.open(Remote.Http(server.url, tokens)).use { a ->
                    a.store.write { insertWithId("guarded", row, "name" to text) }
                    a.insert(text)
                    assertEquals(1, a.store.sync().rejected)
                    fails<TurnstoneException.InvalidArgument> { a.store.execute("INSERT INTO notes (id) VALUES ('$text', 1)") }
                }
                // What was written before stands before this.
                Device.open().close()
            }
            fun has(level: LogLevel, text: String) = lines.any { it.line.level == level && text in "${it.line}" }
            assertTrue(has(LogLevel.Info, "turnstone: opened a store"))
            assertTrue(has(LogLevel.Debug, "/sync/v1/hello: 401") && has(LogLevel.Debug, "/sync/v1/push: 200"))
            for (line in lines) {
                for (canary in listOf(row, text, token, server.token)) assertFalse(canary in "${line.line}", "${line.line}")
                assertEquals(lines[0].thread, line.thread, "one thread, so one after the other")
                assertNotEquals(thread(), line.thread)
            }
        }
        // Opening warns here, and then says that it opened.
        val open: suspend () -> Unit = {
            repeat(2) { Turnstone.open(Device.options(folder()).copy(witness = Locked)).shutdown() }
        }
        val levels = { lines: List<Line> -> lines.map { it.line.level } }
        assertEquals(listOf(LogLevel.Warn, LogLevel.Warn), levels(linesOf(LogLevel.Warn, "witness cannot be read", 2, open)))
        val warned = listOf(LogLevel.Warn, LogLevel.Info)
        assertEquals(warned + warned, levels(linesOf(LogLevel.Info, "opened a store", 2, open)))
    }
}
