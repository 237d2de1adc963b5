import NotesModel
import SwiftUI

/// One note, or a new one. What is typed is saved a moment later; what another device changes meanwhile appears where nothing was typed.
struct NoteEditorView: View {
    @State var editor: NoteEditor

    var body: some View {
        VStack {
            Fields(editor: editor)
        }
        .navigationTitle("Note")
        .task { await editor.follow() }
        .task(id: editor.typed) { await editor.saveSoon() }
        .onDisappear { Task { await editor.save() } }
    }

    private struct Fields: View {
        @Bindable var editor: NoteEditor

        var body: some View {
            Form {
                TextField("Title", text: $editor.title)
                TextEditor(text: $editor.body)
            }
        }
    }
}
