//! Helpers for tests: a link that loses, doubles, delays and lies, from a seed; a look inside a store.

mod faulty;
#[doc(hidden)]
pub mod inspect;

pub use faulty::{Fault, FaultyTransport};
