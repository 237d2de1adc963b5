// swift-tools-version: 6.0
// `make bench-bindings`: W2 and W9 from Swift, beside SQLite's C API.

import PackageDescription

let package = Package(
    name: "Bench",
    platforms: [.macOS(.v13)],
    dependencies: [.package(name: "Turnstone", path: "..")],
    targets: [
        .target(
            name: "CSQLite",
            linkerSettings: [
                .linkedLibrary("sqlite3", .when(platforms: [.macOS])),
                .unsafeFlags(["-Xlinker", "-l:libsqlite3.so.0"], .when(platforms: [.linux])),
            ]
        ),
        .executableTarget(
            name: "Bench",
            dependencies: [.product(name: "Turnstone", package: "Turnstone"), "CSQLite"],
            // Swift 6.0 on Linux: libswiftObservation names a function that no library has.
            linkerSettings: [.unsafeFlags(["-Xlinker", "--allow-shlib-undefined"], .when(platforms: [.linux]))]
        ),
    ],
    swiftLanguageModes: [.v6]
)
