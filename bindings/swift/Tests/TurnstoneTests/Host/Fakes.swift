import Foundation

import TurnstoneFFI

@testable import Turnstone
@testable import TurnstoneHost

/// Values that several threads write.
final class Shared<Value: Sendable>: @unchecked Sendable {
    private let lock = NSLock()
    private var kept: Value

    init(_ value: Value) { kept = value }

    var value: Value { lock.withLock { kept } }
    func change(_ change: (inout Value) -> Void) { lock.withLock { change(&kept) } }
}

/// A store that does what a test says and keeps what it was asked.
final class FakeStore: HostedStore {
    /// What its runs do.
    enum Runs: Sendable {
        case end(FfiOutcome, rowsPulled: Int = 0)
        /// Until they hear that time is taken back, or some seconds are over; `deaf` for so many seconds before.
        case untilExpired(deaf: Double = 0)
        /// They hear nothing.
        case long
        case fail
    }

    let runs: Shared<Runs>
    let next = Shared(NextWake(decision: .idle(why: "nothing_to_do"), wish: nil))
    let said = Shared<[String]>([])
    let isUnsent = Shared(false)
    let told = Shared<[Conditions]>([])
    let isAwake = Shared(true)
    /// Whether it was let go of while a run went on.
    let wasCutOff = Shared(false)
    private let isRunning = Shared(false)
    /// How often letting go fails before it works.
    let busy = Shared(0)
    private let isExpired = Shared(false)

    init(_ runs: Runs = .end(.done)) { self.runs = Shared(runs) }

    func runBackground(budget: Budget, reason: RunReason) async throws -> BackgroundReport {
        said.change { $0.append("run \(reason)") }
        isExpired.change { $0 = false }
        isRunning.change { $0 = true }
        defer { isRunning.change { $0 = false } }
        switch runs.value {
        case .end(let outcome, let rows): return report(outcome, .finished, rows)
        case .untilExpired(let deaf):
            try await Task.sleep(for: .seconds(deaf))
            // Said while it was deaf, and not heard.
            isExpired.change { $0 = false }
            for _ in 0..<3_000 {
                if isExpired.value { return report(.moreWork, .expired, 0) }
                try await Task.sleep(for: .milliseconds(1))
            }
            return report(.moreWork, .timeUp, 0)
        case .long:
            while true { try await Task.sleep(for: .milliseconds(10)) }
        case .fail: throw TurnstoneError.closed(code: "suspended", text: "")
        }
    }

    func expire() {
        said.change { if $0.last != "expire" { $0.append("expire") } }
        isExpired.change { $0 = true }
    }

    func setConditions(_ conditions: Conditions) { told.change { $0.append(conditions) } }
    var nextWake: NextWake { next.value }
    func hasUnsent() async throws -> Bool { isUnsent.value }
    func sync() async throws -> SyncReport {
        said.change { $0.append("sync") }
        while true { try await Task.sleep(for: .milliseconds(1)) }
    }

    func suspend() async throws {
        var isBusy = false
        busy.change {
            isBusy = $0 > 0
            $0 -= isBusy ? 1 : 0
        }
        said.change { $0.append("suspend") }
        if isRunning.value { wasCutOff.change { $0 = true } }
        if isBusy { throw TurnstoneError.retryable(code: "busy", text: "") }
        // As long as it may take, so that others come in between.
        try await Task.sleep(for: .milliseconds(1))
        isAwake.change { $0 = false }
    }

    func resume() async throws {
        said.change { $0.append("resume") }
        isAwake.change { $0 = true }
    }
}

/// Time that a test gives and takes back.
final class FakeTime: GivenTime {
    let results = Shared<[FetchResult]>([])
    /// Whether the store was still awake when the time was given back.
    let wasAwake = Shared(false)
    private let act = Shared<(@Sendable () -> Void)?>(nil)
    private let store: FakeStore?

    init(_ store: FakeStore? = nil) { self.store = store }

    private let isTakenBack = Shared(false)

    func whenTakenBack(_ act: @escaping @Sendable () -> Void) {
        self.act.change { $0 = act }
        if isTakenBack.value { act() }
    }

    func takeBack() {
        isTakenBack.change { $0 = true }
        act.value?()
    }

    func giveBack(_ result: FetchResult) {
        if store?.isAwake.value == true { wasAwake.change { $0 = true } }
        results.change { $0.append(result) }
    }

    /// Waits until it was given back, and a little longer for what must not come.
    func given() async throws -> [FetchResult] {
        while results.value.isEmpty { try await Task.sleep(for: .milliseconds(1)) }
        try await Task.sleep(for: .milliseconds(20))
        return results.value
    }
}

/// Keeps what was asked of the system.
final class FakeAsker: TaskAsker {
    let asked = Shared<[[TaskRequest]]>([])
    var last: [TaskRequest]? { asked.value.last }

    func ask(_ requests: [TaskRequest]) -> String? {
        asked.change { $0.append(requests) }
        return nil
    }
}

let noon = Date(timeIntervalSince1970: 1_800_000_000)

func wish(_ kind: WorkKind, _ network: NetworkNeed = .connected, in seconds: Double? = nil) -> Wish {
    Wish(
        kind: kind, network: network, batteryNotLow: kind != .smallPush,
        earliest: seconds.map { noon.addingTimeInterval($0) }, why: "poll"
    )
}

func next(_ wish: Wish?) -> NextWake { NextWake(decision: .idle(why: "nothing_to_do"), wish: wish) }

func host(_ store: FakeStore, _ asker: FakeAsker = FakeAsker()) -> SyncHost<FakeStore> {
    SyncHost(asker: asker, now: { noon }, open: { store })
}

/// A report of a run in which so many rows came.
func report(_ outcome: FfiOutcome, _ stopped: FfiStopped, _ rows: Int) -> BackgroundReport {
    let sync = FfiSyncReport(
        groupsPushed: 0, applied: 0, merged: 0, rejected: 0, waiting: 0, rowsPulled: UInt64(rows), overlaps: 0, bytesUp: 0,
        bytesDown: 0, requests: 0, tookMs: 0)
    return BackgroundReport(FfiBackgroundReport(outcome: outcome, stopped: stopped, code: nil, sync: sync))
}
