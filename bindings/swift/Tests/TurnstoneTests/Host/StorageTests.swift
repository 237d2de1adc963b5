import Foundation
import Testing

@testable import Turnstone
@testable import TurnstoneHost

@Suite struct StorageTests {
    /// A place that the system does not empty.
    private func place() throws -> URL {
        let built = URL(fileURLWithPath: ProcessInfo.processInfo.environment["TURNSTONE_BUILT"]!)
        let place = built.appendingPathComponent("swift-folders/\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: place, withIntermediateDirectories: true)
        return place
    }

    @Test func i_07_a_folder_that_the_system_may_empty_is_refused() throws {
        let files = FileManager.default
        for place in [files.temporaryDirectory, files.urls(for: .cachesDirectory, in: .userDomainMask)[0]] {
            let inside = place.appendingPathComponent("deep/down")
            #expect(throws: PurgeableFolder.self) { try StoreFolder(in: inside) }
            #expect(!files.fileExists(atPath: inside.appendingPathComponent("Turnstone").path), "nothing was made")
        }
        #expect(!StoreFolder.isPurgeable(URL(fileURLWithPath: "/data/tmpfiles"), [URL(fileURLWithPath: "/data/tmp")]))
    }

    @Test func the_folder_is_there_before_the_file_and_a_store_opens_in_it() async throws {
        let place = try place()
        let path = try StoreFolder("Notes", in: place).path()
        #expect(!FileManager.default.fileExists(atPath: path))
        let store = try await Turnstone.open(Options(path: path, schema: schema))
        try await store.write { $0.insert("notes", ["title": "kept"]) }
        // Asked again while the store is open: its locks must survive that, so another opener is refused.
        #expect(try StoreFolder("Notes", in: place).path() == path)
        #expect(await failure { try await Turnstone.open(Options(path: path, schema: schema)) }?.code == "already_open")
        try await store.close()
        try FileManager.default.removeItem(at: place)
    }

    @Test func before_the_first_unlock_the_storage_is_locked_and_nothing_else() throws {
        func code(_ number: Int32) throws { try StoreFolder.checkUnlocked { errno = number; return -1 } }
        #expect(throws: StorageLocked()) { try code(EPERM) }
        // These say something else, and the store says it better.
        try code(ENOENT)
        try code(EACCES)
        try code(ENOSPC)
    }

    @Test func i_43_a_keychain_that_cannot_say_is_never_an_empty_one() throws {
        struct Place: SecretPlace {
            let status: Int32
            func read() -> (status: Int32, data: Data?) { (status, status == 0 ? Data("kept".utf8) : nil) }
            func write(_ data: Data) -> Int32 { status }
        }
        func kept(_ status: Int32) -> KeptSecret { KeptSecret(place: Place(status: status)) }
        #expect(try kept(0).read() == "kept")
        #expect(try kept(-25300).read() == nil)
        #expect(throws: KeychainFailure.locked) { try kept(-25308).read() }
        #expect(throws: KeychainFailure.locked) { try kept(-25308).write("token") }
        #expect(throws: KeychainFailure.failed(-34018)) { try kept(-34018).read() }
        #expect(throws: KeychainFailure.failed(-25300)) { try kept(-25300).write("token") }
        try kept(0).write("token")
    }

    @Test func i_43_a_store_keeps_its_witness_in_the_keychain() async throws {
        final class Place: SecretPlace {
            let kept = Shared<Data?>(nil)
            let status = Shared<Int32>(0)
            func read() -> (status: Int32, data: Data?) {
                status.value != 0 ? (status.value, nil) : kept.value == nil ? (-25300, nil) : (0, kept.value)
            }
            func write(_ data: Data) -> Int32 {
                kept.change { $0 = data }
                return 0
            }
        }
        let keychain = Place()
        func origin(in folder: URL) async throws -> Origin {
            var options = Device.options(folder)
            options.witness = KeptSecret(place: keychain)
            let store = try await Turnstone.open(options)
            let origin = try store.origin
            try await store.close()
            return origin
        }
        let place = try folder()
        #expect(try await origin(in: place) == .new)
        #expect(try await origin(in: place) == .known)
        // The keychain cannot say: the store opens, and takes itself for nothing else.
        keychain.status.change { $0 = -25308 }
        #expect(try await origin(in: place) == .unknown)
        keychain.status.change { $0 = 0 }
        #expect(try await origin(in: try folder()) == .lost, "the file is gone, and the keychain knows")
    }

    @Test func the_privacy_manifest_is_in_the_package_and_names_no_tracking() throws {
        let here = URL(fileURLWithPath: #filePath)
        let file = here.appendingPathComponent("../../../../Sources/TurnstoneHost/PrivacyInfo.xcprivacy").standardized
        let manifest = try PropertyListSerialization.propertyList(from: Data(contentsOf: file), format: nil)
        let keys = try #require(manifest as? [String: Any])
        #expect(keys["NSPrivacyTracking"] as? Bool == false)
        #expect((keys["NSPrivacyCollectedDataTypes"] as? [Any])?.isEmpty == true)
        #expect((keys["NSPrivacyAccessedAPITypes"] as? [Any])?.isEmpty == true)
    }
}
