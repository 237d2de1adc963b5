import NotesModel
import SwiftUI
import Turnstone
import TurnstoneHost

/// The list, with the status bar under it. Until the store is open there is nothing to show; why is said.
struct NotesScreen: View {
    let background: TurnstoneBackground
    @State private var store: Turnstone?
    @State private var problem: String?

    var body: some View {
        VStack {
            if let store {
                NotesListView(list: NotesList(store: store), store: store, background: background)
            } else if let problem {
                Label(problem, systemImage: "exclamationmark.triangle")
            } else {
                ProgressView()
            }
        }
        .task {
            do {
                store = try await background.host.store()
            } catch {
                problem = error.localizedDescription
            }
        }
    }
}

/// A note to edit: one that is there, or a new one.
enum Edited: Hashable {
    case new
    case note(String)

    var id: String? { if case .note(let id) = self { id } else { nil } }
}

/// Every note with its badge.
struct NotesListView: View {
    @State var list: NotesList
    let store: Turnstone
    let background: TurnstoneBackground
    @State private var path: [Edited] = []

    var body: some View {
        NavigationStack(path: $path) {
            List {
                ForEach(list.notes) { note in
                    NavigationLink(value: Edited.note(note.id)) {
                        NoteLine(note: note, badge: RowBadge(store: store, id: note.id))
                    }
                }
                .onDelete { places in
                    let ids = places.map { list.notes[$0].id }
                    Task { for id in ids { await list.delete(id) } }
                }
            }
            .navigationTitle("Notes")
            .navigationDestination(for: Edited.self) { edited in
                NoteEditorView(editor: NoteEditor(store: store, id: edited.id))
            }
            .toolbar {
                Button("New note", systemImage: "square.and.pencil") { path.append(.new) }
            }
            // What goes wrong is in the bar.
            .refreshable { [background] in _ = try? await background.sync() }
        }
        .safeAreaInset(edge: .bottom) { StatusBarView(bar: StatusBar(store: store)) }
        .task { await list.follow() }
    }
}

struct NoteLine: View {
    let note: Note
    @State var badge: RowBadge

    var body: some View {
        HStack {
            VStack(alignment: .leading) {
                Text(note.shownTitle).font(.headline)
                Text(note.preview).lineLimit(1).foregroundStyle(.secondary)
            }
            Spacer()
            if let badge = badge.badge {
                Label(badge.rawValue, systemImage: badge.symbol).font(.caption)
            }
        }
        .task { await badge.follow() }
    }
}

/// How much waits, what happens next, and why.
struct StatusBarView: View {
    @State var bar: StatusBar

    var body: some View {
        HStack {
            if let line = bar.line {
                VStack(alignment: .leading) {
                    Text(line.now).font(.headline)
                    Text(line.next).font(.caption)
                }
            }
            Spacer()
        }
        .padding()
        .task { await bar.follow() }
        .task { await bar.tick() }
    }
}
