package dev.turnstone.testing

import dev.turnstone.Durability
import dev.turnstone.Options
import dev.turnstone.Turnstone
import java.io.File
import java.nio.file.Files

/**
 * A device of a test: a store in a folder of its own, and its link to the server.
 *
 * @property store the store; it syncs when asked.
 * @property link its network: cut it, or lose answers.
 */
public class TestDevice private constructor(public val store: Turnstone, public val link: Link, private val folder: File) :
    AutoCloseable {
    /** Makes devices. */
    public companion object {
        /** A new device of this server. [change] may set further options. */
        public suspend fun of(server: TestServer, schema: String, change: Options.() -> Options = { this }): TestDevice {
            val (link, folder) = Link() to Files.createTempDirectory("turnstone").toFile()
            val options = Options(File(folder, "app.db").path, schema, server.remote(link), Durability.Process)
            return TestDevice(Turnstone.open(options.change()), link, folder)
        }
    }

    /** Closes the store and removes its folder. */
    override fun close() {
        store.close()
        folder.deleteRecursively()
    }
}

/**
 * Two devices of one person and their server: what it takes to see what happens when both change the same thing.
 *
 * @property a the first.
 * @property b the other.
 */
public class TwoDevices private constructor(
    private val server: TestServer,
    public val a: TestDevice,
    public val b: TestDevice,
) : AutoCloseable {
    /** Makes pairs. */
    public companion object {
        /** Two new devices with this schema, in TOML. [change] may set further options. */
        public suspend fun with(schema: String, change: Options.() -> Options = { this }): TwoDevices {
            val server = TestServer.start(schema)
            return TwoDevices(server, TestDevice.of(server, schema, change), TestDevice.of(server, schema, change))
        }
    }

    /** Syncs in turns until both have everything. */
    public suspend fun settle() {
        repeat(2) { for (device in listOf(a, b)) device.store.sync() }
    }

    /** Closes both, and the server. */
    override fun close() {
        a.close()
        b.close()
        server.close()
    }
}
