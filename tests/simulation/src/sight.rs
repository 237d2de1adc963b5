//! Who had seen what: "Seen", section 9 of `docs/protocol.md`, from what the model knows and the history says.

use std::collections::BTreeMap;

use turnstone_protocol::Gid;

use crate::model::{Commit, History, Model, WriteId};
use crate::past::Word;

/// Who wrote something, and its rank.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Stamp {
    pub(crate) hlc: u64,
    pub(crate) gid: Gid,
    pub(crate) op: usize,
    pub(crate) commit: u64,
    pub(crate) group: WriteId,
    pub(crate) from: (i64, i64),
}

impl Stamp {
    /// Whether it is the later of two.
    pub(crate) fn beats(&self, other: &Self) -> bool {
        (self.hlc, self.gid, self.op) > (other.hlc, other.gid, other.op)
    }
}

/// "Seen", section 9: pulled or written by the device itself, or sent by the same incarnation with a smaller seq. Once
/// numbers have meant two histories, by the group's word: up to the op's base, and what the group names.
#[derive(Clone, Copy)]
pub(crate) struct Sight<'a> {
    pub(crate) model: &'a Model,
    pub(crate) words: Option<&'a BTreeMap<Gid, Word>>,
    /// Who sent what again, by its commit.
    pub(crate) repeats: &'a BTreeMap<u64, Vec<(i64, i64)>>,
}

impl Sight<'_> {
    /// Whether the writer of something had seen something else.
    pub(crate) fn saw(&self, later: &Stamp, earlier: &Stamp) -> bool {
        let by_seq = |from: &(i64, i64)| from.0 == later.from.0 && from.1 < later.from.1;
        let repeated = self.repeats.get(&earlier.commit);
        by_seq(&earlier.from)
            || repeated.is_some_and(|from| from.iter().any(by_seq))
            || later.group == earlier.group
            || self.was_told(later, earlier)
    }

    /// Whether a device had pulled or written something when it wrote something else.
    fn was_told(&self, later: &Stamp, earlier: &Stamp) -> bool {
        let Some(words) = self.words else { return self.model.saw(later.group, earlier.group, earlier.commit) };
        let says = |word: &Word| {
            word.bases.get(later.op).is_some_and(|base| earlier.commit <= *base) || word.after.contains(&earlier.gid)
        };
        words.get(&later.gid).is_some_and(says)
    }
}

/// Which incarnations sent, with which seq, what was in the log already: the group itself, or what stands for the same (rule 14),
/// for which it was refused.
pub(crate) fn repeats(model: &Model, history: &History) -> BTreeMap<u64, Vec<(i64, i64)>> {
    let mut repeats = history.repeats.clone();
    for refused in &history.refused {
        let Some(write) = model.find(refused.gid).filter(|write| model.origin(*write).is_some()) else { continue };
        for other in model.origins(write).chain(model.siblings(write)) {
            let is_it = |commit: &&Commit| commit.n <= refused.after && model.find(commit.gid) == Some(other);
            if let Some(commit) = history.commits.iter().find(is_it) {
                repeats.entry(commit.n).or_default().push(refused.from);
            }
        }
    }
    repeats
}
