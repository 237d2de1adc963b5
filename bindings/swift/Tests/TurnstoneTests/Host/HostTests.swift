import Foundation
import Testing

@testable import Turnstone
@testable import TurnstoneHost

/// The iOS host with a store and a system of the test's own.
@Suite struct HostTests {
    @Test func a_task_runs_asks_for_the_next_and_is_completed_once() async throws {
        let (store, asker) = (FakeStore(.end(.done, rowsPulled: 2)), FakeAsker())
        store.next.change { $0 = next(wish(.pull, in: 1800)) }
        let time = FakeTime(store)
        await host(store, asker).granted(time, .refresh)
        #expect(try await time.given() == [.newData])
        // At once, in case the process is killed; and when the run has said what comes next.
        #expect(asker.asked.value == [[.refresh(noon.addingTimeInterval(900))], [.refresh(noon.addingTimeInterval(1800))]])
        #expect(store.said.value == ["run scheduled", "suspend"] && !time.wasAwake.value)
    }

    @Test func a_run_that_is_taken_back_ends_and_is_completed_once() async throws {
        let (store, asker) = (FakeStore(.untilExpired()), FakeAsker())
        store.next.change { $0 = next(wish(.smallPush)) }
        let (time, host) = (FakeTime(store), host(store, asker))
        let running = Task { await host.granted(time, .processing) }
        while store.said.value.isEmpty { await Task.yield() }
        time.takeBack()
        time.takeBack()
        #expect(try await time.given() == [.failed])
        await running.value
        #expect(store.said.value == ["run maintenance", "expire", "suspend"] && !time.wasAwake.value)
        #expect(asker.last == [.refresh(nil), .processing(nil)], "the rest is asked for")
    }

    @Test func a_run_that_did_not_hear_it_is_told_again() async throws {
        let store = FakeStore(.untilExpired(deaf: 0.4))
        let (time, host) = (FakeTime(store), host(store))
        let running = Task { await host.granted(time, .refresh) }
        while store.said.value.isEmpty { await Task.yield() }
        time.takeBack()
        #expect(try await time.given() == [.failed])
        await running.value
        #expect(!store.wasCutOff.value, "it ended by itself, before the grace was over")
    }

    @Test func a_run_that_hangs_is_completed_all_the_same_with_the_store_suspended() async throws {
        let store = FakeStore(.long)
        let (time, host) = (FakeTime(store), host(store))
        let running = Task { await host.granted(time, .refresh) }
        while store.said.value.isEmpty { await Task.yield() }
        time.takeBack()
        #expect(try await time.given() == [.failed] && !time.wasAwake.value)
        #expect(store.wasCutOff.value)
        running.cancel()
    }

    @Test func taken_back_before_it_began_nothing_is_begun() async throws {
        let store = FakeStore()
        let opening = Shared(true)
        let host = SyncHost(
            asker: FakeAsker(), now: { noon },
            open: {
                while opening.value { try await Task.sleep(for: .milliseconds(1)) }
                return store
            })
        let time = FakeTime(store)
        let running = Task { await host.granted(time, .refresh) }
        try await Task.sleep(for: .milliseconds(20))
        time.takeBack()
        opening.change { $0 = false }
        #expect(try await time.given() == [.failed] && !time.wasAwake.value)
        await running.value
        #expect(store.said.value == ["suspend"])
    }

    @Test func expiry_racing_with_the_end_completes_once_in_hundreds_of_rounds() async throws {
        let store = FakeStore(.untilExpired())
        let host = host(store)
        for round in 0..<400 {
            store.runs.change { $0 = round % 2 == 0 ? .end(.done) : .untilExpired() }
            let time = FakeTime(store)
            async let run: Void = host.granted(time, .refresh)
            // A moment that wanders over the whole of it.
            for _ in 0..<(round % 50) { await Task.yield() }
            repeat {
                time.takeBack()
                await Task.yield()
            } while time.results.value.isEmpty
            await run
            #expect(time.results.value.count == 1 && !time.wasAwake.value, "round \(round)")
        }
        #expect(!store.isAwake.value)
    }

    @Test func a_store_that_cannot_be_opened_yet_is_tried_again_and_nothing_is_lost() async throws {
        let (store, asker) = (FakeStore(), FakeAsker())
        let tries = Shared(0)
        let host = SyncHost(
            asker: asker, now: { noon },
            open: {
                tries.change { $0 += 1 }
                if tries.value == 1 { throw StorageLocked() }
                return store
            })
        let (locked, unlocked) = (FakeTime(), FakeTime())
        await host.granted(locked, .refresh)
        #expect(try await locked.given() == [.failed])
        #expect(asker.last == [.refresh(noon.addingTimeInterval(900))], "the next one is asked for all the same")
        await host.granted(unlocked, .refresh)
        #expect(try await unlocked.given() == [.noData])
        #expect(tries.value == 2)
    }

