// Type-check aid: signatures of androidx.activity 1.10, nothing that runs. See the README beside this folder.
@file:Suppress("UNUSED_PARAMETER", "unused")

package androidx.activity.compose

import androidx.activity.ComponentActivity
import androidx.compose.runtime.Composable

fun ComponentActivity.setContent(content: @Composable () -> Unit): Unit =
    throw UnsupportedOperationException("a type-check aid")

@Composable
fun BackHandler(enabled: Boolean = true, onBack: () -> Unit): Unit =
    throw UnsupportedOperationException("a type-check aid")
