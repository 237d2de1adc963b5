//! Moments worth telling: what happened to single notes where devices met.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;
use turnstone::{Fields, Value};

use super::deal::{Act, Deal, NoteWrite};
use super::stage::DEVICES;
use crate::output::one_line;

/// What happened to one note, in a sentence or two.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Moment {
    /// What kind of meeting it was.
    pub kind: &'static str,
    /// The note.
    pub note: String,
    /// What happened.
    pub story: String,
}

/// The writes to one note, each with its device, in the order they were dealt.
type Writes<'a> = [(usize, &'a NoteWrite)];
/// Finds one kind of moment in the life of a note.
type Teller = fn(&Deal, &str, &Writes<'_>, &Fields) -> Option<Moment>;

/// Picks one moment of each kind, where there is one: the same ones for the same deal.
#[must_use]
pub fn moments(deal: &Deal, rows: &BTreeMap<String, Fields>) -> Vec<Moment> {
    let mut by_note: BTreeMap<&str, Vec<(usize, &NoteWrite)>> = BTreeMap::new();
    for (device, write) in deal.writes() {
        by_note.entry(&write.id).or_default().push((device, write));
    }
    let tellers: [Teller; 4] = [side_by_side, contested, counted, kept];
    let tell = |teller: Teller| {
        let told = by_note.iter().filter_map(|(id, writes)| {
            let moment = teller(deal, id, writes, rows.get(*id)?)?;
            Some((writes.len(), moment))
        });
        told.max_by_key(|(writes, _)| *writes).map(|(_, moment)| moment)
    };
    tellers.into_iter().filter_map(tell).collect()
}

/// Two devices wrote different fields without knowing of each other; both stand.
fn side_by_side(deal: &Deal, id: &str, writes: &Writes<'_>, row: &Fields) -> Option<Moment> {
    let stands = |write: &NoteWrite, name: &str| value(write, name).is_some_and(|value| row.get(name) == Some(value));
    let standing = |write: &NoteWrite| ["title", "tag", "body", "pinned"].into_iter().find(|name| stands(write, name));
    for (a, one) in writes {
        for (b, two) in writes {
            if !deal.ledger.apart(one.number, two.number) {
                continue;
            }
            if let (Some(first), Some(second)) = (standing(one), standing(two))
                && first != second
            {
                let story = format!(
                    "Offline, the {} changed its {first} and the {} its {second}. Both are there: {} and {}.",
                    device(*a),
                    device(*b),
                    shown(row, first),
                    shown(row, second)
                );
                return Some(Moment { kind: "side_by_side", note: title(id, row), story });
            }
        }
    }
    None
}

/// Two devices wrote the same field without knowing of each other; the policy chose.
fn contested(deal: &Deal, id: &str, writes: &Writes<'_>, row: &Fields) -> Option<Moment> {
    for (a, one) in writes {
        for (b, two) in writes {
            for name in ["title", "tag", "body"] {
                let (Some(first), Some(second)) = (value(one, name), value(two, name)) else { continue };
                if deal.ledger.apart(one.number, two.number) && row.get(name) == Some(second) && first != second {
                    let story = format!(
                        "Offline, the {} and the {} both changed its {name}. Everywhere the {}'s stands, {}: \
the later stamp wins, and nobody's clock can cheat.",
                        device(*a),
                        device(*b),
                        device(*b),
                        shown(row, name)
                    );
                    return Some(Moment { kind: "contested", note: title(id, row), story });
                }
            }
        }
    }
    None
}

/// Several devices counted reads.
fn counted(_: &Deal, id: &str, writes: &Writes<'_>, row: &Fields) -> Option<Moment> {
    let mut reads: BTreeMap<usize, i64> = BTreeMap::new();
    for (device, write) in writes.iter().filter(|(_, write)| write.views > 0) {
        *reads.entry(*device).or_default() += write.views;
    }
    if reads.len() < 2 {
        return None;
    }
    let parts: Vec<String> = reads.iter().map(|(at, count)| format!("{count} on the {}", device(*at))).collect();
    let story = format!("It was read {}. The counter says {}.", parts.join(", "), shown(row, "views"));
    Some(Moment { kind: "counted", note: title(id, row), story })
}

/// One device deleted it while another edited it.
fn kept(deal: &Deal, id: &str, writes: &Writes<'_>, row: &Fields) -> Option<Moment> {
    let (by, delete) = writes.iter().rfind(|(_, write)| write.act == Act::Delete)?;
    let apart = |(_, write): &&(usize, &NoteWrite)| deal.ledger.apart(write.number, delete.number);
    let editors: BTreeSet<usize> = writes.iter().filter(apart).map(|(device, _)| *device).collect();
    let editor = editors.first()?;
    let story = format!(
        "The {} deleted it while the {} was editing it offline. The table says `edit_wins`, so it stays, with the edit.",
        device(*by),
        device(*editor)
    );
    Some(Moment { kind: "kept", note: title(id, row), story })
}

fn value<'a>(write: &'a NoteWrite, name: &str) -> Option<&'a Value> {
    match &write.act {
        Act::Set(fields) => fields.get(name),
        _ => None,
    }
}

fn device(number: usize) -> &'static str {
    DEVICES.get(number).map_or("device", |(name, _)| name)
}

fn title(id: &str, row: &Fields) -> String {
    match row.get("title") {
        Some(Value::Text(title)) => one_line(title, 40),
        _ => id.to_owned(),
    }
}

fn shown(row: &Fields, name: &str) -> String {
    match row.get(name) {
        Some(Value::Text(text)) if name == "body" => format!("a body of {} characters", text.chars().count()),
        Some(Value::Text(text)) => format!("“{}”", one_line(text, 40)),
        Some(Value::Bool(pinned)) => (if *pinned { "pinned" } else { "not pinned" }).to_owned(),
        Some(other) => serde_json::to_string(other).unwrap_or_default(),
        None => "nothing".to_owned(),
    }
}
