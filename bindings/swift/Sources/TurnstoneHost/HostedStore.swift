import Foundation
import Turnstone

/// What the host needs of a store. Tests put another one in its place.
public protocol HostedStore: Sendable {
    /// Syncs in time that the system gave.
    func runBackground(budget: Budget, reason: RunReason) async throws -> BackgroundReport
    /// Says that the system takes its time back.
    func expire()
    /// Says what the device is like.
    func setConditions(_ conditions: Conditions)
    /// What happens next, and what the system is to hold for it.
    var nextWake: NextWake { get throws }
    /// Whether something that was written has not been sent.
    func hasUnsent() async throws -> Bool
    /// Syncs until quiet, for a person who looks on.
    @discardableResult
    func sync() async throws -> SyncReport
    /// Lets go of the database file.
    func suspend() async throws
    /// Takes the database file again.
    func resume() async throws
}

extension Turnstone: HostedStore {
    /// Read from the database: what the scheduler says may be a moment older than the last write.
    public func hasUnsent() async throws -> Bool {
        let status = try await status()
        return status.pendingGroups > status.parkedGroups
    }
}
