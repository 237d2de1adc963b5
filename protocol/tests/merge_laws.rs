//! The laws merge keeps, over random histories (I-28, I-29, I-30, I-31, I-32).
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic, missing_docs)]

use proptest::prelude::*;
use turnstone_protocol::merge::{self, Applied, Context, Refusal, RowState, Stamp, Stamps};
use turnstone_protocol::schema::{DeletePolicy, Policy, RowMerge, Table};
use turnstone_protocol::{Code, Fields, Gid, Hlc, Op, OpKind, Schema, Value, canonical};

fn schema() -> Schema {
    let fields = |table: turnstone_protocol::schema::TableBuilder| {
        let table = table.text("title").default("").end().text("body").default("").end();
        let table = table.integer("views").default(3).merge(Policy::Counter).end();
        let table = table.integer("best").nullable().merge(Policy::Max).end();
        let table = table.real("low").nullable().merge(Policy::Min).end();
        let table = table.text("owner").default("").merge(Policy::Server).end();
        table.text("color").default("").merge(Policy::Client).end()
    };
    Schema::builder(1)
        .table("notes", fields)
        .table("lists", |table| fields(table).delete(DeletePolicy::EditWins))
        .table("cards", |table| {
            table.text("title").default("").end().text("body").default("").end().merge(RowMerge::Lww)
        })
        .build()
        .unwrap()
}

/// A group of one op. `saw` is how many of the groups before it in the list its writer had seen.
#[derive(Debug, Clone)]
struct Step {
    op: Op,
    gid: Gid,
    hlc: Hlc,
}

const ORDERLESS: &[&str] = &["title", "body", "best", "low"];
const ANY: &[&str] = &["title", "body", "best", "low", "owner", "color", "mood"];

fn value_of(field: &str, number: i64) -> Value {
    match field {
        "best" if number == 0 => Value::Null,
        "best" => Value::Int(number),
        "low" => Value::Real(number as f64 / 2.0),
        _ => Value::Text(format!("v{number}")),
    }
}

fn set(fields: &'static [&'static str]) -> impl Strategy<Value = Fields> {
    proptest::collection::btree_map(proptest::sample::select(fields), 0i64..4, 0..3).prop_map(|chosen| {
        chosen.into_iter().map(|(field, number)| (field.to_owned(), value_of(field, number))).collect()
    })
}

fn op(kind: OpKind, table: &str, base: u64, set: Fields, inc: Option<i64>) -> Op {
    let inc = inc.into_iter().map(|by| ("views".to_owned(), by)).collect();
    Op {
        kind,
        table: table.to_owned(),
        id: "r".to_owned(),
        base,
        set,
        inc,
        was: Fields::new(),
        was_hash: Default::default(),
    }
}

fn step(
    table: &'static str,
    kinds: &'static [OpKind],
    fields: &'static [&'static str],
    bases: std::ops::Range<u64>,
) -> impl Strategy<Value = Step> {
    let amount = proptest::option::of(-3i64..4);
    (proptest::sample::select(kinds), set(fields), amount, bases, 1u64..6, any::<u8>()).prop_map(
        move |(kind, set, inc, base, ms, tie)| {
            let (set, inc) = if kind == OpKind::Delete { (Fields::new(), None) } else { (set, inc) };
            let inc = inc.filter(|_| table != "cards");
            Step { op: op(kind, table, base, set, inc), gid: Gid([tie; 16]), hlc: Hlc::at(ms) }
        },
    )
}

/// Distinct gids, as groups have them.
fn distinct(mut steps: Vec<Step>) -> Vec<Step> {
    for (at, step) in steps.iter_mut().enumerate() {
        step.gid.0[15] = at as u8;
    }
    steps
}

fn apply(table: &Table, row: Option<RowState>, step: &Step, commit: u64) -> Result<Applied, Refusal> {
    let op = merge::admit_op(table, step.op.clone(), 1 << 20).unwrap();
    let ctx = Context { table, gid: step.gid, n: 0, hlc: step.hlc, commit, sees: &|_| false };
    merge::apply(row, &op, &ctx)
}

/// A row that everybody has seen: commit 1, before every clock.
fn born(table: &Table) -> RowState {
    let first = Step { op: op(OpKind::Create, &table.name, 0, Fields::new(), None), gid: Gid([0; 16]), hlc: Hlc(1) };
    apply(table, None, &first, 1).unwrap().row
}

fn run(table: &Table, steps: &[Step]) -> RowState {
    steps.iter().zip(2..).fold(born(table), |row, (step, commit)| apply(table, Some(row), step, commit).unwrap().row)
}

