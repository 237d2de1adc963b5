package dev.turnstone

import kotlinx.coroutines.channels.Channel
import org.junit.jupiter.api.Assertions.assertEquals
import org.junit.jupiter.api.Assertions.assertFalse
import org.junit.jupiter.api.Assertions.assertNotEquals
import org.junit.jupiter.api.Assertions.assertNotNull
import org.junit.jupiter.api.Assertions.assertTrue
import org.junit.jupiter.api.Test
import java.io.File
import kotlin.time.Duration
import kotlin.time.Duration.Companion.seconds

class HostsTest {
    @Test
    fun the_platform_scheduler_holds_what_is_wished() = test {
        TestServer().use { server ->
            val wishes = Channel<Wish?>(Channel.UNLIMITED)
            val options = Device.options(folder(), server.remote())
                .copy(autoSync = true, scheduler = { wishes.trySend(it) })
            val store = Turnstone.open(options)
            suspend fun next(kind: WorkKind): Wish {
                while (true) wishes.receive()?.let { if (it.kind == kind) return it }
            }
            store.sync()
            store.setConditions(Conditions(Network.Offline, foreground = false))
            store.write { insert("notes", "title" to "to be sent") }
            assertFalse(next(WorkKind.SmallPush).batteryNotLow)
            store.sync()
            // The pull of that very sync may have been wished for, too. Then only news are, later.
            while (next(WorkKind.Pull).earliestAtMillis == null) Unit
            assertNotNull(store.nextWake().wish?.earliestAtMillis)
            store.shutdown()
        }
    }

    private class Outside : Witness {
        var text: String? = null
        var isLocked = false

        override fun read(): String? = if (isLocked) error("the key store is locked") else text

        override fun write(token: String) {
            text = token
        }
    }

    /** Opens, and gives where it came from and its present life. */
    private suspend fun visit(folder: File, outside: Outside): Pair<Origin, String> =
        Turnstone.open(Device.options(folder).copy(witness = outside)).run {
            val found = origin() to identity().incarnation
            shutdown()
            found
        }

    @Test
    fun a_copied_database_renews_its_identity() = test {
        val (phone, other) = folder() to folder()
        val (here, there) = Outside() to Outside()
        val (origin, life) = visit(phone, here)
        assertEquals(Origin.New, origin)
        assertEquals(Origin.Known to life, visit(phone, here))
        File(phone, "app.db").copyTo(File(other, "app.db"))
        there.isLocked = true
        assertEquals(Origin.Unknown to life, visit(other, there), "what cannot be read decides nothing")
        there.isLocked = false
        val (copied, renewed) = visit(other, there)
        assertEquals(Origin.Copied, copied)
        assertNotEquals(life, renewed)
        assertEquals(Origin.Known to renewed, visit(other, there))
        assertEquals(Origin.Known to life, visit(phone, here))
    }

    @Test
    fun a_lost_database_is_not_silently_a_new_one() = test {
        val outside = Outside()
        assertEquals(Origin.New, visit(folder(), outside).first)
        assertEquals(Origin.Lost, visit(folder(), outside).first)
    }

    @Test
    fun a_key_provider_is_refused_with_a_reason() = test {
        val options = Device.options(folder()).copy(keys = { ByteArray(32) })
        val error = fails<TurnstoneException.InvalidArgument> { Turnstone.open(options) }
        assertEquals("no_encryption", error.code)
        assertTrue("not built" in error.message!!)
        assertFalse(File(options.path).exists(), "nothing was made that looks encrypted and is not")
    }

    /** With a provider that shows what it holds, as a data class of the app does. */
    private data class Fixed(val token: String) : TokenProvider {
        override suspend fun token(reason: TokenReason): String = token
    }

    @Test
    fun i_61_options_and_requests_show_neither_people_nor_tokens() {
        val remote = Remote.Http("https://example.com", Fixed("canary"))
        val options = Options("app.db", SCHEMA, remote, account = "canary")
        val body = Body.Bytes("canary".toByteArray())
        val headers = listOf("authorization" to "Bearer canary")
        val request = HttpRequest("POST", "/sync/v1/push?device=canary", headers, body, 1, File("answer"))
        for (value in listOf(options, remote, request, HttpResponse(200, headers, body), body)) {
            assertFalse("canary" in "$value", "$value")
        }
    }

    @Test
    fun options_that_mean_nothing_are_refused() = test {
        val good = Device.options(folder())
        fun remote(bodyFileAbove: Long) = Remote.Custom({ throw HttpFailure.Offline() }, { "token" }, bodyFileAbove)
        val bad = listOf(
            good.copy(pollEvery = (-1).seconds), good.copy(pollEvery = Duration.ZERO), good.copy(pollEvery = Duration.INFINITE),
            good.copy(valueBytesMax = -1), good.copy(valueBytesMax = 0), good.copy(remote = remote(-1)),
            good.copy(debounce = 1.seconds), good.copy(debounce = 6.seconds),
        )
        for (options in bad) {
            assertEquals("bad_options", fails<TurnstoneException.InvalidArgument> { Turnstone.open(options) }.code, "$options")
        }
        assertFalse(File(good.path).exists())
        Turnstone.open(good.copy(pollEvery = 1.seconds, valueBytesMax = 1, remote = remote(0))).shutdown()
    }
}
