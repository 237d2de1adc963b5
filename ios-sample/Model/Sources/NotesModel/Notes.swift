import Foundation
import Turnstone
import TurnstoneHost

/// What the app keeps, and where it syncs.
public enum Notes {
    public static let schema = """
        name = "notes"
        version = 1

        [tables.notes]
        delete = "edit_wins"

        [tables.notes.fields]
        title = { type = "text", default = "" }
        body = { type = "text", default = "" }
        updated_at = { type = "timestamp", default = 0, merge = "max" }
        """

    /// How the store is opened. Without a server and a token the app works all the same, on this device alone.
    ///
    /// - Throws: `TurnstoneError.invalidArgument` for an address that cannot be used.
    public static func options(path: String, server: String?, token: String?) throws -> Options {
        var options = Options(path: path, schema: schema, appVersion: "1.0", autoSync: true)
        if let server, let token {
            // For development: the server of a real app has a certificate.
            let transport = try URLSessionTransport(server, allowPlainHTTP: true)
            options.remote = .custom(transport, tokens: FixedToken(token: token))
        }
        return options
    }
}

/// A token for development. A real app asks its own server for one, with the reason it is given.
struct FixedToken: TokenProvider {
    let token: String

    func token(_ reason: TokenReason) async throws -> String {
        // Refused: giving it again would change nothing.
        if reason == .rejected { throw SignInRequired() }
        return token
    }
}

/// One note.
public struct Note: Codable, Equatable, Identifiable, Sendable {
    public let id: String
    public var title: String
    public var body: String

    /// What the list shows as its title.
    public var shownTitle: String { title.allSatisfy(\.isWhitespace) ? "Untitled" : title }
    /// What the list shows of its text.
    public var preview: String {
        body.split(separator: "\n").map { $0.trimmingCharacters(in: .whitespaces) }.first { !$0.isEmpty } ?? ""
    }
}

/// What the list says beside a note, in the words of the Android sample; nothing where the server has it.
public enum Badge: String, Sendable, CaseIterable {
    case saved
    case sending
    case retrying = "waiting"
    case conflict = "two versions"
    case failed = "refused"

    init?(_ state: RowState) {
        switch state {
        case .saved: self = .saved
        case .sending: self = .sending
        case .retrying: self = .retrying
        case .synced: return nil
        case .conflict: self = .conflict
        case .failed: self = .failed
        }
    }

    /// The name of a system symbol.
    public var symbol: String {
        switch self {
        case .saved: "clock"
        case .sending: "arrow.up.circle"
        case .retrying: "clock.arrow.circlepath"
        case .conflict: "arrow.triangle.branch"
        case .failed: "exclamationmark.circle"
        }
    }
}
