//! What apps write, and what the world notes of it.

use std::sync::{Arc, Mutex, PoisonError};

use turnstone_protocol::Gid;

use super::World;
use crate::action::Action;
use crate::app;
use crate::device::{Attempt, Expected};
use crate::model::{Meaning, ModelGroup, ModelOp};
use crate::work::Work;

impl World {
    pub(super) fn app(&mut self, action: &Action) {
        let (device, work) = self.plan(action);
        let at = self.device(device);
        if !self.up(at) {
            return;
        }
        if let Some(attempt) = self.devices[at].unsure.take() {
            self.saw("write repeated under its write id");
            self.attempt(at, attempt);
            if self.devices[at].unsure.is_some() || !self.up(at) {
                return;
            }
        }
        if !self.adopt(at) {
            return;
        }
        self.write(at, work.clone());
        if let Work::Create { table: table @ "slots", id, value } = work
            && value % 2 == 1
        {
            self.edit_at_once(at, table, &id, value);
        }
        self.touch(at);
    }

    /// A row that was just made is edited twice: if its create is refused, more than one write builds on it.
    fn edit_at_once(&mut self, at: usize, table: &'static str, id: &str, value: i64) {
        for field in ["a", "b"] {
            if !self.up(at) || self.devices[at].unsure.is_some() {
                return;
            }
            self.saw("row edited at once");
            self.write(at, Work::Set { table, id: id.to_owned(), field, value: value + 1, by_sql: false });
        }
    }

    /// Runs a write for the first time, under a write id of its own.
    pub(super) fn write(&mut self, at: usize, work: Work) {
        self.writes += 1;
        let attempt = Attempt::new(format!("w{}", self.writes), work, self.devices[at].position);
        self.attempt(at, attempt);
    }

    fn plan(&mut self, action: &Action) -> (u8, Work) {
        match *action {
            Action::Create { device, table, value } => {
                // Where creates may be refused, half of them may.
                let table = match usize::from(table) {
                    64..128 if self.whole_rows => app::WHOLE,
                    table => app::TABLES[(table % if self.refusals { 4 } else { 2 }).min(2)],
                };
                let id = match table {
                    "slots" => format!("slot{}", value.rem_euclid(4)),
                    _ if value % 3 == 0 && self.rows.len() > 3 => {
                        let (table, id) = self.row(u16::try_from(value.rem_euclid(997)).unwrap_or(0));
                        return (device, Work::Create { table, id, value });
                    }
                    _ => format!("row{}", self.rows.len()),
                };
                if !self.rows.contains(&(table, id.clone())) {
                    self.rows.push((table, id.clone()));
                }
                (device, Work::Create { table, id, value })
            }
            Action::Set { device, row, field, value, by_sql } => {
                let (table, id) = self.row(row);
                // Registers more often than the others.
                let newest = self.devices[self.device(device)].version == app::VERSIONS;
                let field = match usize::from(field) % 12 {
                    10 | 11 if newest && table != app::WHOLE => app::LATER,
                    at => app::SETTABLE.get(at).copied().unwrap_or("a"),
                };
                (device, Work::Set { table, id, field, value, by_sql })
            }
            Action::Add { device, row, by } => {
                let (table, id) = self.row(row);
                (device, Work::Add { table, id, by })
            }
            Action::Delete { device, row, by_sql } => {
                let (table, id) = self.row(row);
                (device, Work::Delete { table, id, by_sql })
            }
            Action::Pair { device, value } => (device, Work::Pair { value }),
            Action::Settings { device, value } => (device, Work::Settings { value }),
            Action::FailingWrite { device, row } => {
                let (table, id) = self.row(row);
                (device, Work::Failing { table, id, value: i64::from(row), whole: row % 2 == 0 })
            }
            _ => (0, Work::Pair { value: 0 }),
        }
    }

    /// Newer rows more often: many devices then meet in few rows.
    fn row(&self, pick: u16) -> (&'static str, String) {
        let newest = self.rows.len().min(self.hot);
        let from = if pick.is_multiple_of(3) { 0 } else { self.rows.len() - newest };
        let at = from + usize::from(pick / 3) % (self.rows.len() - from);
        self.rows[at].clone()
    }

