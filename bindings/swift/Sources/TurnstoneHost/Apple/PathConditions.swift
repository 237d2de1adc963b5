#if canImport(Network) && canImport(UIKit)
    import Foundation
    import Network
    import Turnstone
    import UIKit

    /// Watches network and power, and tells the host. Only hints: none of them can keep the store from syncing for good.
    public final class PathConditions: @unchecked Sendable {
        private let host: SyncHost<Turnstone>
        private let monitor = NWPathMonitor()
        private var observers: [any NSObjectProtocol] = []

        /// Begins to watch.
        @MainActor public init(_ host: SyncHost<Turnstone>) {
            self.host = host
            monitor.pathUpdateHandler = { path in
                let seen = PathSeen(
                    isSatisfied: path.status == .satisfied, isExpensive: path.isExpensive, isConstrained: path.isConstrained
                )
                host.deviceChanged { $0.path = seen }
            }
            monitor.start(queue: DispatchQueue(label: "turnstone.path"))
            UIDevice.current.isBatteryMonitoringEnabled = true
            for name in [Notification.Name.NSProcessInfoPowerStateDidChange, UIDevice.batteryStateDidChangeNotification] {
                observers.append(
                    NotificationCenter.default.addObserver(forName: name, object: nil, queue: .main) { [weak self] _ in
                        MainActor.assumeIsolated { self?.lookAtPower() }
                    })
            }
            lookAtPower()
        }

        deinit {
            monitor.cancel()
            observers.forEach { NotificationCenter.default.removeObserver($0) }
        }

        @MainActor private func lookAtPower() {
            let battery = UIDevice.current.batteryState
            let isLowPower = ProcessInfo.processInfo.isLowPowerModeEnabled
            host.deviceChanged {
                $0.isLowPower = isLowPower
                $0.isCharging = battery == .charging || battery == .full
            }
        }
    }
#endif
