package dev.turnstone.android

import java.io.File
import java.io.IOException

/**
 * Where the database of that name lies, in a folder that is made if need be. [noBackup] is the folder that Android neither
 * backs up nor moves to a new phone: a copy of the database there would be taken for this device.
 *
 * @throws IllegalArgumentException for a name with anything but letters, digits, `-` and `_`.
 */
public fun databaseFile(noBackup: File, name: String): File {
    checkedName(name)
    val folder = File(noBackup, "turnstone")
    if (!folder.isDirectory && !folder.mkdirs() && !folder.isDirectory) throw IOException("the folder cannot be made")
    return File(folder, "$name.db")
}

/** A name that is safe as a file's. */
internal fun checkedName(name: String): String {
    require(name.isNotEmpty() && name.all { it in 'a'..'z' || it in 'A'..'Z' || it in '0'..'9' || it == '-' || it == '_' }) {
        "a database name has only letters, digits, - and _"
    }
    return name
}
