//! What must happen now and then in a search that is worth anything ("sometimes" assertions): a search in which no
//! answer was ever lost says nothing about lost answers.

use std::collections::BTreeMap;

/// A search of this many actions must have seen everything below.
const ACTIONS: u64 = 60_000;

/// What a long search must have seen at least once.
pub const SOMETIMES: &[&str] = &[
    "an unsure write had been saved",
    "another tenant wrote",
    "answer cut",
    "app suspended",
    "answer lost after the server's commit",
    "captive portal",
    "clock jumped",
    "conditions told",
    "device backed up",
    "device died in a write",
    "device killed",
    "device killed in a storage step",
    "device lost power",
    "device lost power in a storage step",
    "device restarted",
    "device restored from a backup",
    "disk error armed",
    "disk filled",
    "everything was done in the background",
    "network cut",
    "op lost to a delete",
    "packets reordered",
    "request arrived that nobody waits for",
    "request doubled",
    "request lost",
    "request refused",
    "server killed",
    "server killed in a request",
    "server's clock set back",
    "server's disk error armed",
    "server's disk filled",
    "the server said that its disk fails",
    "time given in the background",
    "time in the background was over before everything was done",
    "server lost power in a request",
    "server overloaded",
    "token expired",
    "app upgraded",
    "device cloned",
    "device let in again",
    "device shut out",
    "file opened a second time",
    "server upgraded",
    "somebody had to sign in",
    "the older handle was turned away",
    "write failed by itself",
    "write failed by the disk",
    "write repeated under its write id",
];

/// What a search of `seeds` worlds should have seen and never did. Short searches promise nothing.
pub fn never(counted: &BTreeMap<&'static str, u64>, seeds: u64, steps: usize) -> Vec<&'static str> {
    if seeds * (steps as u64) < ACTIONS {
        return Vec::new();
    }
    SOMETIMES.iter().filter(|what| !counted.contains_key(*what)).copied().collect()
}
