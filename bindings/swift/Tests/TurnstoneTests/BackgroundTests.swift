import Foundation
import Testing

@testable import Turnstone

/// Open files of a folder, and locks on them, that this process holds.
private func held(_ folder: URL) throws -> [String] {
    let files = FileManager.default
    let open = try files.contentsOfDirectory(atPath: "/proc/self/fd").compactMap {
        try? files.destinationOfSymbolicLink(atPath: "/proc/self/fd/\($0)")
    }
    let inodes = try files.contentsOfDirectory(atPath: folder.path).compactMap {
        try files.attributesOfItem(atPath: folder.appendingPathComponent($0).path)[.systemFileNumber] as? NSNumber
    }
    let locks = try String(contentsOfFile: "/proc/locks", encoding: .utf8).split(separator: "\n")
    return open.filter { $0.hasPrefix(folder.path) }
        + locks.filter { line in inodes.contains { line.contains(":\($0) ") } }.map(String.init)
}

@Suite struct BackgroundTests {
    private let budget = Budget(time: .seconds(20))

    @Test func a_background_run_pushes_and_reports() async throws {
        let server = try TestServer()
        let (a, b) = (try await Device(server.remote()), try await Device(server.remote()))
        _ = try await b.insert("from b")
        try await b.store.sync()
        _ = try await a.insert("one")
        _ = try await a.insert("two")
        let report = try await a.store.runBackground(budget: budget, reason: .scheduled)
        #expect(report.outcome == .done && report.stopped == .finished && report.code == nil)
        #expect(report.sync.groupsPushed == 2 && report.sync.rowsPulled >= 1)
        #expect(report.sync.bytesUp > 0 && report.sync.bytesDown > 0)
        #expect(try await a.titles() == ["from b", "one", "two"])
        try await a.store.close()
        try await b.store.close()
    }

    @Test func a_run_out_of_budget_says_more_work() async throws {
        let server = try TestServer()
        let a = try await Device(server.remote())
        for n in 0..<60 { _ = try await a.insert("\(n)") }
        let little = Budget(time: .seconds(20), bytesMax: 1)
        let report = try await a.store.runBackground(budget: little, reason: .leaving)
        #expect(report.outcome == .moreWork && report.stopped == .bytesSpent)
        #expect(try await a.store.runBackground(budget: budget, reason: .leaving).outcome == .done)
        #expect(try await a.store.status().pendingGroups == 0)
        try await a.store.close()
    }

    @Test func expire_ends_a_run_within_a_second() async throws {
        let silent = Silent()
        let a = try await Device(.custom(silent, tokens: Always(token: "token")))
        _ = try await a.insert("kept")
        let (store, budget) = (a.store, budget)
        var calls = silent.called.makeAsyncIterator()
        for isCancelled in [false, true] {
            let run = Task { try await store.runBackground(budget: budget, reason: .poked) }
            await calls.next()
            let start = ContinuousClock.now
            if isCancelled { run.cancel() } else { store.expire() }
            // Asked on this very thread: for the report, tests that start servers beside this one may let it wait.
            while case .now = try store.nextWake.decision, ContinuousClock.now - start < .seconds(1) { usleep(1_000) }
            #expect(ContinuousClock.now - start < .seconds(1))
            let report = try await run.value
            #expect(report.outcome == .moreWork && report.stopped == .expired)
        }
        #expect(try await a.store.status().lastErrorCode == nil, "nothing failed")
        #expect(try await a.titles() == ["kept"])
        try await a.store.close()
    }

    /// Where nobody heard of the cancelling, it would take its ten minutes.
    @Test(.timeLimit(.minutes(1))) func a_run_in_a_task_that_was_cancelled_before_takes_no_time() async throws {
        let a = try await Device(.custom(Silent(), tokens: Always(token: "token")))
        _ = try await a.insert("kept")
        let store = a.store
        let run = Task {
            withUnsafeCurrentTask { $0?.cancel() }
            return try await store.runBackground(budget: Budget(time: .seconds(600)), reason: .scheduled)
        }
        #expect(try await run.value.outcome == .moreWork)
        #expect(try await a.store.status().pendingGroups == 1)
        try await a.store.close()
    }

