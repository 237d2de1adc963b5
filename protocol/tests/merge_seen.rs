//! The laws merge keeps in histories whose writers had seen a part of each other (I-28 to I-32, I-38): devices that
//! write, push and pull at their own pace, as a server meets them.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic, missing_docs)]

use std::collections::BTreeSet;

use proptest::prelude::*;
use turnstone_protocol::merge::{self, Applied, Context, Refusal, RowState, Stamp};
use turnstone_protocol::schema::{DeletePolicy, Policy, Table};
use turnstone_protocol::{Fields, Gid, Hlc, Op, OpKind, Schema, Value};

fn schema() -> Schema {
    let fields = |table: turnstone_protocol::schema::TableBuilder| {
        let table = table.text("title").default("").end().text("body").default("").end();
        let table = table.integer("views").default(0).merge(Policy::Counter).end();
        let table = table.integer("best").nullable().merge(Policy::Max).end();
        let table = table.text("owner").default("").merge(Policy::Server).end();
        table.text("color").default("").merge(Policy::Client).end()
    };
    let edits_win = |table| fields(table).delete(DeletePolicy::EditWins);
    Schema::builder(1).table("notes", fields).table("lists", edits_win).build().unwrap()
}

const DEVICES: usize = 3;

/// What one of the devices does next.
#[derive(Debug, Clone)]
enum Event {
    Write { device: usize, kind: OpKind, set: Fields, inc: Option<i64>, ms: u64 },
    Push { device: usize },
    Pull { device: usize },
}

/// An op as it was written: by whom, as which of the device's, and what had been pulled.
#[derive(Debug, Clone)]
struct Written {
    device: usize,
    op: Op,
    gid: Gid,
    hlc: Hlc,
}

fn gid(device: usize, seq: usize) -> Gid {
    Gid(((device as u128) << 64 | seq as u128).to_be_bytes())
}

/// Who wrote a change, and as which of its own: read off its gid.
fn author(gid: Gid) -> (usize, usize) {
    let word = u128::from_be_bytes(gid.0);
    ((word >> 64) as usize, word as u64 as usize)
}

impl Written {
    /// Seen beyond its base: what the same device wrote before.
    fn sees(&self, stamp: &Stamp) -> bool {
        let ((mine, seq), (theirs, earlier)) = (author(self.gid), author(stamp.gid));
        mine == theirs && earlier < seq
    }

    fn saw(&self, stamp: &Stamp) -> bool {
        stamp.commit <= self.op.base || self.sees(stamp)
    }

    /// As a server does it: the clock is raised above what the writer had seen of what it touches.
    fn apply(&self, table: &Table, row: Option<RowState>, commit: u64) -> Result<Applied, Refusal> {
        let op = merge::admit_op(table, self.op.clone(), 1 << 20).unwrap();
        let sees = |stamp: &Stamp| self.sees(stamp);
        let floor = merge::causal_floor(row.as_ref(), &op, &sees);
        let hlc = if floor > Hlc::ZERO { self.hlc.max(floor.succ()) } else { self.hlc };
        merge::apply(row, &op, &Context { table, gid: self.gid, n: 0, hlc, commit, sees: &sees })
    }
}

fn set() -> impl Strategy<Value = Fields> {
    let fields: &[&str] = &["title", "body", "best", "owner", "color"];
    let value = |(field, number): (&str, i64)| {
        let value = if field == "best" { Value::Int(number) } else { Value::Text(format!("v{number}")) };
        (field.to_owned(), value)
    };
    proptest::collection::vec((proptest::sample::select(fields), 0i64..3), 0..3)
        .prop_map(move |chosen| chosen.into_iter().map(value).collect())
}

fn event(kinds: &'static [OpKind]) -> impl Strategy<Value = Event> {
    let write = (0..DEVICES, proptest::sample::select(kinds), set(), proptest::option::of(-3i64..4), 1u64..9).prop_map(
        |(device, kind, set, inc, ms)| match kind {
            OpKind::Delete => Event::Write { device, kind, set: Fields::new(), inc: None, ms },
            _ => Event::Write { device, kind, set, inc, ms },
        },
    );
    prop_oneof![
        3 => write,
        2 => (0..DEVICES).prop_map(|device| Event::Push { device }),
        1 => (0..DEVICES).prop_map(|device| Event::Pull { device }),
    ]
}

