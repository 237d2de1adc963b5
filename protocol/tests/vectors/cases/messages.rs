//! wire.json.

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value as Json, json};
use turnstone_protocol::Entry;
use turnstone_protocol::entry::Address;
use turnstone_protocol::wire::{HelloAnswer, PullAnswer, PullRequest, PushAnswer, PushRequest};

use super::text;

fn again<T: DeserializeOwned + Serialize>(json: &str) -> String {
    let read: T = serde_json::from_str(json).unwrap_or_else(|error| panic!("{error}: {json}"));
    serde_json::to_string(&read).unwrap()
}

fn read_and_write(case: &Json) -> String {
    let json = text(case, "json");
    match text(case, "kind") {
        "hello_answer" => again::<HelloAnswer>(json),
        "push_request" => again::<PushRequest<Entry>>(json),
        "push_answer" => again::<PushAnswer>(json),
        "pull_request" => again::<PullRequest>(json),
        "pull_answer" => again::<PullAnswer>(json),
        "problem" => again::<turnstone_protocol::Problem>(json),
        other => panic!("{other}"),
    }
}

fn loose(json: &str) -> Json {
    serde_json::from_str(json).unwrap()
}

pub(super) fn exact(case: &Json) -> Json {
    let written = read_and_write(case);
    assert_eq!(loose(&written), loose(text(case, "json")), "{}: nothing is lost or added", case["name"]);
    json!(written)
}

pub(super) fn lenient(case: &Json) -> Json {
    json!(read_and_write(case))
}

pub(super) fn entry(case: &Json) -> Json {
    let json = text(case, "json");
    let address = Address::read(json).map(|address| format!("{}@{}", address.gid, address.seq));
    match Entry::read(json) {
        Ok(entry) => json!({ "address": address, "entry": serde_json::to_string(&entry).unwrap() }),
        Err(refusal) => json!({ "address": address, "refused": refusal.code }),
    }
}
