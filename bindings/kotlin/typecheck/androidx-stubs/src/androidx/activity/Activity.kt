// Type-check aid: signatures of androidx.activity 1.10, nothing that runs. See the README beside this folder.
@file:Suppress("UNUSED_PARAMETER", "unused")

package androidx.activity

import android.app.Activity
import androidx.lifecycle.LifecycleOwner
import androidx.lifecycle.Lifecycle

open class ComponentActivity : Activity(), LifecycleOwner {
    override val lifecycle: Lifecycle get() = throw UnsupportedOperationException("a type-check aid")
}

fun ComponentActivity.enableEdgeToEdge(): Unit = throw UnsupportedOperationException("a type-check aid")
