package dev.turnstone.internal

import com.sun.jna.CallbackThreadInitializer
import com.sun.jna.Native

/**
 * Keeps the library's threads known to the virtual machine once they have told it something; they are let go of when they
 * end. Without it every end of a call would make a thread of the virtual machine and drop it again, which takes longer than
 * most calls. It stands here because what UniFFI wrote is seen from its own module only.
 */
public fun keepThreads() {
    val kept = CallbackThreadInitializer(/* daemon = */ true, /* detach = */ false, "turnstone")
    Native.setCallbackThreadInitializer(uniffiRustFutureContinuationCallbackImpl, kept)
}
