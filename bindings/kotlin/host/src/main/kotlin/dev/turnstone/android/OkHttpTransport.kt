package dev.turnstone.android

import dev.turnstone.Body
import dev.turnstone.HttpFailure
import dev.turnstone.HttpRequest
import dev.turnstone.HttpResponse
import dev.turnstone.HttpTransport
import kotlinx.coroutines.suspendCancellableCoroutine
import okhttp3.Call
import okhttp3.Callback
import okhttp3.CookieJar
import okhttp3.OkHttpClient
import okhttp3.Request
import okhttp3.RequestBody.Companion.asRequestBody
import okhttp3.RequestBody.Companion.toRequestBody
import okhttp3.Response
import okio.buffer
import okio.sink
import java.io.IOException
import java.io.InterruptedIOException
import java.net.ConnectException
import java.net.NoRouteToHostException
import java.net.UnknownHostException
import java.security.cert.CertificateException
import java.util.concurrent.TimeUnit
import javax.net.ssl.SSLHandshakeException
import javax.net.ssl.SSLPeerUnverifiedException
import kotlin.coroutines.resume
import kotlin.coroutines.resumeWithException

/**
 * Moves requests with OkHttp: the certificates, the proxy and the network security configuration of the phone count.
 *
 * @param url the server's address, such as `https://sync.example.com`.
 * @param client the app's own, to share its connections. Its interceptors see what is synced; its cache, cookies and redirects
 *   are not used.
 */
public class OkHttpTransport(url: String, client: OkHttpClient = OkHttpClient()) : HttpTransport {
    private val base = url.trimEnd('/')
    private val client = client.newBuilder()
        .followRedirects(false)
        .followSslRedirects(false)
        // The store tries again, and knows what may be sent twice.
        .retryOnConnectionFailure(false)
        .cookieJar(CookieJar.NO_COOKIES)
        .cache(null)
        .connectTimeout(15, TimeUnit.SECONDS)
        .readTimeout(60, TimeUnit.SECONDS)
        .writeTimeout(60, TimeUnit.SECONDS)
        .build()

    override suspend fun exchange(request: HttpRequest): HttpResponse {
        val call = client.newCall(asked(request))
        return suspendCancellableCoroutine { waiting ->
            waiting.invokeOnCancellation { call.cancel() }
            call.enqueue(object : Callback {
                override fun onResponse(call: Call, response: Response) {
                    val answer = runCatching { response.use { read(it, request) } }
                    answer.fold(waiting::resume) { waiting.resumeWithException(failure(it)) }
                }

                override fun onFailure(call: Call, e: IOException) = waiting.resumeWithException(failure(e))
            })
        }
    }

    private fun asked(request: HttpRequest): Request {
        val builder = Request.Builder().url(base + request.path)
        for ((name, value) in request.headers) builder.header(name, value)
        // OkHttp unpacks what it asked for itself, and nothing else.
        if (request.headers.none { it.first == "accept-encoding" }) builder.header("accept-encoding", "identity")
        return when (val body = request.body) {
            is Body.Bytes -> builder.method(request.method, body.value.takeIf { request.method != "GET" }?.toRequestBody())
            is Body.InFile -> builder.method(request.method, body.file.asRequestBody())
        }.build()
    }

    /** Reads the answer into memory, or into the file where it is large. */
    private fun read(response: Response, request: HttpRequest): HttpResponse {
        val source = response.body?.source()
        val headers = response.headers.map { (name, value) -> name.lowercase() to value }
        if (source == null) return HttpResponse(response.code, headers, Body.Bytes(ByteArray(0)))
        if (!source.request(minOf(MEMORY_BYTES_MAX, request.answerBytesMax) + 1)) {
            return HttpResponse(response.code, headers, Body.Bytes(source.readByteArray()))
        }
        request.answerFile.sink().buffer().use { file ->
            var written = 0L
            while (true) {
                val read = source.read(file.buffer, CHUNK_BYTES)
                if (read < 0) break
                written += read
                if (written > request.answerBytesMax) throw HttpFailure.TooLarge()
                file.emitCompleteSegments()
            }
        }
        return HttpResponse(response.code, headers, Body.InFile(request.answerFile))
    }

    private fun failure(error: Throwable): Throwable = when (error) {
        is HttpFailure -> error
        is UnknownHostException, is ConnectException, is NoRouteToHostException -> HttpFailure.Offline()
        is SSLPeerUnverifiedException -> HttpFailure.Untrusted()
        is SSLHandshakeException -> if (isAboutTrust(error)) HttpFailure.Untrusted() else HttpFailure.Broken()
        is InterruptedIOException -> HttpFailure.Timeout()
        else -> HttpFailure.Broken()
    }

    private fun isAboutTrust(error: Throwable): Boolean = generateSequence(error) { it.cause }.any { it is CertificateException }

    private companion object {
        private const val MEMORY_BYTES_MAX = 256L shl 10
        private const val CHUNK_BYTES = 8L shl 10
    }
}
