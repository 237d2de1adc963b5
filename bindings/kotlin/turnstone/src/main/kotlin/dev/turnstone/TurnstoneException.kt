package dev.turnstone

import dev.turnstone.internal.FfiException
import kotlin.coroutines.cancellation.CancellationException

/**
 * Why a call failed: one class for each thing an app can do about it. Nothing was changed unless the text says otherwise.
 *
 * @property code stable, for programs. [message] is one sentence for a developer, without anything a person wrote.
 */
public sealed class TurnstoneException(public val code: String, message: String) : Exception(message) {
    /** Try again later. */
    public class Retryable(code: String, message: String) : TurnstoneException(code, message)

    /** Get a new token, or let the person sign in. */
    public class AuthRequired(code: String, message: String) : TurnstoneException(code, message)

    /** Update the app or the server. */
    public class UpgradeRequired(code: String, message: String) : TurnstoneException(code, message)

    /** Free space; then it works again. */
    public class StorageFull(code: String, message: String) : TurnstoneException(code, message)

    /** The file is damaged, or not a database of Turnstone. It was left as it is. */
    public class Corrupt(code: String, message: String) : TurnstoneException(code, message)

    /** The file cannot be used as it is: its path, permissions, or another opener. */
    public class Unavailable(code: String, message: String) : TurnstoneException(code, message)

    /**
     * The database is another account's. It was left as it is: open that account's own file.
     *
     * @property pendingGroups the local transactions that wait to be sent as that account: lost, if the file is deleted.
     */
    public class OtherAccount(code: String, message: String, public val pendingGroups: Long) : TurnstoneException(code, message)

    /** The key of the database cannot be had, now or at all. */
    public class KeyUnavailable(code: String, message: String) : TurnstoneException(code, message)

    /** The call itself is wrong. */
    public class InvalidArgument(code: String, message: String) : TurnstoneException(code, message)

    /** The store was closed. */
    public class Closed(code: String, message: String) : TurnstoneException(code, message)

    /** A fault of Turnstone: report it. The store stays usable. */
    public class Internal(code: String, message: String) : TurnstoneException(code, message)
}

/** Runs a call and gives its error the shape an app sees. */
internal inline fun <T> translated(call: () -> T): T =
    try {
        call()
    } catch (error: FfiException) {
        throw translate(error)
    }

internal fun translate(error: FfiException): Exception =
    when (error) {
        is FfiException.Retryable -> TurnstoneException.Retryable(error.code, error.text)
        is FfiException.AuthRequired -> TurnstoneException.AuthRequired(error.code, error.text)
        is FfiException.UpgradeRequired -> TurnstoneException.UpgradeRequired(error.code, error.text)
        is FfiException.StorageFull -> TurnstoneException.StorageFull(error.code, error.text)
        is FfiException.Corrupt -> TurnstoneException.Corrupt(error.code, error.text)
        is FfiException.Unavailable -> TurnstoneException.Unavailable(error.code, error.text)
        is FfiException.OtherAccount -> TurnstoneException.OtherAccount(error.code, error.text, error.pendingGroups.toLong())
        is FfiException.KeyUnavailable -> TurnstoneException.KeyUnavailable(error.code, error.text)
        is FfiException.InvalidArgument -> TurnstoneException.InvalidArgument(error.code, error.text)
        is FfiException.Closed -> TurnstoneException.Closed(error.code, error.text)
        is FfiException.Internal -> TurnstoneException.Internal(error.code, error.text)
        is FfiException.Cancelled -> CancellationException(error.text)
    }
