//! What a device shows, row by row, against the reference.

use std::collections::{BTreeMap, BTreeSet};

use turnstone::Value;
use turnstone::testing::inspect;
use turnstone_protocol::Gid;

use crate::app;
use crate::model::{Meaning, RowKey, Rule, Shown, WriteId};
use crate::reference::{self, Expected as Due};
use crate::world::World;

/// What writes do to a row that still show over its base.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Over {
    /// They move its counter by this much, and nothing else.
    Amount(i64),
    /// Anything.
    Anything,
}

/// The rows that are touched by writes, and how.
pub(super) fn touched(world: &World, writes: &BTreeSet<WriteId>) -> BTreeMap<RowKey, Over> {
    let mut rows: BTreeMap<RowKey, Over> = BTreeMap::new();
    for op in writes.iter().flat_map(|write| &world.model.groups[*write].ops) {
        let over = rows.entry((op.table.to_owned(), op.id.clone())).or_insert(Over::Amount(0));
        *over = match (*over, &op.meaning) {
            (Over::Amount(sum), Meaning::Add(_, by)) => Over::Amount(sum + by),
            _ => Over::Anything,
        };
    }
    rows
}

/// Wherever it stands, a device shows what the reference makes of the commits it has pulled, with the amounts it has
/// not heard of added; what else is pending is not looked at here (I-08, I-27, I-32).
pub(super) fn of_its_position(world: &mut World, at: usize, position: u64) {
    if !world.server.is_up() || world.devices[at].unsure.is_some() {
        return;
    }
    let Ok(mut history) = world.history() else { return };
    history.commits.retain(|commit| commit.n <= position);
    history.refused.clear();
    // Somebody's app does not know yet that it wrote this: the reference does not either.
    if history.commits.iter().any(|commit| world.model.find(commit.gid).is_none()) {
        return;
    }
    let Some(Ok(groups)) = world.devices[at].with(inspect::groups) else { return };
    let in_fold: Vec<Gid> = groups.into_iter().filter(|(_, state)| state.in_fold()).map(|(gid, _)| gid).collect();
    let pending: BTreeSet<WriteId> = in_fold.iter().filter_map(|gid| world.model.find(*gid)).collect();
    if pending.len() < in_fold.len() {
        return;
    }
    let expected = reference::play(&world.model, &app::rules(), &history, &world.sent);
    compare(world, at, &expected, &touched(world, &pending));
}

/// A device shows exactly the rows the reference asks for, as far as nothing of its own lies over them.
pub(super) fn compare(world: &mut World, at: usize, expected: &Due, over: &BTreeMap<RowKey, Over>) {
    let shown = rows(world, at);
    let version = world.devices[at].version;
    let rules = app::rules();
    let mut wrong = Vec::new();
    for (key, row) in &expected.rows {
        let (table, id) = key;
        let amount = match over.get(key) {
            Some(Over::Anything) => continue,
            Some(Over::Amount(amount)) => *amount,
            None => 0,
        };
        let Some(found) = shown.get(key) else {
            wrong.push(("I-09", format!("{table} {id} is missing, it should be {row:?}")));
            continue;
        };
        for (field, value) in row.iter().filter(|(field, _)| app::has(version, field)) {
            let rule = rules[table.as_str()].fields[field.as_str()];
            let (value, invariant) = match rule {
                Rule::Counter => (value + amount, "I-32"),
                Rule::Lww => (*value, "I-30"),
                Rule::Server | Rule::Client | Rule::Max | Rule::Min => (*value, "I-28"),
            };
            let found = found.get(field);
            if found != Some(&value) {
                wrong.push((invariant, format!("{table} {id} {field} is {found:?}, it should be {value}")));
            }
        }
    }
    for key in shown.keys().filter(|key| !expected.rows.contains_key(*key) && !over.contains_key(*key)) {
        wrong.push(("I-36", format!("{} {} is there, it should not be", key.0, key.1)));
    }
    for (invariant, what) in wrong {
        world.wrong(invariant, format!("device {at}: {what}"));
    }
}

/// Everything a device shows.
fn rows(world: &World, at: usize) -> BTreeMap<RowKey, Shown> {
    let mut all = BTreeMap::new();
    for (table, rule) in app::rules() {
        let version = world.devices[at].version;
        let fields: Vec<&str> = rule.fields.keys().copied().filter(|field| app::has(version, field)).collect();
        let sql = format!("SELECT id, {} FROM {table}", fields.join(", "));
        let Some(Ok(found)) = world.devices[at].with(|store| store.query(&sql, &[])) else { continue };
        for row in found.rows {
            let mut values = row.into_iter();
            let Some(Value::Text(id)) = values.next() else { continue };
            let shown = fields
                .iter()
                .zip(values)
                .filter_map(|(field, value)| Some(((*field).to_owned(), app::number(field, &value)?)))
                .collect();
            all.insert((table.to_owned(), id), shown);
        }
    }
    all
}
