package dev.turnstone

import kotlinx.coroutines.delay
import kotlinx.coroutines.flow.first
import kotlinx.coroutines.runBlocking
import org.junit.jupiter.api.Assertions.assertEquals
import org.junit.jupiter.api.Assertions.assertTrue
import org.junit.jupiter.api.Test
import java.io.File
import java.util.concurrent.atomic.AtomicInteger

/** Hooks that call the store they belong to: none of them waits for itself (I-63). */
class ReentryTest {
    /** The store that hooks call once it is open, and how often they did. */
    private class Own {
        @Volatile var store: Turnstone? = null
        val calls = AtomicInteger()

        /** Everything that an app may ask of a store inside a hook. */
        suspend fun call() {
            val store = store.takeIf { calls.get() < 3 } ?: return
            store.status()
            store.query("SELECT count(*) FROM notes")
            store.write { insert("notes", "title" to "by a hook") }
            assertTrue(store.watch("SELECT title FROM notes").first().isNotEmpty())
            store.transaction { write { insert("notes", "title" to "and in a transaction") } }
            store.poke()
            store.tokenChanged()
            store.nextWake()
            calls.incrementAndGet()
        }

        suspend fun open(options: Options): Turnstone = Turnstone.open(options).also { store = it }
    }

    private fun onServer(body: suspend (TestServer, Own) -> Unit) = test { TestServer().use { body(it, Own()) } }

    @Test
    fun a_token_provider_may_call_its_store() = onServer { server, own ->
        val tokens = TokenProvider { own.call(); server.token }
        own.open(Device.options(folder(), Remote.Http(server.url, tokens))).use { it.sync() }
        assertTrue(own.calls.get() > 0)
    }

    @Test
    fun a_transport_may_call_its_store() = onServer { server, own ->
        val host = Host(server.url)
        val http = HttpTransport { own.call(); host.exchange(it) }
        own.open(Device.options(folder(), Remote.Custom(http, { server.token }))).use { store ->
            repeat(2) { store.sync() }
            assertEquals(3, own.calls.get())
            assertEquals(6, store.query("SELECT 1 FROM notes").size)
        }
    }

    @Test
    fun a_scheduler_may_call_its_store() = onServer { server, own ->
        val scheduler = PlatformScheduler { runBlocking { own.call() } }
        own.open(Device.options(folder(), server.remote()).copy(scheduler = scheduler, autoSync = true)).use { store ->
            while (own.calls.get() == 0) {
                store.write { insert("notes", "title" to "a new wish") }
                store.setConditions(Conditions(foreground = false))
                delay(10)
            }
        }
    }

    @Test
    fun a_log_sink_may_call_its_store() = onServer { server, own ->
        Turnstone.logTo(LogLevel.Debug) { runBlocking { own.call() } }
        try {
            own.open(Device.options(folder(), server.remote())).use { store ->
                while (own.calls.get() == 0) store.sync()
            }
        } finally {
            Turnstone.logTo(sink = null)
        }
    }

    @Test
    fun a_witness_may_open_other_stores_and_is_told_that_its_own_is_being_opened() = test {
        val folder = folder()
        val codes = mutableListOf<String>()
        val witness = object : Witness {
            override fun read(): String? = runBlocking {
                Turnstone.open(Device.options(folder())).use { it.write { insert("notes", "title" to "elsewhere") } }
                codes += fails<TurnstoneException.Unavailable> { Turnstone.open(Device.options(folder)) }.code
                null
            }

            override fun write(token: String) = Unit
        }
        Turnstone.open(Device.options(folder).copy(witness = witness)).shutdown()
        assertEquals(listOf("already_open"), codes)
        assertTrue(File(folder, "app.db").exists())
    }
}
