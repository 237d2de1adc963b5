package dev.turnstone

import dev.turnstone.internal.FfiTransaction

/**
 * An open transaction: reads see what it wrote, nobody else does before it ends. Other writes wait for it, so do in it
 * only what must be decided together; never call the store itself from inside. After 10 seconds without a call it is
 * rolled back.
 */
public class Transaction internal constructor(private val transaction: FfiTransaction) {
    /** Carries changes out and gives the ids of the rows that inserts made. If it throws, none of them happened. */
    public suspend fun write(block: Changes.() -> Unit): List<String> {
        val changes = Changes().apply(block)
        return translated { transaction.apply(changes.list) }
    }

    /** Runs one SQL statement and says how many rows it changed. */
    public suspend fun execute(sql: String, vararg params: Any?): Long =
        translated { transaction.execute(sql, params.toValues()) }.toLong()

    /** Runs a query on what this transaction sees. */
    public suspend fun query(sql: String, vararg params: Any?): Rows =
        Rows(translated { transaction.query(sql, params.toValues()) })

    /** Reads one row as this transaction sees it. */
    public suspend fun get(table: String, id: String): Row? = translated { transaction.get(table, id) }?.let { Rows(it)[0] }
}
