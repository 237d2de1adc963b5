//! A page of the feed as text: whole commits in order, bounded in rows and bytes, a commit larger than that in parts.
//!
//! Rows come out of the log as the text they were committed with and go into the page without being parsed: what a
//! page says of a row is exact for its commit even if the row was rewritten since.

use std::fmt::Write as _;

use serde_json::value::RawValue;
use turnstone_protocol::{Gid, hash};

use super::images::write_rows_of_ops;
use crate::cursor::{Cursor, SentParts};
use crate::storage::{LogRow, SlotNo, StorageError, StoredImages, TenantNo, View};

/// What bounds a page, and who asks for it.
pub(super) struct Ask {
    pub(super) slot: Option<SlotNo>,
    /// The asking device in each of its incarnations: it recognises what it sent by the gid.
    pub(super) kin: Vec<SlotNo>,
    /// Whether neighbouring own commits may travel as one.
    pub(super) runs: bool,
    pub(super) rows_max: usize,
    pub(super) bytes_max: usize,
    /// Rows also of commits the device could promote from its own groups.
    pub(super) full: bool,
}

/// A page while it grows.
pub(super) struct Page {
    /// The commits, as the members of a JSON array.
    pub(super) commits: String,
    /// The last commit that is in it whole.
    pub(super) at: u64,
    /// What a cursor holds of that commit's chain hash.
    pub(super) chain: [u8; 8],
    /// How far into the next commit it goes.
    pub(super) part: Option<SentParts>,
    rows: usize,
    count: usize,
    /// Own commits that are not written yet: more may follow.
    run: Option<OwnRun>,
}

/// Neighbouring own commits that took effect as sent.
struct OwnRun {
    n: u64,
    own: u64,
    gids: Vec<Gid>,
}

impl Page {
    /// An empty page that begins where a cursor stands.
    pub(super) fn new(at: u64, chain: [u8; 8], part: Option<SentParts>) -> Self {
        Self { commits: String::new(), at, chain, part, rows: 0, count: 0, run: None }
    }

    /// Fills the page from the log.
    pub(super) fn fill(&mut self, view: &dyn View, tenant: TenantNo, ask: &Ask) -> Result<(), StorageError> {
        view.log(tenant, self.at, &mut |commit| self.add(view, tenant, ask, &commit))?;
        self.end_run();
        Ok(())
    }

    /// Adds a commit, or a part of it; says whether there may be room for another.
    fn add(&mut self, view: &dyn View, tenant: TenantNo, ask: &Ask, commit: &LogRow<'_>) -> Result<bool, StorageError> {
        let own = ask.slot == Some(commit.slot);
        if self.part.is_none() && own && commit.as_sent && !ask.full {
            if self.count >= ask.rows_max.saturating_mul(10) || self.commits.len() >= ask.bytes_max {
                return Ok(false);
            }
            self.add_own(ask, commit);
            return Ok(true);
        }
        self.end_run();
        let count = usize::try_from(commit.count).unwrap_or(usize::MAX);
        match commit.images {
            StoredImages::Parts(of) => {
                let sent = self.part.map_or(0, |part| part.sent);
                self.add_part(ask, commit, SentParts { sent, cut: 0 }, of, |out| {
                    let rows = view.part(tenant, commit.n, sent + 1)?.ok_or(StorageError::BadRecord("part"))?;
                    out.push_str(&rows);
                    Ok(())
                })
            }
            _ if self.part.is_some() || count > ask.rows_max => self.add_cut(ask, commit),
            StoredImages::Inline(rows) => {
                if !self.has_room(ask, count, rows.len()) {
                    return Ok(false);
                }
                self.add_whole(ask, commit, count, |out| {
                    out.push_str(rows);
                    Ok(())
                })
            }
            StoredImages::InOps => {
                if !self.has_room(ask, count, commit.ops.len()) {
                    return Ok(false);
                }
                self.add_whole(ask, commit, count, |out| write_rows_of_ops(out, commit.ops))
            }
        }
    }

    /// Adds a commit the device promotes from its own group, to the run it continues if it may.
    fn add_own(&mut self, ask: &Ask, commit: &LogRow<'_>) {
        let next = |run: &OwnRun| {
            let count = run.gids.len() as u64;
            (run.n + count, run.own + count) == (commit.n, commit.seq)
        };
        if !(ask.runs && self.run.as_ref().is_some_and(next)) {
            self.end_run();
        }
        let run = self.run.get_or_insert_with(|| OwnRun { n: commit.n, own: commit.seq, gids: Vec::new() });
        run.gids.push(commit.gid);
        self.count += 1;
        self.whole(commit);
    }

