package dev.turnstone.android

import dev.turnstone.Conditions
import dev.turnstone.Decision
import dev.turnstone.Durability
import dev.turnstone.HttpTransport
import dev.turnstone.Network
import dev.turnstone.NetworkNeed
import dev.turnstone.Options
import dev.turnstone.Remote
import dev.turnstone.SCHEMA
import dev.turnstone.SignInRequired
import dev.turnstone.TestServer
import dev.turnstone.Turnstone
import dev.turnstone.TurnstoneException
import dev.turnstone.folder
import dev.turnstone.test
import kotlinx.coroutines.CompletableDeferred
import kotlinx.coroutines.CoroutineScope
import kotlinx.coroutines.Dispatchers
import kotlinx.coroutines.SupervisorJob
import kotlinx.coroutines.async
import kotlinx.coroutines.awaitCancellation
import kotlinx.coroutines.cancel
import kotlinx.coroutines.cancelAndJoin
import kotlinx.coroutines.channels.Channel
import kotlinx.coroutines.coroutineScope
import kotlinx.coroutines.delay
import kotlinx.coroutines.flow.first
import org.junit.jupiter.api.Assertions.assertEquals
import org.junit.jupiter.api.Assertions.assertNull
import org.junit.jupiter.api.Assertions.assertTrue
import org.junit.jupiter.api.Test
import java.io.File
import java.io.IOException
import java.util.concurrent.ConcurrentHashMap
import java.util.concurrent.CopyOnWriteArrayList
import java.util.concurrent.atomic.AtomicBoolean
import kotlin.time.Duration
import kotlin.time.Duration.Companion.milliseconds
import kotlin.time.Duration.Companion.seconds
import kotlin.time.measureTime

/** Nobody listens there. No port that was free a moment ago: another test may have taken it. */
private const val NOWHERE: String = "http://127.0.0.1:1"

/** WorkManager as a list of what was asked of it. */
private class Asked : WorkQueue {
    val all = CopyOnWriteArrayList<String>()
    val news = Channel<String>(Channel.UNLIMITED)
    /** What was asked for last, by how: a pass that comes later asks anew. */
    val lastOnce = ConcurrentHashMap<Existing, OneOff>()

    override fun once(work: OneOff, existing: Existing) {
        lastOnce[existing] = work
        say("once $existing")
    }

    override fun cancelOnce() = say("cancel once")

    override fun periodic(work: Periodic) = say("periodic ${work.every}")

    override fun cancelPeriodic() = say("cancel periodic")

    suspend fun until(wanted: String) {
        while (news.receive() != wanted) Unit
    }

    private fun say(what: String) {
        all += what
        news.trySend(what)
    }
}

private class Phone(
    remote: Remote?,
    autoSync: Boolean = true,
    failures: Int = 0,
    settle: Duration = 100.milliseconds,
) : AutoCloseable {
    val asked = Asked()
    private val scope = CoroutineScope(SupervisorJob() + Dispatchers.Default)
    private var toFail = failures
    val host = StoreHost(scope, asked, sdk = 34, nowMillis = System::currentTimeMillis, settle = settle) {
        when (toFail--) {
            2 -> throw IOException("the folder cannot be made")
            1 -> throw TurnstoneException.StorageFull("disk_full", "full")
        }
        Turnstone.open(Options(File(folder(), "app.db").path, SCHEMA, remote, Durability.Process, autoSync = autoSync))
    }

    suspend fun write(title: String) {
        host.store().write { insert("notes", "title" to title) }
    }

    override fun close() {
        scope.cancel()
    }
}

class StoreHostTest {
    @Test
    fun h7_what_cannot_be_sent_is_asked_of_the_system_in_time() = test {
        Phone(Remote.Http(NOWHERE, tokens = { "token" })).use { phone ->
            phone.host.setConditions(Conditions(Network.Offline, foreground = false))
            phone.write("kept")
            phone.asked.until("once Replace")
            assertEquals(NetworkNeed.Connected, phone.asked.lastOnce.getValue(Existing.Replace).network)
            // Asked for in the same pass, a moment later.
            while ("periodic 15m" !in phone.asked.all) delay(5)
            phone.host.store().shutdown()
        }
    }

    @Test
    fun h7_a_worker_pushes_and_pulls_and_leaves_nothing_behind() = test {
        TestServer().use { server ->
            // What the store is told of the network puts work off; only a network that is not there keeps it from trying.
            val isReachable = AtomicBoolean()
            val web = OkHttpTransport(server.url)
            val radio = HttpTransport { if (isReachable.get()) web.exchange(it) else throw IOException("no network") }
            Phone(Remote.Custom(radio, tokens = { server.token })).use { phone ->
                phone.host.setConditions(Conditions(Network.Offline, foreground = false))
                phone.write("by worker")
                phone.asked.until("once Replace")
                // What it tried by itself when it was opened has failed: the run shares nothing with it.
                phone.host.store().nextWakes.first { it.decision is Decision.Background }
                isReachable.set(true)
                assertEquals(RunResult.Success, phone.host.run(isOnce = true))
                assertEquals(0, phone.host.store().status().pendingGroups)
                phone.host.store().shutdown()
            }
        }
    }

