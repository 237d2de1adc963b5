// Type-check aid: Gradle writes the real one.
package dev.turnstone.sample

internal object BuildConfig {
    const val SERVER: String = ""
    const val TOKEN: String = ""
    const val VERSION_NAME: String = ""
}
