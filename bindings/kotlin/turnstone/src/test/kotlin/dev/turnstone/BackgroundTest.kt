package dev.turnstone

import kotlinx.coroutines.CompletableDeferred
import kotlinx.coroutines.Dispatchers
import kotlinx.coroutines.async
import kotlinx.coroutines.awaitAll
import kotlinx.coroutines.awaitCancellation
import kotlinx.coroutines.cancelAndJoin
import kotlinx.coroutines.coroutineScope
import kotlinx.coroutines.flow.first
import kotlinx.coroutines.flow.map
import org.junit.jupiter.api.Assertions.assertEquals
import org.junit.jupiter.api.Assertions.assertFalse
import org.junit.jupiter.api.Assertions.assertNull
import org.junit.jupiter.api.Assertions.assertTrue
import org.junit.jupiter.api.Test
import java.io.File
import java.nio.file.Files
import kotlin.time.Duration
import kotlin.time.Duration.Companion.seconds
import kotlin.time.measureTime

class BackgroundTest {
    private val budget = Budget(20.seconds)

    private fun onOne(autoSync: Boolean = false, body: suspend (TestServer, Device) -> Unit) = test {
        TestServer().use { server -> Device.open(server.remote(), autoSync = autoSync).use { body(server, it) } }
    }

    @Test
    fun a_background_run_pushes_and_reports() = onOne { server, a ->
        Device.open(server.remote()).use { b ->
            b.insert("from b")
            b.store.sync()
        }
        a.insert("one")
        a.insert("two")
        val report = a.store.runBackground(budget, RunReason.Scheduled)
        assertEquals(Outcome.Done to Stopped.Finished, report.outcome to report.stopped)
        assertNull(report.code)
        assertEquals(2 to true, report.sync.groupsPushed.toInt() to (report.sync.rowsPulled >= 1))
        assertTrue(report.sync.bytesUp > 0 && report.sync.bytesDown > 0)
        assertEquals(listOf("from b", "one", "two"), a.titles())
    }

    @Test
    fun a_run_out_of_budget_says_more_work() = onOne { _, a ->
        repeat(60) { a.insert("$it") }
        val report = a.store.runBackground(budget.copy(bytesMax = 1), RunReason.Leaving)
        assertEquals(Outcome.MoreWork to Stopped.BytesSpent, report.outcome to report.stopped)
        assertEquals(Outcome.Done, a.store.runBackground(budget, RunReason.Leaving).outcome)
        assertEquals(0, a.store.status().pendingGroups)
        fails<TurnstoneException.InvalidArgument> { a.store.runBackground(Budget((-1).seconds), RunReason.Leaving) }
    }

    @Test
    fun expire_ends_a_run_within_a_second() = test {
        // What waits for something waits every time; a busy machine may stop a thread once.
        val took = List(3) { expired() }
        assertTrue(took.min() < 1.seconds, "$took")
    }

    /** How long a run that hangs takes to end once it is told to. */
    private suspend fun expired(): Duration {
        val silent = Silent()
        return Device.open(Remote.Custom(silent, { "token" })).use { a ->
            a.insert("kept")
            val took = coroutineScope {
                val run = async(Dispatchers.Default) { a.store.runBackground(budget, RunReason.Poked) }
                silent.called.await()
                measureTime {
                    a.store.expire()
                    val report = run.await()
                    assertEquals(Outcome.MoreWork to Stopped.Expired, report.outcome to report.stopped)
                }
            }
            assertNull(a.store.status().lastErrorCode, "nothing failed")
            assertEquals(listOf("kept"), a.titles())
            took
        }
    }

    @Test
    fun a_cancelled_run_is_expired() = test {
        val silent = Silent()
        Device.open(Remote.Custom(silent, { "token" })).use { a ->
            a.insert("kept")
            coroutineScope {
                val run = async(Dispatchers.Default) { a.store.runBackground(budget, RunReason.Scheduled) }
                silent.called.await()
                run.cancelAndJoin()
            }
            // The request under way was given up, and not only the wait for it.
            silent.cancelled.await()
        }
    }

