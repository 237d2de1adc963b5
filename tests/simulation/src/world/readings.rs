//! What the server's wall clock read when it made each commit, as far as that can be told from outside. A server that failed
//! or died in a request may have made a commit that shows only when it starts again, with its clock set back meanwhile.

use std::collections::BTreeMap;

/// In milliseconds: at least, and at most.
pub(super) type Reading = (u64, u64);

/// The readings of its commits, and those that may be of commits nobody has seen yet.
#[derive(Default)]
pub(super) struct Readings {
    of_commits: BTreeMap<u64, Reading>,
    /// When it died in a request, or failed in one and died since.
    at_death: Option<Reading>,
    /// When it failed in requests: what they wrote may be in its log when it starts again.
    in_trouble: Option<Reading>,
    /// In requests after which its head could not be read.
    unnoted: Option<Reading>,
}

impl Readings {
    /// It answered, with an error of its own or well, and its head is this, if it can be read.
    pub(super) fn answered(&mut self, ms: u64, failed: bool, head: Option<u64>) {
        self.note((ms, ms), head);
        if failed {
            self.in_trouble = Some(around(self.in_trouble, (ms, ms)));
        }
    }

    /// It died in a request.
    pub(super) fn died(&mut self, ms: u64) {
        self.at_death = Some(around(self.at_death, (ms, ms)));
    }

    /// Its process ended.
    pub(super) fn ended(&mut self) {
        if let Some(reading) = self.in_trouble.take() {
            self.at_death = Some(around(self.at_death, reading));
        }
    }

    /// It started again.
    pub(super) fn started(&mut self, head: Option<u64>) {
        if let Some(reading) = self.at_death {
            self.note(reading, head);
        }
    }

    /// A backup with this head was put back.
    pub(super) fn turn(&mut self, head: u64) {
        self.of_commits.retain(|n, _| *n <= head);
        (self.in_trouble, self.unnoted) = (None, None);
    }

    /// Whether it died and nobody has seen since what is in its log.
    pub(super) const fn is_unseen(&self) -> bool {
        self.at_death.is_some()
    }

    /// When it made a commit.
    pub(super) fn of(&self, n: u64) -> Option<Reading> {
        self.of_commits.get(&n).copied()
    }

    /// Of the commits since the last time, as soon as its head can be read.
    fn note(&mut self, reading: Reading, head: Option<u64>) {
        let reading = around(self.at_death.take(), around(self.unnoted.take(), reading));
        let Some(head) = head else {
            self.unnoted = Some(reading);
            return;
        };
        let noted = self.of_commits.last_key_value().map_or(0, |(n, _)| *n);
        self.of_commits.extend((noted + 1..=head).map(|n| (n, reading)));
    }
}

/// The least and the most of both.
fn around(one: Option<Reading>, (least, most): Reading) -> Reading {
    one.map_or((least, most), |one| (least.min(one.0), most.max(one.1)))
}
