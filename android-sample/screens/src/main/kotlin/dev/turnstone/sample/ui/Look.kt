package dev.turnstone.sample.ui

import androidx.compose.foundation.isSystemInDarkTheme
import androidx.compose.material3.MaterialTheme
import androidx.compose.material3.darkColorScheme
import androidx.compose.material3.lightColorScheme
import androidx.compose.runtime.Composable
import androidx.compose.ui.graphics.Color
import dev.turnstone.sample.Tone

/** The colours of the app. */
@Composable
fun Look(dark: Boolean = isSystemInDarkTheme(), content: @Composable () -> Unit) {
    MaterialTheme(colorScheme = if (dark) Dark else Light, content = content)
}

/** What a tone looks like: the ground of the bar, and the words on it. */
@Composable
internal fun tint(tone: Tone): Pair<Color, Color> = with(MaterialTheme.colorScheme) {
    when (tone) {
        Tone.Calm -> surfaceVariant to onSurfaceVariant
        Tone.Working -> primaryContainer to onPrimaryContainer
        Tone.Waiting -> tertiaryContainer to onTertiaryContainer
        Tone.NeedsPerson -> errorContainer to onErrorContainer
    }
}

private val Light = lightColorScheme(
    primary = Color(0xFF1F5F8B),
    primaryContainer = Color(0xFFCFE5F7),
    onPrimaryContainer = Color(0xFF0A3552),
    tertiaryContainer = Color(0xFFFBE7B8),
    onTertiaryContainer = Color(0xFF4A3600),
)

private val Dark = darkColorScheme(
    primary = Color(0xFF9CCBEF),
    primaryContainer = Color(0xFF174A6B),
    onPrimaryContainer = Color(0xFFCFE5F7),
    tertiaryContainer = Color(0xFF5A4715),
    onTertiaryContainer = Color(0xFFFBE7B8),
)