    @Test
    fun h7_a_failed_run_asks_for_the_next_one_behind_itself_with_the_delay_of_the_core() = test {
        Phone(Remote.Http(NOWHERE, tokens = { "token" })).use { phone ->
            phone.write("kept")
            assertEquals(RunResult.Success, phone.host.run(isOnce = true), "no back-off of the system on top")
            phone.asked.until("once Append")
            val next = phone.asked.lastOnce.getValue(Existing.Append)
            assertTrue(next.delay(System.currentTimeMillis()) > 0.seconds && !next.expedited, "$next")
            phone.host.store().shutdown()
        }
    }

    @Test
    fun h10_a_stopped_worker_ends_within_a_second_and_nothing_counts_as_failed() = test {
        // What waits for something waits every time; a busy machine may stop a thread once.
        val took = List(3) { stopped() }
        assertTrue(took.min() < 1.seconds, "$took")
    }

    /** How long a worker that hangs takes to end once it is stopped. */
    private suspend fun stopped(): Duration {
        val called = CompletableDeferred<Unit>()
        val silent = HttpTransport {
            called.complete(Unit)
            awaitCancellation()
        }
        return Phone(Remote.Custom(silent, tokens = { "token" }), autoSync = false).use { phone ->
            phone.write("kept")
            val took = coroutineScope {
                val worker = async(Dispatchers.Default) { phone.host.run(isOnce = true) }
                called.await()
                measureTime { worker.cancelAndJoin() }
            }
            val status = phone.host.store().status()
            assertNull(status.lastErrorCode)
            assertEquals(1, status.pendingGroups)
            phone.host.store().shutdown()
            took
        }
    }

    @Test
    fun a_wish_never_stops_the_worker_that_runs() = test {
        TestServer().use { server ->
            val isSilent = AtomicBoolean()
            val called = CompletableDeferred<Unit>()
            val web = OkHttpTransport(server.url)
            val untilSilent = HttpTransport { request ->
                if (!isSilent.get()) return@HttpTransport web.exchange(request)
                called.complete(Unit)
                awaitCancellation()
            }
            // Long enough for the worker to start meanwhile, also where the machine is busy.
            val settle = 1.seconds
            Phone(Remote.Custom(untilSilent, tokens = { server.token }), settle = settle).use { phone ->
                phone.host.setConditions(Conditions(Network.Metered, foreground = false))
                val store = phone.host.store()
                store.sync()
                phone.asked.until("cancel once")
                delay(settle * 3)
                val before = phone.asked.all.toList()
                isSilent.set(true)
                coroutineScope {
                    // What is wished has not settled yet when the worker starts.
                    phone.write("just before it runs")
                    val worker = async(Dispatchers.Default) { phone.host.run(isOnce = true) }
                    called.await()
                    delay(settle * 3)
                    assertEquals(before, phone.asked.all.toList(), "it is wished, and not asked for")
                    worker.cancelAndJoin()
                }
                phone.asked.until("once Replace")
                store.shutdown()
            }
        }
    }

    @Test
    fun h2_h9_hints_reach_a_store_that_is_opened_later() = test {
        Phone(Remote.Http(NOWHERE, tokens = { "token" })).use { phone ->
            phone.host.setConditions(Conditions(Network.Offline, foreground = false))
            phone.write("kept")
            val store = phone.host.store()
            store.nextWakes.first { it.decision is Decision.Background }
            phone.host.setConditions(Conditions(Network.Offline, foreground = true))
            store.nextWakes.first { it.decision !is Decision.Background }
            store.shutdown()
        }
    }

    @Test
    fun nobody_signed_in_asks_for_no_run() = test {
        TestServer().use { server ->
            Phone(Remote.Http(server.url, tokens = { throw SignInRequired() })).use { phone ->
                phone.write("kept")
                assertEquals(RunResult.Success, phone.host.run(isOnce = true))
                assertTrue(phone.asked.all.none { it == "once Append" }, "${phone.asked.all}")
                phone.host.store().shutdown()
            }
        }
    }

    @Test
    fun an_app_that_syncs_only_when_it_asks_has_nothing_registered() = test {
        TestServer().use { server ->
            Phone(server.remote(), autoSync = false).use { phone ->
                phone.write("kept")
                phone.asked.until("cancel periodic")
                assertEquals(listOf("cancel once", "cancel periodic"), phone.asked.all.toList())
                phone.host.store().shutdown()
            }
        }
    }

    @Test
    fun a_store_that_does_not_open_is_tried_again_and_is_opened_once() = test {
        Phone(null, failures = 2).use { phone ->
            repeat(2) { assertEquals(RunResult.Retry, phone.host.run(isOnce = false)) }
            val stores = coroutineScope { List(8) { async(Dispatchers.Default) { phone.host.store() } }.map { it.await() } }
            assertEquals(1, stores.distinct().size)
            phone.host.store().shutdown()
        }
    }
}
