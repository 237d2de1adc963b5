package dev.turnstone

import dev.turnstone.internal.FfiDeadLetter
import dev.turnstone.internal.FfiPhase
import dev.turnstone.internal.FfiRowState
import dev.turnstone.internal.FfiStatus
import dev.turnstone.internal.FfiSyncReport
import kotlin.time.Duration
import kotlin.time.Duration.Companion.milliseconds

/**
 * What a write did.
 *
 * @property ids the ids of the rows that its inserts made, in their order.
 * @property repeated whether its write id was used before: nothing was written then, and [ids] are those of the first time.
 */
public data class Written(val ids: List<String>, val repeated: Boolean)

/** Where a row stands, for the badge beside it. */
public sealed interface RowState {
    /** Saved on this device; not sent yet. */
    public data object Saved : RowState

    /** Being sent. */
    public data object Sending : RowState

    /** Sent [attempts] times without success so far; sent next at [atMillis] (since 1970), where that is known. */
    public data class Retrying(val attempts: Int, val atMillis: Long?) : RowState

    /** The server has it. */
    public data object Synced : RowState

    /** Somebody must decide between two versions. */
    public data object Conflict : RowState

    /** The server refused a change of it, which is now a dead letter; [reason] is a stable code. */
    public data class Failed(val reason: String) : RowState
}

/** What happens now. */
public enum class Phase {
    /** Nothing: everything is synced, or nobody asked. */
    Idle,

    /** The server is asked who it is and what it takes. */
    Connecting,

    /** Local changes are sent. */
    Pushing,

    /** Changes of others are fetched. */
    Pulling,

    /** It waits for its next attempt: see [Status.nextAttemptAtMillis]. */
    Waiting,

    /** Somebody must sign in; then [Turnstone.tokenChanged]. */
    NeedsAuth,

    /** Nothing helps but an update, or somebody who looks at the server: see [Status.lastErrorCode]. */
    Stopped,
}

/**
 * Where a store stands. Times are milliseconds since 1970.
 *
 * @property pendingGroups local transactions the server has not decided yet.
 * @property pendingOps their changes.
 * @property parkedGroups of those transactions, ones that wait behind a refused one.
 * @property oldestPendingAtMillis when the oldest of them was written; null: nothing waits.
 * @property deadLetters refused changes that wait for a person.
 * @property lastErrorCode what went wrong last, a stable code; null once everything was synced again.
 * @property lastErrorAtMillis when that was.
 * @property lastSyncedAtMillis when everything was last sent and fetched; null: never yet.
 * @property nextAttemptAtMillis when the next attempt is; null: none is planned.
 * @property nextAttemptWhy why the next attempt is when it is: a stable word.
 * @property phase what happens now.
 * @property hasRemote whether the store has a server at all.
 * @property next what happens next, and why.
 */
public data class Status(
    val pendingGroups: Long,
    val pendingOps: Long,
    val parkedGroups: Long,
    val oldestPendingAtMillis: Long?,
    val deadLetters: Long,
    val lastErrorCode: String?,
    val lastErrorAtMillis: Long?,
    val lastSyncedAtMillis: Long?,
    val nextAttemptAtMillis: Long?,
    val nextAttemptWhy: String?,
    val phase: Phase,
    val hasRemote: Boolean,
    val next: Decision,
)

/**
 * What a sync did.
 *
 * @property groupsPushed local transactions the server has now decided.
 * @property applied of those, accepted as they were.
 * @property merged accepted beside changes they had not seen.
 * @property rejected refused for good: now dead letters.
 * @property waiting local transactions the server wants to see again later.
 * @property rowsPulled rows that came from the server.
 * @property overlaps overlapping changes that a policy decided.
 * @property bytesUp bytes sent in bodies, as they travelled.
 * @property bytesDown bytes received in bodies, as the transport gave them.
 * @property requests requests made.
 * @property took how long it took.
 */
