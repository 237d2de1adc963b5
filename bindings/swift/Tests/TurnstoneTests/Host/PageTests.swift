import Foundation
import Testing

@Suite struct PageTests {
    @Test func the_ios_quickstart_is_what_is_type_checked_and_short() throws {
        let root = URL(fileURLWithPath: #filePath).appendingPathComponent("../../../../../../").standardized
        let page = try String(contentsOf: root.appendingPathComponent("docs/ios.md"), encoding: .utf8)
        let checked = try String(
            contentsOf: root.appendingPathComponent("bindings/swift/Typecheck/Quickstart.swift"), encoding: .utf8)
        let block = page.components(separatedBy: "```swift\n")[1].components(separatedBy: "```")[0]
        #expect(checked.hasSuffix("// begin\n" + block) && block.count > 500)
        #expect(block.split(separator: "\n", omittingEmptySubsequences: false).count <= 30)
    }
}
