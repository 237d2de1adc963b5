//! What must hold at every moment, that the end comes, and what must hold then.

mod again;
mod blame;
mod bounds;
mod end;
mod now;
mod quiet;
mod shows;
mod status;

use std::collections::BTreeSet;

use turnstone::testing::inspect;
use turnstone_protocol::Gid;

pub use bounds::under_way;
pub use now::continuous;
pub use quiet::conclude;
pub use status::runs;

use crate::model::WriteId;
use crate::world::World;

/// The groups of which a device has a dead letter.
fn dead(world: &World, at: usize) -> BTreeSet<Gid> {
    match world.devices[at].with(turnstone::Store::dead_letters) {
        Some(Ok(letters)) => letters.into_iter().map(|letter| letter.gid).collect(),
        _ => BTreeSet::new(),
    }
}

/// The writes a device holds back, because they build on what was refused, in the order they were made.
fn held_back(world: &World, at: usize) -> BTreeSet<WriteId> {
    let Some(Ok(groups)) = world.devices[at].with(inspect::groups) else { return BTreeSet::new() };
    let held = groups.into_iter().filter(|(_, state)| state.is_held_back());
    held.filter_map(|(gid, _)| world.model.find(gid)).collect()
}
