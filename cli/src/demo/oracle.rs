//! What must be true at the end, worked out from the deal alone.
//!
//! The oracle shares no code with the merge: it only knows who can have known what ([`super::ledger`]).
//! Every acknowledged edit is accounted for: its value stands, or somebody who had seen it wrote another one,
//! or somebody wrote at the same time and the policy had to choose between the two.

use std::collections::BTreeMap;

use turnstone::{Fields, Value};

use super::deal::{Act, Deal, NoteWrite};
use super::ledger::{Ledger, WriteNo};

/// What must be true of every note.
#[derive(Debug, Clone)]
pub struct Oracle<'a> {
    ledger: &'a Ledger,
    notes: BTreeMap<&'a str, Vec<&'a NoteWrite>>,
}

/// What the oracle found.
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Serialize)]
pub struct Findings {
    /// Notes looked at.
    pub notes: usize,
    /// Notes that had to be there and are.
    pub live: usize,
    /// Notes one device deleted while another edited them, which the delete policy kept.
    pub kept_by_edit: usize,
    /// Counters whose sum was checked.
    pub counters: usize,
    /// Reads counted on all devices.
    pub views: i64,
    /// Field values checked.
    pub values: usize,
    /// Fields that several devices wrote without knowing of each other.
    pub overlaps: usize,
    /// Notes on which such devices wrote different fields, and all of them stand.
    pub side_by_side: usize,
    /// What is wrong, a sentence each, without anything a person wrote.
    pub problems: Vec<String>,
}

/// Whether a note must be there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Presence {
    Must,
    MustNot,
    Either,
}

impl<'a> Oracle<'a> {
    /// Works out what must be true.
    #[must_use]
    pub fn new(deal: &'a Deal) -> Self {
        let mut notes: BTreeMap<&str, Vec<&NoteWrite>> = BTreeMap::new();
        for (_, write) in deal.writes() {
            notes.entry(&write.id).or_default().push(write);
        }
        Self { ledger: &deal.ledger, notes }
    }

    /// Checks the rows of a device: fields by note id.
    #[must_use]
    pub fn check(&self, rows: &BTreeMap<String, Fields>) -> Findings {
        let mut found = Findings { notes: self.notes.len(), ..Findings::default() };
        for id in rows.keys().filter(|id| !self.notes.contains_key(id.as_str())) {
            found.problems.push(format!("note {id} is there and nobody made it"));
        }
        for (id, writes) in &self.notes {
            let presence = self.presence(writes);
            match (presence, rows.get(*id)) {
                (Presence::Must, None) => found.problems.push(format!("note {id} must be there and is not")),
                (Presence::MustNot, Some(_)) => found.problems.push(format!("note {id} was deleted and is there")),
                (_, Some(row)) => {
                    found.live += usize::from(presence == Presence::Must);
                    found.kept_by_edit += usize::from(writes.iter().any(|write| write.act == Act::Delete));
                    self.check_row(id, writes, row, &mut found);
                }
                (_, None) => {}
            }
        }
        found
    }

    fn presence(&self, writes: &[&NoteWrite]) -> Presence {
        // A second life begins only where everything of the first is known, so only the last delete counts.
        let last_turn = writes.iter().rposition(|write| !matches!(write.act, Act::Set(_)));
        let Some(turn) = last_turn.and_then(|at| writes.get(at)) else { return Presence::Either };
        if turn.act != Act::Delete {
            return Presence::Must;
        }
        let others = writes.iter().filter(|write| write.number != turn.number);
        let mut certain = true;
        for other in others {
            if self.ledger.apart(other.number, turn.number) {
                return Presence::Must;
            }
            certain &= self.ledger.saw(turn.number, other.number);
        }
        if certain { Presence::MustNot } else { Presence::Either }
    }

    fn check_row(&self, id: &str, writes: &[&NoteWrite], row: &Fields, found: &mut Findings) {
        let creates = writes.iter().filter(|write| matches!(write.act, Act::Create(_))).count();
        let deletes = writes.iter().filter(|write| write.act == Act::Delete).count();
        if creates != 1 || deletes > 0 {
            // What a second life keeps of the first depends on whether the delete took effect.
            return;
        }
        let views: i64 = writes.iter().map(|write| write.views).sum();
        found.counters += 1;
        found.views += views;
        if row.get("views").map_or(views != 0, |value| *value != Value::Int(views)) {
            found.problems.push(format!("note {id}: views is not the sum of all reads, {views}"));
        }
        let mut by_field: BTreeMap<&str, Vec<(WriteNo, &Value)>> = BTreeMap::new();
        for write in writes {
            if let Act::Create(fields) | Act::Set(fields) = &write.act {
                for (field, value) in fields {
                    by_field.entry(field).or_default().push((write.number, value));
                }
            }
        }
        let problems = found.problems.len();
        for (field, values) in &by_field {
            found.values += 1;
            if *field == "updated_at" {
                check_latest(id, values, row, found);
            } else {
                found.overlaps += usize::from(self.is_contested(values));
                self.check_field(id, field, values, row, found);
            }
        }
        let clean = problems == found.problems.len();
        found.side_by_side += usize::from(clean && self.is_side_by_side(&by_field));
    }

    /// The value must be one that nobody knowingly replaced.
    fn check_field(&self, id: &str, field: &str, values: &[(WriteNo, &Value)], row: &Fields, found: &mut Findings) {
        let replaced = |number: WriteNo| values.iter().any(|(other, _)| self.ledger.saw(*other, number));
        let mut standing = values.iter().filter(|(number, _)| !replaced(*number));
        let shown = row.get(field);
        if !standing.any(|(_, value)| shown == Some(*value)) {
            let what =
                if values.iter().any(|(_, value)| shown == Some(*value)) { "knowingly replaced" } else { "nobody's" };
            found.problems.push(format!("note {id}: {field} shows a value that is {what}"));
        }
    }

    fn is_contested(&self, values: &[(WriteNo, &Value)]) -> bool {
        values.iter().any(|(a, _)| values.iter().any(|(b, _)| a < b && self.ledger.apart(*a, *b)))
    }

    /// Whether two devices wrote different fields without knowing of each other.
    fn is_side_by_side(&self, by_field: &BTreeMap<&str, Vec<(WriteNo, &Value)>>) -> bool {
        let contents: Vec<_> = by_field.iter().filter(|(field, _)| **field != "updated_at").collect();
        contents.iter().any(|(one, a)| {
            contents.iter().any(|(other, b)| {
                one < other && a.iter().any(|(a, _)| b.iter().any(|(b, _)| self.ledger.apart(*a, *b)))
            })
        })
    }
}

fn check_latest(id: &str, values: &[(WriteNo, &Value)], row: &Fields, found: &mut Findings) {
    let int = |value: &Value| if let Value::Int(int) = value { *int } else { i64::MIN };
    let latest = values.iter().map(|(_, value)| int(value)).max();
    if row.get("updated_at").map(int) != latest {
        found.problems.push(format!("note {id}: updated_at is not the latest time anybody wrote"));
    }
}
