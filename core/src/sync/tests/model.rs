//! A server in a few pages, as the protocol's rules read: what the tests check devices against.
//!
//! It keeps every commit with the rows it left, decides with `protocol::merge` and nothing else, and can be told to
//! withhold what plain backends do not have (own marks).

use std::collections::{BTreeMap, HashMap};

use super::server::{Server, Truth, replay, text_of};
use serde_json::value::RawValue;
use turnstone_protocol::merge::{self, Context, RowState, Stamp};
use turnstone_protocol::op::{Entry, Group, Void};
use turnstone_protocol::wire::{
    Commit, Consistency, Outcome, Part, PullAnswer, PullRequest, PushAnswer, PushRequest, Row, Verdict,
};
use turnstone_protocol::{Code, DeviceId, Epoch, Gid, Hlc, Incarnation, Schema, hash, limits};

/// A stream of seqs.
type Stream = (DeviceId, Incarnation);

/// What is on record of a group.
#[derive(Clone)]
struct Record {
    payload: Option<hash::Hash>,
    verdict: Verdict,
}

/// A commit with the rows it left.
#[derive(Clone)]
struct Logged {
    n: u64,
    gid: Gid,
    stream: Stream,
    seq: u64,
    as_sent: bool,
    rows: Vec<Row>,
    words: Vec<String>,
}

/// The server.
#[derive(Clone)]
pub(super) struct Model {
    pub(super) schema: Schema,
    pub(super) epoch: Epoch,
    /// Whether commits are marked as the asking device's own.
    pub(super) marks_own: bool,
    /// The most rows of a page.
    pub(super) page_rows_max: usize,
    /// Groups it will not decide yet.
    pub(super) undecided: Vec<Gid>,
    /// A group it fails on.
    pub(super) poison: Option<Gid>,
    pub(super) now_ms: u64,
    hlc: Hlc,
    rows: BTreeMap<(String, String), RowState>,
    log: Vec<Logged>,
    records: HashMap<Gid, Record>,
    /// The groups that each stream named, by seq.
    seqs: HashMap<Stream, Vec<Gid>>,
}

impl Model {
    pub(super) fn new(schema: Schema) -> Self {
        Self {
            schema,
            epoch: Epoch::from_random(1),
            marks_own: true,
            page_rows_max: limits::PAGE_ROWS_MAX,
            undecided: Vec::new(),
            poison: None,
            now_ms: 1_800_000_000_000,
            hlc: Hlc::ZERO,
            rows: BTreeMap::new(),
            log: Vec::new(),
            records: HashMap::new(),
            seqs: HashMap::new(),
        }
    }

    pub(super) fn head(&self) -> u64 {
        self.log.len() as u64
    }

    /// How many commits a group made: never more than one.
    pub(super) fn commits_of(&self, gid: Gid) -> usize {
        self.log.iter().filter(|logged| logged.gid == gid).count()
    }

    fn entries(&mut self, stream: Stream, request: &PushRequest<Box<RawValue>>) -> Result<PushAnswer, Code> {
        let mut verdicts = Vec::new();
        for raw in &request.groups {
            let entry: Entry = serde_json::from_str(raw.get()).map_err(|_| Code::Malformed)?;
            if matches!(&entry, Entry::Group(group) if self.poison == Some(group.gid)) {
                return Err(Code::Internal);
            }
            let seq = match &entry {
                Entry::Group(group) => group.seq,
                Entry::Void(void) => void.seq,
            };
            self.record_seq(stream, seq, &entry)?;
            verdicts.push(match entry {
                Entry::Group(group) => self.group(stream, &group)?,
                Entry::Void(void) => self.void(void),
            });
        }
        let (epoch, now, hlc) = (self.epoch, self.now_ms, self.hlc);
        Ok(PushAnswer { epoch, verdicts, applied: Vec::new(), now, hlc, stable: 0, pull: None })
    }

