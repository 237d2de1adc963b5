//! The library that Kotlin and Swift load: the calls, the records and the hooks, and nothing else.
//!
//! What an app sees is written by hand over it, in `bindings/kotlin` and `bindings/swift`. The rules here:
//!
//! - Few, large calls. A query answers with one buffer ([`buffer`]) that the other side decodes as far as it looks.
//! - Nothing runs on the app's threads: every call that can wait is async and works on threads of its own ([`fence`]).
//! - No panic crosses. Every exported function goes through [`fence`], and a test plants a panic in each.
//! - A call whose caller has gone away loses nothing: what it had begun ends by itself, and streams keep what was not
//!   taken. What must end at once is told so: `cancel()`.

mod background;
mod buffer;
mod error;
mod fence;
mod hooks;
mod open;
mod pages;
mod records;
mod store;
#[cfg(any(test, feature = "testing"))]
mod testing;
#[cfg(test)]
mod tests;
mod transaction;
mod value;
mod watch;

uniffi::setup_scaffolding!();
