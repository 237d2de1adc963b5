//! Background runs: small first, ended cleanly, one at a time, and what hosts are told (H1, H2, H5, H9, H10, I-50).
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic, missing_docs)]
#![expect(clippy::disallowed_methods, reason = "threads beside the test, and how long ending takes")]

mod kit;

use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use kit::{Device, MemoryServer, SlowPushes, refuse};
use turnstone::background::{Cause, Kind, Network, NetworkNeed, Rest, Why};
use turnstone::{Budget, Conditions, Decision, RunOutcome, RunReason, Stopped};
use turnstone_protocol::{Code, Problem};

const BUDGET: Budget = Budget::time(Duration::from_secs(20));
const AWAY: Conditions =
    Conditions { network: Network::Unmetered, validated: true, foreground: false, low_power: false, charging: false };

fn run(device: &Device) -> turnstone::BackgroundReport {
    device.store.run_background_blocking(BUDGET, RunReason::Scheduled).unwrap()
}

#[test]
fn h10_a_run_pushes_one_small_batch_first_and_reports() {
    let server = MemoryServer::new();
    let ben = server.device("ben");
    ben.insert("from Ben");
    ben.sync();
    let clock = kit::PatientClock::default();
    let ann = Device::open_with("ann", server.remote(), |options| options.clock(clock.clock()));
    for at in 0..120 {
        ann.insert(&format!("note {at}"));
    }
    // Where a push takes a second a pull no longer waits for it.
    clock.stop();
    server.forget_seen();
    let report = run(&ann);
    assert_eq!((report.outcome, report.stopped, &report.code), (RunOutcome::Done, Stopped::Finished, &None));
    assert_eq!(report.sync.groups_pushed, 120);
    assert!(report.sync.rows_pulled >= 1, "{report:?}");
    assert!(report.sync.bytes_up > 0 && report.sync.bytes_down > 0);
    let seen = server.seen();
    let work: Vec<_> =
        seen.iter().filter(|seen| seen.path != "hello").map(|seen| (seen.path.as_str(), seen.groups)).collect();
    assert_eq!(work[..2], [("push", 50), ("push", 70)], "one small push before everything else: {work:?}");
    assert_eq!(run(&ann).outcome, RunOutcome::Done, "with nothing to do too");
    assert_eq!(ann.hash(), server.state_hash());
}

/// I-50: ends within a second, goes on next time, and counts for nothing, however often.
#[test]
fn i_50_expire_ends_a_run_within_a_second_and_burns_no_attempt() {
    let server = MemoryServer::new();
    let (link, reached) = SlowPushes::new(&server, true);
    let ann = Device::open_with("ann", link.remote(), |options| options.auto_sync(true));
    ann.sync();
    ann.store.set_conditions(AWAY);
    for at in 0..80 {
        ann.insert(&format!("note {at}"));
    }
    let mut quickest = Duration::MAX;
    for _ in 0..6 {
        let store = ann.store.clone();
        let running = std::thread::spawn(move || store.run_background_blocking(BUDGET, RunReason::Poked).unwrap());
        reached.recv().unwrap();
        let began = Instant::now();
        ann.store.expire();
        quickest = quickest.min(began.elapsed());
        let report = running.join().unwrap();
        assert!(began.elapsed() <= Duration::from_secs(1), "I-50: took {:?}", began.elapsed());
        assert_eq!((report.outcome, report.stopped), (RunOutcome::MoreWork, Stopped::Expired));
        let Decision::Background(wish) = ann.store.next_wake().decision else { panic!("{:?}", ann.store.next_wake()) };
        assert_eq!((wish.kind, wish.earliest_ms), (Kind::SmallPush, 0), "the rest is asked for at once");
    }
    // Whoever waits for the run waits every time; a busy machine may stop a thread once.
    assert!(quickest < Duration::from_millis(100), "it returns at once, and not after {quickest:?}");
    assert_eq!(ann.store.status().unwrap().last_error, None, "nothing went wrong");
    link.hang.store(false, Ordering::SeqCst);
    server.forget_seen();
    assert_eq!(run(&ann).outcome, RunOutcome::Done);
    let pushes: Vec<usize> = server.seen().iter().filter(|seen| seen.path == "push").map(|seen| seen.groups).collect();
    assert_eq!(pushes, [50, 30], "neither bisected nor put off");
    let ben = server.device("ben");
    ben.sync();
    assert_eq!(ben.store.query("SELECT count(*) FROM notes", &[]).unwrap().rows[0][0], 80.into(), "each once");
}