const EDITS: &[OpKind] = &[OpKind::Update];
const EVERY: &[OpKind] = &[OpKind::Create, OpKind::Update, OpKind::Update, OpKind::Update, OpKind::Delete];

/// The ops in the order the server takes them. Everybody had pulled commit 1, which made the row.
fn history(table: &str, events: &[Event]) -> Vec<Written> {
    let (mut pulled, mut written) = ([1_u64; DEVICES], [0_usize; DEVICES]);
    let mut waiting: Vec<Written> = Vec::new();
    let mut taken: Vec<Written> = Vec::new();
    let push = |device: usize, waiting: &mut Vec<Written>, taken: &mut Vec<Written>| {
        let (mine, others) = std::mem::take(waiting).into_iter().partition(|op| op.device == device);
        *waiting = others;
        let mine: Vec<Written> = mine;
        taken.extend(mine);
    };
    for event in events {
        match event {
            Event::Write { device, kind, set, inc, ms } => {
                written[*device] += 1;
                let op = Op {
                    kind: *kind,
                    table: table.to_owned(),
                    id: "r".to_owned(),
                    base: pulled[*device],
                    set: set.clone(),
                    inc: inc.iter().map(|by| ("views".to_owned(), *by)).collect(),
                    was: Fields::new(),
                    was_hash: Default::default(),
                };
                let gid = gid(*device, written[*device]);
                waiting.push(Written { device: *device, op, gid, hlc: Hlc::at(*ms) });
            }
            Event::Push { device } => push(*device, &mut waiting, &mut taken),
            Event::Pull { device } => pulled[*device] = 1 + taken.len() as u64,
        }
    }
    (0..DEVICES).for_each(|device| push(device, &mut waiting, &mut taken));
    taken
}

fn born(table: &Table) -> RowState {
    let op = Op {
        kind: OpKind::Create,
        table: table.name.clone(),
        id: "r".to_owned(),
        base: 0,
        set: Fields::new(),
        inc: Default::default(),
        was: Fields::new(),
        was_hash: Default::default(),
    };
    let first = Written { device: DEVICES, op, gid: gid(DEVICES, 1), hlc: Hlc(1) };
    first.apply(table, None, 1).unwrap().row
}

fn stamps(row: &RowState) -> impl Iterator<Item = &Stamp> {
    row.stamps.iter().chain(row.gone.as_ref().map(|gone| &gone.stamp))
}