    /// Runs a write, or runs it again.
    pub fn attempt(&mut self, at: usize, mut attempt: Attempt) {
        let fresh: Arc<Mutex<Option<Vec<ModelOp>>>> = Arc::default();
        let (work, cell) = (attempt.work.clone(), Arc::clone(&fresh));
        let position = self.devices[at].pulled_to().unwrap_or(self.devices[at].position);
        let life = self.devices[at].lives;
        let done = self.devices[at].with(|store| {
            store.write_once(&attempt.write_id, move |tx| {
                let ops = work.perform(tx)?;
                *cell.lock().unwrap_or_else(PoisonError::into_inner) = Some(ops);
                Ok(())
            })
        });
        let Some(done) = done else { return };
        if let Some(ops) = fresh.lock().unwrap_or_else(PoisonError::into_inner).take() {
            (attempt.ops, attempt.position) = (ops, position);
        }
        self.note(done.is_ok().into());
        match done {
            Ok(written) => {
                if written.repeated && attempt.refused_in == Some(life) {
                    self.wrong("I-06", format!("device {at}: a write that failed had been saved"));
                }
                let (ops, position) = (attempt.ops, attempt.position);
                if written.repeated {
                    self.saw("an unsure write had been saved");
                }
                match written.gid {
                    Some(gid) => self.acknowledge(at, gid, ops, position),
                    None if ops.is_empty() => {}
                    None => self.wrong("I-03", format!("device {at}: a write changed rows and made no group")),
                }
            }
            Err(_) if self.devices[at].disk.is_dead() => {
                (attempt.refused_in, attempt.may_be_saved) = (None, true);
                self.devices[at].unsure = Some(attempt);
                self.saw("device died in a write");
                self.bury(at);
            }
            Err(turnstone::Error::RowMissing { .. } | turnstone::Error::Sql { .. }) => {
                self.saw("write failed by itself")
            }
            Err(error) => {
                if error.code() == "corrupt" {
                    self.wrong("I-01", format!("device {at}: the file is damaged"));
                }
                // What failed in an earlier process may be in the log that this one found (docs/reliability.md, known limit).
                attempt.may_be_saved |= attempt.refused_in.is_some_and(|earlier| earlier != life);
                attempt.refused_in = (!attempt.may_be_saved).then_some(life);
                self.devices[at].unsure = Some(attempt);
                self.saw("write failed by the disk");
            }
        }
    }

    pub(super) fn acknowledge(&mut self, at: usize, gid: Gid, ops: Vec<ModelOp>, position: u64) {
        for op in &ops {
            let expected = &mut self.devices[at].expected;
            let mut expect = |field, what| expected.insert((op.table, op.id.clone(), field), (what, gid));
            match &op.meaning {
                Meaning::Create(fields) | Meaning::Set(fields) => {
                    for field in ["a", "b", "v"] {
                        if let Some(value) = fields.get(field) {
                            expect(field, Expected::Value(*value));
                        }
                    }
                    expected.remove(&(op.table, op.id.clone(), ""));
                }
                Meaning::Add(..) => {}
                Meaning::Delete => {
                    for field in ["a", "b", "v"] {
                        expected.remove(&(op.table, op.id.clone(), field));
                    }
                    expected.insert((op.table, op.id.clone(), ""), (Expected::Gone, gid));
                }
            }
        }
        for byte in gid.0.chunks(8) {
            self.note(byte.iter().fold(0, |word, byte| word << 8 | u64::from(*byte)));
        }
        self.mark(at, gid);
        if self.tells {
            eprintln!("             device {at} saved {gid} at {position}: {ops:?}");
        }
        let (line, at_ms) = (self.model.line(at), self.now_ms);
        if ops.is_empty() {
            return self.wrong("I-03", format!("device {at}: a write that changed nothing made a group"));
        }
        let write = self.model.acknowledge(ModelGroup { device: at, gid, ops, position, line, at_ms });
        self.devices[at].undecided.push(write);
    }
}
