import Foundation
import Observation
import Turnstone

/// The bar under the list.
@MainActor @Observable public final class StatusBar {
    public private(set) var line: StatusLine?
    private let store: Turnstone
    private var status: Status?

    public init(store: Turnstone) { self.store = store }

    /// Follows the store until its task ends.
    public func follow() async {
        do {
            for try await status in store.watchStatus() {
                self.status = status
                line = StatusLine(status)
            }
        } catch is CancellationError {
        } catch {
            line = StatusLine(now: "Sync has stopped", next: error.localizedDescription, tone: .needsPerson)
        }
    }

    /// Counts "in 12 s" down until its task ends: a wait gets shorter although nothing happens.
    public func tick() async {
        while (try? await Task.sleep(for: .seconds(1))) != nil {
            if let status { line = StatusLine(status) }
        }
    }
}

/// What the bar says: the same words as the Android sample.
public struct StatusLine: Equatable, Sendable {
    /// How much attention it asks for.
    public enum Tone: Sendable { case calm, working, waiting, needsPerson }

    /// What is so.
    public let now: String
    /// What happens next, and why; empty where there is nothing to say.
    public let next: String
    public let tone: Tone

    init(now: String, next: String, tone: Tone) {
        self.now = now
        self.next = next
        self.tone = tone
    }

    public init(_ status: Status, at moment: Date = Date()) {
        self.init(
            pending: status.pendingOps, deadLetters: status.deadLetters, phase: status.phase, code: status.lastErrorCode,
            hasRemote: status.hasRemote, decision: status.next, at: moment)
    }

    init(
        pending: Int, deadLetters: Int = 0, phase: Phase = .idle, code: String? = nil, hasRemote: Bool = true,
        decision: Decision, at moment: Date
    ) {
        let waiting =
            switch pending {
            case 0: "All notes are synced"
            case 1: "1 change is saved here"
            default: "\(pending) changes are saved here"
            }
        let refused = deadLetters == 1 ? "1 change was refused" : "\(deadLetters) changes were refused"
        let next = StatusLine.next(decision, moment)
        switch phase {
        case _ where !hasRemote: self.init(now: "Notes stay on this phone", next: "There is no server yet", tone: .calm)
        case .needsAuth: self.init(now: waiting, next: "Sign in to sync them", tone: .needsPerson)
        case .stopped: self.init(now: waiting, next: "Sync has stopped" + (code.map { " (\($0))" } ?? ""), tone: .needsPerson)
        case _ where deadLetters > 0: self.init(now: refused, next: next, tone: .needsPerson)
        case .pushing: self.init(now: waiting, next: "Sending now", tone: .working)
        case .pulling: self.init(now: waiting, next: "Fetching news", tone: .working)
        case .connecting: self.init(now: waiting, next: "Reaching the server", tone: .working)
        case .idle, .waiting: self.init(now: waiting, next: next, tone: pending > 0 ? .waiting : .calm)
        }
    }

    private static func next(_ decision: Decision, _ moment: Date) -> String {
        switch decision {
        case .now: return "Syncs now"
        case .at(let at, let why): return words(why, wait(at.timeIntervalSince(moment)))
        case .background(let wish): return words(wish.why, "when the phone gives time")
        case .idle: return ""
        }
    }

    private static func words(_ why: String, _ when: String) -> String {
        switch why {
        case "debounce": "Sends \(when), unless you go on typing"
        case "poll": "Looks for news \(when)"
        case "offline": "Waits for the network; looks again \(when)"
        case "retry_after": "The server asked for patience; tries again \(when)"
        case "server_trouble": "The server has trouble; asks gently \(when)"
        case "sign_in": "Sign in to sync"
        case "upgrade": "Update the app to sync"
        case "storage": "The phone is full; tries again \(when)"
        case "constraints": "Waits for a better network or more power"
        default: "Tries again \(when)"
        }
    }

    private static func wait(_ seconds: Double) -> String {
        seconds < 1 ? "now" : seconds < 60 ? "in \(Int(seconds.rounded(.up))) s" : "in \(Int((seconds / 60).rounded(.up))) min"
    }
}