    fn record_seq(&mut self, stream: Stream, seq: u64, entry: &Entry) -> Result<(), Code> {
        let seqs = self.seqs.entry(stream).or_default();
        let last = seqs.len() as u64;
        let gid = match entry {
            Entry::Group(group) => group.gid,
            Entry::Void(void) => void.void,
        };
        if seq > last + 1 {
            return Err(Code::SeqGap);
        }
        if seq <= last && !self.records.contains_key(&gid) {
            return Err(Code::DeviceForked);
        }
        if seq > last {
            seqs.push(gid);
        }
        Ok(())
    }

    fn group(&mut self, stream: Stream, group: &Group) -> Result<Verdict, Code> {
        let payload = hash::payload(group.hlc, group.schema, &group.ops);
        if let Some(record) = self.records.get_mut(&group.gid) {
            if record.payload.is_some_and(|known| known != payload) {
                return Err(Code::GidReuse);
            }
            if record.verdict.verdict.is_terminal() {
                let mut verdict = record.verdict.clone();
                verdict.seq = group.seq;
                return Ok(verdict);
            }
        }
        let verdict = self.decide(stream, group);
        self.records.insert(group.gid, Record { payload: Some(payload), verdict: verdict.clone() });
        Ok(verdict)
    }

    fn void(&mut self, void: Void) -> Verdict {
        match self.records.get_mut(&void.void) {
            Some(record) if record.verdict.verdict.is_terminal() => Verdict { seq: void.seq, ..record.verdict.clone() },
            _ => {
                let verdict = verdict_of(void.void, void.seq, Outcome::Voided);
                let record = Record { payload: None, verdict: verdict.clone() };
                self.records.insert(void.void, record);
                verdict
            }
        }
    }

    fn decide(&mut self, stream: Stream, group: &Group) -> Verdict {
        let mut verdict = verdict_of(group.gid, group.seq, Outcome::Applied);
        if self.undecided.contains(&group.gid) {
            verdict.verdict = Outcome::Retry;
            return verdict;
        }
        if let Some(old) = group.replaces {
            if self.records.get(&old).is_some_and(|record| record.verdict.verdict.is_accepted()) {
                (verdict.verdict, verdict.code) = (Outcome::Rejected, Some(Code::ReplacedApplied));
                return verdict;
            }
            self.give_up(old, group.gid);
        }
        verdict.by = group.after.iter().filter(|gid| !self.is_applied(**gid)).copied().collect();
        if !verdict.by.is_empty() {
            verdict.verdict = Outcome::Blocked;
            return verdict;
        }
        match self.apply(stream, group) {
            Ok((merged, explain)) => {
                verdict.verdict = if merged { Outcome::Merged } else { Outcome::Applied };
                verdict.commit = Some(self.head());
                verdict.explain = explain;
            }
            Err(refusal) => {
                verdict.verdict =
                    if refusal.code == Code::UnknownTable { Outcome::SchemaBehind } else { Outcome::Rejected };
                verdict.code = Some(refusal.code);
                verdict.fields = refusal.fields;
            }
        }
        verdict
    }

    /// Gives a group up for the one that takes its place; one that was refused only learns its successor.
    fn give_up(&mut self, old: Gid, new: Gid) {
        let replaced = Record { payload: None, verdict: verdict_of(old, 0, Outcome::Replaced) };
        let record = self.records.entry(old).or_insert(replaced);
        if !record.verdict.verdict.is_terminal() {
            record.verdict.verdict = Outcome::Replaced;
        }
        record.verdict.by = vec![new];
    }

    /// Whether a group is in the history, itself or by the one that took its place.
    fn is_applied(&self, gid: Gid) -> bool {
        let Some(record) = self.records.get(&gid) else { return false };
        let next = record.verdict.by.first().filter(|_| record.verdict.verdict.is_terminal());
        record.verdict.verdict.is_accepted() || next.is_some_and(|next| self.is_applied(*next))
    }

