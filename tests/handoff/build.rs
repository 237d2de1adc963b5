//! Takes the seat as it is (`core/src/storage/seat.rs`), puts the scheduler's locks in the place of the system's, and
//! writes it down once as it is and once with each planted bug. A text that is not found any more fails the build:
//! whoever changes the seat changes it here too.

use std::path::Path;

/// The scheduler's own in the place of the standard library's.
const UNDER_SHUTTLE: &[(&str, &str)] = &[
    (
        "use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};",
        "use shuttle::sync::{Arc, Condvar, Mutex, MutexGuard};\nuse std::sync::PoisonError;\nuse crate::parts::WithBorrow as _;",
    ),
    ("use rusqlite::InterruptHandle;", "use crate::parts::InterruptHandle;"),
    ("thread_local! {", "shuttle::thread_local! {"),
    ("= const { RefCell::new(Vec::new()) };", "= RefCell::new(Vec::new());"),
];

/// Each planted bug: its module, what stands in the seat, what takes its place.
const PLANTED: &[(&str, &str, &str)] = &[
    // Between finding the seat taken and queueing, it becomes free, and nobody looks at the queue.
    (
        "queues_late",
        "state.waiting.push_back(Arc::clone(&place));\n        drop(state);",
        "drop(state);\n        lock(&self.state).waiting.push_back(Arc::clone(&place));",
    ),
    // Whoever leaves the seat looks at the queue before it becomes free, not in the same moment.
    (
        "leaves_blindly",
        "Some(writer) => match state.waiting.pop_front() {",
        "Some(writer) => match { let next = state.waiting.pop_front(); drop(state); state = lock(&self.seat.state); next } {",
    ),
    // A wake-up that comes before the wait is lost.
    (
        "waits_first",
        "let mut state = lock(&self.state);\n        loop {",
        "let mut state = lock(&self.state);\n        loop {\n            state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);",
    ),
    // The seat is handed over, and nobody is told.
    (
        "gives_silently",
        "*state = Standing::Turn(writer, job);\n        drop(state);\n        self.changed.notify_one();",
        "*state = Standing::Turn(writer, job);\n        drop(state);",
    ),
    // Whoever leaves a seat that refuses does not tell the one who waits for the writer.
    (
        "leaves_unseen",
        "state.writer = Some(writer);\n                self.seat.home.notify_all();",
        "state.writer = Some(writer);",
    ),
    // Those who wait when the seat begins to refuse are forgotten.
    (
        "forgets_waiting",
        "for place in state.waiting.drain(..) {\n            place.finish(Err(Error::Suspended));\n        }",
        "",
    ),
    // A seat that refuses hands the writer on to those who wait all the same.
    ("goes_on", "Some(writer) if state.gone.is_some() => {", "Some(writer) if state.gone == Some(Error::Closed) => {"),
];

fn main() {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../core/src/storage/seat.rs");
    println!("cargo::rerun-if-changed={}", source.display());
    let text = std::fs::read_to_string(&source).expect("the seat");
    // The text becomes part of a module that says what it is.
    let text: String = text.lines().filter(|line| !line.starts_with("//!")).flat_map(|line| [line, "\n"]).collect();
    let text = UNDER_SHUTTLE.iter().fold(text, |text, (from, to)| replace(&text, from, to));
    let out = std::env::var_os("OUT_DIR").expect("cargo says where");
    let write = |name: &str, text: &str| {
        std::fs::write(Path::new(&out).join(format!("{name}.rs")), text).expect("written");
    };
    write("as_it_is", &text);
    for (name, from, to) in PLANTED {
        write(name, &replace(&text, from, to));
    }
}

fn replace(text: &str, from: &str, to: &str) -> String {
    assert_eq!(text.matches(from).count(), 1, "seat.rs has changed: {from:?} is not in it exactly once");
    text.replacen(from, to, 1)
}
