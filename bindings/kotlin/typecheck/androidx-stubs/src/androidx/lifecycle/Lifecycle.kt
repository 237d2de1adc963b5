// Type-check aid: signatures of androidx.lifecycle 2.9, nothing that runs. See the README beside this folder.
@file:Suppress("UNUSED_PARAMETER", "unused")

package androidx.lifecycle

import kotlinx.coroutines.CoroutineScope

private fun aid(): Nothing = throw UnsupportedOperationException("a type-check aid")

interface LifecycleObserver

interface DefaultLifecycleObserver : LifecycleObserver {
    fun onStart(owner: LifecycleOwner) {}
    fun onStop(owner: LifecycleOwner) {}
}

abstract class Lifecycle {
    abstract fun addObserver(observer: LifecycleObserver)
    abstract fun removeObserver(observer: LifecycleObserver)
}

interface LifecycleOwner {
    val lifecycle: Lifecycle
}

abstract class ViewModel

val ViewModel.viewModelScope: CoroutineScope get() = aid()
