package dev.turnstone.sample

import android.os.Bundle
import androidx.activity.ComponentActivity
import androidx.activity.compose.BackHandler
import androidx.activity.compose.setContent
import androidx.activity.enableEdgeToEdge
import androidx.compose.runtime.LaunchedEffect
import androidx.compose.runtime.collectAsState
import androidx.compose.runtime.getValue
import androidx.compose.runtime.mutableStateOf
import androidx.compose.runtime.remember
import androidx.compose.runtime.setValue
import dev.turnstone.sample.ui.App
import dev.turnstone.sample.ui.Look
import kotlinx.coroutines.CoroutineScope
import kotlinx.coroutines.Dispatchers
import kotlinx.coroutines.SupervisorJob

/** The one window. What it shows outlives it: turning the phone loses nothing. */
class MainActivity : ComponentActivity() {
    override fun onCreate(savedInstanceState: Bundle?) {
        super.onCreate(savedInstanceState)
        enableEdgeToEdge()
        setContent {
            Look {
                var state by remember { mutableStateOf(kept) }
                LaunchedEffect(Unit) { state = notes() }
                state?.let { notes ->
                    val screen by notes.screen.collectAsState()
                    BackHandler(enabled = screen is Screen.Edit, onBack = notes::back)
                    App(notes)
                }
            }
        }
    }

    override fun onStop() {
        super.onStop()
        // Nobody may come back: what is in the editor is a note now.
        kept?.save()
    }

    private suspend fun notes(): NotesState {
        val store = (application as NotesApp).turnstone.store()
        return kept ?: NotesState(store, SCOPE, System::currentTimeMillis).also { kept = it }
    }

    private companion object {
        private val SCOPE = CoroutineScope(SupervisorJob() + Dispatchers.Main.immediate)
        private var kept: NotesState? = null
    }
}
