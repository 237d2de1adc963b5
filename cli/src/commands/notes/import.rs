//! `notes import`: many notes at once, in groups of a bounded size.

use std::path::PathBuf;

use serde::Serialize;
use turnstone::{Error, Fields, Row, Tx, Value};

use super::TABLE;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::fields;
use crate::global::Global;
use crate::import::{self, Imported};
use crate::opening::SchemaChoice;
use crate::output::Output;

/// The most notes in one group.
const GROUP_NOTES: usize = 250;
/// About the most bytes in one group; well below what every server accepts.
const GROUP_BYTES: usize = 2 << 20;

/// Options of `notes import`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// A folder of Markdown files, or a .jsonl or .jsonl.gz file.
    path: PathBuf,
    /// Read and check everything, and write nothing.
    #[arg(long)]
    dry_run: bool,
}

#[derive(Debug, Default, Serialize)]
struct Report {
    notes: usize,
    added: usize,
    changed: usize,
    unchanged: usize,
    groups: usize,
    dry_run: bool,
}

#[derive(Clone, Copy)]
enum Became {
    Added,
    Changed,
    Unchanged,
}

pub(super) fn run(global: &Global, output: Output, args: &Args) -> Result<Exit, Failure> {
    let notes = import::read(&args.path)?;
    let store = global.open(SchemaChoice::Notes)?;
    check(&store, &notes)?;
    let mut report = Report { notes: notes.len(), dry_run: args.dry_run, ..Report::default() };
    if !args.dry_run {
        let bar = output.progress(notes.len() as u64, "importing");
        for group in groups(notes) {
            let count = group.len() as u64;
            let became =
                store.write(move |tx| group.into_iter().map(|note| put(tx, note)).collect::<Result<Vec<_>, _>>())?;
            for one in became {
                match one {
                    Became::Added => report.added += 1,
                    Became::Changed => report.changed += 1,
                    Became::Unchanged => report.unchanged += 1,
                }
            }
            report.groups += 1;
            bar.inc(count);
        }
        bar.finish_and_clear();
    }
    output.result(&report, || {
        let Report { notes, added, changed, unchanged, .. } = report;
        if args.dry_run {
            return format!("{notes} notes could be imported");
        }
        format!("{notes} notes: {added} added, {changed} changed, {unchanged} as they were")
    })?;
    Ok(Exit::Ok)
}

/// Everything is checked before anything is written.
fn check(store: &turnstone::Store, notes: &[Imported]) -> Result<(), Failure> {
    let schema = store.schema();
    let table = fields::table(&schema, TABLE)?;
    for (at, note) in notes.iter().enumerate() {
        for (name, value) in note.fields() {
            let admitted = table.field(&name).map(|field| field.admit(value));
            if let Some(Err(error)) = admitted {
                return Err(Failure::bad_input(
                    error.code.as_str(),
                    format!("Note {} of the import: the value for {name} does not fit: {}.", at + 1, error.reason),
                    "Nothing was imported; mend the note and import again.",
                ));
            }
        }
    }
    Ok(())
}

fn groups(notes: Vec<Imported>) -> Vec<Vec<Imported>> {
    let mut groups: Vec<Vec<Imported>> = Vec::new();
    let mut bytes = 0;
    for note in notes {
        let size = note.title.len() + note.body.as_ref().map_or(0, String::len);
        match groups.last_mut() {
            Some(group) if group.len() < GROUP_NOTES && bytes + size <= GROUP_BYTES => {
                bytes += size;
                group.push(note);
            }
            _ => {
                bytes = size;
                groups.push(vec![note]);
            }
        }
    }
    groups
}

/// Adds a note, or changes only what differs: an import must not compete with edits it does not change.
fn put(tx: &mut Tx<'_>, note: Imported) -> Result<Became, Error> {
    let fields = note.fields();
    let Some(row) = tx.get(TABLE, &note.id)? else {
        tx.insert_with_id(TABLE, &note.id, fields)?;
        return Ok(Became::Added);
    };
    let set = differing(&row, fields);
    if set.is_empty() {
        return Ok(Became::Unchanged);
    }
    tx.update(TABLE, &note.id, set)?;
    Ok(Became::Changed)
}

fn differing(row: &Row, fields: Fields) -> Fields {
    fields.into_iter().filter(|(name, value)| row.get(name) != Some(value)).collect()
}

impl Imported {
    fn fields(&self) -> Fields {
        let given = [
            ("title", Some(Value::from(self.title.clone()))),
            ("tag", self.tag.clone().map(Value::from)),
            ("body", self.body.clone().map(Value::from)),
            ("pinned", self.pinned.map(Value::from)),
            ("updated_at", self.updated_at_ms.map(Value::from)),
        ];
        given.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?))).collect()
    }
}
