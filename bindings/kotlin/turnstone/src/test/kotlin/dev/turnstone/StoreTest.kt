package dev.turnstone

import kotlinx.coroutines.Dispatchers
import kotlinx.coroutines.async
import kotlinx.coroutines.awaitAll
import kotlinx.coroutines.coroutineScope
import kotlinx.coroutines.flow.collect
import kotlinx.coroutines.withTimeoutOrNull
import kotlinx.serialization.SerialName
import kotlinx.serialization.Serializable
import org.junit.jupiter.api.Assertions.assertArrayEquals
import org.junit.jupiter.api.Assertions.assertEquals
import org.junit.jupiter.api.Assertions.assertNull
import org.junit.jupiter.api.Assertions.assertTrue
import org.junit.jupiter.api.Test
import kotlin.time.Duration.Companion.milliseconds

/** A query that never ends, nor comes to a row. */
const val ENDLESS: String = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n"

class StoreTest {
    private fun offline(body: suspend (Device) -> Unit) = test { Device.open().use { body(it) } }

    @Test
    fun a_list_of_changes_is_one_transaction() = offline { a ->
        val id = a.insert("first")
        val written = a.store.write {
            insert("notes", "title" to "second")
            execute("UPDATE notes SET body = ? WHERE id = ?", "b", id)
            increment("notes", id, "views", by = 3)
        }
        assertEquals(1, written.ids.size)
        val row = a.store.query("SELECT count(*) AS n, sum(views) AS views, sum(body = 'b') AS b FROM notes").single()
        assertEquals(listOf(2L, 3L, 1L), listOf(row.long("n"), row.long("views"), row.long("b")))
        assertEquals(2, a.store.status().pendingGroups)
    }

    @Test
    fun a_failing_change_undoes_all_of_its_transaction() = offline { a ->
        val id = a.insert("first")
        val error = fails<TurnstoneException.InvalidArgument> {
            a.store.write {
                delete("notes", id)
                update("notes", id, "title" to "gone")
            }
        }
        assertEquals("row_missing", error.code)
        assertEquals(listOf("first"), a.titles())
        fails<TurnstoneException.InvalidArgument> { a.store.write { insert("notes", "title" to Any()) } }
    }

    @Test
    fun a_write_id_is_used_once_and_gives_the_same_ids() = offline { a ->
        val first = a.store.write("import-1") { insert("notes", "title" to "one") }
        val again = a.store.write("import-1") { insert("notes", "title" to "two") }
        assertEquals(false to true, first.repeated to again.repeated)
        assertEquals(first.ids, again.ids)
        assertEquals(listOf("one"), a.titles())
    }

    @Test
    fun plain_sql_is_captured() = offline { a ->
        repeat(3) { a.insert("n$it") }
        assertEquals(3, a.store.execute("UPDATE notes SET pinned = 1"))
        assertEquals(4, a.store.status().pendingGroups)
    }

    @Test
    fun upsert_makes_or_changes() = offline { a ->
        a.store.write { upsert("notes", "n1", "title" to "made") }
        a.store.write { upsert("notes", "n1", "title" to "changed") }
        assertEquals(listOf("changed"), a.titles())
    }

    @Serializable
    private data class Note(
        val id: String,
        val title: String,
        val pinned: Boolean,
        val views: Long,
        val weight: Double?,
        @SerialName("meta") val json: String? = null,
        val color: String = "none",
    )

