package dev.turnstone.bench

import dev.turnstone.Durability
import dev.turnstone.Options
import dev.turnstone.Turnstone
import kotlinx.coroutines.CoroutineScope
import kotlinx.coroutines.Dispatchers
import kotlinx.coroutines.cancel
import kotlinx.coroutines.delay
import kotlinx.coroutines.launch
import kotlinx.coroutines.runBlocking
import java.io.File
import java.nio.file.Files
import java.sql.Connection
import java.sql.DriverManager
import java.util.concurrent.CountDownLatch
import java.util.concurrent.TimeUnit
import java.util.concurrent.atomic.AtomicLong
import kotlin.random.Random

private const val SCHEMA = """
name = "bench"
version = 1
tables.notes.fields.title = { type = "text", default = "" }
tables.notes.fields.body = { type = "text", default = "" }
tables.notes.fields.updated_at = { type = "integer", default = 0 }
tables.notes.fields.pinned = { type = "boolean", default = false }
tables.notes.fields.tag = { type = "text", default = "" }
tables.beats.fields.at = { type = "integer", default = 0 }
"""

private const val ALL = "SELECT id, title, body, updated_at, pinned, tag FROM notes"

/** What both sides make of a row. */
class Note(
    val id: String,
    val title: String,
    val body: String,
    val updatedAt: Long,
    val pinned: Boolean,
    val tag: String,
)

/** W2 (rows into values) and W9 (write to emission) from Kotlin. `--small` shows that it works and says nothing more. */
fun main(args: Array<String>) {
    val isSmall = "--small" in args
    val folder = Files.createTempDirectory("turnstone-bench").toFile()
    runBlocking(Dispatchers.Default) {
        val options = Options(File(folder, "app.db").path, SCHEMA, durability = Durability.Process)
        val store = Turnstone.open(options)
        rows(store, folder, rows = if (isSmall) 2_000 else 100_000, pairs = if (isSmall) 2 else 7)
        watches(store, queries = if (isSmall) 10 else 100, writes = if (isSmall) 200 else 10_000)
        store.shutdown()
    }
    folder.deleteRecursively()
}

private fun note(n: Int): Note {
    val random = Random(n)
    fun words(length: Int) = buildString { while (this.length < length) append("word").append(random.nextInt(1_000)).append(' ') }
    return Note("%032x".format(n), words(40), words(400), 1_700_000_000_000L + n, n % 20 == 0, "tag${n % 10}")
}

/** W2: every row into a value, page by page; beside it the JDBC driver over a table of the same rows. */
private suspend fun rows(store: Turnstone, folder: File, rows: Int, pairs: Int) {
    for (chunk in (0 until rows).chunked(1_000)) {
        store.write {
            for (note in chunk.map(::note)) insertWithId(
                "notes", note.id, "title" to note.title, "body" to note.body, "updated_at" to note.updatedAt,
                "pinned" to note.pinned, "tag" to note.tag,
            )
        }
    }
    val jdbc = DriverManager.getConnection("jdbc:sqlite:${File(folder, "limit.db").path}")
    fill(jdbc, rows)
    val ratios = mutableListOf<Double>()
    val (limits, ours) = mutableListOf<Double>() to mutableListOf<Double>()
    // The first pair warms both up.
    for (pair in 0..pairs) {
        val limit = perSecond(rows) { readByHand(jdbc) }
        val our = perSecond(rows) { read(store) }
        if (pair > 0) {
            limits += limit
            ours += our
            ratios += our / limit
        }
    }
    jdbc.close()
    val (limit, our, ratio) = listOf(limits, ours, ratios).map { it.sorted()[it.size / 2] }
    println("W2 ffi, Kotlin: %,d rows  limit (JDBC) %,.0f/s  ours %,.0f/s  ratio %.2f (%.2f to %.2f)  goal 0.8"
        .format(rows, limit, our, ratio, ratios.min(), ratios.max()))
    println("""{"row":"W2","language":"kotlin","rows":$rows,"limit":$limit,"ours":$our,"ratio":$ratio,"goal":0.8}""")
}

