//! What the judge reads in a server's file, beside it.

use std::cell::RefMut;
use std::collections::{BTreeMap, BTreeSet};

use rusqlite::{Connection, OpenFlags};
use serde::de::IgnoredAny;
use turnstone_protocol::Gid;
use turnstone_protocol::merge::{Stamp, Stamps};
use turnstone_server::service::{Principal, StateHash};

use super::{Server, TENANT};
use crate::app;
use crate::model::{Commit, History, Rank, Ranks, Refused, RowKey};

/// The low 40 bits of a log key are the commit number.
const COMMIT_BITS: i64 = (1 << 40) - 1;

impl Server {
    /// Everything it decided for good.
    pub fn history(&self) -> Result<History, String> {
        let conn = self.look()?;
        let fail = |error: rusqlite::Error| error.to_string();
        let mut log = conn
            .prepare_cached(
                "SELECT at, gid, hlc, ms, d, seq FROM log \
             WHERE at >> 40 = (SELECT t FROM tenants WHERE name = 'family') ORDER BY at",
            )
            .map_err(fail)?;
        let commits = log
            .query_map([], |row| {
                let n = (row.get::<_, i64>(0)? & COMMIT_BITS).cast_unsigned();
                let (hlc, ms) = (row.get::<_, i64>(2)?.cast_unsigned(), row.get::<_, i64>(3)?.cast_unsigned());
                Ok(Commit { n, gid: Gid(row.get(1)?), hlc, ms, ms_most: ms, from: (row.get(4)?, row.get(5)?) })
            })
            .and_then(Iterator::collect)
            .map_err(fail)?;
        let mut gids = conn
            .prepare_cached("SELECT gid, n, d, seq FROM gids WHERE outcome = 4 AND d IS NOT NULL ORDER BY n")
            .map_err(fail)?;
        let refused = gids
            .query_map([], |row| {
                let after = row.get::<_, i64>(1)?.cast_unsigned();
                Ok(Refused { gid: Gid(row.get(0)?), after, from: (row.get(2)?, row.get(3)?) })
            })
            .and_then(Iterator::collect)
            .map_err(fail)?;
        let mut again = conn
            .prepare_cached(
                "SELECT at, d, seq FROM repeated WHERE at >> 40 = (SELECT t FROM tenants WHERE name = 'family')",
            )
            .map_err(fail)?;
        let again = again.query_map([], |row| Ok((row.get::<_, i64>(0)?, (row.get(1)?, row.get(2)?)))).map_err(fail)?;
        let mut repeats: BTreeMap<u64, Vec<(i64, i64)>> = BTreeMap::new();
        for row in again {
            let (at, from) = row.map_err(fail)?;
            repeats.entry((at & COMMIT_BITS).cast_unsigned()).or_default().push(from);
        }
        Ok(History { commits, refused, repeats, words: None })
    }

    /// Every group it has decided for good.
    pub fn decided(&self) -> Result<BTreeSet<Gid>, String> {
        let conn = self.look()?;
        let fail = |error: rusqlite::Error| error.to_string();
        let sql = "SELECT gid FROM gids WHERE outcome IS NULL OR outcome NOT IN (5, 6, 7, 8)";
        let mut found = conn.prepare_cached(sql).map_err(fail)?;
        let gids = found.query_map([], |row| row.get(0).map(Gid)).map_err(fail)?;
        gids.collect::<Result<_, _>>().map_err(fail)
    }

