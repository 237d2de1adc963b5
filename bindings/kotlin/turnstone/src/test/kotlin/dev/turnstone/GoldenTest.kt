package dev.turnstone

import dev.turnstone.internal.replayTrace
import dev.turnstone.internal.replayVector
import kotlinx.serialization.json.Json as JsonFormat
import kotlinx.serialization.json.JsonArray
import kotlinx.serialization.json.JsonObject
import kotlinx.serialization.json.jsonObject
import kotlinx.serialization.json.jsonPrimitive
import org.junit.jupiter.api.Assertions.assertEquals
import org.junit.jupiter.api.Assertions.assertTrue
import org.junit.jupiter.api.Test
import java.io.File

/** The golden files of the protocol and of the scheduler, run by the library that apps load. */
class GoldenTest {
    private fun files(folder: String): List<Pair<String, JsonObject>> =
        File(System.getProperty("turnstone.root"), folder).listFiles { file -> file.extension == "json" }!!
            .map { it.name to JsonFormat.parseToJsonElement(it.readText()).jsonObject }

    @Test
    fun every_golden_vector_gives_what_it_says() {
        var cases = 0
        for ((file, root) in files("protocol/vectors")) {
            val schema = root["schema"]?.jsonPrimitive?.content
            for ((list, all) in root) for (case in (all as? JsonArray).orEmpty()) {
                val got = replayVector(file, list, schema, case.toString())
                assertEquals(case.jsonObject["expect"], JsonFormat.parseToJsonElement(got), "$file: ${case.jsonObject["name"]}")
                cases += 1
            }
        }
        assertTrue(cases >= 200, "the files are read: $cases")
    }

    @Test
    fun every_scheduler_trace_is_decided_the_same() {
        val traces = files("engine/traces")
        assertTrue(traces.size >= 12, "the files are read: ${traces.size}")
        for ((name, trace) in traces) {
            assertEquals(trace, JsonFormat.parseToJsonElement(replayTrace(trace.toString())), name)
        }
    }
}
