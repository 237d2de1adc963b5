// A type-check aid: see README.md beside this folder.
@_exported import Foundation

public struct UIBackgroundTaskIdentifier: Hashable, Sendable, RawRepresentable {
    public var rawValue: Int
    public init(rawValue: Int) { self.rawValue = rawValue }
    public static let invalid = UIBackgroundTaskIdentifier(rawValue: 0)
}

public enum UIBackgroundFetchResult: UInt, Sendable { case newData, noData, failed }

@MainActor open class UIApplication {
    public class var shared: UIApplication { UIApplication() }
    public struct LaunchOptionsKey: Hashable, Sendable {}
    open func beginBackgroundTask(
        withName taskName: String?, expirationHandler handler: (@MainActor @Sendable () -> Void)? = nil
    ) -> UIBackgroundTaskIdentifier { .invalid }
    open func endBackgroundTask(_ identifier: UIBackgroundTaskIdentifier) {}
    open func registerForRemoteNotifications() {}
}

open class UIResponder: NSObject {}

@MainActor public protocol UIApplicationDelegate: AnyObject {
    func application(
        _ application: UIApplication, didFinishLaunchingWithOptions launchOptions: [UIApplication.LaunchOptionsKey: Any]?
    ) -> Bool
    func application(
        _ application: UIApplication, didReceiveRemoteNotification userInfo: [AnyHashable: Any],
        fetchCompletionHandler completionHandler: @escaping (UIBackgroundFetchResult) -> Void
    )
}

// Optional in the original.
extension UIApplicationDelegate {
    public func application(
        _ application: UIApplication, didReceiveRemoteNotification userInfo: [AnyHashable: Any],
        fetchCompletionHandler completionHandler: @escaping (UIBackgroundFetchResult) -> Void
    ) {}
}

@MainActor open class UIDevice {
    public class var current: UIDevice { UIDevice() }
    public enum BatteryState: Int, Sendable { case unknown, unplugged, charging, full }
    open var isBatteryMonitoringEnabled = false
    open var batteryState: BatteryState { .unknown }
    public nonisolated static let batteryStateDidChangeNotification = Notification.Name("")
}

// What Foundation has on Apple's systems and not on Linux.
extension Notification.Name {
    public static let NSProcessInfoPowerStateDidChange = Notification.Name("")
}

extension ProcessInfo {
    public var isLowPowerModeEnabled: Bool { false }
}
