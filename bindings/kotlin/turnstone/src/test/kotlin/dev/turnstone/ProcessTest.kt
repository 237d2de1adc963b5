package dev.turnstone

import org.junit.jupiter.api.Assertions.assertEquals
import org.junit.jupiter.api.Assertions.assertTrue
import org.junit.jupiter.api.Test
import java.io.File

/** Processes that are killed, and ones that open and close for long. */
class ProcessTest {
    @Test
    fun what_a_killed_process_left_opens_with_everything() = test(seconds = 120) {
        val folder = folder()
        val acked = mutableListOf<String>()
        for (round in 1..3) {
            Aside("write", folder).use { victim ->
                repeat(40) { acked += victim.said.readLine() }
                assertEquals(128 + 9, victim.kill(), "it was killed, and did not end by itself")
                // What it said before it died is in the pipe still.
                acked += victim.said.readLines().filter { it.length == acked[0].length }
            }
            Device.open(folder = folder).store.run {
                val found = query("SELECT id FROM notes") { it.text("id") }
                assertTrue(found.containsAll(acked), "what was acked is there")
                assertTrue(found.size <= acked.size + round, "at most one write of each killed process was on its way")
                assertEquals(found.size.toLong(), status().pendingGroups, "and each will be sent")
                shutdown()
            }
        }
    }

    @Test
    fun stores_open_and_close_without_a_leak() = test(seconds = 420) {
        // No disk where there is memory: what is counted is handles.
        val folder = File("/dev/shm").takeIf { it.isDirectory }?.let { File(it, "turnstone-${ProcessHandle.current().pid()}") } ?: folder()
        folder.mkdirs()
        val lines = Aside("10000", folder).use { it.said.readLines() }
        folder.deleteRecursively()
        val (before, after) = lines.map(Held::of)
        println("after 1,000 rounds $before, after 10,000 $after")
        assertEquals(before.files to before.ours, after.files to after.ours, "files, and threads of the library")
        assertTrue(after.threads <= before.threads + 2, "$before then $after")
        assertTrue(after.kib <= before.kib + (24 shl 10), "$before then $after")
    }
}