    fn apply(
        &mut self,
        stream: Stream,
        group: &Group,
    ) -> Result<(bool, Vec<turnstone_protocol::wire::Explain>), merge::Refusal> {
        let commit = self.head() + 1;
        let log = &self.log;
        let sees = |stamp: &Stamp| {
            let own = |logged: &Logged| logged.stream == stream && logged.seq < group.seq;
            let at = usize::try_from(stamp.commit).unwrap().checked_sub(1);
            group.after.contains(&stamp.gid) || at.and_then(|at| log.get(at)).is_some_and(own)
        };
        let mut floor = self.hlc;
        let mut touched: BTreeMap<(String, String), RowState> = BTreeMap::new();
        let (mut merged, mut as_sent, mut explain) = (false, true, Vec::new());
        floor = floor.max(Hlc::at(self.now_ms));
        let hlc = group.hlc.min(floor);
        let hlc = group.ops.iter().fold(hlc, |hlc, op| {
            let row = self.rows.get(&(op.table.clone(), op.id.clone()));
            hlc.max(merge::causal_floor(row, op, &sees).succ())
        });
        for (n, op) in group.ops.iter().enumerate() {
            let Some(table) = self.schema.table(&op.table) else {
                return Err(merge::Refusal::of(Code::UnknownTable));
            };
            let op = merge::admit_op(table, op.clone(), limits::VALUE_BYTES_MAX)?;
            let key = (op.table.clone(), op.id.clone());
            let row = touched.get(&key).or_else(|| self.rows.get(&key)).cloned();
            let ctx = Context { table, gid: group.gid, n: n as u32, hlc, commit, sees: &sees };
            let applied = merge::apply(row, &op, &ctx)?;
            merged |= applied.merged;
            as_sent &= applied.as_sent;
            explain.extend(applied.explain);
            touched.insert(key, applied.row);
        }
        self.hlc = self.hlc.max(hlc).max(Hlc::at(self.now_ms));
        let words = group.ops.iter().flat_map(|op| op.set.values()).filter_map(text_of).collect();
        let rows = touched.iter().map(|((table, id), row)| self.wire_row(table, id, row)).collect();
        self.rows.extend(touched);
        self.log.push(Logged { n: commit, gid: group.gid, stream, seq: group.seq, as_sent, rows, words });
        Ok((merged, explain))
    }

    fn wire_row(&self, table: &str, id: &str, row: &RowState) -> Row {
        let fields = match (&row.gone, self.schema.table(table)) {
            (Some(_), _) => Default::default(),
            (None, Some(table)) => table.canonical_fields(&row.fields),
            (None, None) => row.fields.clone(),
        };
        Row {
            table: table.to_owned(),
            id: id.to_owned(),
            born: Some(row.born),
            fields,
            gone: row.gone.map(|gone| gone.cause),
        }
    }

