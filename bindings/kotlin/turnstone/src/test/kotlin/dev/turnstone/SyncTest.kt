package dev.turnstone

import kotlinx.coroutines.async
import kotlinx.coroutines.awaitAll
import kotlinx.coroutines.cancelAndJoin
import kotlinx.coroutines.coroutineScope
import kotlinx.coroutines.delay
import org.junit.jupiter.api.Assertions.assertEquals
import org.junit.jupiter.api.Assertions.assertFalse
import org.junit.jupiter.api.Assertions.assertNotEquals
import org.junit.jupiter.api.Assertions.assertNull
import org.junit.jupiter.api.Assertions.assertTrue
import org.junit.jupiter.api.Test
import java.io.File
import java.net.ServerSocket
import java.net.URI
import java.net.http.HttpClient
import java.net.http.HttpResponse.BodyHandlers
import java.util.concurrent.atomic.AtomicInteger
import kotlin.time.Duration.Companion.seconds
import kotlin.time.measureTime
import java.net.http.HttpRequest as JdkRequest

class SyncTest {
    private fun onTwo(body: suspend (Device, Device) -> Unit) = test {
        TestServer().use { server ->
            Device.open(server.remote()).use { a -> Device.open(server.remote()).use { b -> body(a, b) } }
        }
    }

    @Test
    fun offline_edits_of_different_fields_both_survive() = onTwo { a, b ->
        val id = a.insert("plan")
        settle(a, b)
        a.store.write { update("notes", id, "title" to "plan A") }
        b.store.write { update("notes", id, "body" to "by b") }
        settle(a, b)
        for (device in listOf(a, b)) {
            val row = device.store.get("notes", id)!!
            assertEquals("plan A" to "by b", row.text("title") to row.text("body"))
        }
        assertEquals(a.store.stateHash(), b.store.stateHash())
        assertEquals(1, a.store.stateHash().rows)
    }

    @Test
    fun overlapping_edits_of_one_field_end_the_same_everywhere() = onTwo { a, b ->
        val id = a.insert("plan")
        settle(a, b)
        a.store.write { update("notes", id, "title" to "by a") }
        b.store.write { update("notes", id, "title" to "by b") }
        settle(a, b)
        assertEquals(a.titles(), b.titles())
        assertTrue(a.titles().single() in listOf("by a", "by b"))
        assertEquals(a.store.stateHash(), b.store.stateHash())
    }

    @Test
    fun a_delete_against_an_unseen_edit_keeps_the_edit() = onTwo { a, b ->
        val id = a.insert("plan")
        settle(a, b)
        a.store.write { update("notes", id, "body" to "still needed") }
        a.store.sync()
        b.store.write { delete("notes", id) }
        assertNull(b.store.get("notes", id))
        settle(b, a)
        for (device in listOf(a, b)) assertEquals("still needed", device.store.get("notes", id)!!.text("body"))
    }

    @Test
    fun a_delete_wins_where_the_table_says_so_and_the_edit_is_kept() = onTwo { a, b ->
        a.store.write { insertWithId("strict", "s1", "name" to "old") }
        settle(a, b)
        a.store.write { delete("strict", "s1") }
        a.store.sync()
        b.store.write { update("strict", "s1", "name" to "what b typed") }
        settle(b, a)
        for (device in listOf(a, b)) assertNull(device.store.get("strict", "s1"))
        assertTrue("what b typed" in b.store.deadLetters().single().opsJson)
    }

    @Test
    fun a_lost_answer_changes_nothing_twice() = test {
        TestServer().use { server ->
            val host = Host(server.url, losePushes = 1)
            Device.open(Remote.Custom(host, { server.token })).use { a ->
                val id = a.insert("counted")
                a.store.write { increment("notes", id, "views", by = 5) }
                while (a.store.status().pendingGroups > 0) runCatching { a.store.sync() }
                assertEquals(0, host.toLose.get())
                Device.open(server.remote()).use { b ->
                    b.store.sync()
                    assertEquals(5, b.store.get("notes", id)!!.long("views"))
                    assertEquals(1, b.titles().size)
                }
            }
        }
    }

