#if canImport(Security)
    import Foundation
    import Security
    import Turnstone

    extension Options {
        /// Keeps a witness of this database in the keychain, so that a copy on another phone is noticed before it syncs, and a
        /// database that is gone is said to be. It outlives the app: after a new installation `lost` is what to expect.
        public mutating func witnessInKeychain(service: String) {
            let account = URL(fileURLWithPath: path).lastPathComponent
            witness = KeptSecret(place: KeychainItem(service: service, account: account))
        }
    }

    /// One secret in the keychain: of this device only, never in a backup, readable once the phone was unlocked after a start.
    struct KeychainItem: SecretPlace {
        let service: String
        let account: String

        func read() -> (status: Int32, data: Data?) {
            var found: CFTypeRef?
            var query = place
            query[kSecReturnData as String] = true
            query[kSecMatchLimit as String] = kSecMatchLimitOne
            let status = SecItemCopyMatching(query as CFDictionary, &found)
            return (status, found as? Data)
        }

        func write(_ data: Data) -> Int32 {
            let change = [kSecValueData as String: data]
            let changed = SecItemUpdate(place as CFDictionary, change as CFDictionary)
            guard changed == errSecItemNotFound else { return changed }
            var item = place
            item[kSecValueData as String] = data
            item[kSecAttrAccessible as String] = kSecAttrAccessibleAfterFirstUnlockThisDeviceOnly
            return SecItemAdd(item as CFDictionary, nil)
        }

        private var place: [String: Any] {
            [
                kSecClass as String: kSecClassGenericPassword,
                kSecAttrService as String: service,
                kSecAttrAccount as String: account,
                kSecAttrSynchronizable as String: false,
            ]
        }
    }
#endif
