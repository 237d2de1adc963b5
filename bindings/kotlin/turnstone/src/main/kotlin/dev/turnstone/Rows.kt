package dev.turnstone

import java.nio.ByteBuffer
import java.nio.ByteOrder

/**
 * The rows of a query. They are one block of memory; a cell is decoded when you look at it. Keep what you need from a row
 * rather than the row itself: each one keeps all of them in memory.
 */
public class Rows internal constructor(private val bytes: ByteArray) : AbstractList<Row>() {
    private val buffer: ByteBuffer = ByteBuffer.wrap(bytes).order(ByteOrder.LITTLE_ENDIAN)
    private val width: Int
    private val tags: Int
    private val slots: Int
    private val heap: Int

    /** The names of the columns, in the order of the query. */
    public val columns: List<String>

    /** How many rows there are. */
    override val size: Int

    private val places: Map<String, Int>

    init {
        require(bytes.size >= HEADER && buffer.getInt(0) == MAGIC) { "this is not a buffer of rows" }
        width = buffer.getInt(4)
        size = buffer.getInt(8)
        tags = buffer.getInt(12)
        heap = buffer.getInt(16)
        slots = (tags + width * size + 7) / 8 * 8
        var at = HEADER
        columns = List(width) {
            val length = buffer.getInt(at)
            at += 4 + length
            String(bytes, at - length, length, Charsets.UTF_8)
        }
        // Where two columns have one name, the first counts.
        places = columns.withIndex().reversed().associate { (place, name) -> name to place }
    }

    override fun get(index: Int): Row {
        if (index !in 0..<size) throw IndexOutOfBoundsException("row $index of $size")
        return Row(this, index)
    }

    internal fun place(name: String): Int =
        places[name] ?: throw IllegalArgumentException("there is no column \"$name\": the query has $columns")

    internal fun tag(row: Int, column: Int): Byte = bytes[tags + row * width + column]

    internal fun slot(row: Int, column: Int): Long = buffer.getLong(slots + (row * width + column) * 8)

    internal fun string(slot: Long): String = String(bytes, heap + slot.toInt(), (slot ushr 32).toInt(), Charsets.UTF_8)

    internal fun blob(slot: Long): ByteArray = (heap + slot.toInt()).let { bytes.copyOfRange(it, it + (slot ushr 32).toInt()) }

    private companion object {
        const val HEADER = 20
        const val MAGIC = 0x31525354 // "TSR1"
    }
}

/** One row of a query, or a row read by its id. Columns are found by name. */
public class Row internal constructor(private val rows: Rows, private val index: Int) {
    /** The names of the columns. */
    public val columns: List<String> get() = rows.columns

    /** The text, or JSON text, of a column that is never null. */
    public fun text(name: String): String = textOrNull(name) ?: missing(name)

    /** The text, or JSON text, of a column. */
    public fun textOrNull(name: String): String? = read(name) { tag, slot ->
        if (tag == TEXT || tag == JSON) rows.string(slot) else wrong(name, "a text")
    }

    /** The whole number of a column that is never null. */
    public fun long(name: String): Long = longOrNull(name) ?: missing(name)

    /** The whole number of a column. */
    public fun longOrNull(name: String): Long? = read(name) { tag, slot ->
        if (tag == INTEGER || tag == BOOLEAN) slot else wrong(name, "a whole number")
    }

    /** The whole number of a column that is never null, where it fits 32 bits. */
    public fun int(name: String): Int = Math.toIntExact(long(name))

    /** The number of a column that is never null. */
    public fun double(name: String): Double = doubleOrNull(name) ?: missing(name)

    /** The number of a column. */
    public fun doubleOrNull(name: String): Double? = read(name) { tag, slot ->
        when (tag) {
            REAL -> Double.fromBits(slot)
            INTEGER -> slot.toDouble()
            else -> wrong(name, "a number")
        }
    }

    /** Yes or no, of a column that is never null. Queries give 0 and 1, which count. */
    public fun boolean(name: String): Boolean = booleanOrNull(name) ?: missing(name)

    /** Yes or no, of a column. */
    public fun booleanOrNull(name: String): Boolean? = read(name) { tag, slot ->
        if ((tag == BOOLEAN || tag == INTEGER) && slot in 0L..1L) slot == 1L else wrong(name, "a boolean")
    }

    /** The bytes of a column that is never null. */
    public fun bytes(name: String): ByteArray = bytesOrNull(name) ?: missing(name)

    /** The bytes of a column. */
    public fun bytesOrNull(name: String): ByteArray? = read(name) { tag, slot ->
        if (tag == BYTES) rows.blob(slot) else wrong(name, "bytes")
    }

    /** Whether a column has no value. */
    public fun isNull(name: String): Boolean = rows.tag(index, rows.place(name)) == NULL

    /** Whether the query has a column of this name. */
    public operator fun contains(name: String): Boolean = name in rows.columns

    /** The value of a column, as what it is: `Long`, `Double`, `String`, `ByteArray`, `Boolean` or null. */
    public operator fun get(name: String): Any? = read(name) { tag, slot ->
        when (tag) {
            INTEGER -> slot
            REAL -> Double.fromBits(slot)
            BYTES -> rows.blob(slot)
            BOOLEAN -> slot == 1L
            else -> rows.string(slot)
        }
    }

    /** Shows the columns and never what is in them. */
    override fun toString(): String = "Row(${rows.columns})"

    private inline fun <T> read(name: String, decode: (Byte, Long) -> T): T? {
        val column = rows.place(name)
        val tag = rows.tag(index, column)
        return if (tag == NULL) null else decode(tag, rows.slot(index, column))
    }

    private fun missing(name: String): Nothing = throw IllegalStateException("column \"$name\" is null in this row")

    private fun wrong(name: String, what: String): Nothing =
        throw IllegalStateException("column \"$name\" holds something else than $what")

    private companion object {
        const val NULL: Byte = 0
        const val INTEGER: Byte = 1
        const val REAL: Byte = 2
        const val TEXT: Byte = 3
        const val BYTES: Byte = 4
        const val BOOLEAN: Byte = 5
        const val JSON: Byte = 6
    }
}
