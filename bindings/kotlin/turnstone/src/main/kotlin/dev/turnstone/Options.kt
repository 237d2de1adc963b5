package dev.turnstone

import dev.turnstone.internal.FfiDurability
import dev.turnstone.internal.FfiHooks
import dev.turnstone.internal.FfiOptions
import kotlin.time.Duration
import kotlin.time.Duration.Companion.minutes
import kotlin.time.Duration.Companion.seconds

/** What an acknowledged write survives. */
public enum class Durability {
    /** Power loss at any moment. */
    Power,

    /** Any kill of the process, not power loss: faster. */
    Process,
}

/**
 * How a store is opened.
 *
 * @property path the database file; its folder must exist.
 * @property schema the schema, in TOML.
 * @property remote the server to sync with; without one the store works all the same, offline.
 * @property durability what an acknowledged write survives.
 * @property appVersion the app's own version: recorded with every write, so that a bad release can be told apart.
 * @property localSql SQL of the app's own, run at every open: full-text tables, views. Each statement must be repeatable.
 * @property account whose database it is: any text of the app's own, the same for the same person. Opening it for another
 *   is [TurnstoneException.OtherAccount]; null: it is whoever's that opens it.
 * @property valueBytesMax the largest value of one field, in bytes, at least 1; null: 1 MiB, which every server accepts.
 * @property autoSync whether it syncs by itself: [debounce] after a write, at the start, after failures, and [pollEvery].
 * @property debounce how long a sync waits for further writes, with [autoSync]: 2 to 5 seconds.
 * @property pollEvery how often to look for news while quiet, a second at least; null: never.
 * @property scheduler holds what the store wishes of the operating system.
 * @property witness tells a copy of the database from the one this device knows, before anything is sent: see [Origin].
 * @property keys reserved for encryption, which is not built yet: a store with one is refused.
 */
public data class Options(
    val path: String,
    val schema: String,
    val remote: Remote? = null,
    val durability: Durability = Durability.Power,
    val appVersion: String? = null,
    val localSql: List<String> = emptyList(),
    val valueBytesMax: Long? = null,
    val autoSync: Boolean = false,
    val pollEvery: Duration? = 15.minutes,
    val scheduler: PlatformScheduler? = null,
    val witness: Witness? = null,
    val keys: KeyProvider? = null,
    val account: String? = null,
    val debounce: Duration = 3.seconds,
) {
    /** Which file. Whose it is, and what the app brings along, has no place in a log. */
    override fun toString(): String = "Options(path=$path)"
}

/** The server a store syncs with. */
public sealed interface Remote {
    /** Gives the tokens. */
    public val tokens: TokenProvider

    /**
     * A server reached by the built-in HTTP. The libraries for computers have it; the one for Android has not, and refuses a
     * store with this ([TurnstoneException.InvalidArgument], code `no_http`): give [Custom] with an `OkHttpTransport` there.
     *
     * @property url such as `https://sync.example.com`.
     * @property allowPlainHttp whether plain `http` to another machine is allowed: for development only.
     */
    public class Http(
        public val url: String,
        override val tokens: TokenProvider,
        public val allowPlainHttp: Boolean = false,
    ) : Remote

    /**
     * A server reached by a transport of the app's own, such as OkHttp (`OkHttpTransport`).
     *
     * @property transport moves the requests.
     * @property bodyFileAbove bodies larger than so many bytes travel as files.
     */
    public class Custom(
        public val transport: HttpTransport,
        override val tokens: TokenProvider,
        public val bodyFileAbove: Long = 256 shl 10,
    ) : Remote
}

/** @throws TurnstoneException.InvalidArgument with the code `bad_options` for a value that means nothing. */
internal fun Options.toFfi(): FfiOptions {
    val http = remote as? Remote.Http
    val custom = remote as? Remote.Custom
    refuseUnless(pollEvery?.let { it.isFinite() && it >= 1.seconds } ?: true) { "pollEvery is shorter than a second, or infinite; null: never" }
    refuseUnless(debounce in 2.seconds..5.seconds) { "debounce is not from 2 to 5 seconds" }
    refuseUnless(valueBytesMax?.let { it > 0 } ?: true) { "valueBytesMax is not positive; null: the usual" }
    refuseUnless(custom?.let { it.bodyFileAbove >= 0 } ?: true) { "bodyFileAbove is negative" }
    return FfiOptions(
        path = path,
        schema = schema,
        durability = when (durability) {
            Durability.Power -> FfiDurability.POWER
            Durability.Process -> FfiDurability.PROCESS
        },
        appVersion = appVersion,
        localSql = localSql,
        account = account,
        valueBytesMax = valueBytesMax?.toULong(),
        url = http?.url,
        allowPlainHttp = http?.allowPlainHttp ?: false,
        autoSync = autoSync,
        debounceMs = debounce.inWholeMilliseconds.toULong(),
        pollMs = pollEvery?.inWholeMilliseconds?.toULong(),
        bodyFileAbove = (custom?.bodyFileAbove ?: 0L).toULong(),
    )
}

internal fun Options.hooks(): FfiHooks = FfiHooks(
    tokens = remote?.let { HostTokens(it.tokens) },
    transport = (remote as? Remote.Custom)?.let { HostHttp(it.transport) },
    scheduler = scheduler?.let(::HostScheduler),
    witness = witness?.let(::HostWitness),
    keys = keys?.let(::HostKeys),
)

private inline fun refuseUnless(isGood: Boolean, otherwise: () -> String) {
    if (!isGood) throw TurnstoneException.InvalidArgument("bad_options", otherwise())
}
