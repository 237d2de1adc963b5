import Foundation

/// Time that the system gave: a task, seconds before suspension, a silent push.
public protocol GivenTime: Sendable {
    /// Says what to do when the system takes it back. It may be called on any thread, also at once, and must not wait.
    func whenTakenBack(_ act: @escaping @Sendable () -> Void)
    /// Gives it back. Called exactly once.
    func giveBack(_ result: FetchResult)
}

/// What may happen in one stretch of given time, and what is to be done about it. However the events come, time is given
/// back once, and the work is told to stop at most once and never afterwards.
struct Turn: Equatable {
    enum Event: Equatable, CaseIterable {
        /// The work ended by itself.
        case ended
        /// The system takes the time back.
        case takenBack
        /// The work was told to stop and did not.
        case graceOver
    }

    enum Step: Equatable {
        case stopWork
        case giveBack(inTime: Bool)
    }

    private enum State { case working, stopping, over }
    private var state = State.working

    var isOver: Bool { state == .over }
    var isTakenBack: Bool { state != .working }

    mutating func on(_ event: Event) -> [Step] {
        switch (state, event) {
        case (.working, .takenBack):
            state = .stopping
            return [.stopWork]
        case (.working, .ended), (.stopping, .ended):
            state = .over
            return [.giveBack(inTime: true)]
        case (.working, .graceOver):
            state = .over
            return [.stopWork, .giveBack(inTime: false)]
        case (.stopping, .graceOver):
            state = .over
            return [.giveBack(inTime: false)]
        case (.stopping, .takenBack), (.over, _):
            return []
        }
    }
}

/// One stretch of given time while it is spent.
final class Stretch: @unchecked Sendable {
    /// How long work that was told to stop may take: the system waits a few seconds and kills then.
    static let grace = Duration.seconds(2)
    /// How often it is told: a run that begins in the same moment would not hear it.
    private static let tellEvery = Duration.milliseconds(100)

    let id = UUID()
    private let time: any GivenTime
    private let stop: @Sendable () -> Void
    private let leave: @Sendable (UUID) async -> Void
    private let grace: Duration
    private let lock = NSLock()
    private var turn = Turn()
    private var result = FetchResult.failed

    /// - Parameters:
    ///   - stop: ends the work soon; called again until it has ended.
    ///   - leave: lets go of what must not be held when the time is over.
    init(
        _ time: any GivenTime, grace: Duration = Stretch.grace, stop: @escaping @Sendable () -> Void,
        leave: @escaping @Sendable (UUID) async -> Void
    ) {
        self.time = time
        self.stop = stop
        self.leave = leave
        self.grace = grace
        time.whenTakenBack { self.happen(.takenBack) }
    }

    var isOver: Bool { lock.withLock { turn.isOver } }
    var isTakenBack: Bool { lock.withLock { turn.isTakenBack } }

    /// The work ended by itself, with this result.
    func ended(_ result: FetchResult) {
        lock.withLock { if !turn.isOver { self.result = result } }
        happen(.ended)
    }

    /// Ends it by itself after so long, where the system would not say so.
    func endAfter(_ limit: Duration) {
        Task {
            try? await Task.sleep(for: limit)
            happen(.takenBack)
        }
    }

    private func happen(_ event: Turn.Event) {
        for step in lock.withLock({ turn.on(event) }) {
            switch step {
            case .stopWork: Task { await stopWork() }
            case .giveBack(let inTime):
                let result = inTime ? lock.withLock { self.result } : .failed
                Task {
                    await leave(id)
                    time.giveBack(result)
                }
            }
        }
    }

    private func stopWork() async {
        var left = grace
        while !isOver && left > .zero {
            stop()
            try? await Task.sleep(for: Stretch.tellEvery)
            left -= Stretch.tellEvery
        }
        happen(.graceOver)
    }
}
