package dev.turnstone

import kotlinx.coroutines.CompletableDeferred
import kotlinx.coroutines.Dispatchers
import kotlinx.coroutines.async
import kotlinx.coroutines.awaitAll
import kotlinx.coroutines.coroutineScope
import kotlinx.coroutines.flow.first
import org.junit.jupiter.api.Assertions.assertEquals
import org.junit.jupiter.api.Test
import java.util.Collections
import java.util.concurrent.atomic.AtomicInteger
import kotlin.time.Duration.Companion.seconds

/** A worker and the UI share one sync. */
class FlightTest {
    @Test
    fun a_worker_and_the_ui_share_one_flight_that_begins_small() = test {
        TestServer().use { server ->
            val gate = Gate(Host(server.url))
            Device.open(Remote.Custom(gate, { server.token })).use { a ->
                gate.store = a.store
                repeat(60) { a.insert("$it") }
                coroutineScope {
                    val worker = async(Dispatchers.Default) { a.store.runBackground(Budget(20.seconds), RunReason.Scheduled) }
                    gate.reached.await()
                    val ui = async(Dispatchers.Default) { a.store.sync() }
                    a.store.nextWakes.first { it.decision == Decision.Now("requested") }
                    gate.open.complete(Unit)
                    awaitAll(worker, ui)
                }
                assertEquals(1, gate.most.get(), "one push at a time")
                assertEquals(listOf(60L, 10L), gate.waiting, "the first of a run takes fifty")
                assertEquals(0, a.store.status().pendingGroups)
            }
            Device.open(server.remote()).use { b ->
                b.store.sync()
                assertEquals(60, b.titles().size, "each once")
            }
        }
    }

    /** Holds pushes until the gate is open. Keeps how many were under way at once, and what waited to be sent as each began. */
    private class Gate(private val http: HttpTransport) : HttpTransport {
        lateinit var store: Turnstone
        val reached = CompletableDeferred<Unit>()
        val open = CompletableDeferred<Unit>()
        val most = AtomicInteger()
        val waiting: MutableList<Long> = Collections.synchronizedList(mutableListOf())
        private val underWay = AtomicInteger()

        override suspend fun exchange(request: HttpRequest): HttpResponse {
            if (!request.path.startsWith("/sync/v1/push")) return http.exchange(request)
            val now = underWay.incrementAndGet()
            most.updateAndGet { maxOf(it, now) }
            waiting += store.status().pendingGroups
            reached.complete(Unit)
            open.await()
            return http.exchange(request).also { underWay.decrementAndGet() }
        }
    }
}
