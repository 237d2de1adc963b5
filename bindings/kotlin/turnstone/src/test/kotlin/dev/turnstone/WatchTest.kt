package dev.turnstone

import kotlinx.coroutines.CoroutineScope
import kotlinx.coroutines.CoroutineStart
import kotlinx.coroutines.Job
import kotlinx.coroutines.async
import kotlinx.coroutines.channels.Channel
import kotlinx.coroutines.coroutineScope
import kotlinx.coroutines.flow.Flow
import kotlinx.coroutines.flow.first
import kotlinx.coroutines.flow.toList
import kotlinx.coroutines.launch
import org.junit.jupiter.api.Assertions.assertEquals
import org.junit.jupiter.api.Assertions.assertTrue
import org.junit.jupiter.api.Test

class WatchTest {
    private fun offline(body: suspend (Device) -> Unit) = test { Device.open().use { body(it) } }

    /** Collects a flow beside the test. */
    private fun <T> CoroutineScope.collect(flow: Flow<T>): Pair<Channel<T>, Job> {
        val channel = Channel<T>(Channel.UNLIMITED)
        return channel to launch {
            flow.collect { channel.send(it) }
            channel.close()
        }
    }

    @Test
    fun a_watch_gives_rows_now_and_after_each_commit() = offline { a ->
        coroutineScope {
            val (seen, job) = collect(a.store.watch("SELECT title FROM notes ORDER BY title") { it.text("title") })
            assertEquals(emptyList<String>(), seen.receive())
            a.insert("one")
            assertEquals(listOf("one"), seen.receive())
            a.store.write { insert("drafts", "text" to "another table") }
            a.insert("two")
            assertEquals(listOf("one", "two"), seen.receive())
            job.cancel()
        }
    }

    @Test
    fun a_watch_ends_when_the_store_closes() = offline { a ->
        coroutineScope {
            // Caught where it happens: what fails in a scope cancels the scope.
            val watching = async(start = CoroutineStart.UNDISPATCHED) {
                runCatching { a.store.watch("SELECT 1 FROM notes").toList() }
            }
            a.store.watch("SELECT 1 FROM notes").first()
            a.store.shutdown()
            // It may have been closed before its first rows were read.
            val ended = watching.await()
            assertTrue(ended.isSuccess || ended.exceptionOrNull() is TurnstoneException.Closed)
        }
    }

    @Test
    fun a_watch_sees_what_a_sync_brings() = test {
        TestServer().use { server ->
            Device.open(server.remote()).use { a ->
                Device.open(server.remote()).use { b ->
                    coroutineScope {
                        val (seen, job) = collect(b.store.watch("SELECT title FROM notes") { it.text("title") })
                        assertEquals(emptyList<String>(), seen.receive())
                        a.insert("from a")
                        settle(a, b)
                        assertEquals(listOf("from a"), seen.receive())
                        job.cancel()
                    }
                }
            }
        }
    }

    @Test
    fun the_state_of_a_row_and_of_the_store_can_be_watched() = test {
        TestServer().use { server ->
            Device.open(server.remote()).use { a ->
                val id = a.insert("one")
                coroutineScope {
                    val (rows, one) = collect(a.store.watchRowState("notes", id))
                    val scope = CoroutineScope(coroutineContext + Job())
                    val status = a.store.statusIn(scope)
                    assertEquals(RowState.Saved, rows.receive())
                    assertEquals(1, status.value.pendingGroups)
                    a.store.sync()
                    while (rows.receive() != RowState.Synced) continue
                    status.first { it.pendingGroups == 0L }
                    one.cancel()
                    scope.coroutineContext[Job]!!.cancel()
                }
            }
        }
    }

    @Test
    fun a_transaction_reads_what_it_wrote_and_is_atomic() = offline { a ->
        val count = a.store.transaction {
            val ids = write {
                insert("notes", "title" to "one")
                insert("notes", "title" to "two")
            }
            assertEquals(2, ids.size)
            assertEquals("one", get("notes", ids[0])!!.text("title"))
            // What fails inside is undone alone; the transaction goes on.
            fails<TurnstoneException.InvalidArgument> {
                write {
                    insert("notes", "title" to "three")
                    update("notes", "none", "title" to "x")
                }
            }
            assertEquals(2, execute("UPDATE notes SET body = 'x'"))
            assertEquals(0, a.titles().size, "nobody else sees it yet")
            query("SELECT count(*) AS n FROM notes").single().int("n")
        }
        assertEquals(2, count)
        assertEquals(listOf("one", "two"), a.titles())
        assertEquals(1, a.store.status().pendingGroups)
    }

    @Test
    fun a_transaction_that_is_rolled_back_never_happened() = offline { a ->
        val thrown = runCatching {
            a.store.transaction {
                write { insert("notes", "title" to "one") }
                error("the app changed its mind")
            }
        }.exceptionOrNull()
        assertEquals("the app changed its mind", thrown?.message)
        a.insert("two")
        assertEquals(listOf("two"), a.titles())
    }
}
