package dev.turnstone

import kotlinx.coroutines.flow.first
import kotlinx.serialization.Serializable
import org.junit.jupiter.api.Assertions.assertTrue
import org.junit.jupiter.api.Test
import java.io.File

// The quickstart of docs/kotlin.md, as it stands there.

val schema = """
    name = "notes"
    version = 1
    tables.notes.fields.title = { type = "text", default = "" }
    tables.notes.fields.pinned = { type = "boolean", default = false }
""".trimIndent()

@Serializable
data class Note(val id: String, val title: String, val pinned: Boolean)

suspend fun quickstart(path: String, url: String, tokens: TokenProvider) {
    val remote = Remote.Http(url, tokens) // on Android: Remote.Custom(OkHttpTransport(url), tokens)
    val store = Turnstone.open(Options(path, schema, remote))

    // One block is one transaction: here, on the server, and on every other device.
    val id = store.write { insert("notes", "title" to "Shopping") }.ids.single()

    // Plain SQL is captured just the same.
    store.execute("UPDATE notes SET pinned = 1 WHERE id = ?", id)

    // A live query: its rows now, and after every commit that changes them.
    val notes = store.watch("SELECT * FROM notes") { it.decode<Note>() }.first()
    println(notes)

    store.sync()
    println(store.rowState("notes", id)) // Synced
    store.shutdown()
}

class QuickstartTest {
    @Test
    fun the_quickstart_runs_as_it_is_written() = test {
        TestServer().use { server -> quickstart(File(folder(), "app.db").path, server.url) { server.token } }
        val root = File(System.getProperty("turnstone.root"))
        val block = File(root, "docs/kotlin.md").readText().substringAfter("```kotlin\n").substringBefore("```")
        val here = File(root, "bindings/kotlin/turnstone/src/test/kotlin/dev/turnstone/QuickstartTest.kt").readText()
        assertTrue(block.length > 500 && block in here, "docs/kotlin.md and this file say the same")
    }
}
