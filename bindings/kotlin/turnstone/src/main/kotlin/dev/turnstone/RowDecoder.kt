package dev.turnstone

import kotlinx.serialization.DeserializationStrategy
import kotlinx.serialization.ExperimentalSerializationApi
import kotlinx.serialization.descriptors.SerialDescriptor
import kotlinx.serialization.encoding.AbstractDecoder
import kotlinx.serialization.encoding.CompositeDecoder
import kotlinx.serialization.modules.EmptySerializersModule
import kotlinx.serialization.modules.SerializersModule
import kotlinx.serialization.serializer

/** Makes a `@Serializable` class of this row: each property is the column of its name (or `@SerialName`). */
public inline fun <reified T> Row.decode(): T = decode(serializer<T>())

/** Makes a value of this row by its strategy: each element is the column of its name. */
public fun <T> Row.decode(strategy: DeserializationStrategy<T>): T = RowDecoder(this).decodeSerializableValue(strategy)

@OptIn(ExperimentalSerializationApi::class)
private class RowDecoder(private val row: Row) : AbstractDecoder() {
    override val serializersModule: SerializersModule = EmptySerializersModule()
    private var next = 0
    private var column = ""

    override fun decodeElementIndex(descriptor: SerialDescriptor): Int {
        while (next < descriptor.elementsCount) {
            val index = next++
            val name = descriptor.getElementName(index)
            if (name in row) {
                column = name
                return index
            }
            // A column that was not asked for takes the property's default, if it has one.
        }
        return CompositeDecoder.DECODE_DONE
    }

    override fun decodeNotNullMark(): Boolean = !row.isNull(column)

    override fun decodeNull(): Nothing? = null

    override fun decodeBoolean(): Boolean = row.boolean(column)

    override fun decodeInt(): Int = row.int(column)

    override fun decodeLong(): Long = row.long(column)

    override fun decodeFloat(): Float = row.double(column).toFloat()

    override fun decodeDouble(): Double = row.double(column)

    override fun decodeString(): String = row.text(column)

    override fun decodeEnum(enumDescriptor: SerialDescriptor): Int {
        val index = enumDescriptor.getElementIndex(row.text(column))
        check(index >= 0) { "column \"$column\" holds a word that ${enumDescriptor.serialName} does not know" }
        return index
    }

    @Suppress("UNCHECKED_CAST")
    override fun <T> decodeSerializableValue(deserializer: DeserializationStrategy<T>): T =
        if (deserializer.descriptor.serialName.removeSuffix("?") == "kotlin.ByteArray") row.bytesOrNull(column) as T
        else super.decodeSerializableValue(deserializer)
}
