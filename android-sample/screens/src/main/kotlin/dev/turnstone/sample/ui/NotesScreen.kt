package dev.turnstone.sample.ui

import androidx.compose.foundation.clickable
import androidx.compose.foundation.layout.Box
import androidx.compose.foundation.layout.fillMaxSize
import androidx.compose.foundation.layout.padding
import androidx.compose.foundation.lazy.LazyColumn
import androidx.compose.foundation.lazy.items
import androidx.compose.foundation.shape.RoundedCornerShape
import androidx.compose.material3.ExperimentalMaterial3Api
import androidx.compose.material3.ExtendedFloatingActionButton
import androidx.compose.material3.ListItem
import androidx.compose.material3.MaterialTheme
import androidx.compose.material3.Scaffold
import androidx.compose.material3.Surface
import androidx.compose.material3.Text
import androidx.compose.material3.TopAppBar
import androidx.compose.runtime.Composable
import androidx.compose.ui.Alignment
import androidx.compose.ui.Modifier
import androidx.compose.ui.text.style.TextOverflow
import androidx.compose.ui.unit.dp
import dev.turnstone.sample.Badge
import dev.turnstone.sample.NoteItem
import dev.turnstone.sample.StatusLine

/** All notes, each with its badge, over the status bar. Without [notes], they are still being read. */
@OptIn(ExperimentalMaterial3Api::class)
@Composable
fun NotesScreen(
    notes: List<NoteItem>?,
    status: StatusLine?,
    onOpen: (String) -> Unit,
    onNew: () -> Unit,
    onSync: () -> Unit,
) {
    Scaffold(
        topBar = { TopAppBar(title = { Text("Notes") }) },
        bottomBar = { if (status != null) StatusBar(status, onSync) },
        floatingActionButton = { ExtendedFloatingActionButton(onClick = onNew) { Text("New note") } },
    ) { edges ->
        if (notes?.isEmpty() == true) {
            Box(Modifier.padding(edges).fillMaxSize(), contentAlignment = Alignment.Center) { Text("No notes yet") }
        } else {
            LazyColumn(Modifier.padding(edges).fillMaxSize()) {
                items(notes.orEmpty(), key = { it.id }) { note -> NoteLine(note) { onOpen(note.id) } }
            }
        }
    }
}

@Composable
private fun NoteLine(note: NoteItem, onOpen: () -> Unit) {
    ListItem(
        headlineContent = { Text(note.title, maxLines = 1, overflow = TextOverflow.Ellipsis) },
        supportingContent = note.preview.takeIf { it.isNotEmpty() }
            ?.let { { Text(it, maxLines = 1, overflow = TextOverflow.Ellipsis) } },
        trailingContent = note.badge?.let { { BadgeMark(it) } },
        modifier = Modifier.clickable(onClick = onOpen),
    )
}

/** Says in one word where a note stands. */
@Composable
fun BadgeMark(badge: Badge) {
    val colors = MaterialTheme.colorScheme
    Surface(
        color = if (badge.needsPerson) colors.errorContainer else colors.secondaryContainer,
        contentColor = if (badge.needsPerson) colors.onErrorContainer else colors.onSecondaryContainer,
        shape = RoundedCornerShape(8.dp),
    ) {
        Text(badge.label, Modifier.padding(horizontal = 8.dp, vertical = 3.dp), style = MaterialTheme.typography.labelSmall)
    }
}
