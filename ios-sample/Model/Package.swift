// swift-tools-version: 6.0
// What the notes app knows and decides, without a screen: tested on Linux with the real library and a real server.

import PackageDescription

let package = Package(
    name: "NotesModel",
    platforms: [.iOS(.v17), .macOS(.v14)],
    products: [.library(name: "NotesModel", targets: ["NotesModel"])],
    dependencies: [.package(name: "Turnstone", path: "../../bindings/swift")],
    targets: [
        .target(name: "NotesModel", dependencies: [.product(name: "Turnstone", package: "Turnstone")]),
        .testTarget(name: "NotesModelTests", dependencies: ["NotesModel"]),
    ],
    swiftLanguageModes: [.v6]
)
