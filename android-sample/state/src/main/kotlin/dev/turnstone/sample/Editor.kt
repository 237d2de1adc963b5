package dev.turnstone.sample

import dev.turnstone.Turnstone
import kotlinx.coroutines.flow.MutableStateFlow
import kotlinx.coroutines.flow.StateFlow
import kotlinx.coroutines.flow.asStateFlow
import kotlinx.coroutines.flow.update
import kotlinx.coroutines.sync.Mutex
import kotlinx.coroutines.sync.withLock

/** What the editor shows. */
data class Draft(val title: String, val body: String)

/**
 * One note being edited.
 *
 * It writes only the fields that were changed in it: what another device did to the other one meanwhile stays.
 */
class Editor private constructor(
    private val store: Turnstone,
    private var id: String?,
    private var saved: Draft,
    private val nowMillis: () -> Long,
) {
    private val state = MutableStateFlow(saved)
    private val saving = Mutex()

    /** What stands in it. */
    val draft: StateFlow<Draft> = state.asStateFlow()

    /** Takes what was typed. */
    fun type(title: String = state.value.title, body: String = state.value.body): Unit =
        state.update { it.copy(title = title, body = body) }

    /** Saves what was typed. A new note without a word is not kept. */
    suspend fun save(): Unit = saving.withLock {
        val draft = state.value
        val row = id
        val changed = buildList {
            if (draft.title != saved.title) add("title" to draft.title)
            if (draft.body != saved.body) add("body" to draft.body)
        }
        if (changed.isEmpty()) return
        val fields = (changed + ("updated_at" to nowMillis())).toTypedArray()
        if (row == null) id = store.write { insert("notes", *fields) }.ids.single()
        else store.write { update("notes", row, *fields) }
        saved = draft
    }

    /** Deletes the note. */
    suspend fun delete(): Unit = saving.withLock {
        id?.let { row -> store.write { delete("notes", row) } }
        id = null
        saved = state.value
    }

    companion object {
        /** Edits a note, or begins a new one. */
        suspend fun open(store: Turnstone, id: String?, nowMillis: () -> Long): Editor {
            val row = id?.let { store.get("notes", it) }
            val draft = if (row == null) Draft("", "") else Draft(row.text("title").orEmpty(), row.text("body").orEmpty())
            return Editor(store, row?.let { id }, draft, nowMillis)
        }
    }
}
