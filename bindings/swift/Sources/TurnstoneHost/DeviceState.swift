import Foundation
import Turnstone

/// What the system says about the network.
public struct PathSeen: Equatable, Sendable {
    /// Whether there is one.
    public var isSatisfied: Bool
    /// Whether somebody pays for it: cellular, or another phone's hotspot.
    public var isExpensive: Bool
    /// Whether the person wants it spared: Low Data Mode.
    public var isConstrained: Bool

    /// A network as the system described it.
    public init(isSatisfied: Bool, isExpensive: Bool, isConstrained: Bool) {
        self.isSatisfied = isSatisfied
        self.isExpensive = isExpensive
        self.isConstrained = isConstrained
    }
}

/// What the host has seen of the device so far.
public struct DeviceState: Equatable, Sendable {
    /// The network; nil: nothing was said yet, and nothing is held back for it.
    public var path: PathSeen?
    /// Whether a scene is active.
    public var isForeground = false
    /// Whether Low Power Mode is on.
    public var isLowPower = false
    /// Whether the device is being charged.
    public var isCharging = false

    /// As the store wants to hear it. The system says neither whether a network reaches the internet nor whether the phone
    /// is abroad, so neither is guessed.
    var conditions: Conditions {
        let network: Network
        switch path {
        case nil: network = .unknown
        case let path? where !path.isSatisfied: network = .offline
        case let path?: network = path.isExpensive || path.isConstrained ? .metered : .unmetered
        }
        return Conditions(
            network: network, validated: true, foreground: isForeground, lowPower: isLowPower, charging: isCharging
        )
    }
}

/// Tells the store what the device is like: when it changes, and when the store wakes, so that no hint sticks.
final class ConditionsFeed<Store: HostedStore>: @unchecked Sendable {
    private let lock = NSLock()
    private var state = DeviceState()
    private var store: Store?

    var conditions: Conditions { lock.withLock { state.conditions } }

    func update(_ change: (inout DeviceState) -> Void) {
        // Told under the lock: what is told last is what is true.
        lock.withLock {
            let before = state.conditions
            change(&state)
            if state.conditions != before { store?.setConditions(state.conditions) }
        }
    }

    func tell(_ store: Store) {
        lock.withLock {
            self.store = store
            store.setConditions(state.conditions)
        }
    }
}