private fun fill(jdbc: Connection, rows: Int) {
    jdbc.createStatement().use {
        it.execute("CREATE TABLE notes (id TEXT PRIMARY KEY, title TEXT NOT NULL, body TEXT NOT NULL, updated_at INTEGER NOT NULL, " +
            "pinned INTEGER NOT NULL, tag TEXT NOT NULL)")
    }
    jdbc.autoCommit = false
    jdbc.prepareStatement("INSERT INTO notes VALUES (?, ?, ?, ?, ?, ?)").use { insert ->
        for (note in (0 until rows).map(::note)) {
            insert.setString(1, note.id)
            insert.setString(2, note.title)
            insert.setString(3, note.body)
            insert.setLong(4, note.updatedAt)
            insert.setBoolean(5, note.pinned)
            insert.setString(6, note.tag)
            insert.executeUpdate()
        }
    }
    jdbc.commit()
}

private fun readByHand(jdbc: Connection): List<Note> = jdbc.prepareStatement(ALL).use { select ->
    val found = select.executeQuery()
    buildList {
        while (found.next()) add(Note(found.getString(1), found.getString(2), found.getString(3), found.getLong(4), found.getBoolean(5), found.getString(6)))
    }
}

private suspend fun read(store: Turnstone): List<Note> = buildList {
    store.pages(ALL).collect { page ->
        for (row in page) {
            add(Note(row.text("id"), row.text("title"), row.text("body"), row.long("updated_at"), row.boolean("pinned"), row.text("tag")))
        }
    }
}

private inline fun perSecond(rows: Int, read: () -> List<Note>): Double {
    val began = System.nanoTime()
    check(read().size == rows)
    return rows * 1e9 / (System.nanoTime() - began)
}

/** W9: a thousand writes a second, and how long each takes until every live query has emitted it. */
private suspend fun watches(store: Turnstone, queries: Int, writes: Int) {
    store.write { insertWithId("beats", "b", "at" to 0L) }
    // Numbers and not objects: a million of those would be a burden on the collector that no app has.
    val seen = List(queries) { LongArray(writes) }
    val (started, ended) = CountDownLatch(queries) to CountDownLatch(queries)
    val scope = CoroutineScope(Dispatchers.Default)
    val emissions = IntArray(queries)
    val last = AtomicLong(Long.MAX_VALUE)
    for ((index, delays) in seen.withIndex()) scope.launch {
        store.watch("SELECT at FROM beats WHERE id = 'b'").collect { rows ->
            val at = rows.single().long("at")
            emissions[index] += 1
            // The first emission is what was there, not a write.
            if (at == 0L) started.countDown() else delays[emissions[index] - 2] = System.nanoTime() - at
            if (at >= last.get()) ended.countDown()
        }
    }
    started.await()
    val began = System.nanoTime()
    for (n in 1..writes) {
        // A thousand a second, where the machine can.
        val ahead = began + n * 1_000_000L - System.nanoTime()
        if (ahead > 0) delay(ahead / 1_000_000)
        val at = System.nanoTime()
        if (n == writes) last.set(at)
        store.write { update("beats", "b", "at" to at) }
    }
    val rate = writes * 1e9 / (System.nanoTime() - began)
    check(ended.await(30, TimeUnit.SECONDS)) { "the last write was lost" }
    scope.cancel()
    check(emissions.all { it <= writes + 1 }) { "more than one emission for a commit" }
    val delays = LongArray(emissions.sum() - queries)
    var filled = 0
    for ((index, own) in seen.withIndex()) {
        own.copyInto(delays, filled, 0, emissions[index] - 1)
        filled += emissions[index] - 1
    }
    delays.sort()
    val (p50, p99) = listOf(delays[delays.size / 2], delays[delays.size * 99 / 100]).map { it / 1e6 }
    println("W9 watch, Kotlin: %d live queries, %,.0f writes/s  p50 %.2f ms  p99 %.2f ms  goal 10 ms  emissions %,d"
        .format(queries, rate, p50, p99, delays.size))
    println("""{"row":"W9","language":"kotlin","queries":$queries,"writes_per_s":$rate,"p50_ms":$p50,"p99_ms":$p99,"goal_ms":10}""")
}
