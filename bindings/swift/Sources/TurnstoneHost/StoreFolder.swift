import Foundation

/// The files cannot be read before the phone is unlocked for the first time after a start. Nothing is wrong with them: try
/// again when it is.
public struct StorageLocked: Error, Equatable {
    /// There is no more to say.
    public init() {}
}

/// A folder that the system empties when it needs space is no place for what was not sent yet.
public struct PurgeableFolder: Error, Equatable {
    /// The folder that was refused.
    public let path: String
}

/// The folder of the database: protected before the file is made, and out of backups.
public struct StoreFolder: Sendable {
    /// Where it is.
    public let url: URL

    /// Makes the folder if there is none, `Application Support/<name>` unless the app names another place, such as that of an app group.
    ///
    /// Everything in it can be read once the phone was unlocked after a start, also in the background with the phone locked.
    /// It is left out of backups: the server has what was synced, and a copy on another phone would be a second life of this
    /// device.
    ///
    /// - Throws: `PurgeableFolder` for a place inside Caches or the temporary folder.
    public init(_ name: String = "Turnstone", in parent: URL? = nil, backedUp: Bool = false) throws {
        let files = FileManager.default
        let parent = try parent
            ?? files.url(for: .applicationSupportDirectory, in: .userDomainMask, appropriateFor: nil, create: true)
        var url = parent.appendingPathComponent(name, isDirectory: true)
        if StoreFolder.isPurgeable(url) { throw PurgeableFolder(path: url.path) }
        // Files inherit the protection of the folder they are made in.
        let protection: [FileAttributeKey: Any] = [
            .protectionKey: FileProtectionType.completeUntilFirstUserAuthentication
        ]
        try files.createDirectory(at: url, withIntermediateDirectories: true, attributes: protection)
        try files.setAttributes(protection, ofItemAtPath: url.path)
        var values = URLResourceValues()
        values.isExcludedFromBackup = !backedUp
        try url.setResourceValues(values)
        self.url = url
    }

    /// The path of a database in it, for `Options.path`.
    ///
    /// - Throws: `StorageLocked` before the first unlock.
    public func path(_ file: String = "app.db") throws -> String {
        // Never the database itself: closing a file drops the locks that SQLite holds on it in this process.
        let probe = url.appendingPathComponent("unlocked").path
        try StoreFolder.checkUnlocked { open(probe, O_RDWR | O_CREAT | O_CLOEXEC, 0o600) }
        return url.appendingPathComponent(file).path
    }

    /// The system says "not permitted" for a file whose key it does not have yet. Turnstone would say that it cannot be
    /// opened, which is true and of little help.
    static func checkUnlocked(_ tryOpen: () -> Int32) throws {
        let file = tryOpen()
        if file >= 0 {
            close(file)
        } else if errno == EPERM {
            throw StorageLocked()
        }
    }

    static func isPurgeable(_ url: URL, _ places: [URL] = StoreFolder.purgeable) -> Bool {
        let parts = url.resolvingSymlinksInPath().pathComponents
        return places.contains { parts.starts(with: $0.resolvingSymlinksInPath().pathComponents) }
    }

    private static var purgeable: [URL] {
        FileManager.default.urls(for: .cachesDirectory, in: .userDomainMask) + [FileManager.default.temporaryDirectory]
    }
}
