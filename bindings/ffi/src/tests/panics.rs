//! No panic crosses: one is planted in every exported function, and the store goes on.

use std::path::Path;
use std::sync::{Arc, Mutex};

use super::alone::is_alone;
use super::kit::{Device, insert, no_hooks, options, wait};
use crate::background::FfiRunReason;
use crate::error::FfiError;
use crate::hooks::log::{FfiLogLevel, set_log_sink};
use crate::store::{FfiCancel, FfiStore};
use crate::testing::{is_panic_planted, plant_panic};

/// The sources of what a release holds.
fn sources(folder: &Path, found: &mut Vec<String>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_file() {
            found.push(std::fs::read_to_string(&path).unwrap());
        } else if !path.ends_with("tests") && !path.ends_with("testing") {
            sources(&path, found);
        }
    }
}

/// The functions that are exported, by reading the sources: whoever adds one and forgets the fence is found.
fn exported() -> Vec<(String, String)> {
    let mut texts = Vec::new();
    sources(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"), &mut texts);
    let mut found = Vec::new();
    for text in &texts {
        let mut lines = text.lines().peekable();
        while let Some(line) = lines.next() {
            if line != "#[uniffi::export]" {
                let is_a_hook = line == "#[uniffi::export(foreign)]";
                assert!(is_a_hook || !line.contains("[uniffi::export"), "this test does not read: {line}");
                continue;
            }
            let end = if lines.peek().is_some_and(|line| line.starts_with("impl")) { "}" } else { "" };
            let block: Vec<&str> = lines.by_ref().take_while(|line| *line != end).collect();
            let block = block.join("\n");
            for part in block.split("pub ").skip(1) {
                let part = part.strip_prefix("async ").unwrap_or(part);
                let Some(rest) = part.strip_prefix("fn ") else { continue };
                let name = rest.split('(').next().unwrap().to_owned();
                found.push((name, rest.to_owned()));
            }
        }
    }
    found
}

#[test]
fn every_exported_function_stands_behind_the_fence() {
    let found = exported();
    assert!(found.len() >= 40, "the sources are read: {}", found.len());
    let mut listed: Vec<&str> = CALLS.lines().filter(|line| !line.starts_with('#')).collect();
    let mut names: Vec<&str> = found.iter().map(|(_, body)| trips_as(body)).chain(["pages_read"]).collect();
    listed.sort_unstable();
    names.sort_unstable();
    assert_eq!(listed, names, "bindings/calls.txt has each of them, for the suites of Kotlin and Swift");
    for (name, body) in &found {
        let fenced = ["fence::quick(", "fence::blocking(", "fence::task(", ".writing(", ".or_next(", "fence::listen("];
        assert!(fenced.iter().any(|call| body.contains(call)), "{name} is not behind the fence");
    }
}

/// The same, for those who cannot read the sources.
const CALLS: &str = include_str!("../../../calls.txt");

/// The name by which an exported function trips.
fn trips_as(body: &str) -> &str {
    let calls = ["fence::quick(", "fence::blocking(", "fence::task(", ".writing(", ".or_next(", "fence::listen("];
    let at = calls.iter().filter_map(|call| body.find(call)).min().unwrap();
    body[at..].split('"').nth(1).unwrap()
}

/// The functions in which a panic was planted.
static PLANTED: Mutex<Vec<String>> = Mutex::new(Vec::new());

/// What a call with a planted panic says.
fn planted<T: std::fmt::Debug>(name: &str, call: impl FnOnce() -> Result<T, FfiError>) {
    PLANTED.lock().unwrap().push(name.to_owned());
    plant_panic(name.to_owned());
    let said = call();
    assert!(!is_panic_planted(), "{name} was not called");
    let is_panic = matches!(&said, Err(FfiError::Internal { code, .. }) if code == "panic");
    // A panic inside an open transaction ends it, which may be said first.
    let is_lost = matches!(&said, Err(FfiError::Retryable { code, .. }) if code == "transaction_lost");
    assert!(is_panic || is_lost, "{name} said {said:?}");
}

#[test]
fn a_panic_is_internal_and_the_store_goes_on() {
    if !is_alone("tests::panics::a_panic_is_internal_and_the_store_goes_on") {
        return;
    }
    let device = Device::offline();
    let id = device.insert("before");
    let store = || Arc::clone(&device.store);
    let text = |text: &str| text.to_owned();
    let select = || text("SELECT title FROM notes");

    planted("open", || wait(FfiStore::open(options(&device.folder.path().join("other.db")), no_hooks())).map(drop));
    planted("write", || wait(store().write(vec![insert("never")], None)));
    planted("execute", || wait(store().execute(text("DELETE FROM notes"), Vec::new())));
    planted("begin", || wait(store().begin()).map(drop));
    planted("get", || wait(store().get(text("notes"), id.clone())));
    planted("query", || wait(store().query(select(), Vec::new(), None)));
    planted("pages", || store().pages(select(), Vec::new(), 1, 1).map(drop));
    planted("watch", || wait(store().watch(select(), Vec::new())).map(drop));
    planted("watch_status", || wait(store().watch_status()).map(drop));
    planted("watch_row_state", || wait(store().watch_row_state(text("notes"), id.clone())).map(drop));
    planted("row_state", || wait(store().row_state(text("notes"), id.clone())));
    planted("status", || wait(store().status()));
    planted("sync", || wait(store().sync(None)));
    planted("token_changed", || device.store.token_changed());
    planted("network_changed", || device.store.network_changed(true));
    planted("poke", || device.store.poke());
    planted("run_background", || wait(store().run_background(super::background::BUDGET, FfiRunReason::Scheduled)));
    planted("expire", || device.store.expire());
    planted("set_conditions", || device.store.set_conditions(super::background::IN_FRONT));
    planted("next_wake", || device.store.next_wake());
    planted("watch_next_wake", || wait(store().watch_next_wake()).map(drop));
    planted("suspend_store", || wait(store().suspend_store()));
    planted("resume_store", || wait(store().resume_store()));
    wait(store().resume_store()).unwrap();
    planted("dead_letters", || wait(store().dead_letters()));
    planted("retry_dead_letter", || wait(store().retry_dead_letter(1)));
    planted("state_hash", || wait(store().state_hash()));
    planted("identity", || wait(store().identity()));
    planted("origin", || device.store.origin());
    planted("totals", || device.store.totals());
    planted("checkpoint", || wait(store().checkpoint()));
    planted("shutdown", || wait(store().shutdown()));
    planted("cancel_create", || FfiCancel::create().map(drop));
    let cancel = FfiCancel::create().unwrap();
    planted("cancel_cancel", || cancel.cancel());
    planted("set_log_sink", || set_log_sink(None, FfiLogLevel::Error));

    // On the thread that reads, where no call waits: an end without the rest would look like the end of the rows. First of
    // the pages: the thread of others might begin only now, and take the panic for itself.
    planted("pages_read", || wait(store().pages(select(), Vec::new(), 1, 1).unwrap().next()));
    let pages = store().pages(select(), Vec::new(), 1, 1).unwrap();
    planted("pages_next", || wait(Arc::clone(&pages).next()));
    planted("pages_cancel", || pages.cancel());
    assert!(wait(pages.next()).unwrap().is_some());
    let watch = wait(store().watch(select(), Vec::new())).unwrap();
    planted("watch_next", || wait(Arc::clone(&watch).next()));
    planted("watch_cancel", || watch.cancel());
    assert!(wait(watch.next()).unwrap().is_some());
    let status = wait(store().watch_status()).unwrap();
    planted("status_watch_next", || wait(Arc::clone(&status).next()));
    planted("status_watch_cancel", || status.cancel());
    let row = wait(store().watch_row_state(text("notes"), id.clone())).unwrap();
    planted("row_state_watch_next", || wait(Arc::clone(&row).next()));
    planted("row_state_watch_cancel", || row.cancel());
    let wake = wait(store().watch_next_wake()).unwrap();
    planted("next_wake_watch_next", || wait(Arc::clone(&wake).next()));
    planted("next_wake_watch_cancel", || wake.cancel());

    let tx = wait(store().begin()).unwrap();
    planted("transaction_apply", || wait(tx.clone().apply(vec![insert("never")])));
    planted("transaction_execute", || wait(tx.clone().execute(text("DELETE FROM notes"), Vec::new())));
    planted("transaction_query", || wait(tx.clone().query(select(), Vec::new())));
    planted("transaction_get", || wait(tx.clone().get(text("notes"), id.clone())));
    planted("transaction_rollback", || wait(tx.clone().rollback()));
    planted("transaction_commit", || wait(tx.clone().commit()));
    wait(tx.rollback()).unwrap();

    let planted = PLANTED.lock().unwrap().clone();
    for name in CALLS.lines().filter(|line| !line.starts_with('#')) {
        assert!(planted.iter().any(|done| done == name), "no panic was planted in {name}");
    }
    assert_eq!(device.titles(), ["before"], "no call that panicked did anything");
    device.insert("after");
    assert_eq!(device.titles(), ["after", "before"]);
    wait(store().shutdown()).unwrap();
}
