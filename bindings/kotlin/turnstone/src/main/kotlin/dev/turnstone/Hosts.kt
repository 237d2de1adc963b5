package dev.turnstone

import dev.turnstone.internal.FfiHookFailure
import dev.turnstone.internal.FfiKeyProvider
import dev.turnstone.internal.FfiOrigin
import dev.turnstone.internal.FfiPlatformScheduler
import dev.turnstone.internal.FfiWish
import dev.turnstone.internal.FfiWitness

/** The operating system's scheduler: WorkManager, or a test's. */
public fun interface PlatformScheduler {
    /**
     * Holds this wish instead of the last one; null: nothing is to be held any more. Called one at a time, on a thread of its
     * own, at first with what is wished when the store opens.
     */
    public fun schedule(wish: Wish?)
}

/**
 * Keeps one short text for one database, in a place that backups and copies do not carry along (on Android a file in
 * `noBackupFilesDir`). It may throw: what cannot be read decides nothing.
 */
public interface Witness {
    /** What is kept; null: nothing ever was. */
    public fun read(): String?

    /** Keeps this instead. */
    public fun write(token: String)
}

/** Where a database came from, as its [Witness] says. */
public enum class Origin {
    /** There is no witness, or it cannot be read. */
    Unknown,

    /** The first opening. */
    New,

    /** The database that this device knows. */
    Known,

    /** A copy, from a backup or another device. It syncs under a new identity; nothing is lost. */
    Copied,

    /** This device knew another database, which is gone. What it had not synced is gone with it: tell the person. */
    Lost,
}

/** Gives the key of the database. Reserved: a store with one is refused until encryption is built. */
public fun interface KeyProvider {
    /** Gives the key. */
    public fun key(): ByteArray
}

internal class HostScheduler(private val scheduler: PlatformScheduler) : FfiPlatformScheduler {
    override fun schedule(wish: FfiWish?): Unit = hooked { scheduler.schedule(wish?.toApp()) }
}

internal class HostWitness(private val witness: Witness) : FfiWitness {
    override fun read(): String? = hooked { witness.read() }

    override fun write(token: String): Unit = hooked { witness.write(token) }
}

internal class HostKeys(private val keys: KeyProvider) : FfiKeyProvider {
    override fun key(): ByteArray = hooked { keys.key() }
}

/** Whatever a hook throws is a hook that failed. */
private inline fun <T> hooked(call: () -> T): T =
    try {
        call()
    } catch (_: Exception) {
        throw FfiHookFailure.Failed()
    }

internal fun FfiOrigin.toApp(): Origin = when (this) {
    FfiOrigin.UNKNOWN -> Origin.Unknown
    FfiOrigin.NEW -> Origin.New
    FfiOrigin.KNOWN -> Origin.Known
    FfiOrigin.COPIED -> Origin.Copied
    FfiOrigin.LOST -> Origin.Lost
}