    @Test func a_scene_in_front_keeps_the_store_awake_and_the_last_one_out_suspends_it() async throws {
        let store = FakeStore()
        let host = host(store)
        try await host.entered()
        #expect(store.told.value.last?.foreground == true)
        let task = FakeTime()
        await host.granted(task, .refresh)
        #expect(try await task.given() == [.noData])
        #expect(store.isAwake.value, "a task that ends does not take it from the scene")
        let leaving = FakeTime(store)
        await host.left(leaving)
        #expect(try await leaving.given() == [.noData] && !leaving.wasAwake.value)
        #expect(store.said.value == ["run scheduled", "suspend"], "news are not worth staying for")
        #expect(store.told.value.last?.foreground == false)
        try await host.entered()
        #expect(store.isAwake.value && store.said.value.last == "resume")
    }

    @Test func what_a_person_wrote_is_sent_before_the_app_is_suspended() async throws {
        let (store, asker) = (FakeStore(.end(.retryAfter(delayMs: 60_000))), FakeAsker())
        store.next.change { $0 = next(wish(.smallPush)) }
        store.isUnsent.change { $0 = true }
        let host = host(store, asker)
        try await host.entered()
        let leaving = FakeTime(store)
        await host.left(leaving)
        #expect(try await leaving.given() == [.failed] && !leaving.wasAwake.value)
        #expect(store.said.value == ["run leaving", "suspend"])
        #expect(asker.last == [.refresh(noon.addingTimeInterval(60))])
    }

    @Test func in_and_out_in_quick_succession_ends_as_it_was_left() async throws {
        let store = FakeStore()
        let host = host(store)
        for round in 0..<20 {
            let (first, second) = (FakeTime(), FakeTime())
            async let out: Void = host.left(first)
            try await host.entered()
            async let again: Void = host.left(second)
            _ = await (out, again)
            _ = try await (first.given(), second.given())
            #expect(!store.isAwake.value, "round \(round): nobody looks on")
        }
        try await host.entered()
        #expect(store.isAwake.value)
    }

    @Test func letting_go_is_tried_again_while_a_transaction_is_held() async throws {
        let store = FakeStore()
        store.busy.change { $0 = 2 }
        let time = FakeTime(store)
        await host(store).granted(time, .refresh)
        #expect(try await time.given() == [.noData] && !time.wasAwake.value)
        #expect(store.said.value == ["run scheduled", "suspend", "suspend", "suspend"])
    }

    @Test func a_silent_push_is_a_run_with_a_result_for_the_system() async throws {
        let store = FakeStore(.end(.done, rowsPulled: 1))
        let time = FakeTime(store)
        await host(store).pushed(time)
        #expect(try await time.given() == [.newData] && !time.wasAwake.value)
        #expect(store.said.value == ["run poked", "suspend"])
    }

    @Test func a_network_that_costs_keeps_a_first_sync_waiting() async throws {
        let (store, asker) = (FakeStore(), FakeAsker())
        store.next.change { $0 = next(wish(.bootstrap, .unmetered)) }
        let host = host(store, asker)
        host.deviceChanged { $0.path = PathSeen(isSatisfied: true, isExpensive: true, isConstrained: false) }
        let (dear, free) = (FakeTime(store), FakeTime(store))
        await host.granted(dear, .processing)
        #expect(try await dear.given() == [.noData])
        #expect(store.said.value == ["suspend"] && asker.last?.first?.kind == .processing)
        host.deviceChanged { $0.path?.isExpensive = false }
        await host.granted(free, .processing)
        #expect(try await free.given() == [.noData])
        #expect(store.said.value == ["suspend", "resume", "run maintenance", "suspend"])
    }

    @Test func a_sync_that_a_person_left_ends_when_its_seconds_do() async throws {
        let store = FakeStore()
        let (time, host) = (FakeTime(store), host(store))
        let syncing = Task { try await host.sync(time) }
        while store.said.value.isEmpty { await Task.yield() }
        time.takeBack()
        await #expect(throws: CancellationError.self) { try await syncing.value }
        #expect(try await time.given().count == 1 && !time.wasAwake.value)
    }

    @Test func conditions_are_told_when_they_change_and_when_the_store_wakes() async throws {
        let store = FakeStore()
        let host = host(store)
        host.deviceChanged { $0.isLowPower = true }
        try await host.entered()
        let told = store.told.value.count
        #expect(store.told.value.last?.lowPower == true)
        host.deviceChanged { $0.isLowPower = true }
        #expect(store.told.value.count == told, "nothing changed")
        host.deviceChanged { $0.isLowPower = false }
        #expect(store.told.value.count == told + 1)
    }
}
