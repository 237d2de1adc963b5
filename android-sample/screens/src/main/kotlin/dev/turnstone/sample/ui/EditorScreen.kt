package dev.turnstone.sample.ui

import androidx.compose.foundation.layout.Column
import androidx.compose.foundation.layout.fillMaxSize
import androidx.compose.foundation.layout.fillMaxWidth
import androidx.compose.foundation.layout.padding
import androidx.compose.material3.ExperimentalMaterial3Api
import androidx.compose.material3.OutlinedTextField
import androidx.compose.material3.Scaffold
import androidx.compose.material3.Text
import androidx.compose.material3.TextButton
import androidx.compose.material3.TopAppBar
import androidx.compose.runtime.Composable
import androidx.compose.ui.Modifier
import androidx.compose.ui.unit.dp
import dev.turnstone.sample.Draft

/** One note. Leaving it saves it. */
@OptIn(ExperimentalMaterial3Api::class)
@Composable
fun EditorScreen(draft: Draft, onType: (Draft) -> Unit, onBack: () -> Unit, onDelete: () -> Unit) {
    Scaffold(
        topBar = {
            TopAppBar(
                title = {},
                navigationIcon = { TextButton(onClick = onBack) { Text("Done") } },
                actions = { TextButton(onClick = onDelete) { Text("Delete") } },
            )
        },
    ) { edges ->
        Column(Modifier.padding(edges).padding(16.dp).fillMaxSize()) {
            OutlinedTextField(
                value = draft.title,
                onValueChange = { onType(draft.copy(title = it)) },
                label = { Text("Title") },
                singleLine = true,
                modifier = Modifier.fillMaxWidth(),
            )
            OutlinedTextField(
                value = draft.body,
                onValueChange = { onType(draft.copy(body = it)) },
                label = { Text("Note") },
                modifier = Modifier.padding(top = 8.dp).fillMaxWidth().weight(1f),
            )
        }
    }
}
