//! The reference: section 9 of `docs/protocol.md` once more, written from its text and sharing no code with the merge.
//!
//! It plays the accepted groups in the server's order and says what every row must be at the end, which ops must have
//! been lost to a delete, and whether each refusal and each clock was right.

use std::collections::{BTreeMap, BTreeSet};

use turnstone_protocol::Gid;

use crate::app;
use crate::model::{
    Commit, History, Meaning, Model, ModelOp, Ranks, RowKey, Rule, Shown, TableRule, Violation, WriteId,
};
use crate::sight::{Sight, Stamp, repeats};

/// What a server keeps of a row.
#[derive(Debug, Clone)]
struct Row {
    born: u64,
    create: Stamp,
    joined: Vec<Stamp>,
    fields: BTreeMap<&'static str, (i64, Stamp)>,
    gone: Option<Stamp>,
}

impl Row {
    fn stamps(&self) -> impl Iterator<Item = &Stamp> {
        std::iter::once(&self.create).chain(&self.joined).chain(self.fields.values().map(|(_, stamp)| stamp))
    }
}

/// Why a group must be refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Refusal {
    RowPurged,
    RowExists,
}

/// What the end of a history must look like.
#[derive(Debug, Default)]
pub struct Expected {
    /// The rows that are there.
    pub rows: BTreeMap<RowKey, Shown>,
    /// The ops that had no effect because their row was deleted: group and place.
    pub lost: BTreeSet<(Gid, usize)>,
    /// Who must stand behind every row, tombstones too.
    pub ranks: BTreeMap<RowKey, Ranks>,
    /// What the history itself broke.
    pub violations: Vec<Violation>,
}

/// The clocks each group was sent with: one for each life of each device's file that held it before it was sealed.
pub type Sent = BTreeMap<Gid, BTreeMap<(usize, usize), u64>>;

/// Plays a history. `sent` has the clocks each group was sent with.
pub fn play(model: &Model, rules: &BTreeMap<&'static str, TableRule>, history: &History, sent: &Sent) -> Expected {
    let repeats = repeats(model, history);
    let sight = Sight { model, words: history.words.as_deref(), repeats: &repeats };
    let mut play = Play { model, sight, rules, rows: BTreeMap::new(), clock: 0, done: Expected::default() };
    play.check_refusals(history, 0);
    for commit in &history.commits {
        play.commit(commit, sent);
        play.check_refusals(history, commit.n);
    }
    for ((table, id), row) in play.rows {
        let rank = |stamp: &Stamp| (stamp.hlc, stamp.gid, stamp.op);
        let stamped = |field: &&'static str| app::stamped(table, field).to_owned();
        let fields = row.fields.iter().map(|(field, (_, stamp))| (stamped(field), rank(stamp))).collect();
        let ranks = Ranks { born: row.born, create: rank(&row.create), fields, gone: row.gone.as_ref().map(rank) };
        play.done.ranks.insert((table.to_owned(), id.clone()), ranks);
        if row.gone.is_none() {
            let fields = &rules[table].fields;
            let shown = fields.keys().map(|field| {
                let value = row.fields.get(field).map_or(0, |(value, _)| *value);
                ((*field).to_owned(), value)
            });
            play.done.rows.insert((table.to_owned(), id), shown.collect());
        }
    }
    play.done
}

struct Play<'a> {
    model: &'a Model,
    sight: Sight<'a>,
    rules: &'a BTreeMap<&'static str, TableRule>,
    rows: BTreeMap<(&'static str, String), Row>,
    /// The tenant's clock.
    clock: u64,
    done: Expected,
}