    /// Writes the run that is open.
    fn end_run(&mut self) {
        let Some(OwnRun { n, own, gids }) = self.run.take() else { return };
        self.comma();
        // Writing to a String cannot fail.
        let _ = match gids.as_slice() {
            [gid] => write!(self.commits, "{{\"n\":{n},\"gid\":\"{gid}\",\"own\":{own},\"as_sent\":true}}"),
            gids => write!(
                self.commits,
                "{{\"n\":{n},\"own\":{own},\"as_sent\":true,\"count\":{},\"gids\":\"{}\"}}",
                gids.len(),
                hash::gids(gids)
            ),
        };
    }

    fn comma(&mut self) {
        if !self.commits.is_empty() {
            self.commits.push(',');
        }
    }

    fn has_room(&self, ask: &Ask, rows: usize, bytes: usize) -> bool {
        let fits = self.rows.saturating_add(rows.max(1)) <= ask.rows_max
            && self.commits.len().saturating_add(bytes) <= ask.bytes_max;
        fits || self.count == 0
    }

    fn add_whole(
        &mut self,
        ask: &Ask,
        commit: &LogRow<'_>,
        rows: usize,
        write: impl FnOnce(&mut String) -> Result<(), StorageError>,
    ) -> Result<bool, StorageError> {
        self.open(ask, commit);
        if rows > 0 {
            self.commits.push_str(",\"rows\":[");
            write(&mut self.commits)?;
            self.commits.push(']');
        }
        self.commits.push('}');
        self.rows = self.rows.saturating_add(rows.max(1));
        self.whole(commit);
        Ok(true)
    }

    /// Adds a part of a commit that fits a page as it was stored, but not the page this device asked for.
    fn add_cut(&mut self, ask: &Ask, commit: &LogRow<'_>) -> Result<bool, StorageError> {
        let mut text = String::from("[");
        match commit.images {
            StoredImages::Inline(rows) => text.push_str(rows),
            _ => write_rows_of_ops(&mut text, commit.ops)?,
        }
        text.push(']');
        let rows: Vec<&RawValue> = serde_json::from_str(&text).map_err(|_| StorageError::BadRecord("row"))?;
        let bad = |_| StorageError::BadRecord("part");
        let before = self.part.unwrap_or(SentParts { sent: 0, cut: u32::try_from(ask.rows_max).map_err(bad)? });
        let cut = usize::try_from(before.cut).map_err(bad)?.max(1);
        let of = u32::try_from(rows.len().div_ceil(cut)).map_err(bad)?;
        let sent = usize::try_from(before.sent).map_err(bad)?;
        self.add_part(ask, commit, before, of, |out| {
            for (at, row) in rows.iter().skip(sent.saturating_mul(cut)).take(cut).enumerate() {
                if at > 0 {
                    out.push(',');
                }
                out.push_str(row.get());
            }
            Ok(())
        })
    }

    /// Adds the part after those that were sent. It has the page for itself.
    fn add_part(
        &mut self,
        ask: &Ask,
        commit: &LogRow<'_>,
        before: SentParts,
        of: u32,
        write: impl FnOnce(&mut String) -> Result<(), StorageError>,
    ) -> Result<bool, StorageError> {
        if self.count > 0 {
            return Ok(false);
        }
        let sent = before.sent.saturating_add(1);
        self.open(ask, commit);
        let _ = write!(self.commits, ",\"part\":{{\"i\":{sent},\"n\":{of}}},\"rows\":[");
        write(&mut self.commits)?;
        self.commits.push_str("]}");
        if sent >= of {
            self.whole(commit);
        } else {
            self.part = Some(SentParts { sent, ..before });
            // It stands inside of this commit, and of no other one with this number.
            self.chain = Cursor::quarter(&commit.chain);
        }
        Ok(false)
    }

    fn open(&mut self, ask: &Ask, commit: &LogRow<'_>) {
        self.comma();
        self.count += 1;
        // Writing to a String cannot fail.
        let _ = write!(self.commits, "{{\"n\":{}", commit.n);
        if ask.kin.contains(&commit.slot) {
            let _ = write!(self.commits, ",\"gid\":\"{}\"", commit.gid);
        }
        if ask.slot == Some(commit.slot) {
            let _ = write!(self.commits, ",\"own\":{}", commit.seq);
        }
    }

    fn whole(&mut self, commit: &LogRow<'_>) {
        self.at = commit.n;
        self.chain = Cursor::quarter(&commit.chain);
        self.part = None;
    }
}
