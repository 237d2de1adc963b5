package dev.turnstone

import dev.turnstone.internal.FfiCancel
import dev.turnstone.internal.FfiStore
import dev.turnstone.internal.keepThreads
import kotlinx.coroutines.CoroutineScope
import kotlinx.coroutines.NonCancellable
import kotlinx.coroutines.flow.Flow
import kotlinx.coroutines.flow.SharingStarted
import kotlinx.coroutines.flow.StateFlow
import kotlinx.coroutines.flow.firstOrNull
import kotlinx.coroutines.flow.flow
import kotlinx.coroutines.flow.map
import kotlinx.coroutines.flow.stateIn
import kotlinx.coroutines.runBlocking
import kotlinx.coroutines.withContext
import kotlin.coroutines.cancellation.CancellationException

/**
 * A database on this device that syncs.
 *
 * Usable from any thread and any coroutine; nothing of it runs on yours. Reads and writes never wait for the network. Open
 * one for a file, keep it, and [close] it.
 *
 * Every suspending function throws [TurnstoneException]. Cancelling a call stops the wait: a write that had begun is
 * done all the same.
 */
public class Turnstone private constructor(private val store: FfiStore) : AutoCloseable {
    /** Opens stores, and says where their log lines go. */
    public companion object {
        init {
            keepThreads()
        }

        /** Opens a database file, making it if there is none, and brings it to the schema. */
        public suspend fun open(options: Options): Turnstone =
            Turnstone(translated { FfiStore.open(options.toFfi(), options.hooks()) })

        /**
         * Sends the log lines of every store of this process to [sink], those of [level] and above; null: to nobody. A new
         * sink takes the place of the last one. Lines come one at a time on a thread of their own, never on one of yours, and
         * no call waits for the sink: where it is slow, 1,024 lines wait for it, and the rest are counted and dropped.
         */
        public fun logTo(level: LogLevel = LogLevel.Info, sink: LogSink?): Unit = sendLogs(level, sink)
    }

    /**
     * Runs the changes that [block] names as one transaction: all of it is saved, or nothing; here, on the server and on
     * every other device. With a [writeId] it is done once, however often it is asked for, also after a crash.
     */
    public suspend fun write(writeId: String? = null, block: Changes.() -> Unit): Written {
        val changes = Changes().apply(block)
        return translated { store.write(changes.list, writeId) }.let { Written(it.ids, it.repeated) }
    }

    /** Runs one SQL statement as its own transaction and says how many rows it changed. */
    public suspend fun execute(sql: String, vararg params: Any?): Long =
        translated { store.execute(sql, params.toValues()) }.toLong()

    /** Runs a transaction that reads before it writes. If [block] throws, nothing of it happened. */
    public suspend fun <T> transaction(block: suspend Transaction.() -> T): T {
        val transaction = translated { store.begin() }
        try {
            val value = Transaction(transaction).block()
            withContext(NonCancellable) { translated { transaction.commit() } }
            return value
        } finally {
            // After a commit there is nothing left to undo.
            withContext(NonCancellable) { translated { transaction.rollback() } }
            transaction.destroy()
        }
    }

    /** Reads one row. */
    public suspend fun get(table: String, id: String): Row? = translated { store.get(table, id) }?.let { Rows(it)[0] }

    /** Runs a query. For more than some ten thousand rows use [pages]. Cancelling ends the query itself. */
    public suspend fun query(sql: String, vararg params: Any?): Rows = Rows(translated { store.query(sql, params.toValues(), null) })

    /** Runs a query and makes something of each row. */
    public suspend fun <T> query(sql: String, vararg params: Any?, map: (Row) -> T): List<T> = query(sql, *params).map(map)

    /** Runs a query whose rows come page by page, all of one moment. */
    public fun pages(sql: String, vararg params: Any?, rowsMax: Int = 1_000): Flow<Rows> = stream(
        open = { store.pages(sql, params.toValues(), rowsMax.toUInt(), PAGE_BYTES_MAX) },
        next = { pages -> pages.next()?.let(::Rows) },
        cancel = { it.cancel() },
    )

    /**
     * Watches a query: its rows now, and again after every commit that changes a table it reads. A collector that is slow
     * gets the newest rows. The flow ends when the store is closed.
     */
    public fun watch(sql: String, vararg params: Any?): Flow<Rows> = stream(
        open = { store.watch(sql, params.toValues()) },
        next = { watch -> watch.next()?.let(::Rows) },
        cancel = { it.cancel() },
    )

    /** Watches a query and makes something of each row. */
    public fun <T> watch(sql: String, vararg params: Any?, map: (Row) -> T): Flow<List<T>> =
        watch(sql, *params).map { rows -> rows.map(map) }

    /** Where a row stands. */
    public suspend fun rowState(table: String, id: String): RowState = translated { store.rowState(table, id) }.toApp()

    /** Where a row stands: now, and again whenever it changes. */
    public fun watchRowState(table: String, id: String): Flow<RowState> = stream(
        open = { store.watchRowState(table, id) },
        next = { watch -> watch.next()?.toApp() },
        cancel = { it.cancel() },
    )

    /**
     * Waits until the server has decided every write of a row and what became of them is back here: [RowState.Synced], or
     * [RowState.Failed] with the reason. Put a limit on it with `withTimeout`: without a network it waits for one. A store
     * that is closed meanwhile throws [TurnstoneException.Closed].
     */
    public suspend fun whenDecided(table: String, id: String): RowState = watchRowState(table, id).firstOrNull {
        it is RowState.Synced || it is RowState.Failed || it is RowState.Conflict
    } ?: throw TurnstoneException.Closed("closed", "the store was closed before the row was decided")

