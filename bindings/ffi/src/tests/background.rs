//! Time that the operating system gives, and what hosts are told.

use std::sync::Arc;
use std::sync::mpsc::{Sender, channel};
use std::time::{Duration, Instant};

use super::kit::{Device, TestServer, Tokens, insert, no_hooks, wait};
use super::stores::code;
use crate::background::{
    FfiBudget, FfiConditions, FfiDecision, FfiKind, FfiNetwork, FfiNetworkNeed, FfiNextWake, FfiOutcome, FfiRunReason,
    FfiStopped,
};
use crate::hooks::http::{FfiHttpFailure, FfiHttpRequest, FfiHttpResponse, FfiHttpTransport};
use crate::open::{FfiHooks, FfiOptions};

pub(super) const BUDGET: FfiBudget = FfiBudget { time_ms: 20_000, bytes_max: None };
pub(super) const IN_FRONT: FfiConditions = FfiConditions {
    network: FfiNetwork::Unknown,
    validated: true,
    foreground: true,
    low_power: false,
    charging: false,
};

/// A device that syncs by itself.
pub(super) fn auto(server: &TestServer) -> Device {
    Device::opened(FfiHooks { tokens: Some(Tokens::good()), ..no_hooks() }, |options| FfiOptions {
        url: Some(server.url()),
        auto_sync: true,
        ..options
    })
}

/// A transport that says that it was called, and never answers.
struct Silent(Sender<()>);

#[async_trait::async_trait]
impl FfiHttpTransport for Silent {
    async fn exchange(&self, _request: FfiHttpRequest) -> Result<FfiHttpResponse, FfiHttpFailure> {
        self.0.send(()).unwrap();
        std::future::pending().await
    }
}

#[test]
fn a_background_run_pushes_and_reports() {
    let server = TestServer::start();
    let (a, b) = (Device::on(&server), Device::on(&server));
    b.insert("from b");
    b.sync();
    a.write(vec![insert("one"), insert("two")]);
    a.insert("three");
    let report = wait(a.store.clone().run_background(BUDGET, FfiRunReason::Scheduled)).unwrap();
    assert_eq!((report.outcome, report.stopped, report.code), (FfiOutcome::Done, FfiStopped::Finished, None));
    assert_eq!((report.sync.groups_pushed, report.sync.rows_pulled >= 1), (2, true));
    assert!(report.sync.bytes_up > 0 && report.sync.bytes_down > 0);
    assert_eq!(a.titles(), ["from b", "one", "three", "two"]);
}

#[test]
fn a_run_out_of_budget_says_more_work() {
    let server = TestServer::start();
    let device = Device::on(&server);
    for n in 0..60 {
        device.insert(&format!("{n}"));
    }
    let little = FfiBudget { bytes_max: Some(1), ..BUDGET };
    let report = wait(device.store.clone().run_background(little, FfiRunReason::Leaving)).unwrap();
    assert_eq!((report.outcome, report.stopped), (FfiOutcome::MoreWork, FfiStopped::BytesSpent));
    let report = wait(device.store.clone().run_background(BUDGET, FfiRunReason::Leaving)).unwrap();
    assert_eq!(report.outcome, FfiOutcome::Done);
    assert_eq!(wait(device.store.clone().status()).unwrap().pending_groups, 0);
}

#[test]
#[expect(clippy::disallowed_methods, reason = "a worker beside the test, and how long ending takes")]
fn expire_ends_a_run_within_a_second() {
    let (called, calls) = channel();
    let hooks = FfiHooks { tokens: Some(Tokens::good()), transport: Some(Arc::new(Silent(called))), ..no_hooks() };
    let device = Device::opened(hooks, |options| options);
    device.insert("kept");
    let store = device.store.clone();
    let worker = std::thread::spawn(move || wait(store.run_background(BUDGET, FfiRunReason::Poked)).unwrap());
    calls.recv().unwrap();
    let began = Instant::now();
    device.store.expire().unwrap();
    let report = worker.join().unwrap();
    assert!(began.elapsed() < Duration::from_secs(1), "took {:?}", began.elapsed());
    assert_eq!((report.outcome, report.stopped), (FfiOutcome::MoreWork, FfiStopped::Expired));
    assert_eq!(wait(device.store.clone().status()).unwrap().last_error_code, None, "nothing failed");
    assert_eq!(device.titles(), ["kept"]);
}

/// A worker may be stopped in the very moment it begins: nothing runs on for as long as its time would have been.
#[test]
fn expire_ends_a_run_that_has_hardly_begun() {
    let (called, _calls) = channel();
    let hooks = FfiHooks { tokens: Some(Tokens::good()), transport: Some(Arc::new(Silent(called))), ..no_hooks() };
    let device = Device::opened(hooks, |options| options);
    device.insert("kept");
    let report = wait(async {
        let mut run = std::pin::pin!(device.store.clone().run_background(BUDGET, FfiRunReason::Scheduled));
        let begun = std::future::poll_fn(|context| std::task::Poll::Ready(run.as_mut().poll(context))).await;
        assert!(begun.is_pending());
        device.store.expire().unwrap();
        run.await
    });
    let report = report.unwrap();
    assert_eq!((report.outcome, report.stopped), (FfiOutcome::MoreWork, FfiStopped::Expired));
}

