//! The endpoints, one file each.

mod healthz;
mod hello;
mod pull;
mod push;
mod state_hash;

pub(crate) use healthz::healthz;
pub(crate) use hello::hello;
pub(crate) use pull::pull;
pub(crate) use push::push;
pub(crate) use state_hash::state_hash;
