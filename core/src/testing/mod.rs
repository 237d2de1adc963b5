//! Helpers for tests: a link that loses, doubles, delays and lies, from a seed.

mod faulty;

pub use faulty::{Fault, FaultyTransport};