impl Play<'_> {
    fn wrong(&mut self, invariant: &'static str, what: String) {
        self.done.violations.push(Violation::new(invariant, what));
    }

    fn commit(&mut self, commit: &Commit, sent: &Sent) {
        let Some(group) = self.model.find(commit.gid) else {
            return self.wrong("I-04", format!("commit {}: a group nobody was told of", commit.n));
        };
        let sent: Vec<u64> = sent.get(&commit.gid).map_or_else(Vec::new, |from| from.values().copied().collect());
        self.check_clock(group, commit, &sent);
        for (at, op) in self.model.groups[group].ops.clone().iter().enumerate() {
            let stamp = Stamp { hlc: commit.hlc, gid: commit.gid, op: at, commit: commit.n, group, from: commit.from };
            match self.apply(op, stamp) {
                Ok(true) => drop(self.done.lost.insert((commit.gid, at))),
                Ok(false) => {}
                Err(why) => {
                    self.wrong("I-37", format!("commit {}: {op:?} should have been refused: {why:?}", commit.n))
                }
            }
        }
    }

    /// Each refusal that was made right after this commit must be one the text asks for.
    fn check_refusals(&mut self, history: &History, n: u64) {
        for refused in history.refused.iter().filter(|refused| refused.after == n) {
            let Some(group) = self.model.find(refused.gid) else { continue };
            let is_applied = |origin| {
                let applied = |commit: &Commit| commit.n <= n && self.model.find(commit.gid) == Some(origin);
                history.commits.iter().any(applied)
            };
            if self.model.origins(group).any(is_applied) || self.model.siblings(group).any(is_applied) {
                // What it took the place of was applied after all, or what a copy of its device meant by it.
                continue;
            }
            let before = self.rows.clone();
            if self.model.groups[group].gid != refused.gid {
                // It stands for one that was held back, which may have been applied: that is not the merge's affair.
                continue;
            }
            let stamp = Stamp { hlc: u64::MAX, gid: refused.gid, op: 0, commit: n + 1, group, from: refused.from };
            let ops = self.model.groups[group].ops.clone();
            let right = ops.iter().enumerate().any(|(at, op)| self.apply(op, Stamp { op: at, ..stamp }).is_err());
            self.rows = before;
            if !right {
                self.wrong("I-16", format!("after commit {n}: {ops:?} was refused for no reason"));
            }
        }
    }

    /// "The clock of a group", section 9.
    fn check_clock(&mut self, group: WriteId, commit: &Commit, sent: &[u64]) {
        let (mut least, mut most) = (0, 0);
        for (at, op) in self.model.groups[group].ops.iter().enumerate() {
            let Some(row) = self.rows.get(&(op.table, op.id.clone())) else { continue };
            let mine = Stamp { hlc: commit.hlc, gid: commit.gid, op: at, commit: commit.n, group, from: commit.from };
            let seen = |stamp: &&Stamp| self.sight.saw(&mine, stamp);
            let all = row.stamps().chain(&row.gone).filter(seen).map(|stamp| stamp.hlc).max().unwrap_or(0);
            let touched = match &op.meaning {
                Meaning::Set(set) if row.gone.is_none() => {
                    let stamps = set.keys().filter_map(|field| row.fields.get(field)).map(|(_, stamp)| stamp);
                    stamps.filter(seen).map(|stamp| stamp.hlc).max().unwrap_or(0)
                }
                Meaning::Add(field, _) if row.gone.is_none() => {
                    row.fields.get(field).map(|(_, stamp)| stamp).filter(seen).map_or(0, |stamp| stamp.hlc)
                }
                _ => all,
            };
            (least, most) = (least.max(touched), most.max(all));
        }
        let ceiling = |ms: u64| (ms << 16 | 0xffff).max(self.clock);
        let (low, high) = (ceiling(commit.ms), ceiling(commit.ms_most));
        let hlc = commit.hlc;
        if least > 0 && hlc <= least {
            self.wrong("I-31", format!("commit {}: clock {hlc:x} is not after {least:x}, which it saw", commit.n));
        }
        if sent.is_empty() {
            self.wrong("I-12", format!("commit {}: a group that was never sent", commit.n));
        } else if sent.iter().all(|sent| hlc != *sent && (most < *sent && *sent <= low)) {
            self.wrong("I-31", format!("commit {}: clock {hlc:x}, it was sent with {sent:x?}", commit.n));
        } else if sent.iter().all(|sent| hlc > (*sent).min(high).max(most + 1)) {
            self.wrong("I-31", format!("commit {}: clock {hlc:x} is ahead of {sent:x?} and {high:x}", commit.n));
        }
        self.clock = self.clock.max(hlc);
    }

    /// "What an op does", section 9. Says whether it was lost.
    fn apply(&mut self, op: &ModelOp, stamp: Stamp) -> Result<bool, Refusal> {
        let sight = self.sight;
        let seen = |other: &Stamp| sight.saw(&stamp, other);
        let rule = &self.rules[op.table];
        let key = (op.table, op.id.clone());
        let Some(row) = self.rows.get_mut(&key) else {
            match &op.meaning {
                Meaning::Create(fields) => drop(self.rows.insert(key, born(fields, stamp))),
                Meaning::Delete => {
                    let row =
                        Row { born: 0, create: stamp, joined: Vec::new(), fields: BTreeMap::new(), gone: Some(stamp) };
                    self.rows.insert(key, row);
                }
                Meaning::Set(_) | Meaning::Add(..) => return Err(Refusal::RowPurged),
            }
            return Ok(false);
        };
        let births_unseen = !std::iter::once(&row.create).chain(&row.joined).any(&seen);
        // `born > base`: a birth the writer had pulled is seen, so only what is not seen can be an older life.
        let older_life = births_unseen;
        match (&op.meaning, row.gone) {
            (Meaning::Create(fields), None) => {
                if rule.create_rejects && older_life {
                    return Err(Refusal::RowExists);
                }
                row.joined.push(stamp);
                merge(row, rule, fields, stamp, &seen);
            }
            (Meaning::Create(fields), Some(gone)) if seen(&gone) || rule.edit_wins => *row = born(fields, stamp),
            (Meaning::Create(_), Some(_)) => return Ok(true),
            (Meaning::Set(_) | Meaning::Add(..), None) if older_life => return Ok(true),
            (Meaning::Set(_) | Meaning::Add(..), Some(_)) if row.born == 0 => return Err(Refusal::RowPurged),
            (Meaning::Set(_) | Meaning::Add(..), Some(gone)) if seen(&gone) || older_life || !rule.edit_wins => {
                return Ok(true);
            }
            (Meaning::Set(fields), _) => {
                row.gone = None;
                merge(row, rule, fields, stamp, &seen);
            }
            (Meaning::Add(field, by), _) => {
                row.gone = None;
                let (value, there) = row.fields.get(field).copied().unwrap_or((0, Stamp { hlc: 0, ..stamp }));
                row.fields.insert(field, (value + by, if stamp.beats(&there) { stamp } else { there }));
            }
            (Meaning::Delete, Some(_)) => {}
            (Meaning::Delete, None) => {
                if older_life {
                    return Ok(true);
                }
                if !rule.edit_wins || row.stamps().all(seen) {
                    row.gone = Some(stamp);
                }
            }
        }
        Ok(false)
    }
}

fn born(fields: &BTreeMap<&'static str, i64>, stamp: Stamp) -> Row {
    let fields = fields.iter().map(|(field, value)| (*field, (*value, stamp))).collect();
    Row { born: stamp.commit, create: stamp, joined: Vec::new(), fields, gone: None }
}

/// "How fields merge", section 9.
fn merge(
    row: &mut Row,
    rule: &TableRule,
    fields: &BTreeMap<&'static str, i64>,
    stamp: Stamp,
    seen: &impl Fn(&Stamp) -> bool,
) {
    for (field, value) in fields {
        let Some((there, written)) = row.fields.get(field).copied() else {
            row.fields.insert(field, (*value, stamp));
            continue;
        };
        let later = stamp.beats(&written);
        let stands = match rule.fields[field] {
            Rule::Lww | Rule::Counter => later,
            Rule::Server => seen(&written),
            Rule::Client => true,
            Rule::Max => *value > there || (*value == there && later),
            Rule::Min => *value < there || (*value == there && later),
        };
        if stands {
            row.fields.insert(field, (*value, stamp));
        }
    }
}
