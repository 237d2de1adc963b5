//! One file per command: its options, what it does, what it prints.

pub(crate) mod dead;
pub(crate) mod demo;
pub(crate) mod device;
pub(crate) mod notes;
pub(crate) mod proxy;
pub(crate) mod row;
pub(crate) mod serve;
pub(crate) mod sql;
pub(crate) mod state_hash;
pub(crate) mod status;
pub(crate) mod token;
