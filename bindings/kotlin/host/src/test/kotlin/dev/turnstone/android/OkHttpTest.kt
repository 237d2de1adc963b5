package dev.turnstone.android

import com.sun.net.httpserver.Headers
import com.sun.net.httpserver.HttpServer
import com.sun.net.httpserver.HttpsConfigurator
import com.sun.net.httpserver.HttpsServer
import dev.turnstone.Body
import dev.turnstone.Device
import dev.turnstone.HttpFailure
import dev.turnstone.HttpRequest
import dev.turnstone.Remote
import dev.turnstone.TestServer
import dev.turnstone.TurnstoneException
import dev.turnstone.folder
import dev.turnstone.test
import kotlinx.coroutines.async
import kotlinx.coroutines.cancelAndJoin
import kotlinx.coroutines.coroutineScope
import kotlinx.coroutines.delay
import org.junit.jupiter.api.Assertions.assertEquals
import org.junit.jupiter.api.Assertions.assertTrue
import org.junit.jupiter.api.Test
import java.io.File
import java.net.InetSocketAddress
import java.net.ServerSocket
import java.security.KeyStore
import java.util.concurrent.CopyOnWriteArrayList
import javax.net.ssl.KeyManagerFactory
import javax.net.ssl.SSLContext
import kotlin.concurrent.thread
import kotlin.time.Duration.Companion.seconds
import kotlin.time.measureTime

class OkHttpTest {
    @Test
    fun everything_travels_over_okhttp_also_as_files() = test {
        TestServer().use { server ->
            fun remote() = Remote.Custom(OkHttpTransport(server.url + "/"), { server.token }, bodyFileAbove = 100)
            Device.open(remote()).use { a ->
                Device.open(remote()).use { b ->
                    a.store.write { repeat(500) { insert("notes", "title" to "note $it", "body" to "x".repeat(it)) } }
                    while (a.store.status().pendingGroups > 0) a.store.sync()
                    b.store.sync()
                    assertEquals(500, b.titles().size)
                    assertEquals(a.store.stateHash(), b.store.stateHash())
                    for (device in listOf(a, b)) {
                        assertEquals(emptyList<String>(), File(device.folder, "app.bodies").list().orEmpty().toList())
                    }
                }
            }
        }
    }

    @Test
    fun an_answer_comes_as_it_was_sent() = test {
        Answers(302 to "moved", headers = listOf("Content-Encoding" to "gzip", "Location" to "/elsewhere")).use { server ->
            val answer = OkHttpTransport(server.url).exchange(get())
            assertEquals(302, answer.status, "no redirect is followed")
            assertTrue("content-encoding" to "gzip" in answer.headers, "${answer.headers}")
            assertEquals("moved", (answer.body as Body.Bytes).value.decodeToString(), "nothing is unpacked")
            assertEquals("identity", server.asked.single().getFirst("accept-encoding"))
        }
    }

    @Test
    fun a_large_answer_is_a_file_and_a_too_large_one_is_refused() = test {
        val large = "x".repeat(300 shl 10)
        Answers(200 to large, 200 to large, 200 to large).use { server ->
            val transport = OkHttpTransport(server.url)
            val answer = transport.exchange(get(answerBytesMax = 1 shl 20))
            assertEquals(large, (answer.body as Body.InFile).file.readText())
            assertTrue(transport.exchange(get(answerBytesMax = large.length.toLong())).body is Body.InFile, "exactly as long")
            for (max in listOf(large.length - 1L, 10L)) {
                val refused = runCatching { transport.exchange(get(answerBytesMax = max)) }.exceptionOrNull()
                assertTrue(refused is HttpFailure.TooLarge, "$max: $refused")
            }
        }
    }

    @Test
    fun a_certificate_that_nobody_trusts_is_said() = test {
        Answers(200 to "secret", tls = selfSigned()).use { server ->
            val refused = runCatching { OkHttpTransport(server.url).exchange(get()) }.exceptionOrNull()
            assertTrue(refused is HttpFailure.Untrusted, "$refused")
            assertEquals(0, server.asked.size)
        }
    }

