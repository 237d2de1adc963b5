import Foundation
import Testing
import TurnstoneFFI

@testable import Turnstone
@testable import TurnstoneHost

/// What the iOS host decides, apart from any system.
@Suite struct DecisionTests {
    private func asked(_ wish: Wish?, after outcome: Outcome? = nil) -> [TaskRequest] {
        Asking.requests(for: wish, after: outcome, now: noon)
    }

    @Test func a_wish_becomes_a_task_of_the_right_kind() {
        #expect(asked(nil).isEmpty)
        #expect(asked(wish(.smallPush)) == [.refresh(nil)])
        #expect(asked(wish(.pull, .notRoaming, in: 900)) == [.refresh(noon.addingTimeInterval(900))])
        // What has passed is as soon as possible.
        #expect(asked(wish(.pull, in: -5)) == [.refresh(nil)])
        let everything = asked(wish(.bootstrap, .unmetered))
        #expect(everything == [.processing(nil, needsPower: true)] && everything[0].needsNetwork)
    }

    @Test func an_outcome_decides_what_is_asked_for_next() {
        #expect(asked(wish(.smallPush), after: .done) == [.refresh(nil)])
        #expect(asked(wish(.smallPush), after: .moreWork) == [.refresh(nil), .processing(nil)])
        let later = noon.addingTimeInterval(120)
        #expect(asked(wish(.smallPush, in: 30), after: .retryAfter(.seconds(120))) == [.refresh(later)])
        // The later of both counts: neither the server nor the wish is overruled.
        #expect(
            asked(wish(.pull, in: 900), after: .retryAfter(.seconds(120))) == [.refresh(noon.addingTimeInterval(900))])
        #expect(asked(wish(.smallPush), after: .needsAuth).isEmpty)
        #expect(asked(wish(.smallPush), after: .permanent).isEmpty)
    }

    @Test func a_network_that_costs_is_left_to_work_that_may_use_it() {
        func suits(_ need: NetworkNeed, _ network: Network) -> Bool {
            Asking.suits(wish(.pull, need), Conditions(network: network))
        }
        #expect(!suits(.unmetered, .metered) && !suits(.unmetered, .roaming) && !suits(.notRoaming, .roaming))
        #expect(suits(.connected, .metered) && suits(.notRoaming, .metered) && suits(.unmetered, .unmetered))
        // What nobody said, and "offline", which may be old, hold nothing back.
        #expect(suits(.unmetered, .unknown) && suits(.unmetered, .offline) && Asking.suits(nil, Conditions()))
    }

    @Test func a_report_becomes_a_fetch_result() {
        func result(_ outcome: FfiOutcome, _ stopped: FfiStopped, rows: Int) -> FetchResult {
            FetchResult(report(outcome, stopped, rows))
        }
        #expect(result(.done, .finished, rows: 3) == .newData)
        #expect(result(.done, .finished, rows: 0) == .noData)
        #expect(result(.moreWork, .timeUp, rows: 3) == .newData)
        #expect(result(.moreWork, .expired, rows: 0) == .failed)
        for outcome in [FfiOutcome.retryAfter(delayMs: 1_000), .needsAuth, .permanent] {
            #expect(result(outcome, .failed, rows: 3) == .failed)
        }
    }

    @Test func what_the_system_says_of_the_device_becomes_conditions() {
        func network(_ path: PathSeen?) -> Network { DeviceState(path: path).conditions.network }
        func path(_ isSatisfied: Bool, _ isExpensive: Bool, _ isConstrained: Bool) -> PathSeen {
            PathSeen(isSatisfied: isSatisfied, isExpensive: isExpensive, isConstrained: isConstrained)
        }
        #expect(network(nil) == .unknown && network(path(false, false, false)) == .offline)
        #expect(network(path(true, false, false)) == .unmetered)
        #expect(network(path(true, true, false)) == .metered)
        // Low Data Mode on Wi-Fi.
        #expect(network(path(true, false, true)) == .metered)
        let power = DeviceState(isForeground: true, isLowPower: true, isCharging: true).conditions
        #expect(power.foreground && power.lowPower && power.charging && power.validated)
    }

    @Test func however_events_come_time_is_given_back_once_and_work_is_told_once() {
        // Every order of up to six events, also repeated ones.
        var orders: [[Turn.Event]] = [[]]
        for _ in 0..<6 { orders += orders.flatMap { order in Turn.Event.allCases.map { order + [$0] } } }
        #expect(orders.count > 3_000)
        for order in orders {
            var turn = Turn()
            // In the end the system takes it back, and the grace is over.
            let steps = (order + [.takenBack, .graceOver]).flatMap { turn.on($0) }
            let given = steps.indices.filter { if case .giveBack = steps[$0] { true } else { false } }
            #expect(given == [steps.count - 1], "\(order) gave \(steps)")
            #expect(steps.filter { $0 == .stopWork }.count <= 1 && turn.isOver)
            // Work that ended in time was given back at once.
            if order.first == .ended { #expect(steps == [.giveBack(inTime: true)]) }
        }
    }
}
