package dev.turnstone.sample

import dev.turnstone.Durability
import dev.turnstone.Options
import dev.turnstone.Remote
import dev.turnstone.TestServer
import dev.turnstone.Turnstone
import dev.turnstone.folder
import dev.turnstone.test
import kotlinx.coroutines.CoroutineScope
import kotlinx.coroutines.Dispatchers
import kotlinx.coroutines.SupervisorJob
import kotlinx.coroutines.cancel
import kotlinx.coroutines.flow.first
import kotlinx.coroutines.flow.filterIsInstance
import org.junit.jupiter.api.Assertions.assertEquals
import org.junit.jupiter.api.Test
import java.io.File
import java.util.concurrent.atomic.AtomicLong

/** One phone with the app on it: the real library, and the state its screens draw. */
private class Phone private constructor(val store: Turnstone) : AutoCloseable {
    private val clock = AtomicLong(1_700_000_000_000)
    private val scope = CoroutineScope(SupervisorJob() + Dispatchers.Default)
    val app = NotesState(store, scope) { clock.incrementAndGet() }

    suspend fun note(title: String, body: String = "") {
        app.edit()
        editor().type(title, body)
        app.back()
        until { list -> list.any { it.title == title } }
    }

    suspend fun edit(id: String): Editor {
        app.edit(id)
        return editor()
    }

    suspend fun until(wanted: (List<NoteItem>) -> Boolean): List<NoteItem> = app.notes.first { it != null && wanted(it) }!!

    private suspend fun editor(): Editor = app.screen.filterIsInstance<Screen.Edit>().first().editor

    override fun close() {
        scope.cancel()
        store.close()
    }

    companion object {
        suspend fun open(remote: Remote?, autoSync: Boolean = false): Phone =
            Phone(Turnstone.open(Options(File(folder(), "app.db").path, SCHEMA, remote, Durability.Process, autoSync = autoSync)))
    }
}

class NotesStateTest {
    private fun onTwo(body: suspend (Phone, Phone) -> Unit) = test {
        TestServer(SCHEMA).use { server ->
            Phone.open(server.remote()).use { a -> Phone.open(server.remote()).use { b -> body(a, b) } }
        }
    }

    @Test
    fun a_note_carries_its_badge_until_the_server_has_it() = onTwo { a, _ ->
        a.note("Shopping", "bread\nbutter")
        val written = a.until { it.isNotEmpty() }.single()
        assertEquals(Badge.Saved, written.badge)
        assertEquals("Shopping" to "bread", written.title to written.preview)
        val waiting = a.app.status.first { it?.tone == Tone.Waiting }!!
        assertEquals("1 change is saved here", waiting.now)
        a.app.refresh()
        assertEquals(null, a.until { it.single().badge == null }.single().badge)
        assertEquals("All notes are synced", a.app.status.first { it?.tone == Tone.Calm }!!.now)
    }

    @Test
    fun without_a_network_everything_works_and_the_bar_says_when_it_tries_again() = test {
        Phone.open(Remote.Http("http://127.0.0.1:1", tokens = { "token" }), autoSync = true).use { a ->
            a.note("Kept")
            a.app.refresh()
            // The list and the bar are read apart: the bar may show what was before the note for a moment.
            a.app.status.first { it != null && it.next.contains("again in") && it.now == "1 change is saved here" }
            assertEquals(listOf("Kept"), a.until { true }.map { it.title })
        }
    }

    @Test
    fun an_open_editor_does_not_undo_what_another_phone_did_to_the_other_field() = onTwo { a, b ->
        a.note("Plan", "first")
        a.store.sync()
        b.store.sync()
        val id = a.until { it.isNotEmpty() }.single().id
        val open = a.edit(id)
        b.edit(id).type(body = "second, by b")
        b.app.back()
        b.until { it.single().preview == "second, by b" }
        b.store.sync()
        a.store.sync()
        open.type(title = "Plan A")
        a.app.back()
        a.until { it.single().title == "Plan A" }
        a.store.sync()
        b.store.sync()
        for (phone in listOf(a, b)) {
            val shown = phone.until { it.single().title == "Plan A" }.single()
            assertEquals("second, by b", shown.preview)
        }
        assertEquals(a.store.stateHash(), b.store.stateHash())
    }

    @Test
    fun saving_twice_writes_once_and_an_empty_note_is_not_kept() = onTwo { a, _ ->
        val empty = Editor.open(a.store, null) { 1 }
        empty.save()
        assertEquals(0, a.store.status().pendingGroups)
        empty.type(title = "Now")
        repeat(2) { empty.save() }
        assertEquals(1, a.store.status().pendingGroups)
        empty.type(body = "more")
        empty.save()
        assertEquals(listOf("Now"), a.store.query("SELECT title FROM notes") { it.text("title") })
    }

    @Test
    fun a_deleted_note_leaves_every_phone() = onTwo { a, b ->
        a.note("Old")
        a.store.sync()
        b.store.sync()
        val id = b.until { it.isNotEmpty() }.single().id
        b.edit(id)
        b.app.delete()
        b.until { it.isEmpty() }
        b.store.sync()
        a.store.sync()
        assertEquals(emptyList<NoteItem>(), a.until { it.isEmpty() })
    }
}