#[test]
fn h10_a_run_ends_when_its_time_or_its_bytes_are_spent() {
    let server = MemoryServer::new();
    let (link, _reached) = SlowPushes::new(&server, true);
    let ann = Device::open("ann", link.remote());
    for at in 0..60 {
        ann.insert(&format!("note {at}"));
    }
    let began = Instant::now();
    let short = Budget::time(Duration::from_millis(300));
    let report = ann.store.run_background_blocking(short, RunReason::Leaving).unwrap();
    assert_eq!((report.outcome, report.stopped), (RunOutcome::MoreWork, Stopped::TimeUp));
    assert!((300..=1_300).contains(&began.elapsed().as_millis()), "took {:?}", began.elapsed());
    link.hang.store(false, Ordering::SeqCst);
    let little = Budget { bytes_max: Some(1), ..BUDGET };
    let report = ann.store.run_background_blocking(little, RunReason::Leaving).unwrap();
    assert_eq!((report.outcome, report.stopped), (RunOutcome::MoreWork, Stopped::BytesSpent));
    assert_eq!(run(&ann).outcome, RunOutcome::Done);
    assert_eq!(ann.hash(), server.state_hash());
}

#[test]
fn every_outcome_has_its_word() {
    let server = MemoryServer::new();
    let say = |problem: Option<Problem>| server.intercept(move |_, _| problem.as_ref().map(refuse));
    let ann = server.device("ann");
    ann.insert("waits");
    let mut busy = Problem::new(Code::Unavailable, "Busy.");
    busy.retry_after_ms = Some(120_000);
    say(Some(busy));
    let report = run(&ann);
    assert_eq!(report.stopped, Stopped::Failed);
    let RunOutcome::RetryAfter { .. } = report.outcome else { panic!("{report:?}") };
    for (code, outcome) in [(Code::TokenInvalid, RunOutcome::NeedsAuth), (Code::UpgradeRequired, RunOutcome::Permanent)]
    {
        let ann = server.device("ann");
        ann.insert("waits");
        say(Some(Problem::new(code.clone(), "No.")));
        let report = run(&ann);
        assert_eq!((report.outcome, report.stopped), (outcome, Stopped::Failed), "{code:?}");
        assert!(report.code.is_some());
    }
    let nowhere = Device::open("nowhere", kit::nowhere());
    nowhere.insert("waits");
    assert!(matches!(run(&nowhere).outcome, RunOutcome::RetryAfter { .. }));
    assert_eq!(nowhere.pending(), 1, "I-17: no answer consumes a write");
}

/// A worker and the UI share one sync: nothing is sent twice at a time, and what the UI waits for outlives the worker.
#[test]
fn h14_a_worker_and_the_ui_share_one_flight() {
    let server = MemoryServer::new();
    let (link, told) = SlowPushes::new(&server, true);
    let ann = Device::open("ann", link.remote());
    for at in 0..200 {
        ann.insert(&format!("note {at}"));
    }
    let (ui, worker) = (ann.store.clone(), ann.store.clone());
    let worker = std::thread::spawn(move || worker.run_background_blocking(BUDGET, RunReason::Scheduled).unwrap());
    told.recv().unwrap();
    let ui = std::thread::spawn(move || ui.sync_blocking());
    while ann.store.next_wake().decision != (Decision::Now { why: Cause::Requested }) {
        std::thread::yield_now();
    }
    ann.store.expire();
    let report = worker.join().unwrap();
    assert_eq!(report.stopped, Stopped::Expired);
    link.hang.store(false, Ordering::SeqCst);
    ui.join().unwrap().unwrap();
    assert_eq!(
        (link.under_way.1.load(Ordering::SeqCst), ann.pending()),
        (1, 0),
        "one push at a time, and the UI's sync went on"
    );
    assert_eq!(ann.hash(), server.state_hash());
}

