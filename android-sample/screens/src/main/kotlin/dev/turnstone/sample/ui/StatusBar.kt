package dev.turnstone.sample.ui

import androidx.compose.foundation.layout.Column
import androidx.compose.foundation.layout.fillMaxWidth
import androidx.compose.foundation.layout.padding
import androidx.compose.material3.MaterialTheme
import androidx.compose.material3.Surface
import androidx.compose.material3.Text
import androidx.compose.runtime.Composable
import androidx.compose.ui.Modifier
import androidx.compose.ui.unit.dp
import dev.turnstone.sample.StatusLine

/** Where syncing stands: what is so, what happens next and why. A touch syncs now. */
@Composable
fun StatusBar(line: StatusLine, onSync: () -> Unit, modifier: Modifier = Modifier) {
    val (ground, words) = tint(line.tone)
    Surface(onClick = onSync, color = ground, contentColor = words, modifier = modifier.fillMaxWidth()) {
        Column(Modifier.padding(horizontal = 16.dp, vertical = 10.dp)) {
            Text(line.now, style = MaterialTheme.typography.labelLarge)
            if (line.next.isNotEmpty()) Text(line.next, style = MaterialTheme.typography.bodySmall)
        }
    }
}
