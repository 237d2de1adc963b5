// swift-tools-version: 6.0
// What the notes app knows and decides, without a screen: tested on Linux with the real library and a real server.

import PackageDescription

// Xcode builds it over the package that `make xcframework` writes; the tests of this repository, which set this, over the library
// that they have just built.
let isTested = Context.environment["TURNSTONE_CARGO"] != nil
let turnstone = isTested ? "../../bindings/swift" : "../../target/apple/Turnstone-swift"

let package = Package(
    name: "NotesModel",
    platforms: [.iOS(.v17), .macOS(.v14)],
    products: [.library(name: "NotesModel", targets: ["NotesModel"])],
    dependencies: [.package(name: "Turnstone", path: turnstone)],
    targets: [
        .target(
            name: "NotesModel",
            dependencies: [
                .product(name: "Turnstone", package: "Turnstone"), .product(name: "TurnstoneHost", package: "Turnstone"),
            ]
        ),
        .testTarget(name: "NotesModelTests", dependencies: ["NotesModel"]),
    ],
    swiftLanguageModes: [.v6]
)
