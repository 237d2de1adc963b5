import Foundation

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

/// What the keychain's statuses mean. "Not there" is an answer; "cannot say now" never is.
struct KeptSecret: Sendable {
    private static let success: Int32 = 0
    private static let notFound: Int32 = -25300
    private static let interactionNotAllowed: Int32 = -25308

    let place: any SecretPlace

    func read() throws -> Data? {
        let (status, data) = place.read()
        switch status {
        case KeptSecret.success: return data
        case KeptSecret.notFound: return nil
        default: throw KeptSecret.failure(status)
        }
    }

    func write(_ data: Data) throws {
        let status = place.write(data)
        if status != KeptSecret.success { throw KeptSecret.failure(status) }
    }

    private static func failure(_ status: Int32) -> KeychainFailure {
        status == interactionNotAllowed ? .locked : .failed(status)
    }
}