    @Test
    fun increments_of_two_devices_add_up() = onTwo { a, b ->
        val id = a.insert("counted")
        settle(a, b)
        repeat(3) { a.store.write { increment("notes", id, "views") } }
        b.store.write { increment("notes", id, "views", by = 10) }
        settle(a, b)
        for (device in listOf(a, b)) assertEquals(13, device.store.get("notes", id)!!.long("views"))
    }

    @Test
    fun a_refused_change_is_a_dead_letter_with_its_payload() = onTwo { a, b ->
        a.store.write { insertWithId("guarded", "g1", "name" to "theirs") }
        a.store.sync()
        b.store.write { insertWithId("guarded", "g1", "name" to "mine") }
        assertEquals(1, b.store.sync().rejected)
        val letter = b.store.deadLetters().single()
        assertTrue("mine" in letter.opsJson && letter.attempts == 1)
        assertTrue(letter.reason in "$letter" && "mine" !in "$letter", "$letter")
        assertEquals(RowState.Failed(letter.reason), b.store.rowState("guarded", "g1"))
        assertEquals(1, b.store.status().deadLetters)
    }

    @Test
    fun a_write_is_waited_for_until_it_is_decided() = onTwo { a, b ->
        val id = a.insert("waited for")
        b.store.write { insertWithId("guarded", "g1", "name" to "theirs") }
        b.store.sync()
        a.store.write { insertWithId("guarded", "g1", "name" to "mine") }
        coroutineScope {
            val decided = listOf("notes" to id, "guarded" to "g1").map { (table, row) -> async { a.store.whenDecided(table, row) } }
            a.store.sync()
            val (synced, refused) = decided.awaitAll()
            assertEquals(RowState.Synced, synced)
            assertTrue(refused is RowState.Failed, "$refused")
            a.store.write { update("notes", id, "title" to "for ever") }
            val never = async { runCatching { a.store.whenDecided("notes", id) }.exceptionOrNull() }
            a.store.shutdown()
            assertTrue(never.await() is TurnstoneException.Closed, "${never.await()}")
        }
    }

    @Test
    fun an_expired_token_is_asked_for_again_with_its_reason() = test {
        TestServer().use { server ->
            val old = server.mint(1)
            delay(2.seconds)
            val reasons = mutableListOf<TokenReason>()
            val tokens = TokenProvider { reason ->
                reasons += reason
                if (reason == TokenReason.First) old else server.token
            }
            Device.open(Remote.Http(server.url, tokens)).use { a ->
                a.insert("a")
                assertEquals(1, a.store.sync().groupsPushed)
                assertEquals(listOf(TokenReason.First, TokenReason.Expired), reasons)
            }
        }
    }

    @Test
    fun a_token_that_is_refused_again_is_asked_for_as_rejected() = test {
        TestServer().use { server ->
            val tokens = mutableListOf(server.mint(1), "not a token", server.token)
            delay(2.seconds)
            val reasons = mutableListOf<TokenReason>()
            Device.open(Remote.Http(server.url, tokens = { reasons += it; tokens.removeFirst() })).use { a ->
                a.insert("kept")
                // It was renewed once: now somebody has to look.
                assertEquals("sync_auth", fails<TurnstoneException.AuthRequired> { a.store.sync() }.code)
                assertEquals(1, a.store.status().pendingGroups)
                assertEquals(1, a.store.sync().groupsPushed)
                assertEquals(listOf(TokenReason.First, TokenReason.Expired, TokenReason.Rejected), reasons)
            }
        }
    }

    @Test
    fun nobody_signed_in_is_auth_required() = test {
        TestServer().use { server ->
            var token: String? = null
            Device.open(Remote.Http(server.url, tokens = { token ?: throw SignInRequired() })).use { a ->
                a.insert("kept")
                val error = fails<TurnstoneException.AuthRequired> { a.store.sync() }
                assertEquals("sync_auth", error.code)
                assertEquals(1, a.store.status().pendingGroups)
                token = server.token
                a.store.tokenChanged()
                a.store.sync()
                assertEquals(0, a.store.status().pendingGroups)
            }
        }
    }

