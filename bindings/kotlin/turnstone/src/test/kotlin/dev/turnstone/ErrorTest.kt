package dev.turnstone

import org.junit.jupiter.api.Assertions.assertEquals
import org.junit.jupiter.api.Test
import java.io.File

/** The error a call throws, which must be of this kind. */
suspend inline fun <reified T : TurnstoneException> fails(crossinline call: suspend () -> Unit): T {
    val thrown = runCatching { call() }.exceptionOrNull()
    return thrown as? T ?: throw AssertionError("threw $thrown and not ${T::class.simpleName}", thrown)
}

class ErrorTest {
    @Test
    fun a_wrong_schema_is_invalid_argument() = test {
        val options = Device.options(folder()).copy(schema = "tables = 3")
        assertEquals("schema", fails<TurnstoneException.InvalidArgument> { Turnstone.open(options) }.code)
    }

    @Test
    fun a_missing_folder_is_unavailable() = test {
        val options = Device.options(File(folder(), "missing"))
        assertEquals("folder_missing", fails<TurnstoneException.Unavailable> { Turnstone.open(options) }.code)
    }

    @Test
    fun a_file_that_is_no_database_is_corrupt_and_untouched() = test {
        val options = Device.options(folder())
        val letter = "this is a letter and not a database"
        File(options.path).writeText(letter)
        assertEquals("not_a_database", fails<TurnstoneException.Corrupt> { Turnstone.open(options) }.code)
        assertEquals(letter, File(options.path).readText())
    }

    @Test
    fun a_second_opener_is_unavailable() = test {
        Device.open().use { a ->
            val error = fails<TurnstoneException.Unavailable> { Turnstone.open(Device.options(a.folder)) }
            assertEquals("already_open", error.code)
        }
    }

    @Test
    fun a_database_of_another_account_is_refused_and_says_what_waits() = test {
        val options = Device.options(folder()).copy(account = "ann")
        Turnstone.open(options).use { store -> store.write { insert("notes", "title" to "hers") } }
        val error = fails<TurnstoneException.OtherAccount> { Turnstone.open(options.copy(account = "ben")) }
        assertEquals("other_account" to 1L, error.code to error.pendingGroups)
        Turnstone.open(options).use { store -> assertEquals(1, store.status().pendingGroups) }
    }

    @Test
    fun an_unknown_table_is_invalid_argument() = test {
        Device.open().use { a ->
            assertEquals("unknown_table", fails<TurnstoneException.InvalidArgument> { a.store.get("cats", "1") }.code)
        }
    }

    @Test
    fun wrong_sql_is_invalid_argument() = test {
        Device.open().use { a ->
            assertEquals("sql", fails<TurnstoneException.InvalidArgument> { a.store.query("SELEKT 1") }.code)
        }
    }

    @Test
    fun a_store_without_a_server_says_so() = test {
        Device.open().use { a ->
            assertEquals("no_remote", fails<TurnstoneException.InvalidArgument> { a.store.sync() }.code)
        }
    }

    @Test
    fun a_closed_store_says_closed_and_closing_twice_is_fine() = test {
        val a = Device.open()
        a.store.shutdown()
        a.store.close()
        fails<TurnstoneException.Closed> { a.store.status() }
        fails<TurnstoneException.Closed> { a.insert("late") }
    }
}
