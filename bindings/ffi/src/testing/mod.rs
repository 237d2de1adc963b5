//! For tests: planted panics, golden vectors and traces, a server inside the process. Not part of a release.

mod replay;
#[cfg(feature = "testing")]
mod server;
#[path = "../../../../protocol/tests/vectors/cases/mod.rs"]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic, reason = "it is a test")]
mod vectors;

#[cfg(test)]
pub(crate) use replay::{replay_trace, replay_vector};

use std::sync::Mutex;

/// The function that panics at its next call.
static PLANTED: Mutex<Option<String>> = Mutex::new(None);

/// Panics where a test planted it, once.
#[allow(clippy::panic, clippy::unwrap_used, reason = "that is what it is for")]
pub(crate) fn trip(name: &'static str) {
    let mut planted = PLANTED.lock().unwrap();
    if planted.as_deref() == Some(name) {
        *planted = None;
        drop(planted);
        panic!("planted in {name}");
    }
}

/// Plants a panic in the next call of an exported function.
#[cfg_attr(feature = "testing", uniffi::export)]
pub fn plant_panic(name: String) {
    if let Ok(mut planted) = PLANTED.lock() {
        *planted = Some(name);
    }
}

/// Whether a planted panic waits to be stepped on.
#[cfg_attr(feature = "testing", uniffi::export)]
pub fn is_panic_planted() -> bool {
    PLANTED.lock().is_ok_and(|planted| planted.is_some())
}
