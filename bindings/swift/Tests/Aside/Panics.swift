import Foundation
import Turnstone
import TurnstoneFFI

private typealias Call = @Sendable () async throws -> Void

/// Plants a panic in each call, makes it, and says what it threw and whether the panic went off.
func plantPanics(_ folder: URL) async throws {
    let store = try await Turnstone.open(options(folder))
    let id = try await store.write { $0.insert("notes", ["title": "before"]) }.ids[0]
    for (name, call) in try calls(store, id, folder) {
        plantPanic(name: name)
        var thrown = "nothing"
        do {
            try await call()
        } catch let error as TurnstoneError {
            thrown = error.code
        } catch {
            thrown = "\(error)"
        }
        say("\(name) \(thrown) \(isPanicPlanted() ? "waits" : "went")")
    }
    _ = try await store.write { $0.insert("notes", ["title": "after"]) }
    say("titles " + (try await store.query("SELECT title FROM notes ORDER BY title").map { try $0.text("title")! }).joined(separator: ","))
    try await store.close()
}

/// The first element, and an end to it.
private func first<T>(_ elements: Watching<T>) async throws {
    for try await _ in elements { return }
}

private func last<T>(_ elements: Watching<T>) async throws {
    for try await _ in elements {}
}

private struct Undone: Error {}

/// How an app reaches each call of the library.
private func calls(_ store: Turnstone, _ id: String, _ folder: URL) throws -> [(String, Call)] {
    let all = "SELECT title FROM notes"
    let elsewhere = try options(folder.appendingPathComponent("elsewhere"))
    return [
        ("open", { try await Turnstone.open(elsewhere).close() }),
        ("write", { _ = try await store.write { $0.insert("notes", ["title": "never"]) } }),
        ("execute", { _ = try await store.execute("DELETE FROM notes") }),
        ("begin", { try await store.transaction { _ in } }),
        ("transaction_apply", { try await store.transaction { _ = try await $0.write { $0.delete("notes", id: id) } } }),
        ("transaction_execute", { try await store.transaction { _ = try await $0.execute("DELETE FROM notes") } }),
        ("transaction_query", { try await store.transaction { _ = try await $0.query(all) } }),
        ("transaction_get", { try await store.transaction { _ = try await $0.get("notes", id: id) } }),
        ("transaction_commit", { try await store.transaction { _ in } }),
        ("transaction_rollback", { try await store.transaction { _ in throw Undone() } }),
        ("get", { _ = try await store.get("notes", id: id) }),
        ("query", { _ = try await store.query(all) }),
        ("pages", { try await last(store.pages(all)) }),
        ("pages_read", { try await last(store.pages(all)) }),
        ("pages_next", { try await last(store.pages(all)) }),
        ("pages_cancel", { try await last(store.pages(all)) }),
        ("watch", { try await first(store.watch(all)) }),
        ("watch_next", { try await first(store.watch(all)) }),
        ("watch_cancel", { try await first(store.watch(all)) }),
        ("watch_status", { try await first(store.watchStatus()) }),
        ("status_watch_next", { try await first(store.watchStatus()) }),
        ("status_watch_cancel", { try await first(store.watchStatus()) }),
        ("watch_row_state", { try await first(store.watchRowState("notes", id: id)) }),
        ("row_state_watch_next", { try await first(store.watchRowState("notes", id: id)) }),
        ("row_state_watch_cancel", { try await first(store.watchRowState("notes", id: id)) }),
        ("watch_next_wake", { try await first(store.nextWakes) }),
        ("next_wake_watch_next", { try await first(store.nextWakes) }),
        ("next_wake_watch_cancel", { try await first(store.nextWakes) }),
        ("next_wake", { _ = try store.nextWake }),
        ("row_state", { _ = try await store.rowState("notes", id: id) }),
        ("status", { _ = try await store.status() }),
        ("sync", { _ = try await store.sync() }),
        ("cancel_create", { _ = try await store.sync() }),
        ("cancel_cancel", { try await cancelled { _ = try await store.sync() } }),
        ("token_changed", { store.tokenChanged() }),
        ("network_changed", { store.networkChanged(up: true) }),
        ("poke", { store.poke() }),
        ("run_background", { _ = try await store.runBackground(budget: Budget(time: .seconds(1)), reason: .scheduled) }),
        ("expire", { store.expire() }),
        ("set_conditions", { store.setConditions(Conditions()) }),
        ("suspend_store", { try await store.suspend() }),
        ("resume_store", { try await store.resume() }),
        ("dead_letters", { _ = try await store.deadLetters() }),
        ("retry_dead_letter", { try await store.retryDeadLetter(1) }),
        ("state_hash", { _ = try await store.stateHash() }),
        ("identity", { _ = try await store.identity() }),
        ("origin", { _ = try store.origin }),
        ("totals", { _ = try store.totals() }),
        ("checkpoint", { try await store.checkpoint() }),
        ("set_log_sink", { try Turnstone.log(to: nil) }),
        ("shutdown", { try await store.close() }),
    ]
}

/// Makes a call from a task that was cancelled before.
private func cancelled(_ call: @escaping Call) async throws {
    let task = Task {
        withUnsafeCurrentTask { $0?.cancel() }
        try await call()
    }
    try await task.value
}
