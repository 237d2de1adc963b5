//! The seqs of the pushing device while a push is decided: written once, at its end.

use std::collections::BTreeMap;

use crate::storage::runs::settle;
use crate::storage::{Run, SlotNo, StorageError, Tx};

/// The seqs of one device in one incarnation.
pub(super) struct Seqs {
    slot: SlotNo,
    /// Runs this push added to or began, in order; the last is the device's last.
    runs: Vec<Run>,
    /// How many of `runs` are known to the store as they are.
    clean: usize,
    /// Seqs recorded earlier that are decided now.
    settled: BTreeMap<u64, u64>,
    /// The run looked up last: a device that sends a batch again asks for neighbours.
    near: Option<Run>,
}

impl Seqs {
    pub(super) fn load(tx: &dyn Tx, slot: SlotNo) -> Result<Self, StorageError> {
        let runs: Vec<Run> = tx.run_at(slot, u64::MAX)?.into_iter().collect();
        Ok(Self { slot, clean: runs.len(), runs, settled: BTreeMap::new(), near: None })
    }

    /// The last recorded seq.
    pub(super) fn last(&self) -> u64 {
        self.runs.last().map_or(0, |run| run.last)
    }

    /// Records the next seq.
    pub(super) fn record(&mut self, decided: Option<u64>) {
        let seq = self.last().saturating_add(1);
        if let Some(tail) = self.runs.last_mut()
            && let Some(longer) = tail.extended(decided)
        {
            *tail = longer;
            self.clean = self.clean.min(self.runs.len() - 1);
            return;
        }
        let run = Run::start(self.runs.last(), seq, decided);
        self.runs.push(run);
    }

    /// Decides a recorded seq, if it is not decided yet; says whether this commit is what decided it.
    pub(super) fn settle(&mut self, tx: &dyn Tx, seq: u64, commit: u64) -> Result<bool, StorageError> {
        let holds = |run: &&Run| run.first <= seq && seq <= run.last;
        let run = match self.runs.iter().find(holds).or(self.near.as_ref().filter(holds)) {
            Some(run) => Some(*run),
            None => tx.run_at(self.slot, seq)?,
        };
        let Some(run) = run else { return Ok(false) };
        self.near = Some(run);
        if let Some(at) = run.decided(seq) {
            return Ok(at == commit);
        }
        // Given up and filled again in one push: the later commit counts.
        let at = self.settled.entry(seq).or_insert(commit);
        *at = commit.max(*at);
        Ok(true)
    }

    /// Writes what changed.
    pub(super) fn flush(&self, tx: &dyn Tx) -> Result<(), StorageError> {
        for run in self.runs.iter().skip(self.clean) {
            tx.put_run(self.slot, run)?;
        }
        settle_stored(tx, self.slot, &self.settled)
    }
}

/// Decides recorded seqs of any device.
pub(super) fn settle_stored(tx: &dyn Tx, slot: SlotNo, decided: &BTreeMap<u64, u64>) -> Result<(), StorageError> {
    let Some((first, _)) = decided.first_key_value() else { return Ok(()) };
    let Some(run) = tx.run_at(slot, *first)? else { return Ok(()) };
    let runs = tx.runs_from(slot, run.first)?;
    let settled = settle(&runs, decided);
    if settled != runs {
        tx.cut_runs(slot, run.first)?;
        for run in &settled {
            tx.put_run(slot, run)?;
        }
    }
    Ok(())
}