#[test]
fn a_suspended_store_refuses_and_resumes() {
    let device = Device::offline();
    device.write((0..25).map(|n| insert(&format!("{n}"))).collect());
    let tx = wait(device.store.clone().begin()).unwrap();
    wait(tx.clone().apply(vec![insert("never")])).unwrap();
    let pages = device.store.clone().pages("SELECT title FROM notes".to_owned(), Vec::new(), 10, 1 << 20).unwrap();
    assert!(wait(pages.clone().next()).unwrap().is_some());

    wait(device.store.clone().suspend_store()).unwrap();
    let said = |code: &str| ("retryable", code.to_owned());
    assert_eq!(code(wait(device.store.clone().status())), said("suspended"));
    assert_eq!(code(wait(device.store.clone().write(vec![insert("never")], None))), said("suspended"));
    assert_eq!(code(wait(device.store.clone().begin()).map(drop)), said("suspended"));
    assert_eq!(code(wait(tx.commit())), said("suspended"), "an open transaction ended");
    let mut left = wait(pages.clone().next());
    for _ in 0..2 {
        if let Ok(Some(_)) = left {
            left = wait(pages.clone().next());
        }
    }
    assert_eq!(code(left), said("suspended"), "rows that are missing are never taken for the end");
    // Another process may have it meanwhile.
    let other = super::stores::open(super::kit::options(&device.path())).unwrap();
    assert_eq!(code(wait(device.store.clone().resume_store())), ("unavailable", "already_open".to_owned()));
    wait(other.shutdown()).unwrap();

    wait(device.store.clone().resume_store()).unwrap();
    device.insert("after");
    assert_eq!(device.titles().len(), 26);
    wait(device.store.clone().begin()).unwrap();
    assert_eq!(device.query("SELECT 1 FROM notes WHERE title = 'never'").rows(), 0);
}

#[test]
fn next_wake_says_what_happens_next_and_why() {
    let idle = |why: &str| FfiNextWake { decision: FfiDecision::Idle { why: why.to_owned() }, wish: None };
    assert_eq!(Device::offline().store.next_wake().unwrap(), idle("no_server"));
    let server = TestServer::start();
    assert_eq!(Device::on(&server).store.next_wake().unwrap(), idle("only_when_asked"));

    let device = auto(&server);
    device.sync();
    device.store.set_conditions(FfiConditions { network: FfiNetwork::Offline, ..IN_FRONT }).unwrap();
    device.insert("written offline");
    wait(async {
        let watch = device.store.clone().watch_next_wake().await.unwrap();
        loop {
            let next = watch.clone().next().await.unwrap().unwrap();
            let FfiDecision::At { at_ms, why } = next.decision else { continue };
            if why != "offline" {
                continue;
            }
            assert!(at_ms > 1_700_000_000_000, "a time a person can be shown: {at_ms}");
            let wish = next.wish.unwrap();
            assert_eq!((wish.kind, wish.network), (FfiKind::SmallPush, FfiNetworkNeed::Connected));
            assert!(!wish.battery_not_low);
            break;
        }
        watch.cancel().unwrap();
    });
    let status = wait(device.store.clone().status()).unwrap();
    assert!(matches!(status.next, FfiDecision::At { why, .. } if why == "offline"));
}

#[test]
fn conditions_are_hints() {
    let server = TestServer::start();
    let device = auto(&server);
    device.sync();
    device.store.set_conditions(FfiConditions { network: FfiNetwork::Offline, ..IN_FRONT }).unwrap();
    device.insert("one");
    assert_eq!(device.sync().groups_pushed, 1, "whoever asks is served all the same");
    device.store.set_conditions(FfiConditions { network: FfiNetwork::Offline, ..IN_FRONT }).unwrap();
    device.insert("two");
    device.store.set_conditions(IN_FRONT).unwrap();
    wait(async {
        let watch = device.store.clone().watch_status().await.unwrap();
        while watch.clone().next().await.unwrap().unwrap().pending_groups > 0 {}
    });
}

#[test]
fn a_sync_waits_for_further_writes_as_long_as_asked() {
    let server = TestServer::start();
    let device = Device::opened(FfiHooks { tokens: Some(Tokens::good()), ..no_hooks() }, |options| FfiOptions {
        url: Some(server.url()),
        auto_sync: true,
        debounce_ms: Some(5_000),
        ..options
    });
    device.sync();
    let write = || {
        let before_ms = turnstone_server::Clock::system().now_ms();
        device.insert("more may come");
        before_ms
    };
    let watch = wait(device.store.clone().watch_next_wake()).unwrap();
    let mut before_ms = write();
    let at_ms = loop {
        match wait(watch.clone().next()).unwrap().unwrap().decision {
            FfiDecision::At { at_ms, why } if why == "debounce" => break at_ms,
            // A slow machine has sent it by now.
            _ if wait(device.store.clone().status()).unwrap().pending_groups == 0 => before_ms = write(),
            _ => {}
        }
    };
    // Clocks are read apart, and rounded.
    assert!(at_ms + 100 >= before_ms + 5_000, "{at_ms} after {before_ms}");
}