    /// A cursor reads `commit:parts already given of the next one`.
    fn page(&self, request: &PullRequest) -> Result<PullAnswer, Code> {
        let (mut at, mut parts) = match &request.cursor {
            None => (0, 0),
            Some(text) => text
                .split_once(':')
                .and_then(|(n, parts)| Some((n.parse::<u64>().ok()?, parts.parse::<usize>().ok()?)))
                .ok_or(Code::CursorInvalid)?,
        };
        if at > self.head() {
            return Err(Code::EpochSuspect);
        }
        let stream = (request.device, request.incarnation);
        let most = request.limit.min(self.page_rows_max).max(1);
        let mut room = most;
        let mut commits = Vec::new();
        for logged in self.log.iter().skip(at as usize) {
            let own = (self.marks_own && logged.stream == stream).then_some(logged.seq);
            let as_sent = own.is_some() && logged.as_sent && !request.full;
            let mut commit = Commit {
                n: logged.n,
                gid: self.marks_own.then_some(logged.gid),
                own,
                as_sent,
                count: 1,
                gids: None,
                part: None,
                rows: Vec::new(),
            };
            let cost = if as_sent { 1 } else { logged.rows.len() };
            if cost > most {
                let total = logged.rows.len().div_ceil(most);
                if !commits.is_empty() {
                    break;
                }
                let from = parts * most;
                commit.rows = logged.rows.iter().skip(from).take(most).cloned().collect();
                commit.part = Some(Part { i: parts as u32 + 1, n: total as u32 });
                commits.push(commit);
                (at, parts) = if parts + 1 == total { (logged.n, 0) } else { (at, parts + 1) };
                break;
            }
            if cost > room {
                break;
            }
            room -= cost;
            if !as_sent {
                commit.rows.clone_from(&logged.rows);
            }
            commits.push(commit);
            at = logged.n;
        }
        Ok(PullAnswer {
            epoch: self.epoch,
            consistency: Consistency::Commit,
            commits,
            cursor: format!("{at}:{parts}"),
            at,
            more: at < self.head() || parts > 0,
            acked: self.acked(stream, at),
            names_own: self.marks_own,
            stable: 0,
            hlc: self.hlc,
            now: self.now_ms,
        })
    }

    fn acked(&self, stream: Stream, at: u64) -> u64 {
        let is_decided = |gid: &&Gid| {
            let verdict = self.records.get(*gid).map(|record| &record.verdict);
            verdict.is_some_and(|said| said.verdict.is_terminal() && said.commit.is_none_or(|commit| commit <= at))
        };
        self.seqs.get(&stream).map_or(0, |seqs| seqs.iter().take_while(is_decided).count() as u64)
    }
}

fn verdict_of(gid: Gid, seq: u64, outcome: Outcome) -> Verdict {
    Verdict {
        gid,
        seq,
        verdict: outcome,
        commit: None,
        code: None,
        fields: Vec::new(),
        by: Vec::new(),
        explain: Vec::new(),
    }
}

impl Model {
    /// Takes what a copy sends again, under a stamp of its own, for the same groups (decision 0063).
    pub(super) fn compare_no_stamps(&mut self) {
        self.records.values_mut().for_each(|record| record.payload = None);
    }

    /// Removes a row and every trace of it, as a purge behind the horizon does.
    pub(super) fn purge(&mut self, table: &str, id: &str) {
        self.rows.remove(&(table.to_owned(), id.to_owned()));
        for logged in &mut self.log {
            logged.rows.retain(|row| row.table != table || row.id != id);
        }
    }
}

impl Server for Model {
    fn push(&mut self, request: &PushRequest<Box<RawValue>>) -> Result<PushAnswer, Code> {
        let stream = (request.device, request.incarnation);
        let before = self.clone();
        self.entries(stream, request).inspect_err(|_| *self = before)
    }

    fn pull(&self, request: &PullRequest) -> Result<PullAnswer, Code> {
        self.page(request)
    }

    fn state_hash(&self) -> String {
        let mut state = hash::State::default();
        for ((table, id), row) in self.rows.iter().filter(|(_, row)| row.gone.is_none()) {
            let fields = match self.schema.table(table) {
                Some(table) => table.canonical_fields(&row.fields),
                None => row.fields.clone(),
            };
            state.add(&hash::row(table, id, &fields));
        }
        state.finish()
    }

    fn rows_at(&self, at: u64) -> Truth {
        replay(self.log.iter().take_while(|logged| logged.n <= at).flat_map(|logged| &logged.rows))
    }

    fn words(&self) -> Vec<String> {
        self.log.iter().flat_map(|logged| logged.words.iter().cloned()).collect()
    }

    fn pass_ms(&mut self, ms: u64) {
        self.now_ms += ms;
    }

    fn trouble(&mut self, poison: Option<Gid>, undecided: Vec<Gid>) {
        (self.poison, self.undecided) = (poison, undecided);
    }
}
