//! Which seqs of a device are decided, and at which commit: exact for every page end, at one small record per push.
//!
//! A pull page must say `acked`, the highest seq up to which *all* groups were decided at or before the page's end
//! (rule 11). A record per seq would cost another database page per group, so seqs are kept as runs: neighbours
//! decided at one commit (refused groups count at the head of that time), at rising commits, or not yet. Each run
//! also knows the latest decision before it, which makes the question a binary search. Pure; the store only keeps it.

use std::collections::BTreeMap;

/// Marks that a seq before a run is not decided yet.
const NEVER: u64 = u64::MAX;

/// Neighbouring seqs of one device.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Run {
    /// The first seq; its key.
    pub first: u64,
    /// The last seq.
    pub last: u64,
    /// The commit that decided the first one; none while they are not decided.
    pub at: Option<u64>,
    /// Whether each next seq was decided one commit later, or all at the same.
    pub rising: bool,
    /// The latest commit that decided any seq before `first`; [`u64::MAX`] if one of them is not decided.
    pub before: u64,
}

impl Run {
    /// Starts a run after `tail` with one seq.
    #[must_use]
    pub fn start(tail: Option<&Self>, seq: u64, at: Option<u64>) -> Self {
        Self { first: seq, last: seq, at, rising: false, before: tail.map_or(0, Self::through) }
    }

    /// Takes the next seq into this run, if it fits.
    #[must_use]
    pub fn extended(self, at: Option<u64>) -> Option<Self> {
        let length = self.last.saturating_sub(self.first).saturating_add(1);
        let rising = match (self.at, at) {
            (None, None) => false,
            (Some(first), Some(at)) if at == first && (length == 1 || !self.rising) => false,
            (Some(first), Some(at)) if at == first.saturating_add(length) && (length == 1 || self.rising) => true,
            _ => return None,
        };
        Some(Self { last: self.last.saturating_add(1), rising, ..self })
    }

    /// The commit that decided `seq`, which is in this run.
    #[must_use]
    pub fn decided(&self, seq: u64) -> Option<u64> {
        let step = if self.rising { seq.saturating_sub(self.first) } else { 0 };
        self.at.map(|at| at.saturating_add(step))
    }

    /// The latest commit that decided any seq up to `last`; [`u64::MAX`] if one is not decided.
    #[must_use]
    pub fn through(&self) -> u64 {
        self.before.max(self.decided(self.last).unwrap_or(NEVER))
    }

    /// The highest seq of this run up to which all are decided at or before `end`; `first - 1` if none.
    fn acked(&self, end: u64) -> u64 {
        match self.at {
            Some(at) if self.before <= end && at <= end => {
                if self.rising {
                    self.last.min(self.first.saturating_add(end - at))
                } else {
                    self.last
                }
            }
            _ => self.first.saturating_sub(1),
        }
    }
}

/// Decides seqs that were not. `runs` goes from the run that holds the first of them to the device's last, and the
/// result takes the place of all of those. Seqs that were decided already stay as they are.
#[must_use]
pub fn settle(runs: &[Run], decided: &BTreeMap<u64, u64>) -> Vec<Run> {
    let mut settled = Vec::<Run>::new();
    let before = runs.first().map_or(0, |run| run.before);
    let mut push = |mut run: Run, whole: bool| {
        if let Some(tail) = settled.last_mut() {
            if let Some(longer) = tail.extended(run.at).filter(|_| !whole) {
                *tail = longer;
                return;
            }
            run.before = tail.through();
        } else {
            run.before = before;
        }
        settled.push(run);
    };
    for run in runs {
        let mut rest = *run;
        if run.at.is_none() {
            for (&seq, &commit) in decided.range(run.first..=run.last) {
                if rest.first < seq {
                    push(Run { last: seq - 1, ..rest }, true);
                }
                push(Run { first: seq, last: seq, at: Some(commit), rising: false, before: 0 }, false);
                rest.first = seq.saturating_add(1);
            }
        }
        if rest.first <= rest.last {
            push(rest, true);
        }
    }
    settled
}