    /// Who stands behind each of its rows, tombstones too.
    pub fn ranks(&self) -> Result<BTreeMap<RowKey, Ranks>, String> {
        let conn = self.look()?;
        let fail = |error: rusqlite::Error| error.to_string();
        let mut rows = conn
            .prepare_cached(
                "SELECT tbl, id, born, gone, stamps, fields FROM rows \
             WHERE t = (SELECT t FROM tenants WHERE name = 'family')",
            )
            .map_err(fail)?;
        let found = rows
            .query_map([], |row| Ok(((row.get(0)?, row.get(1)?), row.get(2)?, row.get(3)?, row.get(4)?, row.get(5)?)));
        let read = |(key, born, gone, stamps, fields): StoredRanks| {
            let stamps = Stamps::from_bytes(&stamps)?;
            let written: BTreeMap<String, IgnoredAny> = serde_json::from_str(&fields).ok()?;
            let gone = match gone {
                Some(bytes) => Some(rank(&Stamp::from_bytes(&bytes)?)),
                None => None,
            };
            let names = written.keys().map(|name| app::stamped(&key.0, name));
            let fields = names.map(|name| (name.to_owned(), rank(&stamps.of(name)))).collect();
            Some((key, Ranks { born: born.cast_unsigned(), create: rank(&stamps.row), fields, gone }))
        };
        let found: Vec<StoredRanks> = found.and_then(Iterator::collect).map_err(fail)?;
        found.into_iter().map(|row| read(row).ok_or_else(|| "a stored row does not read".to_owned())).collect()
    }

    /// The commit at which a group was decided for good.
    pub fn decided_at(&self, gid: Gid) -> Option<u64> {
        let conn = self.look().ok()?;
        let sql = "SELECT n FROM gids WHERE gid = ?1 AND (outcome IS NULL OR outcome NOT IN (5, 6, 7, 8))";
        let at: i64 = conn.prepare_cached(sql).ok()?.query_row([gid.0], |row| row.get(0)).ok()?;
        Some(at.cast_unsigned())
    }

    /// Its last commit.
    pub fn head(&self) -> Option<u64> {
        // While nothing is written to its disk, nothing is committed.
        let steps = self.disk.steps();
        match self.headed.get() {
            Some((read_at, head)) if read_at == steps && self.is_up() => Some(head),
            _ => {
                let head = self.read_head()?;
                self.headed.set(Some((steps, head)));
                Some(head)
            }
        }
    }

    fn read_head(&self) -> Option<u64> {
        let conn = self.look().ok()?;
        let head: i64 = conn
            .prepare_cached("SELECT coalesce(max(n), 0) FROM tenants WHERE name = 'family'")
            .ok()?
            .query_row([], |row| row.get(0))
            .ok()?;
        Some(head.cast_unsigned())
    }

    /// Its state.
    pub fn state_hash(&self) -> Result<StateHash, String> {
        let service = self.service.as_ref().ok_or("the server is down")?;
        let who = Principal { tenant: TENANT.to_owned(), sub: "0-0".to_owned(), device: None };
        service.state_hash(&who).map_err(|problem| problem.title)
    }

    /// Up to which commit it says that history is stable.
    pub fn stable(&self, now_ms: u64) -> u64 {
        let who = Principal { tenant: TENANT.to_owned(), sub: "0-0".to_owned(), device: None };
        let hello = self.service.as_ref().and_then(|service| service.hello(&who, None, now_ms).ok());
        hello.map_or(0, |hello| hello.stable)
    }

    /// A connection of the judge's own, kept while the process lives.
    fn look(&self) -> Result<RefMut<'_, Connection>, String> {
        let mut kept = self.judge.borrow_mut();
        if kept.is_none() {
            *kept = Some(self.connect()?);
        }
        RefMut::filter_map(kept, Option::as_mut).map_err(|_| "no connection".to_owned())
    }

    fn connect(&self) -> Result<Connection, String> {
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        Connection::open_with_flags_and_vfs("/server.db", flags, self.setup.vfs.as_str())
            .map_err(|error| error.to_string())
    }
}

/// A stored row: key, born, gone, stamps, fields.
type StoredRanks = (RowKey, i64, Option<Vec<u8>>, Vec<u8>, String);

fn rank(stamp: &Stamp) -> Rank {
    (stamp.hlc.0, stamp.gid, usize::try_from(stamp.n).unwrap_or(usize::MAX))
}
