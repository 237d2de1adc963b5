//! Making a database and bringing it to a grown schema, with rows and pending ops in it. Whatever the accident
//! (I-44, I-45): afterwards the file is the one that an undisturbed run makes, table by table, internal ones too.

use turnstone::{Clock, Durability, Error, Tx, Value};
use turnstone_server::Service;
use turnstone_vfs::{DiskImage, Mount};

use super::client::{self, GROWN, NOW_MS, SCHEMA};
use super::server;
use crate::dump;
use crate::scenario::{Failure, Scenario, Session};

/// Action 0 makes it, the next ones write; then it grows, and is written again.
const ACTIONS: usize = 8;
const GROWS_AT: usize = 5;

/// Whose database.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Whose {
    /// The device's.
    Client,
    /// The server's.
    Server,
}

/// A database that is made and grows.
#[derive(Debug, Clone)]
pub struct Migration {
    /// Whose.
    pub whose: Whose,
    /// Varies sizes and values.
    pub seed: u64,
}

impl Scenario for Migration {
    fn name(&self) -> &'static str {
        match self.whose {
            Whose::Client => "migration, client",
            Whose::Server => "migration, server",
        }
    }

    fn start(&self) -> Result<Vec<DiskImage>, Failure> {
        Ok(vec![DiskImage::new()])
    }

    fn outlives_sync_errors(&self) -> bool {
        false
    }

    fn actions(&self) -> usize {
        ACTIONS
    }

    /// Making and growing are several transactions. And what is seen here is the file as the next life finds it, where
    /// a commit of the server that failed at its last sync may stand all the same; its own handles hide it.
    fn atomic(&self, i: usize) -> bool {
        self.whose == Whose::Client && !matches!(i, 0 | GROWS_AT)
    }

    /// Opens nothing: opening is what is tested, and it is an action.
    fn open<'a>(&self, machines: &'a [Mount]) -> Result<Box<dyn Session + 'a>, Failure> {
        let machine = machines.first().ok_or_else(|| Failure::unexpected("no machine"))?;
        Ok(Box::new(Running { machine, scenario: self.clone(), service: None }))
    }

    fn dump(&self, victim: &Mount) -> Result<String, Failure> {
        match self.whose {
            Whose::Client => dump::dump(victim, client::PATH, &["_ts_sessions"]),
            Whose::Server => dump::dump(victim, server::PATH, &[]),
        }
    }
}

struct Running<'a> {
    machine: &'a Mount,
    scenario: Migration,
    /// The server, which lives from one growth to the next; a client lives for one action.
    service: Option<Service>,
}

impl Running<'_> {
    /// Each action is a life of its own, and the same life however often it is tried: so even the ids are equal.
    fn client(&self, i: usize) -> Result<(), Failure> {
        let seed = self.scenario.seed;
        let schema = if i < GROWS_AT { SCHEMA } else { GROWN };
        let times = (&Clock::manual(NOW_MS + i as u64 * 1_000), seed.wrapping_mul(64).wrapping_add(i as u64));
        let store = client::open(self.machine, schema, Durability::Power, times)?;
        let done = match i {
            0 | GROWS_AT => Ok(()),
            _ => store.write_once(&format!("write {i}"), move |tx| write(tx, i, seed)).map(drop),
        };
        // It is closed whatever it says; what it says may be the fault.
        let _ = store.close();
        done.map_err(client::failure)
    }

    fn server(&mut self, i: usize) -> Result<(), Failure> {
        if i == GROWS_AT {
            self.service = None;
        }
        let schema = if i < GROWS_AT { server::SCHEMA } else { server::GROWN };
        let service = match self.service.take() {
            Some(service) => service,
            None => server::open(self.machine, schema)?,
        };
        let service = self.service.insert(service);
        if !matches!(i, 0 | GROWS_AT) {
            // The pushes are numbered without the actions that open.
            server::push(service, if i < GROWS_AT { i - 1 } else { i - 2 }, self.scenario.seed)?;
        }
        Ok(())
    }
}

impl Session for Running<'_> {
    fn act(&mut self, i: usize) -> Result<(), Failure> {
        match self.scenario.whose {
            Whose::Client => self.client(i),
            Whose::Server => self.server(i),
        }
    }

    /// The file as it stands, without a step on the disk that meets the accidents.
    fn see(&mut self) -> Result<String, Failure> {
        let files = self.machine.disk().snapshot();
        match self.scenario.whose {
            Whose::Client => {
                // How often it was opened, and what hangs on that.
                let lives = ["_ts_sessions", "_ts_ops", "_ts_meta/schema_cookie"];
                let ops = ("_ts_ops", "op, grp, n, tbl, row_id, prev, body, undo, gid, hlc_floor");
                dump::image(&files, client::PATH, &lives, Some(ops))
            }
            Whose::Server => dump::image(&files, server::PATH, &[], None),
        }
    }
}

/// A row of each kind, by API and by SQL; after the growth, in what has grown.
fn write(tx: &mut Tx<'_>, i: usize, seed: u64) -> Result<(), Error> {
    for n in 0..5 {
        let id = format!("n{i}-{n}");
        let body = "text ".repeat((seed as usize * 31 + i * 17 + n * 97) % 500);
        tx.insert_with_id("notes", &id, [("title", Value::from(id.clone())), ("body", Value::from(body))])?;
    }
    tx.execute("UPDATE notes SET views = views + 1 WHERE id LIKE 'n1-%'", &[])?;
    tx.delete("notes", &format!("n{i}-1"))?;
    if i > GROWS_AT {
        tx.execute("UPDATE notes SET pinned = 1 WHERE id LIKE '%-0'", &[])?;
        tx.insert_with_id("tags", &format!("t{i}"), [("name", "new table")])?;
    } else {
        tx.insert_with_id("drafts", &format!("d{i}"), [("text", "kept here")])?;
    }
    Ok(())
}