    @Test
    fun a_connection_that_breaks_is_not_called_untrusted() = test {
        ServerSocket(0).use { rude ->
            thread { runCatching { while (true) rude.accept().close() } }
            val broken = runCatching { OkHttpTransport("https://127.0.0.1:${rude.localPort}").exchange(get()) }.exceptionOrNull()
            assertTrue(broken is HttpFailure.Broken, "$broken")
        }
    }

    private fun get(answerBytesMax: Long = 1 shl 20): HttpRequest =
        HttpRequest("GET", "/sync/v1/hello", listOf("x-a" to "b"), Body.Bytes(ByteArray(0)), answerBytesMax, File(folder(), "answer"))

    @Test
    fun no_server_is_retryable() = test {
        // No port that was free a moment ago: another test may have taken it.
        Device.open(Remote.Custom(OkHttpTransport("http://127.0.0.1:1"), { "token" })).use { a ->
            a.insert("kept")
            val error = runCatching { a.store.sync() }.exceptionOrNull()
            assertTrue(error is TurnstoneException.Retryable, "$error")
            assertEquals(1, a.store.status().pendingGroups)
        }
    }

    @Test
    fun a_cancelled_sync_lets_go_of_the_request() = test {
        ServerSocket(0).use { silent ->
            Device.open(Remote.Custom(OkHttpTransport("http://127.0.0.1:${silent.localPort}"), { "token" })).use { a ->
                a.insert("kept")
                val took = measureTime {
                    coroutineScope {
                        val sync = async { a.store.sync() }
                        delay(100)
                        sync.cancelAndJoin()
                    }
                }
                assertTrue(took < 5.seconds, "$took")
            }
        }
    }
}

/** A server that gives these answers, one after the other and then the last again. */
private class Answers(
    vararg answers: Pair<Int, String>,
    headers: List<Pair<String, String>> = emptyList(),
    tls: SSLContext? = null,
) : AutoCloseable {
    val asked = CopyOnWriteArrayList<Headers>()
    private val left = ArrayDeque(answers.toList())
    private val here = InetSocketAddress("127.0.0.1", 0)
    private val server =
        if (tls == null) HttpServer.create(here, 0)
        else HttpsServer.create(here, 0).apply { httpsConfigurator = HttpsConfigurator(tls) }
    val url = "${if (tls == null) "http" else "https"}://127.0.0.1:${server.address.port}"

    init {
        server.createContext("/") { exchange ->
            asked += exchange.requestHeaders
            val (status, body) = if (left.size > 1) left.removeFirst() else left.first()
            for ((name, value) in headers) exchange.responseHeaders.add(name, value)
            exchange.sendResponseHeaders(status, body.length.toLong())
            // Whoever refuses a long answer hangs up.
            runCatching { exchange.responseBody.use { it.write(body.toByteArray()) } }
        }
        server.start()
    }

    override fun close() = server.stop(0)
}

/** A certificate of its own making. */
private fun selfSigned(): SSLContext {
    val file = File(folder(), "keys.p12")
    val made = ProcessBuilder(
        File(System.getProperty("java.home"), "bin/keytool").path, "-genkeypair", "-alias", "a", "-keyalg", "EC",
        "-dname", "CN=127.0.0.1", "-storetype", "PKCS12", "-keystore", file.path, "-storepass", "changeit",
    ).redirectErrorStream(true).start()
    assertEquals(0, made.waitFor(), made.inputStream.bufferedReader().readText())
    val keys = KeyStore.getInstance("PKCS12").apply { file.inputStream().use { load(it, "changeit".toCharArray()) } }
    val factory = KeyManagerFactory.getInstance(KeyManagerFactory.getDefaultAlgorithm()).apply { init(keys, "changeit".toCharArray()) }
    return SSLContext.getInstance("TLS").apply { init(factory.keyManagers, null, null) }
}
