package dev.turnstone.sample

import dev.turnstone.Turnstone
import dev.turnstone.TurnstoneException
import dev.turnstone.decode
import kotlinx.coroutines.CoroutineScope
import kotlinx.coroutines.delay
import kotlinx.coroutines.flow.Flow
import kotlinx.coroutines.flow.MutableStateFlow
import kotlinx.coroutines.flow.SharingStarted
import kotlinx.coroutines.flow.StateFlow
import kotlinx.coroutines.flow.asStateFlow
import kotlinx.coroutines.flow.combine
import kotlinx.coroutines.flow.conflate
import kotlinx.coroutines.flow.flow
import kotlinx.coroutines.flow.map
import kotlinx.coroutines.flow.stateIn
import kotlinx.coroutines.launch
import kotlin.time.Duration.Companion.seconds

/** Which screen shows. */
sealed interface Screen {
    /** All notes. */
    data object List : Screen

    /** One of them. */
    class Edit(val editor: Editor) : Screen
}

/**
 * The state of the app, without anything of a platform in it: the screens draw it, and the tests run it on a computer.
 *
 * @param nowMillis the time, in milliseconds since 1970.
 */
class NotesState(
    private val store: Turnstone,
    private val scope: CoroutineScope,
    private val nowMillis: () -> Long,
) {
    private val shown = MutableStateFlow<Screen>(Screen.List)

    /** Which screen shows. */
    val screen: StateFlow<Screen> = shown.asStateFlow()

    /** The list, the note changed last first; null until it was read. */
    val notes: StateFlow<List<NoteItem>?> =
        // What is sent changes where rows stand, and the status with it.
        combine(store.watch(LIST) { it.decode<Note>() }, store.watchStatus()) { notes, _ -> notes }
            .conflate().map { notes -> notes.map { item(it, badge(store.rowState("notes", it.id))) } }
            .shared(null)

    /** The bar at the foot of the screen; null until it was read. */
    val status: StateFlow<StatusLine?> =
        combine(store.watchStatus(), ticks()) { status, _ -> statusLine(status, nowMillis()) }.shared(null)

    /** Opens a note, or a new one. */
    fun edit(id: String? = null) {
        scope.launch { shown.value = Screen.Edit(Editor.open(store, id, nowMillis)) }
    }

    /** Saves what was edited and goes back to the list. */
    fun back() {
        val editor = (shown.value as? Screen.Edit)?.editor ?: return
        shown.value = Screen.List
        scope.launch { editor.save() }
    }

    /** Saves what is being edited, and stays. */
    fun save() {
        val editor = (shown.value as? Screen.Edit)?.editor ?: return
        scope.launch { editor.save() }
    }

    /** Deletes the note being edited and goes back to the list. */
    fun delete() {
        val editor = (shown.value as? Screen.Edit)?.editor ?: return
        shown.value = Screen.List
        scope.launch { editor.delete() }
    }

    /** Syncs now, because somebody asked. What goes wrong is in the bar. */
    fun refresh() {
        scope.launch {
            try {
                store.sync()
            } catch (_: TurnstoneException) {
                // The status says why, and when it is tried again.
            }
        }
    }

    private fun <T> Flow<T>.shared(first: T): StateFlow<T> =
        stateIn(scope, SharingStarted.WhileSubscribed(5_000), first)
}

private const val LIST = "SELECT id, title, body FROM notes ORDER BY updated_at DESC, id LIMIT 500"

/** For "in 12 s": a wait gets shorter although nothing happens. */
private fun ticks(): Flow<Unit> = flow {
    while (true) {
        emit(Unit)
        delay(1.seconds)
    }
}
