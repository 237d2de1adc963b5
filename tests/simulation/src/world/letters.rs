//! What a person does about dead letters: they are sent again, and the rows edited meanwhile (I-16).

use std::collections::BTreeSet;

use turnstone::testing::inspect;
use turnstone::{DeadLetter, Error, Store};
use turnstone_engine::oplog::GroupState;
use turnstone_protocol::Gid;

use super::World;
use crate::action::Action;
use crate::device::Retry;
use crate::model::{ModelOp, WriteId};
use crate::work::Work;

impl World {
    pub(super) fn mend(&mut self, action: &Action) {
        let Action::RetryLetter { device, letter, edit } = *action else { return };
        let (first, count) = (self.device(device), self.devices.len());
        let has_letters = |at: &usize| matches!(self.letters(*at), Some(letters) if !letters.is_empty());
        let Some(at) = (0..count).map(|step| (first + step) % count).find(has_letters) else { return };
        if !self.up(at) || self.devices[at].unsure.is_some() || !self.adopt(at) {
            return;
        }
        let Some(letters) = self.letters(at).filter(|letters| !letters.is_empty()) else { return };
        let letter = &letters[usize::from(letter) % letters.len()];
        self.retry(at, letter);
        if self.up(at) {
            self.devices[at].ask_sync();
            self.touch(at);
        }
        if let Some(value) = edit {
            self.edit(at, letter.gid, value);
        }
    }

    /// Edits the row of a dead letter that is being sent again.
    fn edit(&mut self, at: usize, gid: Gid, value: i64) {
        let row = self.model.find(gid).and_then(|write| self.model.groups[write].ops.first().cloned());
        let Some(op) = row.filter(|op| op.table != "pairs") else { return };
        if self.devices[at].retrying.is_none() && self.up(at) && self.devices[at].unsure.is_none() {
            self.saw("row of a dead letter edited while it is sent again");
            self.write(at, Work::Set { table: op.table, id: op.id, field: "a", value, by_sql: false });
            self.touch(at);
        }
    }

    fn letters(&self, at: usize) -> Option<Vec<DeadLetter>> {
        self.devices[at].with(Store::dead_letters)?.ok()
    }

    /// Every dead letter is sent again, if this is a world in which people do that, and some rows are edited. Says whether
    /// there was any.
    pub fn retry_all(&mut self) -> bool {
        let mut any = false;
        for at in 0..if self.retries_all { self.devices.len() } else { 0 } {
            for (place, letter) in self.letters(at).unwrap_or_default().into_iter().enumerate() {
                any = true;
                self.retry(at, &letter);
                if !self.adopt(at) {
                    self.wrong(
                        "I-06",
                        format!("device {at}: a dead letter cannot be sent again, and nothing is wrong"),
                    );
                }
                if place % 2 == 1 {
                    self.edit(at, letter.gid, 7_000_000 + self.writes.cast_signed());
                }
            }
        }
        any
    }

    fn retry(&mut self, at: usize, letter: &DeadLetter) {
        let Some(Ok(before)) = self.devices[at].with(inspect::groups) else { return };
        let position = self.devices[at].pulled_to().unwrap_or(self.devices[at].position);
        let place = letter.n.map(|n| usize::try_from(n).unwrap_or(usize::MAX));
        let done = self.devices[at].with(|store| store.retry_dead_letter(letter.id));
        match done {
            // Withdrawn meanwhile, or its row is gone: it stays where it is.
            Some(Err(Error::DeadLetterMissing | Error::DeadLetterStale)) => self.saw("a dead letter's row is gone"),
            Some(_) => {
                let told = matches!(done, Some(Ok(())));
                self.devices[at].retrying = Some(Retry { gid: letter.gid, place, before, position, told });
                self.bury(at);
                self.adopt(at);
            }
            None => {}
        }
    }

    /// Notes what came of a dead letter that was sent again, as soon as the file can be read. False: it cannot yet.
    pub(super) fn adopt(&mut self, at: usize) -> bool {
        let Some(retry) = self.devices[at].retrying.take() else { return true };
        let Some(Ok(groups)) = self.devices[at].with(inspect::groups) else {
            self.devices[at].retrying = Some(retry);
            return false;
        };
        let known: BTreeSet<Gid> = retry.before.iter().map(|(gid, _)| *gid).collect();
        let is_new = |gid: &Gid| !known.contains(gid) && self.model.find(*gid).is_none();
        let made: Vec<Gid> = groups.iter().map(|(gid, _)| *gid).filter(is_new).collect();
        let Some((again, followers)) = made.split_first() else {
            if retry.told {
                self.wrong("I-16", format!("device {at}: {} was sent again and there is no such group", retry.gid));
            }
            return true;
        };
        self.saw("dead letter sent again");
        let Some(first) = self.model.find(retry.gid) else {
            self.wrong("I-04", format!("device {at} has a dead letter of {}, which nobody wrote", retry.gid));
            return true;
        };
        match retry.place {
            None => self.meant_again(at, first, *again, retry.position),
            Some(place) => {
                self.retried.insert((retry.gid, place));
                let ops: Vec<ModelOp> = self.model.groups[first].ops.get(place).cloned().into_iter().collect();
                self.acknowledge(at, *again, ops, retry.position);
            }
        }
        let waited = self.let_go(at, &retry.before, &groups);
        if waited.len() != followers.len() {
            let counts = (waited.len(), followers.len());
            self.wrong("I-16", format!("device {at}: of what was held back {counts:?} is meant again"));
            return true;
        }
        for (earlier, gid) in waited.into_iter().zip(followers) {
            self.saw("what was held back for a dead letter is sent with it");
            self.meant_again(at, earlier, *gid, retry.position);
        }
        true
    }

    /// What waited before, and is given up now without a dead letter: in the order in which it was made. What had been
    /// sent is held back only now.
    fn let_go(&self, at: usize, before: &[(Gid, GroupState)], now: &[(Gid, GroupState)]) -> Vec<WriteId> {
        let letters: BTreeSet<Gid> =
            self.letters(at).unwrap_or_default().into_iter().map(|letter| letter.gid).collect();
        let over = |gid: &Gid| {
            let state = now.iter().find(|(other, _)| other == gid).map(|(_, state)| *state);
            matches!(state, Some(GroupState::Dead | GroupState::Voiding))
        };
        let waited = before.iter().filter(|(_, state)| state.is_pending()).map(|(gid, _)| *gid);
        waited.filter(|gid| over(gid) && !letters.contains(gid)).filter_map(|gid| self.model.find(gid)).collect()
    }

    /// A group takes the place of an earlier one.
    fn meant_again(&mut self, at: usize, earlier: WriteId, gid: Gid, position: u64) {
        let ops = self.model.groups[earlier].ops.clone();
        self.acknowledge(at, gid, ops, position);
        if let Some(write) = self.model.find(gid) {
            self.model.takes_place(write, earlier);
        }
    }
}
