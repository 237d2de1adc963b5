//! What a device gives up because the server chokes on it.

use turnstone_protocol::Code;

use crate::world::World;

/// Only what the server chokes on is set aside for it, not what was sent with it (I-60).
pub(super) fn blame(world: &mut World) {
    for at in 0..world.devices.len() {
        let Some(Ok(letters)) = world.devices[at].with(turnstone::Store::dead_letters) else { continue };
        for letter in letters.into_iter().filter(|letter| letter.n.is_none()) {
            match letter.code {
                Code::Malformed | Code::TooLarge | Code::Internal if world.poisoned.contains(&letter.gid) => {
                    world.saw("poison group set aside");
                }
                Code::Malformed | Code::TooLarge | Code::Internal => {
                    let (gid, code) = (letter.gid, letter.code);
                    world.wrong("I-60", format!("device {at} gave up {gid} ({code:?}), and nothing is wrong with it"));
                }
                _ => {}
            }
        }
    }
}
