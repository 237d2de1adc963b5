package dev.turnstone.sample.ui

import androidx.compose.runtime.Composable
import androidx.compose.runtime.collectAsState
import androidx.compose.runtime.getValue
import dev.turnstone.sample.Editor
import dev.turnstone.sample.NotesState
import dev.turnstone.sample.Screen

/** The screen that shows. */
@Composable
fun App(state: NotesState) {
    val screen by state.screen.collectAsState()
    when (val shown = screen) {
        Screen.List -> ListOf(state)
        is Screen.Edit -> EditorOf(state, shown.editor)
    }
}

@Composable
private fun ListOf(state: NotesState) {
    val notes by state.notes.collectAsState()
    val status by state.status.collectAsState()
    NotesScreen(notes, status, onOpen = state::edit, onNew = { state.edit() }, onSync = state::refresh)
}

@Composable
private fun EditorOf(state: NotesState, editor: Editor) {
    val draft by editor.draft.collectAsState()
    EditorScreen(draft, onType = { editor.type(it.title, it.body) }, onBack = state::back, onDelete = state::delete)
}
