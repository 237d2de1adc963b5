#if canImport(BackgroundTasks) && canImport(UIKit)
    import BackgroundTasks
    import Foundation
    import UIKit

    /// A background task of the scheduler.
    final class TaskTime: GivenTime, @unchecked Sendable {
        private let task: BGTask

        init(_ task: BGTask) { self.task = task }

        func whenTakenBack(_ act: @escaping @Sendable () -> Void) { task.expirationHandler = act }

        func giveBack(_ result: FetchResult) {
            task.expirationHandler = nil
            task.setTaskCompleted(success: result != .failed)
        }
    }

    /// The completion of a silent push. The system never takes it back; the host ends it by itself.
    final class PushTime: GivenTime, @unchecked Sendable {
        /// Called on the main actor only, where it came from.
        private let completion: (UIBackgroundFetchResult) -> Void

        init(_ completion: @escaping (UIBackgroundFetchResult) -> Void) { self.completion = completion }

        func whenTakenBack(_ act: @escaping @Sendable () -> Void) {}

        func giveBack(_ result: FetchResult) {
            let answer: UIBackgroundFetchResult
            switch result {
            case .newData: answer = .newData
            case .noData: answer = .noData
            case .failed: answer = .failed
            }
            Task { @MainActor in self.completion(answer) }
        }
    }

    /// Seconds between the foreground and suspension.
    final class ApplicationTime: GivenTime, @unchecked Sendable {
        private let lock = NSLock()
        private var id = UIBackgroundTaskIdentifier.invalid
        private var act: (@Sendable () -> Void)?
        private var isTakenBack = false

        /// Asks for them. Where the system has none to give, they are taken back at once.
        @MainActor init(_ name: String) {
            let id = UIApplication.shared.beginBackgroundTask(withName: name) { [weak self] in self?.takeBack() }
            lock.withLock { self.id = id }
            if id == .invalid { takeBack() }
        }

        func whenTakenBack(_ act: @escaping @Sendable () -> Void) {
            let isTakenBack = lock.withLock {
                self.act = act
                return self.isTakenBack
            }
            if isTakenBack { act() }
        }

        func giveBack(_ result: FetchResult) {
            let id = lock.withLock {
                act = nil
                return self.id
            }
            guard id != .invalid else { return }
            Task { @MainActor in UIApplication.shared.endBackgroundTask(id) }
        }

        private func takeBack() {
            let act = lock.withLock {
                isTakenBack = true
                return self.act
            }
            act?()
        }
    }
#endif