public data class SyncReport(
    val groupsPushed: Long,
    val applied: Long,
    val merged: Long,
    val rejected: Long,
    val waiting: Long,
    val rowsPulled: Long,
    val overlaps: Long,
    val bytesUp: Long,
    val bytesDown: Long,
    val requests: Long,
    val took: Duration,
)

/**
 * A refused change: read it, repair the row, send it again.
 *
 * @property id its number, for [Turnstone.retryDeadLetter].
 * @property group the local transaction it was part of.
 * @property change which change of it, from 0; null: all of them.
 * @property reason why it was refused: a stable code.
 * @property fields the fields it was refused for, as `table.field`.
 * @property opsJson what was meant: a JSON list of ops.
 * @property attempts how often it was sent.
 * @property atMillis when it was refused, in milliseconds since 1970.
 */
public data class DeadLetter(
    val id: Long,
    val group: String,
    val change: Int?,
    val reason: String,
    val fields: List<String>,
    val opsJson: String,
    val attempts: Int,
    val atMillis: Long,
) {
    /** Which one it is and why, without [opsJson]: what a person wrote has no place in a log. */
    override fun toString(): String =
        "DeadLetter(id=$id, group=$group, change=$change, reason=$reason, fields=$fields, attempts=$attempts, atMillis=$atMillis)"
}

/** The [hash], in hex, of the [rows] the server confirmed to this device at commit [at]: equal everywhere once the network is quiet. */
public data class StateHash(val at: Long, val rows: Long, val hash: String)

/** This installation ([device]), and its present life ([incarnation]): what a token or a support request may name. */
public data class Identity(val device: String, val incarnation: String)

internal fun FfiRowState.toApp(): RowState = when (this) {
    is FfiRowState.Saved -> RowState.Saved
    is FfiRowState.Sending -> RowState.Sending
    is FfiRowState.Retrying -> RowState.Retrying(attempts.toInt(), atMs?.toLong())
    is FfiRowState.Synced -> RowState.Synced
    is FfiRowState.Conflict -> RowState.Conflict
    is FfiRowState.Failed -> RowState.Failed(reason)
}

internal fun FfiStatus.toApp(): Status = Status(
    pendingGroups = pendingGroups.toLong(),
    pendingOps = pendingOps.toLong(),
    parkedGroups = parkedGroups.toLong(),
    oldestPendingAtMillis = oldestPendingAtMs?.toLong(),
    deadLetters = deadLetters.toLong(),
    lastErrorCode = lastErrorCode,
    lastErrorAtMillis = lastErrorAtMs?.toLong(),
    lastSyncedAtMillis = lastSyncedAtMs?.toLong(),
    nextAttemptAtMillis = nextAttemptAtMs?.toLong(),
    nextAttemptWhy = nextAttemptWhy,
    phase = when (phase) {
        FfiPhase.IDLE -> Phase.Idle
        FfiPhase.CONNECTING -> Phase.Connecting
        FfiPhase.PUSHING -> Phase.Pushing
        FfiPhase.PULLING -> Phase.Pulling
        FfiPhase.WAITING -> Phase.Waiting
        FfiPhase.NEEDS_AUTH -> Phase.NeedsAuth
        FfiPhase.STOPPED -> Phase.Stopped
    },
    hasRemote = hasRemote,
    next = next.toApp(),
)

internal fun FfiSyncReport.toApp(): SyncReport = SyncReport(
    groupsPushed = groupsPushed.toLong(),
    applied = applied.toLong(),
    merged = merged.toLong(),
    rejected = rejected.toLong(),
    waiting = waiting.toLong(),
    rowsPulled = rowsPulled.toLong(),
    overlaps = overlaps.toLong(),
    bytesUp = bytesUp.toLong(),
    bytesDown = bytesDown.toLong(),
    requests = requests.toLong(),
    took = tookMs.toLong().milliseconds,
)

internal fun FfiDeadLetter.toApp(): DeadLetter = DeadLetter(
    id = id,
    group = gid,
    change = n?.toInt(),
    reason = reason,
    fields = fields,
    opsJson = opsJson,
    attempts = attempts.toInt(),
    atMillis = atMs.toLong(),
)