    @Test
    fun a_suspended_store_refuses_and_resumes() = test {
        Device.open().use { a ->
            a.insert("one")
            assertTrue(held(a.folder).size > 2, "the probe sees what an open store holds: ${held(a.folder)}")
            coroutineScope {
                val busy = List(4) { async(Dispatchers.Default) { runCatching { while (true) a.store.execute("UPDATE notes SET views = views") } } }
                repeat(5) { a.titles() }
                a.store.suspendStore()
                assertEquals(emptyList<String>(), held(a.folder), "I-49")
                for (ended in busy.awaitAll()) {
                    val code = (ended.exceptionOrNull() as? TurnstoneException.Retryable)?.code
                    assertTrue(code == "suspended" || code == "transaction_lost", "$ended")
                }
                assertEquals(emptyList<String>(), held(a.folder), "I-49: nobody takes one again")
            }
            assertEquals("suspended", fails<TurnstoneException.Retryable> { a.store.status() }.code)
            assertEquals("suspended", fails<TurnstoneException.Retryable> { a.insert("never") }.code)
            // Another process may have it meanwhile.
            val other = Turnstone.open(Device.options(a.folder))
            assertEquals("already_open", fails<TurnstoneException.Unavailable> { a.store.resumeStore() }.code)
            other.shutdown()
            a.store.resumeStore()
            a.insert("two")
            assertEquals(listOf("one", "two"), a.titles())
        }
    }

    @Test
    fun next_wake_says_what_happens_next_and_why() = onOne(autoSync = true) { _, a ->
        Device.open().use { assertEquals(NextWake(Decision.Idle("no_server"), null), it.store.nextWake()) }
        a.store.sync()
        a.store.setConditions(Conditions(Network.Offline))
        a.insert("written offline")
        val next = a.store.nextWakes.first { (it.decision as? Decision.At)?.why == "offline" }
        assertTrue((next.decision as Decision.At).atMillis > System.currentTimeMillis())
        assertEquals(WorkKind.SmallPush to NetworkNeed.Connected, next.wish!!.kind to next.wish!!.network)
        assertFalse(next.wish!!.batteryNotLow)
        assertEquals("offline", (a.store.status().next as Decision.At).why)
    }

    @Test
    fun conditions_are_hints() = onOne(autoSync = true) { _, a ->
        a.store.sync()
        a.store.setConditions(Conditions(Network.Offline))
        a.insert("one")
        assertEquals(1, a.store.sync().groupsPushed, "whoever asks is served all the same")
        a.store.setConditions(Conditions(Network.Offline))
        a.insert("two")
        a.store.setConditions(Conditions(Network.Unmetered))
        a.store.watchStatus().first { it.pendingGroups == 0L }
    }

    @Test
    fun a_sync_waits_for_further_writes_as_long_as_asked() = test {
        TestServer().use { server ->
            val options = Device.options(folder(), server.remote()).copy(autoSync = true, debounce = 5.seconds)
            Turnstone.open(options).use { store ->
                store.sync()
                var before = 0L
                suspend fun write() {
                    before = System.currentTimeMillis()
                    store.write { insert("notes", "title" to "more may come") }
                }
                write()
                val waits = store.nextWakes.map { it.decision as? Decision.At }.first { next ->
                    // A slow machine has sent it by now.
                    if (next?.why != "debounce" && store.status().pendingGroups == 0L) write()
                    next?.why == "debounce"
                }
                // Clocks are read apart, and rounded.
                assertTrue(waits!!.atMillis + 100 >= before + 5_000, "$waits after $before")
            }
        }
    }
}

/** Open files of a folder, and locks on them, that this process holds. */
private fun held(folder: File): List<String> {
    val open = File("/proc/self/fd").listFiles().orEmpty().mapNotNull { runCatching { Files.readSymbolicLink(it.toPath()) }.getOrNull() }
    val inodes = folder.listFiles().orEmpty().map { ":${Files.getAttribute(it.toPath(), "unix:ino")} " }
    val locks = File("/proc/locks").readLines().filter { line -> inodes.any { it in line } }
    return open.filter { it.startsWith(folder.toPath()) }.map { "$it" } + locks
}

/** Says that it was called, and never answers. */
private class Silent : HttpTransport {
    val called = CompletableDeferred<Unit>()
    val cancelled = CompletableDeferred<Unit>()

    override suspend fun exchange(request: HttpRequest): HttpResponse {
        called.complete(Unit)
        try {
            awaitCancellation()
        } finally {
            cancelled.complete(Unit)
        }
    }
}
