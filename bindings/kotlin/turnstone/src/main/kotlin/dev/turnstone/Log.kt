package dev.turnstone

import dev.turnstone.internal.FfiHookFailure
import dev.turnstone.internal.FfiLogLevel
import dev.turnstone.internal.FfiLogSink
import dev.turnstone.internal.setLogSink

/** How much a log line matters. Each level takes those above it along. */
public enum class LogLevel {
    /** Something failed. */
    Error,

    /** Something is odd. */
    Warn,

    /** Something happened. */
    Info,

    /** For those who look for a fault: each exchange with the server, and how it ended. */
    Debug,

    /** Everything. */
    Trace,
}

/**
 * A log line. It holds no values, row ids or tokens, at any level.
 *
 * @property level how much it matters.
 * @property target the part of the library that wrote it.
 * @property text what it says, in one line.
 */
public class LogLine internal constructor(public val level: LogLevel, public val target: String, public val text: String) {
    override fun toString(): String = "$level $target: $text"
}

/** Takes log lines: one at a time, on a thread of their own. It may call stores; what it throws is ignored. */
public fun interface LogSink {
    /** Takes a line. */
    public fun log(line: LogLine)
}

internal fun sendLogs(level: LogLevel, sink: LogSink?): Unit = translated { setLogSink(sink?.let(::HostLog), level.toFfi()) }

private class HostLog(private val sink: LogSink) : FfiLogSink {
    override fun log(level: FfiLogLevel, target: String, text: String): Unit =
        try {
            sink.log(LogLine(level.toApp(), target, text))
        } catch (_: Exception) {
            throw FfiHookFailure.Failed()
        }
}

private fun LogLevel.toFfi(): FfiLogLevel = FfiLogLevel.entries[ordinal]

private fun FfiLogLevel.toApp(): LogLevel = LogLevel.entries[ordinal]
