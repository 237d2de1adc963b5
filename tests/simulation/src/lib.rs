//! A seeded world for Turnstone: devices with the real store, the real server rules, a network that misbehaves, and
//! disks that die, on one thread and in virtual time; and a model, written from `docs/protocol.md`, that judges it.
//!
//! A run is a seed and a list of [`action::Action`]s drawn from it. Any sub-list is a run too, so a failing one is
//! shrunk to the few actions that matter. `docs/reliability.md` says how to search, replay and plant bugs.

pub mod action;
pub mod again;
pub mod app;
#[cfg(feature = "planted-bugs")]
pub mod calibrate;
pub mod check;
pub mod clock;
pub mod counters;
pub mod device;
pub mod front;
pub mod model;
pub mod network;
pub mod past;
pub mod reference;
pub mod run;
pub mod server;
pub mod shrink;
mod sight;
pub mod swarm;
pub mod template;
pub mod trace;
pub mod work;
pub mod world;
