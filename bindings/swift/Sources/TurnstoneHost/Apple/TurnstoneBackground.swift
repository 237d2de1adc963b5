#if canImport(BackgroundTasks) && canImport(UIKit)
    import BackgroundTasks
    import Foundation
    import Turnstone
    import UIKit

    /// The id of a task is not in the app's Info.plist, or was registered before.
    public struct TaskIdRefused: Error, Equatable {
        /// Which one.
        public let id: String
    }

    /// Turnstone in the background of an iOS app. Make one when the app starts, and `register` before its launch has ended.
    public final class TurnstoneBackground: Sendable {
        /// What decides; the rest of this file only passes on.
        public let host: SyncHost<Turnstone>
        private let ids: TaskIds

        /// - Parameter open: opens the store once, for the app and for the background. Called again only if it threw.
        public init(ids: TaskIds, open: @escaping @Sendable () async throws -> Turnstone) {
            self.ids = ids
            host = SyncHost(asker: SystemAsker(ids: ids), open: open)
        }

        /// Registers both tasks. Call it before the app's launch has ended: later, the system ends the app.
        public func register() throws {
            for kind in TaskRequest.Kind.allCases {
                let id = ids.id(of: kind)
                let isTaken = BGTaskScheduler.shared.register(forTaskWithIdentifier: id, using: nil) { [host] task in
                    let time = TaskTime(task)
                    Task { await host.granted(time, kind) }
                }
                if !isTaken { throw TaskIdRefused(id: id) }
            }
        }

        /// The scene became active.
        @MainActor public func entered() {
            Task { try? await host.entered() }
        }

        /// The scene went to the background. The seconds that are left are asked for here and now: a moment later is too late.
        @MainActor public func left() {
            let time = ApplicationTime("turnstone.leaving")
            Task { await host.left(time) }
        }

        /// A silent push came (`application(_:didReceiveRemoteNotification:fetchCompletionHandler:)`).
        @MainActor public func pushed(_ completion: @escaping (UIBackgroundFetchResult) -> Void) {
            let time = PushTime(completion)
            Task { await host.pushed(time) }
        }

        /// Syncs because a person asked for it, such as pulling to refresh.
        @discardableResult
        public func sync() async throws -> SyncReport {
            try await host.sync(await ApplicationTime("turnstone.sync"))
        }
    }

    extension TaskIds {
        func id(of kind: TaskRequest.Kind) -> String { kind == .refresh ? refresh : processing }
    }

    /// Asks the system's scheduler.
    struct SystemAsker: TaskAsker {
        let ids: TaskIds

        func ask(_ requests: [TaskRequest]) -> String? {
            var refused: String?
            for kind in TaskRequest.Kind.allCases where !requests.contains(where: { $0.kind == kind }) {
                BGTaskScheduler.shared.cancel(taskRequestWithIdentifier: ids.id(of: kind))
            }
            for request in requests {
                do {
                    // One of the same id is replaced.
                    try BGTaskScheduler.shared.submit(task(request))
                } catch {
                    // Refused where the person turned background refresh off, and in the simulator: opening the app syncs then.
                    refused = error.localizedDescription
                }
            }
            return refused
        }

        private func task(_ request: TaskRequest) -> BGTaskRequest {
            let task: BGTaskRequest
            switch request.kind {
            case .refresh: task = BGAppRefreshTaskRequest(identifier: ids.refresh)
            case .processing:
                let processing = BGProcessingTaskRequest(identifier: ids.processing)
                processing.requiresNetworkConnectivity = request.needsNetwork
                processing.requiresExternalPower = request.needsPower
                task = processing
            }
            task.earliestBeginDate = request.earliest
            return task
        }
    }
#endif
