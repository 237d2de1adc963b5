package dev.turnstone

import dev.turnstone.internal.isPanicPlanted
import dev.turnstone.internal.plantPanic
import kotlinx.coroutines.flow.collect
import kotlinx.coroutines.flow.first
import org.junit.jupiter.api.Assertions.assertEquals
import org.junit.jupiter.api.Assertions.assertFalse
import org.junit.jupiter.api.Test
import java.io.File
import kotlin.time.Duration.Companion.seconds

class PanicTest {
    /** How an app reaches each call of the library. */
    private fun calls(a: Device, id: String): Map<String, suspend () -> Unit> {
        val store = a.store
        val all = "SELECT title FROM notes"
        val transaction: suspend (suspend Transaction.() -> Unit) -> Unit = { store.transaction(it) }
        val conditions = Conditions()
        return mapOf(
            "open" to { Turnstone.open(Device.options(folder())).shutdown() },
            "write" to { a.insert("never") },
            "execute" to { store.execute("DELETE FROM notes") },
            "begin" to { transaction {} },
            "transaction_apply" to { transaction { write { insert("notes", "title" to "never") } } },
            "transaction_execute" to { transaction { execute("DELETE FROM notes") } },
            "transaction_query" to { transaction { query(all) } },
            "transaction_get" to { transaction { get("notes", id) } },
            "transaction_commit" to { transaction {} },
            "transaction_rollback" to { transaction {} },
            "get" to { store.get("notes", id) },
            "query" to { store.query(all) },
            "pages" to { store.pages(all).collect() },
            "pages_read" to { store.pages(all).collect() },
            "pages_next" to { store.pages(all).collect() },
            "pages_cancel" to { store.pages(all).collect() },
            "watch" to { store.watch(all).first() },
            "watch_next" to { store.watch(all).first() },
            "watch_cancel" to { store.watch(all).first() },
            "watch_status" to { store.watchStatus().first() },
            "status_watch_next" to { store.watchStatus().first() },
            "status_watch_cancel" to { store.watchStatus().first() },
            "watch_row_state" to { store.watchRowState("notes", id).first() },
            "row_state_watch_next" to { store.watchRowState("notes", id).first() },
            "row_state_watch_cancel" to { store.watchRowState("notes", id).first() },
            "watch_next_wake" to { store.nextWakes.first() },
            "next_wake_watch_next" to { store.nextWakes.first() },
            "next_wake_watch_cancel" to { store.nextWakes.first() },
            "next_wake" to { store.nextWake() },
            "row_state" to { store.rowState("notes", id) },
            "status" to { store.status() },
            "sync" to { store.sync() },
            "cancel_create" to { store.sync() },
            "cancel_cancel" to { store.sync() },
            "token_changed" to { store.tokenChanged() },
            "network_changed" to { store.networkChanged(true) },
            "poke" to { store.poke() },
            "run_background" to { store.runBackground(Budget(1.seconds), RunReason.Scheduled) },
            "expire" to { store.expire() },
            "set_conditions" to { store.setConditions(conditions) },
            "suspend_store" to { store.suspendStore() },
            "resume_store" to { store.resumeStore() },
            "dead_letters" to { store.deadLetters() },
            "retry_dead_letter" to { store.retryDeadLetter(1) },
            "state_hash" to { store.stateHash() },
            "identity" to { store.identity() },
            "origin" to { store.origin() },
            "totals" to { store.totals() },
            "checkpoint" to { store.checkpoint() },
            "set_log_sink" to { Turnstone.logTo(sink = null) },
            "shutdown" to { store.shutdown() },
        )
    }

    @Test
    fun a_panic_is_internal_and_the_store_goes_on() = test {
        Device.open().use { a ->
            val calls = calls(a, a.insert("before"))
            val names = File(System.getProperty("turnstone.root"), "bindings/calls.txt").readLines().filter { !it.startsWith('#') }
            assertEquals(names.toSortedSet(), calls.keys.toSortedSet(), "every call of the library")
            for ((name, call) in calls) {
                plantPanic(name)
                val thrown = runCatching { call() }.exceptionOrNull()
                assertFalse(isPanicPlanted(), "$name was not called")
                val code = (thrown as? TurnstoneException)?.code
                // Nobody waits for the end of a flow that was cancelled, and a transaction is over first.
                val isQuiet = name.endsWith("_cancel") && thrown == null || name.startsWith("transaction_") && code == "transaction_lost"
                if (!isQuiet) assertEquals("panic", code, "$name threw $thrown")
            }
            assertEquals(listOf("before"), a.titles(), "no call that panicked did anything")
            a.insert("after")
            assertEquals(listOf("after", "before"), a.titles())
        }
    }
}
