//! Messages, both ways. What reads is bounded and travels: written and read again, it says the same.

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::value::RawValue;
use turnstone_protocol::entry::Address;
use turnstone_protocol::limits::{GIDS_MAX, GROUP_OPS_MAX};
use turnstone_protocol::wire::{HelloAnswer, PullAnswer, PullRequest, PushAnswer, PushRequest};
use turnstone_protocol::{Entry, Problem};

/// What a server reads.
pub(crate) fn request(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    travels::<PullRequest>(text);
    travels::<PushRequest<Entry>>(text);
    let address = Address::read(text);
    if let Ok(entry) = Entry::read(text) {
        assert!(address.is_some(), "an entry without an address");
        if let Entry::Group(group) = &entry {
            assert!(group.ops.len() <= GROUP_OPS_MAX && group.after.len().max(group.covers.len()) <= GIDS_MAX);
        }
        let written = serde_json::to_string(&entry).expect("an entry is written");
        assert_eq!(Entry::read(&written).expect("what is written reads"), entry);
    }
    if let Ok(push) = serde_json::from_str::<PushRequest<Box<RawValue>>>(text) {
        for group in push.groups {
            let _ = Entry::read(group.get());
        }
    }
}

/// What a client reads.
pub(crate) fn answer(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    travels::<PushAnswer>(text);
    travels::<PullAnswer>(text);
    travels::<HelloAnswer>(text);
    travels::<Problem>(text);
}

fn travels<T: DeserializeOwned + Serialize + PartialEq>(text: &str) {
    let Ok(read) = serde_json::from_str::<T>(text) else { return };
    let written = serde_json::to_string(&read).expect("what was read is written");
    let again: T = serde_json::from_str(&written).expect("what is written reads");
    assert!(again == read, "it does not say the same the second time: {written}");
    assert_eq!(serde_json::to_string(&again).expect("written twice"), written);
}
