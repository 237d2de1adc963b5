package dev.turnstone

import dev.turnstone.internal.FfiBody
import dev.turnstone.internal.FfiHeader
import dev.turnstone.internal.FfiHttpFailure
import dev.turnstone.internal.FfiHttpRequest
import dev.turnstone.internal.FfiHttpResponse
import dev.turnstone.internal.FfiHttpTransport
import dev.turnstone.internal.FfiTokenFailure
import dev.turnstone.internal.FfiTokenProvider
import dev.turnstone.internal.FfiTokenReason
import java.io.File
import kotlin.coroutines.cancellation.CancellationException

/** Why a token is needed. */
public enum class TokenReason {
    /** The first one since the store was opened: a kept one will do. */
    First,

    /** The last one has expired: a fresh one is needed. */
    Expired,

    /** The server refused the last one: a fresh one is needed, or somebody has to sign in. */
    Rejected,
}

/**
 * Gives the token that requests carry. Never called twice at the same time for one store. It may call the store, but never
 * wait for [Turnstone.sync]: that waits for the token.
 */
public fun interface TokenProvider {
    /**
     * Gives a token, without the word `Bearer`. For any reason but [TokenReason.First] a kept one must not be given again.
     * Throw [SignInRequired] where nobody is signed in: syncing stops until [Turnstone.tokenChanged]. Whatever else is
     * thrown means that none can be had now: it is asked for again later.
     */
    public suspend fun token(reason: TokenReason): String
}

/** Thrown by a [TokenProvider]: nobody is signed in. */
public class SignInRequired : Exception("nobody is signed in")

/** The body of a request or an answer. */
public sealed interface Body {
    /** In memory, as [value]. */
    public class Bytes(public val value: ByteArray) : Body

    /** In a [file]. The library removes it when it is done with it. */
    public class InFile(public val file: File) : Body
}

/**
 * What goes out.
 *
 * @property method `GET` or `POST`.
 * @property path path and query, from `/sync/v1` on: append it to the server's address.
 * @property headers send them as they are; names are in lower case.
 * @property body as it travels: packed already.
 * @property answerBytesMax the longest answer to accept.
 * @property answerFile where to put an answer that is too large for memory.
 */
public class HttpRequest(
    public val method: String,
    public val path: String,
    public val headers: List<Pair<String, String>>,
    public val body: Body,
    public val answerBytesMax: Long,
    public val answerFile: File,
)

/**
 * What comes back: complete, and with `content-encoding` as the server sent it.
 *
 * @property status the status of HTTP, such as 200. Every one is an answer; only no answer is an [HttpFailure].
 * @property headers all of them; upper and lower case do not matter.
 * @property body as it travelled, or where it was put.
 */
public class HttpResponse(
    public val status: Int,
    public val headers: List<Pair<String, String>>,
    public val body: Body,
)

/** Thrown by an [HttpTransport]: why there is no answer. */
public sealed class HttpFailure(message: String) : Exception(message) {
    /** No server was reached. */
    public class Offline : HttpFailure("no server was reached")

    /** The server did not answer in time. */
    public class Timeout : HttpFailure("the server did not answer in time")

    /** The connection broke before the answer was complete. */
    public class Broken : HttpFailure("the connection broke before the answer was complete")

    /** The answer is longer than was asked for. */
    public class TooLarge : HttpFailure("the answer is longer than was asked for")

    /** The other end could not prove who it is. */
    public class Untrusted : HttpFailure("the server's certificate is not trusted")
}

/** Moves requests. No redirects, retries, caches or cookies: the store owns all of that. */
public fun interface HttpTransport {
    /** Sends a request and gives the whole answer, or throws an [HttpFailure]. It is cancelled when nobody waits any more. */
    public suspend fun exchange(request: HttpRequest): HttpResponse
}

internal class HostTokens(private val provider: TokenProvider) : FfiTokenProvider {
    override suspend fun token(reason: FfiTokenReason): String =
        try {
            provider.token(
                when (reason) {
                    FfiTokenReason.FIRST -> TokenReason.First
                    FfiTokenReason.EXPIRED -> TokenReason.Expired
                    FfiTokenReason.REJECTED -> TokenReason.Rejected
                },
            )
        } catch (cancelled: CancellationException) {
            throw cancelled
        } catch (_: SignInRequired) {
            throw FfiTokenFailure.SignIn()
        } catch (_: Exception) {
            throw FfiTokenFailure.Later()
        }
}

internal class HostHttp(private val transport: HttpTransport) : FfiHttpTransport {
    override suspend fun exchange(request: FfiHttpRequest): FfiHttpResponse =
        try {
            transport.exchange(request.toApp()).toFfi()
        } catch (cancelled: CancellationException) {
            throw cancelled
        } catch (failure: HttpFailure) {
            throw when (failure) {
                is HttpFailure.Offline -> FfiHttpFailure.Offline()
                is HttpFailure.Timeout -> FfiHttpFailure.Timeout()
                is HttpFailure.Broken -> FfiHttpFailure.Broken()
                is HttpFailure.TooLarge -> FfiHttpFailure.TooLarge()
                is HttpFailure.Untrusted -> FfiHttpFailure.Untrusted()
            }
        } catch (_: Exception) {
            throw FfiHttpFailure.Broken()
        }
}

private fun FfiHttpRequest.toApp(): HttpRequest = HttpRequest(
    method = method,
    path = path,
    headers = headers.map { it.name to it.value },
    body = when (val body = body) {
        is FfiBody.Bytes -> Body.Bytes(body.value)
        is FfiBody.File -> Body.InFile(File(body.path))
    },
    answerBytesMax = answerBytesMax.toLong(),
    answerFile = File(answerFile),
)

private fun HttpResponse.toFfi(): FfiHttpResponse = FfiHttpResponse(
    status = status.toUShort(),
    headers = headers.map { (name, value) -> FfiHeader(name, value) },
    body = when (val body = body) {
        is Body.Bytes -> FfiBody.Bytes(body.value)
        is Body.InFile -> FfiBody.File(body.file.path)
    },
)