    @Test
    fun every_kind_of_value_comes_back_as_it_was() = offline { a ->
        val photo = byteArrayOf(0, -1, 7)
        a.store.write {
            insertWithId(
                "notes", "row-1", "title" to "naïve 🐦", "pinned" to true, "views" to Long.MIN_VALUE,
                "weight" to -2.5, "photo" to photo, "meta" to Json("""{"a":[1,2]}"""),
            )
        }
        val row = a.store.get("notes", "row-1")!!
        assertEquals(listOf("id", "title", "body", "pinned", "views", "weight", "photo", "meta"), row.columns)
        assertEquals("naïve 🐦" to "", row.text("title") to row.text("body"))
        assertEquals(true, row["pinned"])
        assertEquals(Long.MIN_VALUE, row.long("views"))
        assertEquals(-2.5, row.double("weight"))
        assertArrayEquals(photo, row.bytes("photo"))
        assertEquals("""{"a":[1,2]}""", row.text("meta"))
        val queried = a.store.query("SELECT pinned, NULL AS missing FROM notes").single()
        assertEquals(1L, queried["pinned"])
        assertEquals(true, queried.boolean("pinned"))
        assertNull(queried.textOrNull("missing"))
        val expected = Note("row-1", "naïve 🐦", true, Long.MIN_VALUE, -2.5, """{"a":[1,2]}""")
        assertEquals(expected, row.decode<Note>())
        assertEquals(listOf(expected), a.store.query("SELECT * FROM notes") { it.decode<Note>() })
    }

    @Test
    fun no_rows_still_name_the_columns() = offline { a ->
        val rows = a.store.query("SELECT id, title AS t FROM notes")
        assertEquals(0 to listOf("id", "t"), rows.size to rows.columns)
        assertNull(a.store.get("notes", "none"))
    }

    @Test
    fun pages_are_of_one_moment_and_end() = offline { a ->
        val names = List(25) { "%02d".format(it) }
        a.store.write { for (name in names) insert("notes", "title" to name) }
        val sizes = mutableListOf<Int>()
        val titles = mutableListOf<String>()
        a.store.pages("SELECT title FROM notes ORDER BY title", rowsMax = 10).collect { page ->
            sizes += page.size
            titles += page.map { it.text("title") }
            a.insert("zz written between two pages")
        }
        assertEquals(listOf(10, 10, 5), sizes)
        assertEquals(names, titles)
    }

    @Test
    fun local_only_tables_stay_on_the_device() = test {
        TestServer().use { server ->
            Device.open(server.remote()).use { a ->
                a.store.write { insert("drafts", "text" to "mine alone") }
                assertEquals(0, a.store.status().pendingGroups)
                assertEquals(0, a.store.sync().groupsPushed)
                assertEquals(1, a.store.query("SELECT 1 FROM drafts").size)
            }
        }
    }

    @Test
    fun closed_and_opened_again_everything_is_there() = test {
        val folder = folder()
        Device.open(folder = folder).store.run {
            write { insert("notes", "title" to "kept") }
            close()
        }
        Device.open(folder = folder).use { a ->
            assertEquals(listOf("kept"), a.titles())
            assertEquals(1, a.store.status().pendingGroups)
        }
    }

    @Test
    fun local_sql_is_run_at_open() = test {
        val view = "CREATE VIEW IF NOT EXISTS pinned AS SELECT title FROM notes WHERE pinned"
        val options = Device.options(folder()).copy(localSql = listOf(view))
        Turnstone.open(options).use { store ->
            store.write { insert("notes", "title" to "a", "pinned" to true) }
            assertEquals(listOf("a"), store.query("SELECT title FROM pinned") { it.text("title") })
        }
    }

    @Test
    fun a_cancelled_query_ends_at_once() = offline { a ->
        a.insert("still there")
        // More of them than there are threads: were they only left alone, nobody would read any more.
        repeat(100) { assertNull(withTimeoutOrNull(20.milliseconds) { a.store.query(ENDLESS) }) }
        assertEquals(listOf("still there"), a.titles())
    }

    @Test
    fun i_53_the_sqlite_inside_resets_its_log_safely() = offline { a ->
        val version = a.store.query("SELECT sqlite_version() AS v").single().text("v").split('.').map { it.toInt() }
        assertTrue(version[0] == 3 && (version[1] > 51 || version[1] == 51 && version[2] >= 3), "$version")
    }

    @Test
    fun fifty_callers_at_once() = offline { a ->
        coroutineScope {
            List(50) { n ->
                async(Dispatchers.Default) {
                    val id = a.insert("%02d".format(n))
                    assertEquals("%02d".format(n), a.store.get("notes", id)!!.text("title"))
                }
            }.awaitAll()
        }
        assertEquals(50, a.titles().size)
    }
}