    @Test func a_suspended_store_refuses_and_resumes() async throws {
        let a = try await Device()
        _ = try await a.insert("one")
        #expect(try held(a.place).count > 2, "the probe sees what an open store holds")
        let store = a.store
        let busy = (0..<4).map { _ in Task { while true { try await store.execute("UPDATE notes SET views = views") } } }
        for _ in 0..<5 { _ = try await a.titles() }
        try await a.store.suspend()
        #expect(try held(a.place) == [], "I-49")
        for task in busy {
            let code = await failure { try await task.value }?.code
            #expect(code == "suspended" || code == "transaction_lost", "\(code ?? "none")")
        }
        #expect(try held(a.place) == [], "I-49: nobody takes one again")
        let refused = await failure { try await a.store.status() }
        guard case .retryable("suspended", _)? = refused else { Issue.record("\(String(describing: refused))"); return }
        #expect(await failure { try await a.insert("never") }?.code == "suspended")
        // Another process may have it meanwhile.
        let other = try await Turnstone.open(Device.options(a.place))
        #expect(await failure { try await a.store.resume() }?.code == "already_open")
        try await other.close()
        try await a.store.resume()
        _ = try await a.insert("two")
        #expect(try await a.titles() == ["one", "two"])
        try await a.store.close()
    }

    @Test func next_wake_says_what_happens_next_and_why() async throws {
        let alone = try await Device()
        #expect(try alone.store.nextWake == NextWake(decision: .idle(why: "no_server"), wish: nil))
        try await alone.store.close()
        let server = try TestServer()
        let a = try await Device(server.remote(), autoSync: true)
        try await a.store.sync()
        a.store.setConditions(Conditions(network: .offline))
        _ = try await a.insert("written offline")
        for try await next in a.store.nextWakes {
            guard case .at(let at, "offline") = next.decision else { continue }
            #expect(at > Date())
            #expect(next.wish?.kind == .smallPush && next.wish?.network == .connected && next.wish?.batteryNotLow == false)
            break
        }
        guard case .at(_, "offline") = try await a.store.status().next else { Issue.record("not said"); return }
        try await a.store.close()
    }

    @Test func conditions_are_hints() async throws {
        let server = try TestServer()
        let a = try await Device(server.remote(), autoSync: true)
        try await a.store.sync()
        a.store.setConditions(Conditions(network: .offline))
        _ = try await a.insert("one")
        #expect(try await a.store.sync().groupsPushed == 1, "whoever asks is served all the same")
        a.store.setConditions(Conditions(network: .offline))
        _ = try await a.insert("two")
        a.store.setConditions(Conditions(network: .unmetered))
        for try await status in a.store.watchStatus() where status.pendingGroups == 0 { break }
        try await a.store.close()
    }

    @Test(.timeLimit(.minutes(1))) func a_sync_waits_for_further_writes_as_long_as_asked() async throws {
        let server = try TestServer()
        var options = Device.options(try folder(), server.remote())
        options.autoSync = true
        options.debounce = .seconds(5)
        let store = try await Turnstone.open(options)
        try await store.sync()
        func write() async throws -> Date {
            let before = Date()
            try await store.write { $0.insert("notes", ["title": "more may come"]) }
            return before
        }
        var before = try await write()
        for try await next in store.nextWakes {
            if case .at(let at, why: "debounce") = next.decision {
                // Clocks are read apart, and rounded.
                #expect(at.timeIntervalSince(before) >= 4.9)
                break
            }
            // A slow machine has sent it by now.
            if try await store.status().pendingGroups == 0 { before = try await write() }
        }
        try await store.close()
    }
}
