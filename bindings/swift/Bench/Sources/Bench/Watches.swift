import Foundation
import Turnstone

/// W9: a thousand writes a second, and how long each takes until every live query has emitted it.
func watches(_ store: Turnstone, queries: Int, writes: Int) async throws {
    try await store.write { $0.insert("beats", id: "b", ["at": 0]) }
    let start = ContinuousClock.now
    @Sendable func now() -> Int64 { Int64(seconds(ContinuousClock.now - start) * 1e9) }
    let (started, tell) = AsyncStream<Void>.makeStream()
    let delays = try await withThrowingTaskGroup(of: [Int64].self) { group in
        for _ in 0..<queries {
            group.addTask {
                var delays: [Int64] = []
                var emissions = 0
                for try await rows in store.watch("SELECT at FROM beats WHERE id = 'b'") {
                    let at = try rows[0].int("at")!
                    emissions += 1
                    // The last write says that it is: by its sign. None is lost.
                    if at == 0 { tell.yield() } else { delays.append(now() - abs(at)) }
                    if at < 0 { break }
                }
                precondition(emissions <= writes + 1, "more than one emission for a commit")
                return delays
            }
        }
        var ready = 0
        for await _ in started {
            ready += 1
            if ready == queries { break }
        }
        let began = now()
        for n in 1...writes {
            // A thousand a second, where the machine can.
            let ahead = began + Int64(n) * 1_000_000 - now()
            if ahead > 0 { try await Task.sleep(for: .nanoseconds(ahead)) }
            let at = now()
            let value: Value = .int(n == writes ? -at : at)
            try await store.write { $0.update("beats", id: "b", ["at": value]) }
        }
        let rate = Double(writes) * 1e9 / Double(now() - began)
        return try await group.reduce(into: ([Int64](), rate)) { $0.0 += $1 }
    }
    let (sorted, rate) = (delays.0.sorted(), delays.1)
    let (p50, p99) = (Double(sorted[sorted.count / 2]) / 1e6, Double(sorted[sorted.count * 99 / 100]) / 1e6)
    print(
        "W9 watch, Swift: \(queries) live queries, \(text(rate, digits: 0)) writes/s  p50 \(text(p50)) ms  "
            + "p99 \(text(p99)) ms  goal 10 ms  emissions \(sorted.count)")
    print(
        #"{"row":"W9","language":"swift","queries":\#(queries),"writes_per_s":\#(rate),"p50_ms":\#(p50),"p99_ms":\#(p99),"goal_ms":10}"#
    )
}
