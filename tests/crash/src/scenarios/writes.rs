//! The client by itself: writes by API and by SQL, and a schema that grows between them (I-01 to I-06, I-45).

use std::sync::atomic::{AtomicU64, Ordering};

use turnstone::{Clock, Durability, Error, Store, Tx, Value};
use turnstone_vfs::{DiskImage, Mount};

use super::client::{self, GROWN, NOW_MS, PATH, SCHEMA};
use crate::dump;
use crate::scenario::{Failure, Scenario, Session};

/// The action that brings the database to the grown schema.
const GROWS_AT: usize = 5;
const ACTIONS: usize = 10;

static NEXT_LIFE: AtomicU64 = AtomicU64::new(1);

/// Local writes.
#[derive(Debug, Clone)]
pub struct Writes {
    /// What an acknowledged write is to survive.
    pub durability: Durability,
    /// Varies sizes and values.
    pub seed: u64,
}

impl Scenario for Writes {
    fn name(&self) -> &'static str {
        match self.durability {
            Durability::Power => "client writes",
            Durability::Process => "client writes, Process",
        }
    }

    fn start(&self) -> Result<Vec<DiskImage>, Failure> {
        Ok(vec![DiskImage::new()])
    }

    fn durable(&self) -> bool {
        self.durability == Durability::Power
    }

    fn actions(&self) -> usize {
        ACTIONS
    }

    fn atomic(&self, i: usize) -> bool {
        i != GROWS_AT
    }

    fn open<'a>(&self, machines: &'a [Mount]) -> Result<Box<dyn Session + 'a>, Failure> {
        let machine = machines.first().ok_or_else(|| Failure::unexpected("no machine"))?;
        let mut running = Running { machine, scenario: self.clone(), clock: Clock::manual(NOW_MS), store: None };
        running.reopen(client::has_grown(machine)?)?;
        Ok(Box::new(running))
    }

    fn dump(&self, victim: &Mount) -> Result<String, Failure> {
        dump::dump(victim, PATH, &["_ts_sessions"])
    }
}

struct Running<'a> {
    machine: &'a Mount,
    scenario: Writes,
    clock: Clock,
    /// The store, and whether it has the grown schema.
    store: Option<(Store, bool)>,
}

impl Running<'_> {
    fn reopen(&mut self, grown: bool) -> Result<(), Failure> {
        if let Some((store, _)) = self.store.take() {
            // It is closed whatever it says; what it says may be the fault.
            let _ = store.close();
        }
        let life = NEXT_LIFE.fetch_add(1, Ordering::Relaxed);
        let schema = if grown { GROWN } else { SCHEMA };
        let store = client::open(self.machine, schema, self.scenario.durability, (&self.clock, life))?;
        self.store = Some((store, grown));
        Ok(())
    }

    fn store(&mut self) -> Result<&(Store, bool), Failure> {
        if self.store.is_none() {
            self.reopen(client::has_grown(self.machine)?)?;
        }
        self.store.as_ref().ok_or_else(|| Failure::unexpected("no store"))
    }
}

impl Session for Running<'_> {
    fn act(&mut self, i: usize) -> Result<(), Failure> {
        self.clock.advance_ms(1_000);
        if i >= GROWS_AT && !self.store()?.1 {
            self.reopen(true)?;
        }
        let seed = self.scenario.seed;
        let (store, _) = self.store()?;
        if i % 4 == 3 {
            store.checkpoint().map_err(client::failure)?;
        }
        store.write_once(&format!("write {i}"), move |tx| write(tx, i, seed)).map_err(client::failure)?;
        Ok(())
    }

    fn see(&mut self) -> Result<String, Failure> {
        let (store, grown) = self.store()?;
        let rows = client::rows(store, *grown)?;
        let status = store.status().map_err(client::failure)?;
        Ok(format!("{rows}{} groups, {} ops", status.pending_groups, status.pending_ops))
    }

    fn settle(&mut self) -> Result<(), Failure> {
        client::whole(&self.store()?.0)
    }
}

/// What transaction `i` writes: API and SQL in turns, each over several rows.
fn write(tx: &mut Tx<'_>, i: usize, seed: u64) -> Result<(), Error> {
    let text = |n: usize| "text ".repeat((seed as usize * 31 + i * 17 + n * 7) % 300);
    let id = |n: usize| format!("n{i}-{n}");
    match i {
        0 | 5 => {
            for n in 0..6 {
                tx.insert_with_id("notes", &id(n), [("title", Value::from(id(n))), ("body", Value::from(text(n)))])?;
            }
        }
        1 => {
            tx.execute("UPDATE notes SET title = title || '!' WHERE id <> 'n0-1'", &[])?;
        }
        2 => {
            tx.increment("notes", "n0-0", "views", 3)?;
            tx.increment("notes", "n0-0", "views", 4)?;
            tx.update("notes", "n0-2", [("best", 7i64)])?;
            tx.delete("notes", "n0-1")?;
        }
        3 => {
            let sql = "INSERT INTO notes (id, title, body) SELECT 'copy-' || id, title, body FROM notes";
            tx.execute(sql, &[])?;
            tx.execute("DELETE FROM notes WHERE id = 'n0-3'", &[])?;
        }
        4 => {
            tx.insert_with_id("drafts", "d", [("text", text(0))])?;
            tx.upsert("notes", "n0-4", [("body", text(1))])?;
            tx.upsert("notes", "upserted", [("body", text(2))])?;
        }
        6 => {
            tx.execute("UPDATE notes SET pinned = 1, views = views + 2 WHERE id LIKE 'copy-%'", &[])?;
            tx.insert_with_id("tags", "t", [("name", "new table")])?;
        }
        7 => {
            let sql = "INSERT OR REPLACE INTO notes (id, title, body) VALUES ('n0-0', 'replaced', ?1)";
            tx.execute(sql, &[Value::from(text(3))])?;
        }
        8 => {
            for n in 0..40 {
                tx.insert_with_id("notes", &id(n), [("title", id(n)), ("body", text(n))])?;
            }
        }
        _ => {
            tx.execute("DELETE FROM notes WHERE id LIKE 'n8-%'", &[])?;
            tx.update("notes", "n0-5", [("title", "last")])?;
        }
    }
    Ok(())
}
