package dev.turnstone.android

import dev.turnstone.Options
import dev.turnstone.Witness
import java.io.File
import java.io.FileOutputStream
import java.io.IOException
import java.security.MessageDigest

/**
 * A witness in a file that holds on this device only: beside the text stands a digest of it and of [device]. Copied to another
 * device, it is one of that device's no more, and the database that came along takes an identity of its own.
 *
 * It is not a secret and needs no key: it must only not travel.
 *
 * @param noBackup the folder that Android neither backs up nor moves. The file lies in a folder of its own there, so that
 * whoever carries along the one with the database leaves this one behind.
 * @param name of the database.
 * @param device what no other device has; null, or thrown: it cannot be told now.
 */
public class DeviceWitness(private val noBackup: File, name: String, private val device: () -> String?) : Witness {
    private val folder = File(noBackup, "turnstone-witness")
    private val file = File(folder, checkedName(name))

    /** Gives what this device keeps. Throws where that cannot be told now: "nothing" is only said of a folder that was read. */
    override fun read(): String? {
        val device = thisDevice()
        if (!isListed(folder) || !isListed(file)) return null
        val lines = file.readText().split('\n')
        if (lines.size != 2) return DAMAGED
        val (token, seal) = lines
        return token.takeIf { seal(it, device) == seal }
    }

    /** Keeps this instead, all of it or nothing. */
    override fun write(token: String) {
        val text = "$token\n${seal(token, thisDevice())}"
        if (!isListed(folder) && !folder.mkdir() && !folder.isDirectory) throw IOException("the folder cannot be made")
        val next = File(folder, "${file.name}.next")
        // A power loss may still undo the renaming: that looks like a copy, and costs one new identity.
        FileOutputStream(next).use { out ->
            out.write(text.toByteArray())
            out.fd.sync()
        }
        if (!next.renameTo(file)) throw IOException("the witness cannot be written")
    }

    private fun thisDevice(): String =
        device()?.takeIf { it.isNotBlank() } ?: throw IOException("the device cannot be told now")

    // A file that cannot be reached "does not exist" either, and opening one says "not found" for every reason.
    private fun isListed(file: File): Boolean {
        val names = file.parentFile?.list() ?: throw IOException("the folder cannot be read now")
        return file.name in names
    }

    private fun seal(token: String, device: String): String =
        MessageDigest.getInstance("SHA-256").digest("$token\n$device".toByteArray()).joinToString("") { "%02x".format(it) }

    private companion object {
        /** No database keeps this: that there was one is still known. */
        private const val DAMAGED = "damaged"
    }
}

/**
 * The options of a store on this device: [make] gets the path of its database. Without a witness of the app's own
 * ([Options.witness]) they get a [DeviceWitness].
 */
public fun deviceOptions(noBackup: File, name: String, device: () -> String?, make: (path: String) -> Options): Options {
    val options = make(databaseFile(noBackup, name).path)
    return if (options.witness != null) options else options.copy(witness = DeviceWitness(noBackup, name, device))
}
