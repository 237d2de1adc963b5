package dev.turnstone.testing

import dev.turnstone.Body
import dev.turnstone.HttpFailure
import dev.turnstone.HttpRequest
import dev.turnstone.HttpResponse
import dev.turnstone.HttpTransport
import dev.turnstone.Remote
import dev.turnstone.internal.FfiBody
import dev.turnstone.internal.FfiException
import dev.turnstone.internal.FfiHeader
import dev.turnstone.internal.FfiHttpRequest
import dev.turnstone.internal.FfiTestServer
import java.util.concurrent.atomic.AtomicInteger

/** The real server inside this process: no port, and its data goes with it. For tests. */
public class TestServer private constructor(private val server: FfiTestServer) : AutoCloseable {
    /** Starts servers. */
    public companion object {
        /** A server without data that knows this schema, in TOML. */
        public suspend fun start(schema: String): TestServer =
            try {
                TestServer(FfiTestServer.create(schema))
            } catch (wrong: FfiException.InvalidArgument) {
                throw IllegalArgumentException(wrong.text)
            }
    }

    /** The way to it for one device, over [link]. All users share one set of data. */
    public fun remote(link: Link = Link(), user: String = "somebody"): Remote {
        val token = server.token(user)
        return Remote.Custom(Carrier(server, link), tokens = { token })
    }

    /** Lets go of it. */
    override fun close(): Unit = server.destroy()
}

/** The network between one device and the server. */
public class Link {
    /** Whether it is up; a device without it is offline. */
    @Volatile
    public var isUp: Boolean = true

    private val toLose = AtomicInteger()

    /** Loses the answers to the next pushes: the server has them, and the device cannot know. */
    public fun loseAnswers(count: Int = 1) {
        toLose.addAndGet(count)
    }

    internal fun losesAnswer(): Boolean = toLose.getAndUpdate { maxOf(0, it - 1) } > 0
}

private class Carrier(private val server: FfiTestServer, private val link: Link) : HttpTransport {
    override suspend fun exchange(request: HttpRequest): HttpResponse {
        if (!link.isUp) throw HttpFailure.Offline()
        val answer = server.exchange(
            FfiHttpRequest(
                method = request.method,
                path = request.path,
                headers = request.headers.map { (name, value) -> FfiHeader(name, value) },
                body = when (val body = request.body) {
                    is Body.Bytes -> FfiBody.Bytes(body.value)
                    is Body.InFile -> FfiBody.File(body.file.path)
                },
                answerBytesMax = request.answerBytesMax.toULong(),
                answerFile = request.answerFile.path,
            ),
        )
        if (request.path.startsWith("/sync/v1/push") && link.losesAnswer()) throw HttpFailure.Broken()
        val body = (answer.body as FfiBody.Bytes).value
        return HttpResponse(answer.status.toInt(), answer.headers.map { it.name to it.value }, Body.Bytes(body))
    }
}
