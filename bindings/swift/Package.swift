// swift-tools-version: 6.0
// Turnstone for Swift. `Generated` is written by `make test`; it needs a Swift 5 mode of its own, because UniFFI's async
// protocols do not compile in Swift 6 mode.

import PackageDescription

let package = Package(
    name: "Turnstone",
    platforms: [.iOS(.v15), .macOS(.v12)],
    products: [.library(name: "Turnstone", targets: ["Turnstone"])],
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
        .testTarget(name: "TurnstoneTests", dependencies: ["Turnstone", "TurnstoneFFI"]),
    ],
    swiftLanguageModes: [.v6]
)
