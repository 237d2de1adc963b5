//! What must hold at every moment, that the end comes, and what must hold then.

mod end;
mod now;
mod quiet;

use std::collections::BTreeSet;

use turnstone_protocol::Gid;

pub use now::{continuous, runs};
pub use quiet::conclude;

use crate::world::World;

/// The groups of which a device has a dead letter.
fn dead(world: &World, at: usize) -> BTreeSet<Gid> {
    match world.devices[at].with(turnstone::Store::dead_letters) {
        Some(Ok(letters)) => letters.into_iter().map(|letter| letter.gid).collect(),
        _ => BTreeSet::new(),
    }
}

/// Whether a device holds something back.
fn has_parked(world: &World, at: usize) -> bool {
    !matches!(world.devices[at].with(turnstone::Store::status), Some(Ok(status)) if status.parked_groups == 0)
}
