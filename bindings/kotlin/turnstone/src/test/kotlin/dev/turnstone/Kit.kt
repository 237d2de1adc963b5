package dev.turnstone

import kotlinx.coroutines.runBlocking
import kotlinx.coroutines.withTimeout
import kotlinx.serialization.json.Json as JsonFormat
import kotlinx.serialization.json.jsonObject
import kotlinx.serialization.json.jsonPrimitive
import java.io.File
import java.nio.file.Files
import kotlin.time.Duration.Companion.seconds

/** The schema of the suites. */
val SCHEMA: String = File(System.getProperty("turnstone.root"), "bindings/suite.toml").readText()

/** Runs a test with a limit on its time. JUnit skips test methods that return something, so this returns nothing. */
fun test(seconds: Int = 60, body: suspend () -> Unit): Unit = runBlocking { withTimeout(seconds.seconds) { body() } }

fun folder(): File = Files.createTempDirectory("turnstone").toFile().apply { deleteOnExit() }

/** A real `turnstone serve` on loopback. It ends with this process. */
class TestServer(schema: String = SCHEMA) : AutoCloseable {
    private val folder = folder()
    private val process: Process
    val url: String
    val token: String
    private val command: String = System.getProperty("turnstone.command")

    init {
        val file = File(folder, "schema.toml").apply { writeText(schema) }
        process = ProcessBuilder(
            command, "serve", "--dev", "--listen", "127.0.0.1:0", "--stop-with-stdin", "--json",
            "--db", File(folder, "server.db").path, "--schema", file.path,
        ).redirectError(ProcessBuilder.Redirect.INHERIT).start()
        val line = process.inputStream.bufferedReader().readLine() ?: error("the server did not start")
        val said = JsonFormat.parseToJsonElement(line).jsonObject
        url = said.getValue("listening").jsonPrimitive.content
        token = said.getValue("token").jsonPrimitive.content
    }

    /** A token that ends after so many seconds. */
    fun mint(seconds: Int, vararg more: String): String {
        val process = ProcessBuilder(
            command, "token", "--key-file", File(folder, "server.db.key").path, "--ttl", seconds.toString(), *more,
        ).redirectError(ProcessBuilder.Redirect.INHERIT).start()
        return process.inputStream.bufferedReader().readText().trim()
    }

    fun remote(): Remote = Remote.Http(url, tokens = { token })

    override fun close() {
        process.outputStream.close()
        process.waitFor()
        folder.deleteRecursively()
    }
}

/** A store in a folder of its own. */
class Device private constructor(val folder: File, val store: Turnstone) : AutoCloseable {
    val path: String get() = File(folder, "app.db").path

    suspend fun insert(title: String): String = store.write { insert("notes", "title" to title) }.ids.single()

    suspend fun titles(): List<String> = store.query("SELECT title FROM notes ORDER BY title") { it.text("title") }

    override fun close() {
        store.close()
        folder.deleteRecursively()
    }

    companion object {
        suspend fun open(remote: Remote? = null, folder: File = folder(), autoSync: Boolean = false): Device =
            Device(folder, Turnstone.open(options(folder, remote).copy(autoSync = autoSync)))

        fun options(folder: File, remote: Remote? = null): Options =
            Options(File(folder, "app.db").path, SCHEMA, remote, durability = Durability.Process)
    }
}

/** Syncs in turns until both have everything. */
suspend fun settle(vararg devices: Device) {
    repeat(2) { for (device in devices) device.store.sync() }
}
