//! What must happen now and then in a search that is worth anything ("sometimes" assertions): a search in which no
//! answer was ever lost says nothing about lost answers.

use std::collections::BTreeMap;

/// A search of this many actions must have seen everything that happens sometimes.
const ACTIONS: u64 = 60_000;
/// And one of this many what happens rarely: about once in 200 worlds.
const ACTIONS_MANY: u64 = 10 * ACTIONS;

/// What must happen even in the few worlds of the gate: paths that are rare enough to be lost unnoticed.
pub const IN_THE_GATE: &[&str] = &[
    "an unsure write had been saved",
    "answer lost after the server's commit",
    "app upgraded",
    "apps asked after their writes at the end",
    "dead letters at the end",
    "device backed up with writes of its own",
    "device cloned",
    "device cloned with writes of its own",
    "device died in a write",
    "device lost power in a storage step",
    "device restored from a backup",
    "everything in a device was looked at",
    "everything was done in the background",
    "group blocked",
    "group in parts",
    "op lost to a delete",
    "server killed in a request",
    "server lost power in a request",
    "server restored from a backup",
    "server upgraded",
    "the older handle was turned away",
    "the server said that its disk fails",
    "write held back",
    "write held back at the end",
    "write passed before its verdict was heard",
];

/// What must happen in the worlds of the gate in which the server is put back.
pub const WITH_HISTORIES: &[&str] = &[
    "a device was told that the server forgot",
    "device began again with another history",
    "server restored again",
    "server restored from a backup",
    "server restored, and nobody told",
];

/// What a long search must have seen at least once.
pub const SOMETIMES: &[&str] = &[
    "an unsure write had been saved",
    "another tenant wrote",
    "answer cut",
    "app suspended",
    "answer lost after the server's commit",
    "answer vanished",
    "captive portal",
    "clock drifted",
    "clock jumped",
    "clock stood still",
    "conditions told",
    "device backed up",
    "device died in a write",
    "device killed",
    "device is to die in an answer",
    "device killed in a storage step",
    "device lost power",
    "device lost power in a storage step",
    "device restarted",
    "device restored from a backup",
    "device restored while a push was under way",
    "a dead letter's row is gone",
    "dead letter sent again",
    "disk error armed",
    "disk filled",
    "everything was done in the background",
    "hole in the network",
    "hole in the network, one way",
    "network cut",
    "op lost to a delete",
    "packets reordered",
    "request arrived that nobody waits for",
    "row of a dead letter edited while it is sent again",
    "request cut",
    "request doubled",
    "request lost",
    "request refused",
    "request vanished",
    "a device was told that the server forgot",
    "device began again with another history",
    "server backed up",
    "server killed",
    "server killed in a request",
    "server's clock drifted",
    "server's clock set ahead",
    "server's clock set back",
    "server's clock stood still",
    "server's disk error armed",
    "server's disk filled",
    "the server said that its disk fails",
    "verdicts lost",
    "time given in the background",
    "time in the background was over before everything was done",
    "server lost power in a request",
    "server overloaded",
    "server restored again",
    "server restored from a backup",
    "server restored, and nobody told",
    "token expired",
    "app upgraded",
    "apps asked after their writes at the end",
    "dead letters at the end",
    "dead letters sent again at the end",
    "device backed up with writes of its own",
    "device cloned",
    "device cloned with writes of its own",
    "device let in again",
    "device looked at that knows another history",
    "device shut out",
    "everything in a device was looked at",
    "feed read again from its beginning",
    "file opened a second time",
    "group blocked",
    "group in parts",
    "new incarnation",
    "row edited at once",
    "server upgraded",
    "the older handle was turned away",
    "poison group set aside",
    "poison group written",
    "server told of too many requests",
    "the server choked",
    "what the server choked on is taken",
    "what was held back for a dead letter is sent with it",
    "write failed by itself",
    "write failed by the disk",
    "write held back",
    "write held back at the end",
    "write passed before its verdict was heard",
    "write repeated under its write id",
];

/// What a very long search must have seen at least once.
pub const RARELY: &[&str] = &["a restored device was told so", "somebody had to sign in"];

/// What of the above is a fault, and counts as one in what a search says of itself.
const FAULTS: &[&str] = &[
    "answer cut",
    "answer lost after the server's commit",
    "answer vanished",
    "app suspended",
    "app upgraded",
    "captive portal",
    "clock drifted",
    "clock jumped",
    "clock stood still",
    "device cloned",
    "device died in a write",
    "device killed",
    "device killed in a storage step",
    "device lost power",
    "device lost power in a storage step",
    "device restored from a backup",
    "device shut out",
    "disk error armed",
    "disk filled",
    "file opened a second time",
    "hole in the network",
    "hole in the network, one way",
    "network cut",
    "packets reordered",
    "poison group written",
    "request cut",
    "request doubled",
    "request lost",
    "request vanished",
    "server killed",
    "server killed in a request",
    "server lost power in a request",
    "server overloaded",
    "server restored from a backup",
    "server told of too many requests",
    "server upgraded",
    "server's clock drifted",
    "server's clock set ahead",
    "server's clock set back",
    "server's clock stood still",
    "server's disk error armed",
    "server's disk filled",
    "time in the background was over before everything was done",
    "token expired",
    "verdicts lost",
];

/// How many faults there were.
pub fn faults(counted: &BTreeMap<&'static str, u64>) -> u64 {
    FAULTS.iter().filter_map(|fault| counted.get(fault)).sum()
}

/// What a search of `seeds` worlds should have seen and never did. Short searches promise nothing.
pub fn never(counted: &BTreeMap<&'static str, u64>, seeds: u64, steps: usize) -> Vec<&'static str> {
    let actions = seeds * (steps as u64);
    let due = [(ACTIONS, SOMETIMES), (ACTIONS_MANY, RARELY)].into_iter().filter(|(least, _)| actions >= *least);
    due.flat_map(|(_, list)| missing(list, counted)).collect()
}

/// What of a list never happened.
pub fn missing(list: &[&'static str], counted: &BTreeMap<&'static str, u64>) -> Vec<&'static str> {
    list.iter().filter(|what| !counted.contains_key(*what)).copied().collect()
}
