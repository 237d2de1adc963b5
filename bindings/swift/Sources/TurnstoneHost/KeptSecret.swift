import Foundation
import Turnstone

/// Where a secret is kept: the keychain, or what a test puts in its place. Answers carry the keychain's own status.
protocol SecretPlace: Sendable {
    func read() -> (status: Int32, data: Data?)
    func write(_ data: Data) -> Int32
}

/// The keychain could not be asked.
public enum KeychainFailure: Error, Equatable {
    /// The phone was not unlocked yet since it was started: it can be asked later.
    case locked
    /// Anything else, with its status.
    case failed(Int32)
}

/// A witness in the keychain, by what its statuses mean. "Not there" is an answer; "cannot say now" never is: a store would
/// take itself for new.
struct KeptSecret: Witness {
    private static let success: Int32 = 0
    private static let notFound: Int32 = -25300
    private static let interactionNotAllowed: Int32 = -25308

    let place: any SecretPlace

    func read() throws -> String? {
        let (status, data) = place.read()
        switch status {
        case KeptSecret.success: return data.map { String(decoding: $0, as: UTF8.self) }
        case KeptSecret.notFound: return nil
        default: throw KeptSecret.failure(status)
        }
    }

    func write(_ token: String) throws {
        let status = place.write(Data(token.utf8))
        if status != KeptSecret.success { throw KeptSecret.failure(status) }
    }

    private static func failure(_ status: Int32) -> KeychainFailure {
        status == interactionNotAllowed ? .locked : .failed(status)
    }
}