/// The highest seq up to which all are decided at or before the commit `end`. `tail` is the device's last run;
/// `run_at` finds the run that holds a seq.
///
/// # Errors
/// Whatever `run_at` fails with.
pub fn acked<E>(tail: Option<Run>, end: u64, mut run_at: impl FnMut(u64) -> Result<Option<Run>, E>) -> Result<u64, E> {
    let Some(tail) = tail else { return Ok(0) };
    // Invariant: everything before `low` is decided by `end`; the answer is before `high`.
    let (mut low, mut high) = (1, tail.first);
    if tail.before <= end {
        return Ok(tail.acked(end));
    }
    while low < high {
        let Some(run) = run_at(low + (high - low) / 2)? else { break };
        if run.before > end {
            high = run.first;
        } else if run.acked(end) < run.last {
            return Ok(run.acked(end));
        } else {
            low = run.last + 1;
        }
    }
    Ok(low - 1)
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use proptest::prelude::*;

    use super::*;

    /// The obvious way: a commit per seq.
    fn acked_plainly(decided: &[Option<u64>], end: u64) -> u64 {
        decided.iter().take_while(|at| at.is_some_and(|at| at <= end)).count() as u64
    }

    fn acked_by_runs(runs: &[Run], end: u64) -> u64 {
        acked(runs.last().copied(), end, |seq| {
            Ok::<_, Infallible>(runs.iter().rev().find(|run| run.first <= seq).copied())
        })
        .unwrap()
    }

    proptest! {
        /// I-19, rule 11: acked is what the definition says, for every page end, whatever was decided out of order.
        #[test]
        fn acked_is_exact_for_every_page_end(
            steps in prop::collection::vec((0u8..4, 0u64..3), 1..60),
            late in prop::collection::vec((0usize..60, 0u64..3, any::<bool>()), 0..20),
        ) {
            let (mut runs, mut plain, mut head) = (Vec::<Run>::new(), Vec::new(), 0u64);
            for (kind, foreign) in steps {
                head += foreign;
                let at = match kind { 0 => None, 1 => Some(head), _ => { head += 1; Some(head) } };
                plain.push(at);
                let tail = runs.last().copied();
                match tail.and_then(|tail| tail.extended(at)) {
                    Some(run) => *runs.last_mut().unwrap() = run,
                    None => runs.push(Run::start(tail.as_ref(), plain.len() as u64, at)),
                }
            }
            for (index, foreign, together) in late {
                head += foreign;
                if plain.get(index).is_some_and(Option::is_none) {
                    head += 1;
                    plain[index] = Some(head);
                    let seq = index as u64 + 1;
                    let from = runs.iter().rposition(|run| run.first <= seq).unwrap();
                    let mut decided = BTreeMap::from([(seq, head)]);
                    if together && plain.get(index + 1).is_some_and(Option::is_none) {
                        head += 1;
                        plain[index + 1] = Some(head);
                        decided.insert(seq + 1, head);
                    }
                    let settled = settle(&runs[from..], &decided);
                    runs.truncate(from);
                    runs.extend(settled);
                }
            }
            for (index, at) in plain.iter().enumerate() {
                let seq = index as u64 + 1;
                let run = runs.iter().rev().find(|run| run.first <= seq).unwrap();
                prop_assert!(run.last >= seq);
                prop_assert_eq!(run.decided(seq), *at);
            }
            for end in 0..=head + 1 {
                prop_assert_eq!(acked_by_runs(&runs, end), acked_plainly(&plain, end), "end {}", end);
            }
        }
    }

    #[test]
    fn a_batch_of_groups_is_one_run() {
        let mut run = Run::start(None, 1, Some(41));
        for at in 42..1041 {
            run = run.extended(Some(at)).unwrap();
        }
        assert_eq!((run.first, run.last, run.through()), (1, 1000, 1040));
        assert_eq!(acked_by_runs(&[run], 540), 500);
    }
}
