//! Dead letters that are sent again: of a change and what takes its place, one counts.

use std::collections::BTreeMap;

use turnstone_protocol::Gid;

use crate::model::WriteId;
use crate::world::World;

/// Whether nothing is due of a write: something has taken its place, or it took the place of what was applied after all, or
/// what stands for the same on a copy of the device was.
pub(super) fn is_excused(world: &World, write: WriteId, is_applied: impl Fn(WriteId) -> bool) -> bool {
    world.model.is_meant_again(write)
        || world.model.origins(write).any(&is_applied)
        || world.model.siblings(write).any(is_applied)
}

/// The same, as far as the server has decided now.
pub(super) fn is_excused_of(world: &World, gid: Gid) -> bool {
    let is_decided = |write: WriteId| world.model.keys(write).any(|gid| world.server.decided_at(gid).is_some());
    world.model.find(gid).is_some_and(|write| is_excused(world, write, is_decided))
}

/// Never do both count (I-09).
pub(super) fn once(world: &mut World, accepted: &BTreeMap<WriteId, usize>) {
    for write in accepted.keys() {
        let first = {
            let mut others = world.model.origins(*write).chain(world.model.siblings(*write));
            others.find(|other| accepted.contains_key(other))
        };
        if let Some(origin) = first {
            let (first, again) = (world.model.groups[origin].gid, world.model.groups[*write].gid);
            return world.wrong(
                "I-09",
                format!("{first} is in the log, and so is {again}, which took its place, or stands for the same"),
            );
        }
    }
}