/// H10: a store that is woken for a run may have fetched the news before the run begins: they are told all the same, once.
#[test]
fn a_run_in_the_background_reports_what_came_since_the_store_woke() {
    let server = MemoryServer::new();
    let ben = server.device("ben");
    let ann = Device::open_with("ann", server.remote(), |options| options.auto_sync(true));
    ann.sync();
    for is_seen in [false, true] {
        let here = Conditions { foreground: is_seen, ..AWAY };
        ann.store.set_conditions(AWAY);
        ann.store.suspend().unwrap();
        let id = ben.insert("from Ben");
        ben.sync();
        ann.store.set_conditions(here);
        ann.store.resume().unwrap();
        let status = ann.store.watch_status().unwrap();
        while ann.field(&id, "title").is_none()
            || ann.store.next_wake().decision == (Decision::Now { why: Cause::Opened })
        {
            status.next_blocking().unwrap();
        }
        let report = run(&ann);
        assert_eq!(report.sync.rows_pulled, u64::from(!is_seen), "seen: {is_seen}, {report:?}");
        assert_eq!(run(&ann).sync.rows_pulled, 0, "told once");
        let wish = ann.store.next_wake().wish.unwrap();
        assert!(wish.earliest_ms > kit::now_ms(), "a run that has ended wishes for news, later: {wish:?}");
    }
}

/// H2, H9: what the device is like decides what starts by itself, and what the system is asked for.
#[test]
fn h2_h9_conditions_put_off_start_and_never_lose() {
    let server = MemoryServer::new();
    let ann = Device::open_with("ann", server.remote(), |options| options.auto_sync(true));
    ann.sync();
    let watch = ann.store.watch_next_wake().unwrap();
    watch.next_blocking().unwrap();
    ann.store.set_conditions(Conditions { network: Network::Offline, ..Conditions::default() });
    ann.insert("offline");
    let offline = loop {
        let next = watch.next_blocking().unwrap();
        if let Decision::At(wake) = next.decision
            && wake.why == Why::Offline
        {
            break next;
        }
    };
    let wish = offline.wish.unwrap();
    assert_eq!((wish.kind, wish.constraints.network), (Kind::SmallPush, NetworkNeed::Connected));
    assert!(matches!(ann.store.status().unwrap().next, Decision::At(wake) if wake.why == Why::Offline));
    ann.store.set_conditions(Conditions { network: Network::Metered, ..Conditions::default() });
    let status = ann.store.watch_status().unwrap();
    let began = Instant::now();
    while status.next_blocking().unwrap().pending_groups > 0 {}
    assert!(began.elapsed() < Duration::from_secs(3), "H2: at once, not after the debounce");
    // In the background looking for news is the system's, with what a pull needs.
    ann.store.set_conditions(AWAY);
    let next = loop {
        let next = watch.next_blocking().unwrap();
        if let Decision::Background(wish) = next.decision {
            assert_eq!(next.wish, Some(wish));
            if wish.kind == Kind::Pull {
                break wish;
            }
        }
    };
    assert_eq!((next.constraints.network, next.why), (NetworkNeed::NotRoaming, Why::Poll));
    assert!(next.earliest_ms > kit::now_ms());
    let alone = server.device("alone");
    assert_eq!(alone.store.next_wake().decision, Decision::Idle { why: Rest::OnlyWhenAsked });
}
