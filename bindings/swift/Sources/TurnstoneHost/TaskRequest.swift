import Foundation
import Turnstone

/// The ids of the two background tasks, as they stand in the app's Info.plist.
public struct TaskIds: Equatable, Sendable {
    /// Of the app refresh.
    public let refresh: String
    /// Of the processing task.
    public let processing: String

    /// Two ids, each under `BGTaskSchedulerPermittedIdentifiers` in Info.plist.
    public init(refresh: String, processing: String) {
        self.refresh = refresh
        self.processing = processing
    }
}

/// What to ask of the system's task scheduler.
public struct TaskRequest: Equatable, Sendable {
    /// Which of the two tasks.
    public enum Kind: Equatable, Sendable, CaseIterable {
        /// About 30 seconds, when the system likes.
        case refresh
        /// Minutes, when the device is not used.
        case processing
    }

    /// Which of the two tasks.
    public let kind: Kind
    /// Not before; nil: as soon as the system likes.
    public let earliest: Date?
    /// Only where the task is for processing: the system knows no such wishes for a refresh.
    public let needsNetwork: Bool
    /// Whether the device must be on power; as with the network, only for processing.
    public let needsPower: Bool

    static func refresh(_ earliest: Date?) -> TaskRequest {
        TaskRequest(kind: .refresh, earliest: earliest, needsNetwork: false, needsPower: false)
    }

    static func processing(_ earliest: Date? = nil, needsPower: Bool = false) -> TaskRequest {
        TaskRequest(kind: .processing, earliest: earliest, needsNetwork: true, needsPower: needsPower)
    }
}

/// What is asked of the system, and what its time is good for. Pure: every case is a test.
enum Asking {
    /// Asked for when a task begins, in case nothing else comes of it: the process may be killed at any moment, and a task
    /// that is not asked for again never comes again.
    static func fallback(now: Date) -> TaskRequest { .refresh(now.addingTimeInterval(900)) }

    /// What to hold with the system. A kind that is not in it is taken back.
    static func requests(for wish: Wish?, after outcome: Outcome?, now: Date) -> [TaskRequest] {
        var notBefore: Date?
        switch outcome {
        // Time brings nothing until somebody signs in or updates; both open the app.
        case .needsAuth, .permanent: return []
        case .retryAfter(let wait): notBefore = now.addingTimeInterval(wait / .seconds(1))
        case .done, .moreWork, nil: break
        }
        guard let wish else { return [] }
        // A time that has passed says nothing.
        let earliest = [wish.earliest, notBefore].compactMap { $0 }.max().flatMap { $0 > now ? $0 : nil }
        switch wish.kind {
        case .bootstrap:
            return [.processing(earliest, needsPower: wish.batteryNotLow)]
        case .smallPush, .pull:
            // A refresh was too short: the same again may be too, so minutes are asked for beside it.
            return outcome == .moreWork ? [.refresh(earliest), .processing(earliest)] : [.refresh(earliest)]
        }
    }

    /// Whether time that the scheduler gave is good for this work: the system does not know what a network costs.
    static func suits(_ wish: Wish?, _ conditions: Conditions) -> Bool {
        guard let wish else { return true }
        switch (wish.network, conditions.network) {
        case (.unmetered, .metered), (.unmetered, .roaming), (.notRoaming, .roaming): return false
        default: return true
        }
    }
}

/// What came of time that the system gave, as it wants to hear it.
public enum FetchResult: Equatable, Sendable {
    /// Something came from the server.
    case newData
    /// Nothing was there to come.
    case noData
    /// It could not be found out.
    case failed

    init(_ report: BackgroundReport) {
        switch report.outcome {
        case .done, .moreWork:
            let isCut = report.stopped == .expired
            self = report.sync.rowsPulled > 0 ? .newData : isCut ? .failed : .noData
        case .retryAfter, .needsAuth, .permanent:
            self = .failed
        }
    }
}
