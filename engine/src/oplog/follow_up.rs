//! Under which gid goes on what was sent once and given up.

use turnstone_protocol::{Gid, hash};

/// The gid of the group that stands for a sent one that was held back. It follows from the gid of that one, which
/// was random, and there is never a second.
#[must_use]
pub fn follow_up(gid: Gid) -> Gid {
    let digest = hash::sha256(&[b"held back", gid.as_bytes().as_slice()].concat());
    let mut bytes = [0; 16];
    bytes.iter_mut().zip(digest).for_each(|(byte, from)| *byte = from);
    Gid(bytes)
}
