import Foundation
import TurnstoneFFI

/// Why a call failed: one case for each thing an app can do about it. Nothing was changed unless the text says otherwise.
///
/// `code` is stable, for programs; `text` is one sentence for a developer, without anything a person wrote.
public enum TurnstoneError: Error, Equatable, Sendable {
    /// Try again later.
    case retryable(code: String, text: String)
    /// Get a new token, or let the person sign in.
    case authRequired(code: String, text: String)
    /// Update the app or the server.
    case upgradeRequired(code: String, text: String)
    /// Free space; then it works again.
    case storageFull(code: String, text: String)
    /// The file is damaged, or not a database of Turnstone. It was left as it is.
    case corrupt(code: String, text: String)
    /// The file cannot be used as it is: its path, permissions, or another opener.
    case unavailable(code: String, text: String)
    /// The database is another account's. It was left as it is: open that account's own file. `pendingGroups` local
    /// transactions wait to be sent as that account: they are lost, if the file is deleted.
    case otherAccount(code: String, text: String, pendingGroups: Int)
    /// The key of the database cannot be had, now or at all.
    case keyUnavailable(code: String, text: String)
    /// The call itself is wrong.
    case invalidArgument(code: String, text: String)
    /// The store was closed.
    case closed(code: String, text: String)
    /// A fault of Turnstone: report it. The store stays usable.
    case `internal`(code: String, text: String)

    /// The stable code.
    public var code: String { parts.code }
    /// One sentence for a developer.
    public var text: String { parts.text }

    private var parts: (code: String, text: String) {
        switch self {
        case .retryable(let code, let text), .authRequired(let code, let text), .upgradeRequired(let code, let text),
            .storageFull(let code, let text), .corrupt(let code, let text), .unavailable(let code, let text),
            .keyUnavailable(let code, let text), .invalidArgument(let code, let text), .closed(let code, let text),
            .internal(let code, let text), .otherAccount(let code, let text, _):
            return (code, text)
        }
    }
}

extension TurnstoneError: LocalizedError {
    /// The same as `text`: `localizedDescription` shows it.
    public var errorDescription: String? { text }
}

/// The error as an app sees it.
func translated(_ error: any Error) -> any Error {
    guard let error = error as? FfiError else { return error }
    switch error {
    case .Retryable(let code, let text): return TurnstoneError.retryable(code: code, text: text)
    case .AuthRequired(let code, let text): return TurnstoneError.authRequired(code: code, text: text)
    case .UpgradeRequired(let code, let text): return TurnstoneError.upgradeRequired(code: code, text: text)
    case .StorageFull(let code, let text): return TurnstoneError.storageFull(code: code, text: text)
    case .Corrupt(let code, let text): return TurnstoneError.corrupt(code: code, text: text)
    case .Unavailable(let code, let text): return TurnstoneError.unavailable(code: code, text: text)
    case .OtherAccount(let code, let text, let pending):
        return TurnstoneError.otherAccount(code: code, text: text, pendingGroups: Int(clamping: pending))
    case .KeyUnavailable(let code, let text): return TurnstoneError.keyUnavailable(code: code, text: text)
    case .InvalidArgument(let code, let text): return TurnstoneError.invalidArgument(code: code, text: text)
    case .Closed(let code, let text): return TurnstoneError.closed(code: code, text: text)
    case .Internal(let code, let text): return TurnstoneError.internal(code: code, text: text)
    case .Cancelled: return CancellationError()
    }
}

/// Runs a call and gives its error the shape an app sees.
func translating<T>(_ call: () throws -> T) throws -> T {
    do { return try call() } catch { throw translated(error) }
}

/// Runs a call and gives its error the shape an app sees.
func translating<T: Sendable>(_ call: @Sendable () async throws -> T) async throws -> T {
    do { return try await call() } catch { throw translated(error) }
}
