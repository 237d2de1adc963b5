package dev.turnstone.android

import android.app.Application
import dev.turnstone.Options
import dev.turnstone.Remote
import dev.turnstone.SignInRequired
import org.junit.jupiter.api.Assertions.assertTrue
import org.junit.jupiter.api.Test
import java.io.File

// The quickstart of docs/android.md, as it stands there.

class NotesApp : Application() {
    lateinit var turnstone: StoreHost

    override fun onCreate() {
        super.onCreate()
        turnstone = initAndroid(this, name = "notes") { path ->
            val schema = assets.open("notes.toml").reader().readText()
            val http = OkHttpTransport("https://sync.example.com")
            val remote = Remote.Custom(http, tokens = { signedInToken() ?: throw SignInRequired() })
            Options(path, schema, remote, autoSync = true)
        }
    }

    private fun signedInToken(): String? = getSharedPreferences("account", MODE_PRIVATE).getString("token", null)
}

suspend fun addNote(app: NotesApp, title: String) {
    val store = app.turnstone.store() // opened once, never on the main thread
    store.write { insert("notes", "title" to title) }
}

class QuickstartTest {
    @Test
    fun docs_android_md_shows_what_is_compiled_here() {
        val root = File(System.getProperty("turnstone.root"))
        val block = File(root, "docs/android.md").readText().substringAfter("```kotlin\n").substringBefore("```")
        val here = File(root, "bindings/kotlin/android/src/test/kotlin/dev/turnstone/android/AndroidQuickstart.kt").readText()
        assertTrue(block.length > 500 && block in here, "docs/android.md and this file say the same")
        assertTrue(block.lines().size <= 30, "a quickstart of under 30 lines")
    }
}
