//! Histories of the server: each backup of it that is put back ends one and begins another.
//!
//! What may be forgiven then follows from the protocol's text alone (section 11, rule 17): a device keeps its own decided
//! groups until the server's `stable` passes them, and sends them again to a server that forgot them. So a backup that is
//! put back destroys for good only commits after it that the server had called stable before, for their writers may have
//! forgotten them. Everything else comes back, once.
//!
//! Commit numbers mean one history each, and what a writer had seen cannot be told from them once there were two. From
//! then on the reference takes the groups' own word for it, read from the wire: "Seen" in section 9 is about that word.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use turnstone_protocol::Gid;
use turnstone_vfs::DiskImage;

use crate::model::{Commit, WriteId};

/// How many backups of a server are kept.
const COPIES_MAX: usize = 3;

/// What a group says it had seen.
#[derive(Debug, Clone, Default)]
pub struct Word {
    /// The base of each op.
    pub bases: Vec<u64>,
    /// The groups it names.
    pub after: Vec<Gid>,
}

/// What each group said it had seen when the server decided it.
pub type Words = Arc<BTreeMap<Gid, Word>>;

/// A backup of the server.
#[derive(Clone)]
pub struct Copy {
    /// Its files.
    pub image: DiskImage,
    /// Its last commit.
    pub head: u64,
    /// What the other tenant had written.
    pub neighbours: u64,
}

/// Where a device stands among the histories.
#[derive(Debug, Clone, Copy, Default)]
pub struct Stands {
    /// The history its position is of.
    pub history: usize,
    /// The history it last went back to the beginning for.
    pub turned: usize,
}

/// The histories there were.
#[derive(Default)]
pub struct Past {
    /// Backups, the newest last: each is of a history that the next one goes on from.
    copies: Vec<Copy>,
    /// Of each history that has ended: how much of it the present one begins with.
    shared: Vec<u64>,
    /// How many histories there were when one last began without a new epoch.
    untold: usize,
    /// What was decided in a history that has ended and not in the one that began then.
    undone: BTreeSet<Gid>,
    /// What was refused in one: it may be accepted yet, and what was held back behind it goes on.
    unrefused: BTreeSet<Gid>,
    /// The writes that nobody had to keep when a backup without them was put back.
    lost: BTreeSet<WriteId>,
    words: Words,
    /// The latest the server's wall clock ever read.
    pub latest_ms: u64,
}

impl Past {
    /// The number of the present history.
    pub fn present(&self) -> usize {
        self.shared.len()
    }

    /// Keeps a backup.
    pub fn keep(&mut self, copy: Copy) {
        self.copies.push(copy);
        if self.copies.len() > COPIES_MAX {
            self.copies.remove(0);
        }
    }

    /// The newest backup, or the one before it. It stays; what was made after it goes with the history it was made in.
    pub fn take(&mut self, older: bool) -> Option<Copy> {
        if older && self.copies.len() > 1 {
            self.copies.pop();
        }
        self.copies.last().cloned()
    }

    /// A history ends; the one that begins shares it up to `head`. `stable`: what the server had called so.
    pub fn turn(&mut self, head: u64, stable: u64, ended: &[Commit], find: impl Fn(Gid) -> Option<WriteId>) {
        self.shared.push(u64::MAX);
        for shared in &mut self.shared {
            *shared = head.min(*shared);
        }
        let gone = ended.iter().filter(|commit| commit.n > head && commit.n <= stable);
        self.lost.extend(gone.filter_map(|commit| find(commit.gid)));
    }

    /// The history that began has the epoch of the one before.
    pub fn hide(&mut self) {
        self.untold = self.shared.len();
    }

    /// Whether a device that stands in a history may be answered by another one under the same epoch.
    pub fn is_hidden_from(&self, history: usize) -> bool {
        history < self.untold
    }

    /// The server does not know any more what it had decided of these.
    pub fn undo(&mut self, gids: impl Iterator<Item = Gid>) {
        self.undone.extend(gids);
    }

    /// It does not know any more that it had refused these.
    pub fn unrefuse(&mut self, gids: impl Iterator<Item = Gid>) {
        self.unrefused.extend(gids);
    }

    /// What was refused once, in a history that has ended.
    pub fn unrefused(&self) -> &BTreeSet<Gid> {
        &self.unrefused
    }

    /// Whether a position in a history is one in the present history too.
    pub fn is_of_present(&self, history: usize, position: u64) -> bool {
        self.shared.get(history).is_none_or(|shared| position <= *shared)
    }

    /// Whether a group was decided once, in a history that has ended.
    pub fn was_undone(&self, gid: Gid) -> bool {
        self.undone.contains(&gid)
    }

    /// Every such group.
    pub fn undone(&self) -> impl Iterator<Item = Gid> {
        self.undone.iter().copied()
    }

    /// Whether nobody had to keep a write that was destroyed.
    pub fn is_lost(&self, write: WriteId) -> bool {
        self.lost.contains(&write)
    }

    /// Notes what a group that is not decided says it had seen.
    pub fn hear(&mut self, gid: Gid, word: Word) {
        Arc::make_mut(&mut self.words).insert(gid, word);
    }

    /// What groups said they had seen, once that is all there is to go by.
    pub fn words(&self) -> Option<Words> {
        (self.present() > 0).then(|| Arc::clone(&self.words))
    }
}
