//! The door: what client and server both check before an op counts.

use std::collections::BTreeMap;

use super::row::Refusal;
use crate::catalogue::Code;
use crate::hash::from_hex;
use crate::limits::{FIELDS_MAX, ID_BYTES_MAX, WAS_BYTES_MAX};
use crate::op::{Op, OpKind};
use crate::schema::{Policy, RowMerge, Table, admit_unknown, is_name};
use crate::value::{Fields, Value};

/// Checks an op against its table and gives its values their types.
///
/// Fields the table does not know keep their wire form: the server of an older app version, or
/// a device of one, passes them on untouched. Amounts on such fields cannot be added up, so they
/// wait for a newer schema (`unknown_field`).
///
/// # Errors
/// [`Refusal`] naming every field with the first fault found: `local_only_table`, `invalid_id`,
/// `invalid_value`, `too_large`, `missing_field`, `unknown_field`.
pub fn admit_op(table: &Table, mut op: Op, value_bytes_max: usize) -> Result<Op, Refusal> {
    if table.local_only {
        return Err(Refusal::of(Code::LocalOnlyTable));
    }
    check_id(&op.id)?;
    let faults = shape_faults(table, &op);
    refuse_all(table, Code::InvalidValue, faults)?;
    op.set = admit_values(table, op.set, value_bytes_max)?;
    check_amounts(table, &op)?;
    check_was(table, &op)?;
    check_required(table, &op)?;
    Ok(op)
}

/// Whether a text may be a row id: not empty, without NUL, at most `ID_BYTES_MAX` bytes.
///
/// # Errors
/// [`Refusal`] with code `invalid_id`.
pub fn check_id(id: &str) -> Result<(), Refusal> {
    if id.is_empty() || id.len() > ID_BYTES_MAX || id.contains('\0') {
        return Err(Refusal::of(Code::InvalidId));
    }
    Ok(())
}

fn refuse_all(table: &Table, code: Code, names: Vec<String>) -> Result<(), Refusal> {
    if names.is_empty() {
        return Ok(());
    }
    let fields = names.iter().map(|name| format!("{}.{name}", table.name)).collect();
    Err(Refusal { code, fields })
}

/// Members that do not belong to the op's kind or table, whatever their values.
fn shape_faults(table: &Table, op: &Op) -> Vec<String> {
    let names = || op.set.keys().chain(op.inc.keys()).chain(op.was.keys()).chain(op.was_hash.keys());
    if op.set.len() > FIELDS_MAX || op.inc.len() > FIELDS_MAX || op.was.len() + op.was_hash.len() > FIELDS_MAX {
        return vec!["*".to_owned()];
    }
    let is_counter = |name: &str| table.field(name).is_some_and(|field| field.merge == Policy::Counter);
    let misplaced = |name: &&String| {
        // Names are shown in reports, so one of no possible field is not repeated there.
        (op.kind == OpKind::Delete && (op.set.contains_key(*name) || op.inc.contains_key(*name)))
            || (op.set.contains_key(*name) && is_counter(name))
            || (op.inc.contains_key(*name) && table.field(name).is_some() && !is_counter(name))
    };
    if names().any(|name| !is_name(name)) {
        return vec!["*".to_owned()];
    }
    let mut faults: Vec<String> = names().filter(misplaced).cloned().collect();
    faults.sort();
    faults.dedup();
    faults
}

fn admit_values(table: &Table, set: Fields, bytes_max: usize) -> Result<Fields, Refusal> {
    let mut admitted = Fields::new();
    let mut faults: BTreeMap<&'static str, (Code, Vec<String>)> = BTreeMap::new();
    for (name, value) in set {
        let typed = match table.field(&name) {
            Some(field) => field.admit_within(value, bytes_max),
            None => admit_unknown(value, bytes_max),
        };
        match typed {
            Ok(value) => {
                admitted.insert(name, value);
            }
            Err(error) => {
                let key = if error.code == Code::TooLarge { "too_large" } else { "invalid_value" };
                faults.entry(key).or_insert_with(|| (error.code, Vec::new())).1.push(name);
            }
        }
    }
    match faults.into_values().next() {
        None => Ok(admitted),
        Some((code, names)) => refuse_all(table, code, names).map(|()| admitted),
    }
}

fn check_amounts(table: &Table, op: &Op) -> Result<(), Refusal> {
    let unknown = op.inc.keys().filter(|name| table.field(name).is_none()).cloned().collect();
    refuse_all(table, Code::UnknownField, unknown)
}

fn check_was(table: &Table, op: &Op) -> Result<(), Refusal> {
    let large = |(_, value): &(&String, &Value)| value.byte_len() > WAS_BYTES_MAX;
    let faults = op.was.iter().filter(large).map(|(name, _)| name.clone());
    let bad_hash = op.was_hash.iter().filter(|(_, hash)| from_hex(hash).is_none()).map(|(name, _)| name.clone());
    refuse_all(table, Code::InvalidValue, faults.chain(bad_hash).collect())
}

/// A create gives every required field; where whole rows compete, so does an update.
fn check_required(table: &Table, op: &Op) -> Result<(), Refusal> {
    let whole = op.kind == OpKind::Create || (op.kind == OpKind::Update && table.merge == RowMerge::Lww);
    if !whole {
        return Ok(());
    }
    let missing = table.required().filter(|name| !op.set.contains_key(*name)).map(str::to_owned).collect();
    refuse_all(table, Code::MissingField, missing)
}
