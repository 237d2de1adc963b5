package dev.turnstone.sample

import dev.turnstone.RowState
import kotlinx.serialization.Serializable

/** What the app keeps. The server reads the same document. */
val SCHEMA: String = """
    name = "notes"
    version = 1

    [tables.notes]
    delete = "edit_wins"

    [tables.notes.fields]
    title = { type = "text", default = "" }
    body = { type = "text", default = "" }
    updated_at = { type = "timestamp", default = 0, merge = "max" }
""".trimIndent()

/** A note as it is stored. */
@Serializable
data class Note(val id: String, val title: String, val body: String)

/** A note as the list shows it. */
data class NoteItem(val id: String, val title: String, val preview: String, val badge: Badge?)

/** What the list says beside a note; nothing where the server has it. */
enum class Badge(val label: String, val needsPerson: Boolean = false) {
    Saved("saved"),
    Sending("sending"),
    Retrying("waiting"),
    Conflict("two versions", needsPerson = true),
    Failed("refused", needsPerson = true),
}

/** Where a row stands, in the words of the list. */
fun badge(state: RowState): Badge? = when (state) {
    RowState.Saved -> Badge.Saved
    RowState.Sending -> Badge.Sending
    is RowState.Retrying -> Badge.Retrying
    RowState.Synced -> null
    RowState.Conflict -> Badge.Conflict
    is RowState.Failed -> Badge.Failed
}

/** A note as the list shows it. */
fun item(note: Note, badge: Badge?): NoteItem =
    NoteItem(
        id = note.id,
        title = note.title.ifBlank { "Untitled" },
        preview = note.body.lineSequence().firstOrNull { it.isNotBlank() }?.trim().orEmpty(),
        badge = badge,
    )
