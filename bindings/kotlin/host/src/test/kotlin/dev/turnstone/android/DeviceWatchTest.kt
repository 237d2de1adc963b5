package dev.turnstone.android

import dev.turnstone.Conditions
import dev.turnstone.Network
import org.junit.jupiter.api.Assertions.assertEquals
import org.junit.jupiter.api.Assertions.assertThrows
import org.junit.jupiter.api.Assertions.assertTrue
import org.junit.jupiter.api.Test
import java.io.File
import java.nio.file.Files

class DeviceWatchTest {
    private val reports = mutableListOf<Conditions>()
    private val watch = DeviceWatch { reports += it }
    private val wifi = NetworkFacts(1, validated = true, metered = false, roaming = false)
    private val mobile = NetworkFacts(2, validated = true, metered = true, roaming = false)

    @Test
    fun networks_become_what_the_core_knows() {
        watch.networkIs(wifi)
        watch.networkIs(mobile)
        watch.networkIs(mobile.copy(roaming = true))
        watch.noNetwork()
        assertEquals(listOf(Network.Unmetered, Network.Metered, Network.Roaming, Network.Offline), reports.map { it.network })
    }

    @Test
    fun a_captive_portal_is_a_network_that_reaches_nothing() {
        watch.networkIs(wifi.copy(validated = false))
        assertEquals(false, reports.single().validated)
        watch.noNetwork()
        assertTrue(reports.last().validated, "that there is none is said once")
    }

    @Test
    fun the_late_loss_of_an_old_network_does_not_take_the_new_one_away() {
        watch.networkIs(wifi)
        watch.networkIs(mobile)
        watch.networkLost(wifi.id)
        assertEquals(Network.Metered, reports.last().network)
        watch.networkLost(mobile.id)
        assertEquals(Network.Offline, reports.last().network)
    }

    @Test
    fun a_blocked_network_is_none_until_it_is_unblocked_or_another_comes() {
        watch.networkIs(wifi)
        watch.networkBlocked(wifi.id, true)
        assertEquals(Network.Offline, reports.last().network)
        watch.networkBlocked(wifi.id, false)
        assertEquals(Network.Unmetered, reports.last().network)
        watch.networkBlocked(wifi.id, true)
        watch.networkIs(mobile)
        assertEquals(Network.Metered, reports.last().network)
    }

    @Test
    fun only_changes_are_reported() {
        repeat(3) { watch.networkIs(wifi) }
        repeat(2) { watch.power(saving = true, charging = false) }
        repeat(2) { watch.foreground(true) }
        assertEquals(3, reports.size)
        assertEquals(Conditions(Network.Unmetered, validated = true, foreground = true, lowPower = true, charging = false), reports.last())
    }

    @Test
    fun until_somebody_looks_the_app_is_in_the_background_and_nothing_is_known_of_the_network() {
        watch.power(saving = false, charging = true)
        assertEquals(Conditions(Network.Unknown, validated = true, foreground = false, charging = true), reports.single())
        watch.noNetwork()
        watch.networkUnknown()
        assertEquals(Network.Unknown, reports.last().network)
    }

    @Test
    fun capabilities_are_read_by_what_the_version_of_android_knows() {
        val all = Capability.entries.toSet()
        fun facts(sdk: Int, vararg missing: Capability) = networkFacts(7, sdk) { it in all - missing.toSet() }
        assertEquals(NetworkFacts(7, validated = true, metered = false, roaming = false), facts(34))
        assertEquals(false, facts(34, Capability.Validated).validated)
        assertEquals(false, facts(34, Capability.Internet).validated)
        assertEquals(true, facts(34, Capability.NotRoaming).roaming)
        assertEquals(false, facts(27, Capability.NotRoaming).roaming, "Android 8 cannot say")
        assertEquals(false, facts(34, Capability.NotMetered).metered, "a plan with free hours")
        assertEquals(true, facts(29, Capability.NotMetered).metered, "Android 10 does not know them")
        assertEquals(true, facts(34, Capability.NotMetered, Capability.TemporarilyNotMetered).metered)
    }

    @Test
    fun i_07_the_database_lies_in_the_folder_that_is_not_backed_up() {
        val noBackup = Files.createTempDirectory("turnstone").toFile()
        val file = databaseFile(noBackup, "notes_2")
        assertEquals(File(noBackup, "turnstone/notes_2.db"), file)
        assertTrue(file.parentFile.isDirectory)
        assertEquals(file, databaseFile(noBackup, "notes_2"))
        for (name in listOf("", "../x", "a/b", "a.db", "ä")) assertThrows(IllegalArgumentException::class.java) { databaseFile(noBackup, name) }
        noBackup.deleteRecursively()
    }
}
