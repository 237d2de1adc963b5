package dev.turnstone

import kotlinx.coroutines.CompletableDeferred
import kotlinx.coroutines.CoroutineScope
import kotlinx.coroutines.CoroutineStart.UNDISPATCHED
import kotlinx.coroutines.asCoroutineDispatcher
import kotlinx.coroutines.async
import kotlinx.coroutines.awaitAll
import kotlinx.coroutines.cancelAndJoin
import org.junit.jupiter.api.Assertions.assertEquals
import org.junit.jupiter.api.Assertions.assertTrue
import org.junit.jupiter.api.Test
import java.util.concurrent.CountDownLatch
import java.util.concurrent.Executors
import java.util.concurrent.TimeUnit
import kotlin.time.Duration.Companion.seconds

/**
 * What is called here is called from one thread, as from the one that draws, and ends only by what that thread does afterwards:
 * a call that held it would never end.
 */
class MainThreadTest {
    /** Beside the test, which gives up where the thread is held. */
    private fun onMain(body: suspend CoroutineScope.() -> Unit) = test {
        val main = Executors.newSingleThreadExecutor { Thread(it).apply { isDaemon = true } }.asCoroutineDispatcher()
        CoroutineScope(main).async(block = body).await()
        main.close()
    }

    @Test
    fun no_call_holds_the_thread_it_is_made_on() = onMain {
        val opened = CountDownLatch(1)
        val slow = object : Witness {
            override fun read(): String? = if (opened.await(30, TimeUnit.SECONDS)) null else error("the thread is held")

            override fun write(token: String) = Unit
        }
        val options = Device.options(folder()).copy(witness = slow)
        val opening = async(start = UNDISPATCHED) { Turnstone.open(options) }
        opened.countDown()
        val store = opening.await()
        assertEquals(Origin.New, store.origin())

        val reading = async(start = UNDISPATCHED) { store.query(ENDLESS) }
        val (begun, done) = CompletableDeferred<Unit>() to CompletableDeferred<Unit>()
        val transaction = async {
            store.transaction {
                begun.complete(Unit)
                done.await()
            }
        }
        begun.await()
        // They wait for the transaction, and signals wait for nobody.
        val writing = List(50) { async(start = UNDISPATCHED) { store.write { insert("notes", "title" to "$it") } } }
        val changing = async(start = UNDISPATCHED) { store.execute("UPDATE notes SET pinned = 1") }
        with(store) {
            setConditions(Conditions())
            networkChanged(true)
            tokenChanged()
            poke()
            expire()
            nextWake()
            totals()
        }
        assertEquals(0, store.query("SELECT 1 FROM notes").size)
        done.complete(Unit)
        transaction.await()
        writing.awaitAll()
        changing.await()
        reading.cancelAndJoin()
        store.shutdown()
    }

    @Test
    fun no_sync_holds_the_thread_it_is_asked_for_on() = onMain {
        val net = CompletableDeferred<Unit>()
        val http = HttpTransport {
            net.await()
            throw HttpFailure.Offline()
        }
        Device.open(Remote.Custom(http, { "token" })).store.run {
            val syncing = async(start = UNDISPATCHED) { runCatching { sync() } }
            val running = async(start = UNDISPATCHED) { runBackground(Budget(20.seconds), RunReason.Scheduled) }
            net.complete(Unit)
            assertTrue(syncing.await().exceptionOrNull() is TurnstoneException.Retryable)
            assertEquals(Stopped.Failed, running.await().stopped)
            shutdown()
        }
    }
}
