import Foundation
import Testing
import TurnstoneFFI

/// The golden files of the protocol and of the scheduler, run by the library that apps load.
@Suite struct GoldenTests {
    private func files(_ folder: String) throws -> [(name: String, root: [String: Any])] {
        let folder = repository.appendingPathComponent(folder)
        let files = try FileManager.default.contentsOfDirectory(at: folder, includingPropertiesForKeys: nil)
        return try files.filter { $0.pathExtension == "json" }.map { file in
            let json = try JSONSerialization.jsonObject(with: Data(contentsOf: file))
            return (file.lastPathComponent, try #require(json as? [String: Any]))
        }
    }

    /// A JSON value as a text that is equal where the value is.
    private func text(_ json: Any) throws -> String {
        let options: JSONSerialization.WritingOptions = [.sortedKeys, .fragmentsAllowed]
        return String(decoding: try JSONSerialization.data(withJSONObject: json, options: options), as: UTF8.self)
    }

    private func parsed(_ json: String) throws -> Any {
        try JSONSerialization.jsonObject(with: Data(json.utf8), options: .fragmentsAllowed)
    }

    @Test func every_golden_vector_gives_what_it_says() throws {
        var cases = 0
        for (file, root) in try files("protocol/vectors") {
            for (list, all) in root {
                for case let one as [String: Any] in all as? [Any] ?? [] {
                    let schema = root["schema"] as? String
                    let got = try replayVector(file: file, list: list, schema: schema, input: try text(one))
                    let expected = try text(try #require(one["expect"]))
                    #expect(try text(try parsed(got)) == expected, "\(file): \(one["name"] ?? "")")
                    cases += 1
                }
            }
        }
        #expect(cases >= 200, "the files are read")
    }

    @Test func every_scheduler_trace_is_decided_the_same() throws {
        let traces = try files("engine/traces")
        #expect(traces.count >= 12, "the files are read")
        for (name, trace) in traces {
            let trace = try text(trace)
            #expect(try text(try parsed(try replayTrace(trace: trace))) == trace, "\(name)")
        }
    }
}