    @Test
    fun a_token_of_another_account_sends_nothing() = test {
        TestServer().use { server ->
            var token = server.token
            Device.open(Remote.Http(server.url, tokens = { token })).use { a ->
                a.insert("hers")
                a.store.sync()
                a.insert("hers too")
                token = server.mint(600, "--sub", "somebody-else")
                a.store.tokenChanged()
                val error = fails<TurnstoneException.AuthRequired> { a.store.sync() }
                assertEquals("sync_other_account", error.code)
                assertEquals(1, a.store.status().pendingGroups)
                Device.open(server.remote()).use { b ->
                    b.store.sync()
                    assertEquals(listOf("hers"), b.titles())
                }
                token = server.token
                a.store.tokenChanged()
                a.store.sync()
                assertEquals(0, a.store.status().pendingGroups)
            }
        }
    }

    @Test
    fun a_cancelled_sync_ends_at_once() = test {
        // A server that takes connections and never answers.
        ServerSocket(0).use { silent ->
            Device.open(Remote.Http("http://127.0.0.1:${silent.localPort}", tokens = { "token" })).use { a ->
                a.insert("a")
                val took = measureTime {
                    coroutineScope {
                        val sync = async { a.store.sync() }
                        delay(100)
                        sync.cancelAndJoin()
                    }
                }
                assertTrue(took < 5.seconds, "$took")
                assertEquals(listOf("a"), a.titles())
            }
        }
    }

    @Test
    fun a_transport_of_the_apps_own_carries_everything_also_as_files() = test {
        TestServer().use { server ->
            val host = Host(server.url)
            Device.open(Remote.Custom(host, { server.token }, bodyFileAbove = 100)).use { a ->
                a.store.write { repeat(200) { insert("notes", "title" to "note $it") } }
                while (a.store.status().pendingGroups > 0) a.store.sync()
                assertTrue(host.files.get() > 0, "the large body went as a file")
                Device.open(server.remote()).use { b ->
                    b.store.sync()
                    assertEquals(200, b.titles().size)
                }
                val bodies = File(a.folder, "app.bodies")
                assertEquals(emptyList<String>(), bodies.list().orEmpty().toList(), "no file is left behind")
            }
        }
    }

    @Test
    fun no_server_is_retryable_and_keeps_everything() = test {
        // No port that was free a moment ago: another test may have taken it.
        Device.open(Remote.Http("http://127.0.0.1:1", tokens = { "token" })).use { a ->
            a.insert("kept")
            fails<TurnstoneException.Retryable> { a.store.sync() }
            val status = a.store.status()
            assertEquals(1, status.pendingGroups)
            assertTrue(status.lastErrorCode != null && status.hasRemote)
        }
    }

    @Test
    fun devices_have_identities_of_their_own() = onTwo { a, b ->
        assertNotEquals(a.store.identity(), b.store.identity())
        assertEquals(32, a.store.identity().device.length)
        assertFalse(a.store.totals().requests > 0)
    }
}

/** The JDK's HTTP client as an app's transport, with answers that get lost. */
internal class Host(private val url: String, losePushes: Int = 0) : HttpTransport {
    val toLose = AtomicInteger(losePushes)
    val files = AtomicInteger()
    private val client = HttpClient.newBuilder().version(HttpClient.Version.HTTP_1_1).build()

    override suspend fun exchange(request: HttpRequest): HttpResponse {
        val body = when (val body = request.body) {
            is Body.Bytes -> body.value
            is Body.InFile -> body.file.readBytes().also { files.incrementAndGet() }
        }
        val asked = JdkRequest.newBuilder(URI(url + request.path))
        for ((name, value) in request.headers) asked.header(name, value)
        if (request.method == "GET") asked.GET() else asked.POST(JdkRequest.BodyPublishers.ofByteArray(body))
        val answer = client.send(asked.build(), BodyHandlers.ofByteArray())
        val isPush = request.path.startsWith("/sync/v1/push")
        if (isPush && toLose.getAndUpdate { maxOf(0, it - 1) } > 0) throw HttpFailure.Broken()
        request.answerFile.writeBytes(answer.body())
        val headers = answer.headers().map().flatMap { (name, values) -> values.map { name to it } }
        return HttpResponse(answer.statusCode(), headers, Body.InFile(request.answerFile))
    }
}