proptest! {
    /// I-29, I-30, I-38: what somebody writes who has seen everything is what is there; "merged" is said exactly where
    /// something was unseen; a life that begins after a delete it saw has nothing of the one before.
    #[test]
    fn who_has_seen_everything_decides(
        table in proptest::sample::select(&["notes", "lists"][..]),
        events in proptest::collection::vec(event(EVERY), 0..24),
    ) {
        let schema = schema();
        let table = schema.table(table).unwrap();
        let mut row = born(table);
        for (written, commit) in history(&table.name, &events).iter().zip(2..) {
            let unseen = stamps(&row).any(|stamp| !written.saw(stamp));
            let applied = written.apply(table, Some(row.clone()), commit).unwrap();
            if !applied.lost && row.gone.is_none() {
                prop_assert_eq!(applied.merged, unseen && row.version > written.op.base);
            }
            if unseen {
                row = applied.row;
                continue;
            }
            let after = &applied.row;
            match (written.op.kind, &row.gone) {
                (OpKind::Create, Some(_)) => {
                    prop_assert_eq!(after.born, commit);
                    let expected: BTreeSet<&String> = written.op.set.keys().chain(written.op.inc.keys()).collect();
                    prop_assert_eq!(after.fields.keys().collect::<BTreeSet<_>>(), expected);
                }
                (OpKind::Update, Some(_)) => prop_assert!(applied.lost && after.gone.is_some()),
                (OpKind::Delete, _) => prop_assert!(after.gone.is_some()),
                _ => {
                    for (name, value) in written.op.set.iter().filter(|(name, _)| *name != "best") {
                        prop_assert_eq!(after.fields.get(name), Some(value));
                        prop_assert_eq!(after.stamps.of(name).gid, written.gid);
                    }
                }
            }
            row = applied.row;
        }
    }

    /// I-30, I-31: no edit ever lies below what its writer had seen of what it touches; I-32: the counter is the sum of
    /// what was not lost; I-36: where deletes win, nothing brings a row back but a create that saw the delete.
    #[test]
    fn a_partly_seen_history_keeps_its_promises(
        table in proptest::sample::select(&["notes", "lists"][..]),
        events in proptest::collection::vec(event(EVERY), 0..24),
    ) {
        let schema = schema();
        let table = schema.table(table).unwrap();
        let (mut row, mut sum) = (born(table), 0);
        for (written, commit) in history(&table.name, &events).iter().zip(2..) {
            let before = row.clone();
            let applied = written.apply(table, Some(row), commit).unwrap();
            row = applied.row;
            for name in written.op.set.keys().filter(|_| !applied.lost) {
                let there = row.stamps.of(name);
                let seen = before.fields.contains_key(name).then(|| before.stamps.of(name)).filter(|s| written.saw(s));
                if let Some(seen) = seen.filter(|_| there.gid == written.gid) {
                    prop_assert!(there.hlc > seen.hlc, "{name}");
                }
            }
            if table.delete == DeletePolicy::DeleteWins
                && let Some(gone) = &before.gone
                && row.gone.is_none()
            {
                prop_assert!(written.op.kind == OpKind::Create && written.saw(&gone.stamp));
            }
            if row.born == commit {
                sum = 0;
            }
            if !applied.lost {
                sum += written.op.inc.values().sum::<i64>();
            }
            let views = row.fields.get("views").cloned().unwrap_or(Value::Int(0));
            prop_assert_eq!(views, Value::Int(sum));
        }
    }

    /// I-28: for lww, max and counter the order in which the server meets the devices does not matter, as long as
    /// everybody's ops come in their own order and after what they had seen. Seen is what the *writer* had seen: which
    /// commits that were is named anew for each order.
    #[test]
    fn edits_that_saw_each_other_converge_in_every_order(
        events in proptest::collection::vec(event(EDITS), 1..20),
        picks in proptest::collection::vec(any::<prop::sample::Index>(), 20),
    ) {
        let schema = schema();
        let table = schema.table("notes").unwrap();
        let mut taken = history("notes", &events);
        let bases: Vec<u64> = taken.iter().map(|written| written.op.base).collect();
        // Honest clocks: each is after everything its writer had seen, so that no order makes a server raise it.
        for at in 0..taken.len() {
            let seen = |other: &usize| (*other as u64) + 2 <= bases[at] || taken[*other].device == taken[at].device;
            let last = (0..at).filter(seen).map(|other| taken[other].hlc).max().unwrap_or(Hlc(1));
            taken[at].hlc = taken[at].hlc.max(last.succ());
            taken[at].op.set.retain(|name, _| !matches!(name.as_str(), "owner" | "color"));
        }
        let mut left: Vec<usize> = (0..taken.len()).collect();
        let mut order = Vec::new();
        for pick in picks.iter().cycle().take(taken.len()) {
            let is_ready = |at: usize| {
                let mut before = left.iter().filter(|other| **other < at);
                !before.any(|other| (*other as u64) + 2 <= bases[at] || taken[*other].device == taken[at].device)
            };
            let ready: Vec<usize> = left.iter().copied().filter(|at| is_ready(*at)).collect();
            let next = ready[pick.index(ready.len())];
            left.retain(|at| *at != next);
            order.push(next);
        }
        let run = |order: &[usize]| {
            let mut row = born(table);
            for (&at, commit) in order.iter().zip(2..) {
                let mut written = taken[at].clone();
                // What it had pulled are no longer the first commits: they are seen by name.
                written.op.base = 1;
                let pulled: BTreeSet<Gid> = (0..at).filter(|other| (*other as u64) + 2 <= bases[at]).map(|other| taken[other].gid).collect();
                let sees = |stamp: &Stamp| pulled.contains(&stamp.gid) || written.sees(stamp);
                let op = merge::admit_op(table, written.op.clone(), 1 << 20).unwrap();
                let context = Context { table, gid: written.gid, n: 0, hlc: written.hlc, commit, sees: &sees };
                assert!(merge::causal_floor(Some(&row), &op, &sees) < written.hlc);
                row = merge::apply(Some(row), &op, &context).unwrap().row;
            }
            let who = |name: &String| (name.clone(), row.stamps.of(name).hlc, row.stamps.of(name).gid);
            (row.fields.clone(), row.fields.keys().map(who).collect::<Vec<_>>())
        };
        let straight: Vec<usize> = (0..taken.len()).collect();
        prop_assert_eq!(run(&straight), run(&order));
    }
}
