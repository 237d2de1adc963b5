package dev.turnstone.sample.ui

import androidx.compose.runtime.Composable
import androidx.compose.runtime.mutableStateOf
import androidx.compose.ui.ImageComposeScene
import androidx.compose.ui.test.DesktopComposeUiTest
import androidx.compose.ui.test.ExperimentalTestApi
import androidx.compose.ui.test.assertCountEquals
import androidx.compose.ui.test.assertIsDisplayed
import androidx.compose.ui.test.onAllNodesWithText
import androidx.compose.ui.test.onNodeWithText
import androidx.compose.ui.test.performClick
import androidx.compose.ui.test.performTextInput
import androidx.compose.ui.test.runDesktopComposeUiTest
import androidx.compose.ui.unit.Density
import dev.turnstone.sample.Badge
import dev.turnstone.sample.Draft
import dev.turnstone.sample.NoteItem
import dev.turnstone.sample.StatusLine
import dev.turnstone.sample.Tone
import org.jetbrains.skia.EncodedImageFormat
import org.jetbrains.skiko.Library
import org.junit.jupiter.api.Assertions.assertEquals
import org.junit.jupiter.api.Assertions.assertTrue
import org.junit.jupiter.api.Assumptions.assumeTrue
import org.junit.jupiter.api.Test
import java.awt.image.BufferedImage
import java.io.File
import javax.imageio.ImageIO

/** The screens, used and drawn without a window. What they draw is in `sample-images` beside the other things built. */
@OptIn(ExperimentalTestApi::class)
class ScreensTest {
    init {
        val missing = runCatching { Library.load() }.exceptionOrNull()
        assumeTrue(missing == null) { "nothing can be drawn here: apt-get install libgl1 libx11-6 libfontconfig1 fonts-dejavu-core" }
    }

    private val notes = listOf(
        NoteItem("1", "Shopping for Sunday", "bread, butter, two lemons", Badge.Saved),
        NoteItem("2", "Call the plumber", "after six", Badge.Sending),
        NoteItem("3", "Trip to the coast", "tickets are in the blue folder", null),
        NoteItem("4", "Reading list", "", Badge.Retrying),
        NoteItem("5", "Rent", "a change of it was refused", Badge.Failed),
    )
    private val waiting = StatusLine("3 changes are saved here", "Waits for the network; looks again in 42 s", Tone.Waiting)

    @Test
    fun each_note_that_is_not_synced_carries_a_badge() = used({ NotesScreen(notes, waiting, {}, {}, {}) }) {
        for (note in notes) onNodeWithText(note.title).assertIsDisplayed()
        for (badge in Badge.entries) {
            onAllNodesWithText(badge.label, useUnmergedTree = true).assertCountEquals(notes.count { it.badge == badge })
        }
        onNodeWithText("Waits for the network; looks again in 42 s", useUnmergedTree = true).assertIsDisplayed()
    }

    @Test
    fun a_touch_opens_a_note_begins_one_or_syncs() {
        val touched = mutableListOf<String>()
        used({ NotesScreen(notes, waiting, { touched += "open $it" }, { touched += "new" }, { touched += "sync" }) }) {
            onNodeWithText("Rent").performClick()
            onNodeWithText("New note").performClick()
            onNodeWithText(waiting.now).performClick()
        }
        assertEquals(listOf("open 5", "new", "sync"), touched)
    }

    @Test
    fun what_is_typed_reaches_the_editor() {
        val draft = mutableStateOf(Draft("Plan", ""))
        var left = 0
        used({ EditorScreen(draft.value, { draft.value = it }, { left += 1 }, {}) }) {
            onNodeWithText("Note").performTextInput("by six")
            onNodeWithText("Done").performClick()
        }
        assertEquals(Draft("Plan", "by six"), draft.value)
        assertEquals(1, left)
    }

    @Test
    fun the_screens_are_drawn() {
        val editor = Draft("Shopping for Sunday", "bread, butter, two lemons\n\nAsk Ada for the jar.")
        val calm = StatusLine("All notes are synced", "Looks for news in 12 min", Tone.Calm)
        val pictures = listOf(
            "notes" to drawn("notes") { NotesScreen(notes, waiting, {}, {}, {}) },
            "notes-dark" to drawn("notes-dark", dark = true) { NotesScreen(notes, waiting, {}, {}, {}) },
            "synced" to drawn("synced") { NotesScreen(notes.map { it.copy(badge = null) }, calm, {}, {}, {}) },
            "editor" to drawn("editor") { EditorScreen(editor, {}, {}, {}) },
        )
        for ((name, picture) in pictures) assertTrue(colours(picture) > 50, "$name is more than a ground")
        for ((a, one) in pictures) for ((b, other) in pictures) if (a < b) assertTrue(differ(one, other), "$a and $b differ")
    }

    private fun used(content: @Composable () -> Unit, body: DesktopComposeUiTest.() -> Unit): Unit =
        runDesktopComposeUiTest(width = 400, height = 800) {
            setContent { Look(dark = false, content) }
            body()
        }

    private fun drawn(name: String, dark: Boolean = false, content: @Composable () -> Unit): BufferedImage {
        val scene = ImageComposeScene(540, 960, Density(1.5f)) { Look(dark, content) }
        try {
            scene.render()
            val bytes = scene.render(nanoTime = 1_000_000_000).encodeToData(EncodedImageFormat.PNG)!!.bytes
            val file = File(System.getProperty("turnstone.built"), "sample-images/$name.png")
            file.parentFile.mkdirs()
            file.writeBytes(bytes)
            return ImageIO.read(bytes.inputStream())
        } finally {
            scene.close()
        }
    }

    private fun pixels(picture: BufferedImage): IntArray = picture.getRGB(0, 0, picture.width, picture.height, null, 0, picture.width)

    private fun colours(picture: BufferedImage): Int = pixels(picture).toSet().size

    private fun differ(one: BufferedImage, other: BufferedImage): Boolean = !pixels(one).contentEquals(pixels(other))
}
