//! What the fuzzer runs, as plain functions of bytes: no panic, no broken promise, whatever the bytes.
//!
//! `make fuzz` searches with libFuzzer (`fuzz/`, a workspace of its own); the tests here replay every input committed
//! under `fuzz/corpus`; one that fails is put there under the name of what it found.

mod body;
mod bytes;
mod cursor;
mod database;
mod evil;
mod merge;
mod op;
mod schema;
mod synced;
mod wire;

/// A target: panics where a promise does not hold.
pub type Target = fn(&[u8]);

/// Every target by the name of its folder in `fuzz/corpus`.
pub const TARGETS: &[(&str, Target)] = &[
    ("wire_request", wire::request),
    ("wire_answer", wire::answer),
    ("cursor", cursor::cursor),
    ("body", body::body),
    ("op", op::op),
    ("schema", schema::schema),
    ("merge", merge::merge),
    ("database", database::database),
    ("evil_server", evil::server),
];
