package dev.turnstone

import com.sun.jna.NativeLibrary
import kotlinx.coroutines.delay
import kotlinx.coroutines.runBlocking
import kotlinx.coroutines.withTimeoutOrNull
import java.io.BufferedReader
import java.io.File
import kotlin.time.Duration.Companion.seconds

/** A process of its own: to be killed, or for counting what nobody else adds to. */
class Aside(what: String, folder: File) : AutoCloseable {
    private val process: Process = ProcessBuilder(
        // What the virtual machine does by itself is kept small and even.
        File(System.getProperty("java.home"), "bin/java").path,
        "-Xms48m", "-Xmx48m", "-XX:+AlwaysPreTouch", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1",
        "-Djna.library.path=${System.getProperty("jna.library.path")}",
        "-Dturnstone.root=${System.getProperty("turnstone.root")}",
        "-cp", System.getProperty("java.class.path"), "dev.turnstone.AsideKt", what, folder.path,
    ).redirectError(ProcessBuilder.Redirect.INHERIT).start()

    /** What it says. */
    val said: BufferedReader = process.inputStream.bufferedReader()

    /** Kills it where it stands, and gives how it ended. By its handle: what it said before can still be read then. */
    fun kill(): Int {
        process.toHandle().destroyForcibly()
        return process.waitFor()
    }

    override fun close() {
        kill()
    }
}

fun main(args: Array<String>): Unit = runBlocking {
    val (what, folder) = args
    when (what) {
        "write" -> writeForEver(File(folder))
        else -> openAndClose(File(folder), what.toInt())
    }
}

/** Writes and says so, until it is killed. */
private suspend fun writeForEver(folder: File) {
    val store = Turnstone.open(Device.options(folder))
    while (true) println(store.write { insert("notes", "title" to "acked") }.ids.single())
}

/** Opens and closes so often, and says what was held after a tenth of it and at the end. */
private suspend fun openAndClose(folder: File, rounds: Int) {
    suspend fun cycles(count: Int) = repeat(count) { Turnstone.open(Device.options(folder)).shutdown() }
    cycles(rounds / 10)
    val before = Held.settled()
    cycles(rounds - rounds / 10)
    // Ours are counted exactly; how many threads the virtual machine has is its own affair.
    withTimeoutOrNull(30.seconds) { while (Held.now().ours > before.ours) delay(50) }
    println(before.line)
    println(Held.now().line)
}

/** What a process holds: open files, threads, those of the library, and memory that is its own. */
data class Held(val files: Int, val threads: Int, val ours: Int, val kib: Int) {
    val line: String get() = "$files $threads $ours $kib"

    companion object {
        fun of(line: String): Held {
            val (files, threads, ours, kib) = line.split(' ').map { it.toInt() }
            return Held(files, threads, ours, kib)
        }

        fun now(): Held {
            System.gc()
            // JNA frees what belonged to collected objects on a thread of its own; then what is free goes back to the system.
            Thread.sleep(100)
            NativeLibrary.getInstance("c").getFunction("malloc_trim").invokeInt(arrayOf(0L))
            val names = File("/proc/self/task").list().orEmpty()
                .mapNotNull { runCatching { File("/proc/self/task/$it/comm").readText() }.getOrNull() }
            val kib = File("/proc/self/status").readLines().first { it.startsWith("RssAnon:") }.filter { it.isDigit() }.toInt()
            return Held(File("/proc/self/fd").list().orEmpty().size, names.size, names.count { it.startsWith("turnstone") }, kib)
        }

        /** Once only the one thread is left that works for all calls: those that wait end after ten seconds without work. */
        suspend fun settled(): Held {
            withTimeoutOrNull(30.seconds) { while (now().ours > 1) delay(50) }
            return now()
        }
    }
}