    /** Where the store stands: how much waits, what went wrong, what happens next. */
    public suspend fun status(): Status = translated { store.status() }.toApp()

    /** Where the store stands: now, and again whenever it changes. */
    public fun watchStatus(): Flow<Status> = stream(
        open = { store.watchStatus() },
        next = { watch -> watch.next()?.toApp() },
        cancel = { it.cancel() },
    )

    /** Where the store stands, as a state that a screen can show at once. Read while somebody looks, and 5 seconds longer. */
    public suspend fun statusIn(scope: CoroutineScope): StateFlow<Status> =
        watchStatus().stateIn(scope, SharingStarted.WhileSubscribed(5_000), status())

    /**
     * Syncs until quiet: everything that can be sent is sent, everything there is to fetch is fetched. Cancelling ends the
     * wait; what is under way ends by itself and loses nothing.
     */
    public suspend fun sync(): SyncReport {
        val cancel = translated { FfiCancel.create() }
        try {
            return translated { store.sync(cancel) }.toApp()
        } finally {
            translated { cancel.cancel() }
            cancel.destroy()
        }
    }

    /** Says that the app has a new token, or that somebody signed in. */
    public fun tokenChanged(): Unit = translated { store.tokenChanged() }

    /** Says whether there seems to be a network. A hint: it can start a sync and put one off, never stop it for good. */
    public fun networkChanged(up: Boolean): Unit = translated { store.networkChanged(up) }

    /** Says that the server has something new (a push notification, say). */
    public fun poke(): Unit = translated { store.poke() }

    /**
     * Syncs in time that the operating system gave: one small push first, then everything else, until quiet or until
     * [budget] is spent. A sync that runs already serves it too; there is never more than one. What can go wrong with a
     * sync is an outcome, not an exception. Cancelling is like [expire].
     */
    public suspend fun runBackground(budget: Budget, reason: RunReason): BackgroundReport =
        try {
            translated { store.runBackground(budget.toFfi(), reason.toFfi()) }.toApp()
        } catch (cancelled: CancellationException) {
            expire()
            throw cancelled
        }

    /**
     * Says that the operating system takes its time back. Returns at once; a background run ends within a second, and
     * nothing counts as a failed attempt. What a person who looks on waits for goes on.
     */
    public fun expire(): Unit = translated { store.expire() }

    /**
     * Says what the device is like. A hint: it can start a sync and put one off, never stop it for good. Until it is
     * called, a person is taken to look on.
     */
    public fun setConditions(conditions: Conditions): Unit = translated { store.setConditions(conditions.toFfi()) }

    /** What happens next and why, and what the operating system is to hold in case the process ends. */
    public fun nextWake(): NextWake = translated { store.nextWake() }.toApp()

    /** What happens next: now, and again whenever it changes. For hosts, which pass it on to the operating system. */
    public val nextWakes: Flow<NextWake> = stream(
        open = { store.watchNextWake() },
        next = { watch -> watch.next()?.toApp() },
        cancel = { it.cancel() },
    )

    /**
     * Lets go of the database file before the system suspends the app: when it returns no lock is held and no thread takes
     * one, until [resumeStore]. Takes a second at most. Until then calls throw [TurnstoneException.Retryable] with the code
     * `suspended`, open transactions are rolled back and flows wait. Nothing that was written is lost.
     */
    public suspend fun suspendStore(): Unit = withContext(NonCancellable) { translated { store.suspendStore() } }

    /**
     * Takes the database file again after [suspendStore], and goes on where it was. [TurnstoneException.Unavailable] with the
     * code `already_open` while another process has the file: it can be tried again.
     */
    public suspend fun resumeStore(): Unit = withContext(NonCancellable) { translated { store.resumeStore() } }

    /** Every refused change, oldest first. */
    public suspend fun deadLetters(): List<DeadLetter> = translated { store.deadLetters() }.map { it.toApp() }

    /** Sends a refused change again, as a new one based on the rows as they are now. */
    public suspend fun retryDeadLetter(id: Long): Unit = translated { store.retryDeadLetter(id) }

    /** The hash of what the server confirmed to this device. */
    public suspend fun stateHash(): StateHash =
        translated { store.stateHash() }.let { StateHash(it.at.toLong(), it.rows.toLong(), it.hash) }

    /** This installation, and its present life. */
    public suspend fun identity(): Identity = translated { store.identity() }.let { Identity(it.device, it.incarnation) }

    /** Where the database came from, as its [Witness] said when it was opened. */
    public fun origin(): Origin = translated { store.origin() }.toApp()

    /** What syncing did since the store was opened. */
    public fun totals(): SyncReport = translated { store.totals() }.toApp()

    /** Moves what was committed from the write-ahead log into the file. */
    public suspend fun checkpoint(): Unit = translated { store.checkpoint() }

    /**
     * Ends syncing, every watch and every open transaction, and closes the file. Later calls throw
     * [TurnstoneException.Closed]; closing twice is fine.
     */
    public suspend fun shutdown(): Unit = withContext(NonCancellable) { translated { store.shutdown() } }

    /** Like [shutdown], waiting on this thread: not for one that draws. */
    override fun close(): Unit = runBlocking { shutdown() }
}

/** What a source on the other side gives, until it gives nothing more or nobody collects. */
private fun <S : AutoCloseable, T : Any> stream(
    open: suspend () -> S,
    next: suspend (S) -> T?,
    cancel: (S) -> Unit,
): Flow<T> = flow {
    val source = translated { open() }
    try {
        while (true) emit(translated { next(source) } ?: break)
    } finally {
        source.use { translated { cancel(it) } }
    }
}

private const val PAGE_BYTES_MAX: UInt = 1_048_576u
