package dev.turnstone

import kotlinx.coroutines.flow.first
import org.junit.jupiter.api.Assertions.assertEquals
import org.junit.jupiter.api.Assertions.assertTrue
import org.junit.jupiter.api.Test

/** What starts a sync, beside the call of that name. The limit is far less than the next look by itself. */
class StartTest {
    private fun onAuto(body: suspend (TestServer, Device) -> Unit) = test(seconds = 45) {
        TestServer().use { server -> Device.open(server.remote(), autoSync = true).use { body(server, it) } }
    }

    private suspend fun Device.waitsFor(reason: String) {
        store.watchStatus().first { (it.next as? Decision.At)?.why == reason }
    }

    @Test
    fun a_poke_starts_a_sync() = onAuto { server, a ->
        a.store.sync()
        Device.open(server.remote()).use { b ->
            b.insert("news")
            b.store.sync()
        }
        // Nothing of the opening is under way any more.
        a.waitsFor("poll")
        assertTrue(a.titles().isEmpty())
        a.store.poke()
        a.store.watch("SELECT title FROM notes").first { it.isNotEmpty() }
        assertEquals(listOf("news"), a.titles())
    }

    @Test
    fun the_network_coming_back_starts_a_sync() = onAuto { _, a ->
        a.store.sync()
        a.store.networkChanged(up = false)
        a.insert("written offline")
        a.waitsFor("offline")
        a.store.networkChanged(up = true)
        a.store.watchStatus().first { it.pendingGroups == 0L }
    }
}
