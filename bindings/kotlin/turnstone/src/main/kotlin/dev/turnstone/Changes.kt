package dev.turnstone

import dev.turnstone.internal.FfiChange
import dev.turnstone.internal.FfiField
import dev.turnstone.internal.FfiValue

/** A JSON [text], for a field of type `json`. */
@JvmInline
public value class Json(public val text: String)

/** Collects the changes of one transaction. They are carried out in order, all or none, when the block has ended. */
public class Changes internal constructor() {
    internal val list: MutableList<FfiChange> = mutableListOf()

    /** Makes a row with a new id. Fields that are not named take their default. */
    public fun insert(table: String, vararg fields: Pair<String, Any?>) {
        list += FfiChange.Insert(table, null, fields.toFields())
    }

    /** Makes a row with an id of the app's own. */
    public fun insertWithId(table: String, id: String, vararg fields: Pair<String, Any?>) {
        list += FfiChange.Insert(table, id, fields.toFields())
    }

    /** Changes fields of a row that is there. */
    public fun update(table: String, id: String, vararg fields: Pair<String, Any?>) {
        list += FfiChange.Update(table, id, fields.toFields())
    }

    /** Changes fields of a row that is there, else makes it. */
    public fun upsert(table: String, id: String, vararg fields: Pair<String, Any?>) {
        list += FfiChange.Upsert(table, id, fields.toFields())
    }

    /** Removes a row, if it is there. */
    public fun delete(table: String, id: String) {
        list += FfiChange.Delete(table, id)
    }

    /** Adds to a counter. Increments of several devices add up. */
    public fun increment(table: String, id: String, field: String, by: Long = 1) {
        list += FfiChange.Increment(table, id, field, by)
    }

    /** Runs one SQL statement. What it changes is synced like everything else. */
    public fun execute(sql: String, vararg params: Any?) {
        list += FfiChange.Sql(sql, params.toValues())
    }
}

internal fun Array<out Pair<String, Any?>>.toFields(): List<FfiField> = map { (name, value) -> FfiField(name, ffiValue(value)) }

internal fun Array<out Any?>.toValues(): List<FfiValue> = map(::ffiValue)

internal fun ffiValue(value: Any?): FfiValue = when (value) {
    null -> FfiValue.Null
    is String -> FfiValue.Text(value)
    is Boolean -> FfiValue.Bool(value)
    is Byte, is Short, is Int, is Long -> FfiValue.Int((value as Number).toLong())
    is Float, is Double -> FfiValue.Real((value as Number).toDouble())
    is ByteArray -> FfiValue.Bytes(value)
    is Json -> FfiValue.Json(value.text)
    is Enum<*> -> FfiValue.Text(value.name)
    else -> throw TurnstoneException.InvalidArgument(
        "invalid_value",
        "a value of ${value::class.simpleName} cannot be stored: give a String, number, Boolean, ByteArray, Json or null",
    )
}
