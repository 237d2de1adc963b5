//! Writes with a key of the app's own: done once, however often they are asked for (I-04).

use rusqlite::{OptionalExtension, params};
use turnstone_protocol::Gid;
use turnstone_protocol::limits::ID_BYTES_MAX;
use turnstone_protocol::plant::{self, Bug};

use super::database::Written;
use super::tx::Tx;
use crate::error::Error;

const INSERT: &str = "INSERT INTO _ts_write_ids (write_id, gid, grp, result) VALUES (?1, ?2, ?3, ?4)";
const AGAIN: &str = "UPDATE _ts_write_ids SET gid = ?2, grp = ?3, result = ?4 WHERE write_id = ?1";

/// Checks that a text may be a write id.
pub(super) fn check(write_id: &str) -> Result<&str, Error> {
    let reason = match write_id {
        "" => "it is empty",
        id if id.len() > ID_BYTES_MAX => "it is longer than 256 bytes",
        id if id.contains('\0') => "it holds a NUL character",
        id => return Ok(id),
    };
    Err(Error::InvalidWriteId { reason })
}

impl Tx<'_> {
    /// Runs the closure unless the key was used before, and writes the key down with what it made.
    pub(super) fn once(
        &mut self,
        write_id: &str,
        work: impl FnOnce(&mut Self) -> Result<(), Error>,
    ) -> Result<Written, Error> {
        let before: Option<(Option<Vec<u8>>, Option<String>)> = self
            .conn
            .prepare_cached("SELECT gid, result FROM _ts_write_ids WHERE write_id = ?1")?
            .query_row([write_id], |row| Ok((row.get(0)?, row.get(1)?)))
            .optional()?;
        if let Some((gid, result)) = before.filter(|_| !plant::on(Bug::WriteIdForgotten)) {
            let gid = gid.map(|bytes| Gid::from_slice(&bytes).map_err(|_| Error::Corrupt)).transpose()?;
            return Ok(Written { gid, repeated: true, result });
        }
        if plant::on(Bug::KeyBeforeOps) {
            self.conn.execute("INSERT INTO _ts_write_ids (write_id) VALUES (?1)", [write_id])?;
            self.conn.execute_batch("COMMIT; BEGIN IMMEDIATE")?;
        }
        work(self)?;
        self.alive()?;
        self.flush()?;
        let (gid, result) = (self.draft.gid, self.result.take());
        let bytes = gid.as_ref().map(|gid| gid.as_bytes().as_slice());
        self.conn.prepare_cached(if plant::on(Bug::KeyBeforeOps) { AGAIN } else { INSERT })?.execute(params![
            write_id,
            bytes,
            gid.map(|_| self.draft.grp()),
            result
        ])?;
        Ok(Written { gid, repeated: false, result })
    }
}