/// What must not depend on order: content and who wrote it, but not when it was committed.
fn content(row: &RowState) -> (bool, Fields, Vec<(String, Hlc, Gid)>) {
    let stamp = |name: &String| {
        let stamp = row.stamps.of(name);
        (name.clone(), stamp.hlc, stamp.gid)
    };
    (row.gone.is_some(), row.fields.clone(), row.fields.keys().map(stamp).collect())
}

fn save_and_load(table: &Table, row: RowState) -> RowState {
    let fields: Fields = serde_json::from_str(&canonical::fields(&row.fields)).unwrap();
    let stamps = Stamps::from_bytes(&row.stamps.to_bytes()).unwrap();
    RowState { fields: table.typed(fields), stamps, ..row }
}

const UPDATE: &[OpKind] = &[OpKind::Update];
const EVERY: &[OpKind] = &[OpKind::Create, OpKind::Update, OpKind::Update, OpKind::Delete, OpKind::Undelete];

proptest! {
    /// I-28: lww, max, min and counter give one result in every order.
    #[test]
    fn concurrent_edits_converge_in_every_order(
        (steps, shuffled) in proptest::collection::vec(step("notes", UPDATE, ORDERLESS, 1..2), 1..6)
            .prop_map(distinct)
            .prop_flat_map(|steps| (Just(steps.clone()), Just(steps).prop_shuffle()))
    ) {
        let schema = schema();
        let table = schema.table("notes").unwrap();
        prop_assert_eq!(content(&run(table, &steps)), content(&run(table, &shuffled)));
    }

    /// I-28: whole rows too.
    #[test]
    fn concurrent_rows_converge_in_every_order(
        (steps, shuffled) in proptest::collection::vec(step("cards", UPDATE, &["title", "body"], 1..2), 1..6)
            .prop_map(distinct)
            .prop_flat_map(|steps| (Just(steps.clone()), Just(steps).prop_shuffle()))
    ) {
        let schema = schema();
        let table = schema.table("cards").unwrap();
        prop_assert_eq!(run(table, &steps).fields, run(table, &shuffled).fields);
    }

    /// I-36: a delete among concurrent edits ends the same in every order: the row is gone where
    /// deletes win, and there with every edit where edits win.
    #[test]
    fn a_delete_among_edits_ends_the_same_in_every_order(
        edits_win in any::<bool>(),
        (steps, shuffled) in proptest::collection::vec(step("notes", UPDATE, ORDERLESS, 1..2), 1..5)
            .prop_map(|mut steps| {
                let delete = Step { op: op(OpKind::Delete, "notes", 1, Fields::new(), None), gid: Gid([9; 16]), hlc: Hlc::at(3) };
                for step in &mut steps {
                    step.op.set.entry("title".to_owned()).or_insert(Value::Text("edit".to_owned()));
                }
                steps.push(delete);
                distinct(steps)
            })
            .prop_flat_map(|steps| (Just(steps.clone()).prop_shuffle(), Just(steps).prop_shuffle()))
    ) {
        let schema = schema();
        let table = schema.table(if edits_win { "lists" } else { "notes" }).unwrap();
        let (one, other) = (run(table, &steps), run(table, &shuffled));
        prop_assert_eq!(one.gone.is_some(), !edits_win);
        prop_assert_eq!(other.gone.is_some(), !edits_win);
        if edits_win {
            prop_assert_eq!(content(&one), content(&other));
        }
    }

    /// I-29: a register holds only a value somebody wrote; I-32: a counter is the exact sum.
    #[test]
    fn registers_hold_written_values_and_counters_the_sum(
        steps in proptest::collection::vec(step("notes", UPDATE, ANY, 1..2), 0..8).prop_map(distinct)
    ) {
        let schema = schema();
        let row = run(schema.table("notes").unwrap(), &steps);
        for (name, value) in row.fields.iter().filter(|(name, _)| *name != "views") {
            prop_assert!(steps.iter().any(|step| step.op.set.get(name) == Some(value)), "{name}");
        }
        let sum: i64 = steps.iter().flat_map(|step| step.op.inc.values()).sum();
        let views = row.fields.get("views").cloned().unwrap_or(Value::Int(3));
        prop_assert_eq!(views, Value::Int(3 + sum));
    }

    /// I-28: saving and loading between any two steps changes nothing; the same steps give the
    /// same bytes; an op that is lost leaves the row as it was; `as_sent` promises what fold shows.
    #[test]
    fn a_random_history_keeps_its_promises(
        steps in prop_oneof![
            proptest::collection::vec(step("notes", EVERY, ANY, 0..9), 0..9),
            proptest::collection::vec(step("lists", EVERY, ANY, 0..9), 0..9),
            proptest::collection::vec(step("cards", EVERY, &["title", "body"], 0..9), 0..9),
        ].prop_map(distinct)
    ) {
        let schema = schema();
        let (mut row, mut stored): (Option<RowState>, Option<RowState>) = (None, None);
        for (step, commit) in steps.iter().zip(1..) {
            let table = schema.table(&step.op.table).unwrap();
            let applied = apply(table, row.clone(), step, commit);
            let again = apply(table, stored.take().map(|row| save_and_load(table, row)), step, commit);
            prop_assert_eq!(&applied, &again);
            match applied {
                Ok(applied) => {
                    if applied.lost {
                        prop_assert_eq!(Some(&applied.row), row.as_ref());
                        prop_assert!(applied.merged && !applied.as_sent);
                    }
                    if applied.as_sent {
                        let image = row.as_ref().filter(|row| row.gone.is_none()).map(|row| row.fields.clone());
                        let after = Some(&applied.row).filter(|row| row.gone.is_none()).map(|row| row.fields.clone());
                        prop_assert_eq!(merge::fold(table, image, &step.op), after);
                    }
                    prop_assert!(applied.row.version >= row.as_ref().map_or(0, |row| row.version));
                    row = Some(applied.row);
                }
                Err(refusal) => prop_assert_eq!(refusal.code, Code::RowPurged),
            }
            stored = row.clone();
        }
    }

    /// I-28: an op that arrives twice changes nothing the second time, counters apart (those are
    /// counted once by the gid table before merge sees them).
    #[test]
    fn repeating_an_edit_changes_nothing(
        before in proptest::collection::vec(step("notes", UPDATE, ANY, 1..2), 0..4),
        mut last in step("notes", UPDATE, ANY, 1..2)
    ) {
        last.op.inc.clear();
        let schema = schema();
        let table = schema.table("notes").unwrap();
        let mut steps = before;
        steps.push(last);
        let steps = distinct(steps);
        let row = run(table, &steps);
        let commit = row.version;
        let again = apply(table, Some(row.clone()), steps.last().unwrap(), commit).unwrap();
        prop_assert_eq!(again.row, row);
    }

    /// I-30, I-31: whatever its clock says, an edit that saw a value beats it, once the server has
    /// confirmed it above its causal floor.
    #[test]
    fn an_edit_beats_what_it_saw_whatever_its_clock(
        before in proptest::collection::vec(step("notes", UPDATE, &["title", "body"], 1..2), 0..5).prop_map(distinct),
        wrong_ms in prop_oneof![Just(0u64), Just(1u64), 0u64..10, Just(u64::MAX >> 16)],
    ) {
        let schema = schema();
        let table = schema.table("notes").unwrap();
        let row = run(table, &before);
        let fields = Fields::from([("title".to_owned(), Value::Text("mine".to_owned()))]);
        let op = op(OpKind::Update, "notes", row.version, fields, None);
        let floor = merge::causal_floor(Some(&row), &op, &|_| false);
        let step = Step { op, gid: Gid([1; 16]), hlc: Hlc::at(wrong_ms).max(floor.succ()) };
        let commit = row.version + 1;
        let applied = apply(table, Some(row), &step, commit).unwrap();
        prop_assert!(applied.as_sent);
        prop_assert_eq!(applied.row.fields.get("title"), Some(&Value::Text("mine".to_owned())));
    }

    /// The stored form of stamps is exact.
    #[test]
    fn stamps_survive_their_bytes(
        row in stamp(), joined in proptest::collection::vec(stamp(), 0..4),
        except in proptest::collection::btree_map("[a-z_]{0,12}", stamp(), 0..6)
    ) {
        let stamps = Stamps { row, joined, except };
        prop_assert_eq!(Stamps::from_bytes(&stamps.to_bytes()), Some(stamps.clone()));
        prop_assert_eq!(Stamp::from_bytes(&stamps.row.to_bytes()), Some(stamps.row));
        let mut cut = stamps.to_bytes();
        cut.pop();
        prop_assert_eq!(Stamps::from_bytes(&cut), None);
    }
}

fn stamp() -> impl Strategy<Value = Stamp> {
    (any::<u64>(), any::<[u8; 16]>(), any::<u32>(), any::<u64>()).prop_map(|(hlc, gid, n, commit)| Stamp {
        hlc: Hlc(hlc),
        gid: Gid(gid),
        n,
        commit,
    })
}
