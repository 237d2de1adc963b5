package dev.turnstone.android

import dev.turnstone.Durability
import dev.turnstone.Options
import dev.turnstone.Origin
import dev.turnstone.Remote
import dev.turnstone.SCHEMA
import dev.turnstone.TestServer
import dev.turnstone.Turnstone
import dev.turnstone.Witness
import dev.turnstone.folder
import dev.turnstone.test
import org.junit.jupiter.api.Assertions.assertEquals
import org.junit.jupiter.api.Assertions.assertNotEquals
import org.junit.jupiter.api.Assertions.assertNull
import org.junit.jupiter.api.Assertions.assertSame
import org.junit.jupiter.api.Assertions.assertThrows
import org.junit.jupiter.api.Assertions.assertTrue
import org.junit.jupiter.api.Test
import java.io.File
import java.io.IOException

/** A phone: its no-backup folder, and the id that Android gives it. */
private class Handset(var id: String?, val noBackup: File = folder()) {
    val witness get() = DeviceWitness(noBackup, "notes") { id }
    val witnessFile = File(noBackup, "turnstone-witness/notes")

    suspend fun open(remote: Remote? = null): Turnstone =
        Turnstone.open(deviceOptions(noBackup, "notes", { id }) { Options(it, SCHEMA, remote, Durability.Process) })

    suspend fun visit(): Pair<Origin, String> = open().run { (origin() to identity().incarnation).also { shutdown() } }

    /** Another phone that got [what] of this one's no-backup folder. */
    fun copy(id: String, what: String = ""): Handset =
        Handset(id).also { File(noBackup, what).copyRecursively(File(it.noBackup, what)) }
}

private suspend fun Turnstone.add(title: String) = write { insert("notes", "title" to title) }

private suspend fun Turnstone.titles() = query("SELECT title FROM notes ORDER BY title") { it.text("title") }

class DeviceWitnessTest {
    @Test
    fun i_43_a_copy_on_another_phone_has_its_own_identity_before_it_sends() = test {
        TestServer().use { server ->
            val phone = Handset("one")
            val life = phone.open(server.remote()).run {
                assertEquals(Origin.New, origin())
                add("undecided").let { identity().incarnation }.also { shutdown() }
            }
            // What carries the database along, and what carries everything along.
            val copies = listOf(phone.copy("two", "turnstone"), phone.copy("three")).map { it.open(server.remote()) }
            assertEquals(listOf(Origin.Copied, Origin.Copied), copies.map { it.origin() })
            val original = phone.open(server.remote())
            assertEquals(Origin.Known to life, original.origin() to original.identity().incarnation)
            val all = copies + original
            assertEquals(3, all.map { it.identity().incarnation }.distinct().size, "known before anything was sent")
            all.forEachIndexed { at, store -> store.add("new $at") }
            repeat(2) { all.forEach { it.sync() } }
            for (store in all) assertEquals(listOf("new 0", "new 1", "new 2", "undecided"), store.titles(), "once each")
            all.forEach { it.shutdown() }
        }
    }

    @Test
    fun i_43_a_copy_stays_what_it_became_and_so_does_the_original() = test {
        val phone = Handset("one")
        val (origin, life) = phone.visit()
        assertEquals(Origin.New, origin)
        val copy = phone.copy("two")
        val (copied, renewed) = copy.visit()
        assertEquals(Origin.Copied, copied)
        assertNotEquals(life, renewed)
        assertEquals(Origin.Known to renewed, copy.visit())
        assertEquals(Origin.Known to life, phone.visit())
    }

    @Test
    fun i_43_what_cannot_be_read_now_decides_nothing() = test {
        val phone = Handset("one")
        val life = phone.visit().second
        phone.id = null
        assertEquals(Origin.Unknown to life, phone.visit(), "before the first unlock")
        phone.id = " "
        assertEquals(Origin.Unknown to life, phone.visit(), "Android gave no id")
        phone.id = "one"
        val (kept, aside) = phone.witnessFile to File(phone.noBackup, "aside")
        kept.renameTo(aside)
        kept.mkdir()
        assertEquals(Origin.Unknown to life, phone.visit(), "the file cannot be read")
        kept.delete()
        val witnesses = kept.parentFile.apply { delete() }.also { it.writeText("not a folder") }
        assertEquals(Origin.Unknown to life, phone.visit(), "the folder cannot be read")
        witnesses.delete()
        witnesses.mkdir()
        aside.renameTo(kept)
        assertEquals(Origin.Known to life, phone.visit(), "and then it can")
    }

    @Test
    fun only_a_folder_that_was_read_has_nothing() {
        val phone = Handset("one")
        assertNull(phone.witness.read())
        phone.witness.write("kept")
        assertEquals("kept", phone.witness.read())
        assertNull(DeviceWitness(phone.noBackup, "other") { "one" }.read(), "each database has its own")
        assertNull(DeviceWitness(phone.noBackup, "notes") { "two" }.read(), "another phone's")
        assertTrue("one" !in phone.witnessFile.readText(), "the id itself is not kept")
        val gone = DeviceWitness(File(phone.noBackup, "gone"), "notes") { "one" }
        assertThrows(IOException::class.java) { gone.read() }
        assertThrows(IOException::class.java) { gone.write("kept") }
        phone.id = null
        assertThrows(IOException::class.java) { phone.witness.write("other") }
        phone.id = "one"
        assertEquals("kept", phone.witness.read(), "a write that failed leaves what was there")
    }

    @Test
    fun i_43_a_database_that_is_gone_is_told_also_by_a_damaged_witness() = test {
        val phone = Handset("one")
        phone.visit()
        File(phone.noBackup, "turnstone").deleteRecursively()
        assertEquals(Origin.Lost, phone.visit().first)
        File(phone.noBackup, "turnstone").deleteRecursively()
        phone.witnessFile.writeText("")
        assertEquals(Origin.Lost, phone.visit().first)
        assertEquals(Origin.Known, phone.visit().first)
    }

    @Test
    fun an_app_brings_a_witness_of_its_own() {
        val own = object : Witness {
            override fun read(): String? = null
            override fun write(token: String) = Unit
        }
        val options = deviceOptions(folder(), "notes", { "one" }) { Options(it, SCHEMA, witness = own) }
        assertSame(own, options.witness)
    }
}
