// swift-tools-version: 6.0
// Turnstone for Swift. `Generated` is written by `make test`; it needs a Swift 5 mode of its own, because UniFFI's async
// protocols do not compile in Swift 6 mode.

import PackageDescription

let package = Package(
    name: "Turnstone",
    platforms: [.iOS(.v16), .macOS(.v13)],
    products: [
        .library(name: "Turnstone", targets: ["Turnstone"]),
        .library(name: "TurnstoneHost", targets: ["TurnstoneHost"]),
        // For the tests of apps. It needs the library for tests on hosts, never the one of a release.
        .library(name: "TurnstoneTesting", targets: ["TurnstoneTesting"]),
    ],
    targets: [
        .target(
            name: "TurnstoneFFIHeaders",
            path: "Generated/TurnstoneFFIHeaders",
            linkerSettings: [.linkedLibrary("turnstone_ffi")]
        ),
        .target(
            name: "TurnstoneFFI",
            dependencies: ["TurnstoneFFIHeaders"],
            path: "Generated/TurnstoneFFI",
            swiftSettings: [.swiftLanguageMode(.v5)]
        ),
        .target(name: "Turnstone", dependencies: ["TurnstoneFFI"]),
        .target(name: "TurnstoneHost", dependencies: ["Turnstone"], resources: [.copy("PrivacyInfo.xcprivacy")]),
        .target(name: "TurnstoneTesting", dependencies: ["Turnstone", "TurnstoneFFI"]),
        // A process of its own, which tests kill, and in which they count and plant what nobody else meets.
        .executableTarget(name: "Aside", dependencies: ["Turnstone", "TurnstoneFFI"], path: "Tests/Aside"),
        .testTarget(
            name: "TurnstoneTests",
            dependencies: ["Turnstone", "TurnstoneFFI", "TurnstoneHost", "Aside"],
            // Swift 6.0 on Linux: libswiftObservation names a function that no library has.
            linkerSettings: [.unsafeFlags(["-Xlinker", "--allow-shlib-undefined"], .when(platforms: [.linux]))]
        ),
        .testTarget(name: "TurnstoneTestingTests", dependencies: ["Turnstone", "TurnstoneTesting"]),
    ],
    swiftLanguageModes: [.v6]
)
