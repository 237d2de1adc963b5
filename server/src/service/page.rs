//! A page of the feed as text: whole commits in order, bounded in rows and bytes, a commit larger than that in parts.
//!
//! Rows come out of the log as the text they were committed with and go into the page without being parsed: what a
//! page says of a row is exact for its commit even if the row was rewritten since.

use std::fmt::Write as _;

use serde_json::value::RawValue;

use super::images::write_rows_of_ops;
use crate::cursor::SentParts;
use crate::storage::{LogRow, SlotNo, StorageError, StoredImages, TenantNo, View};

/// What bounds a page, and who asks for it.
pub(super) struct Ask {
    pub(super) slot: Option<SlotNo>,
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
    /// The first half of that commit's chain hash.
    pub(super) chain: [u8; 16],
    /// How far into the next commit it goes.
    pub(super) part: Option<SentParts>,
    rows: usize,
    count: usize,
}

impl Page {
    /// An empty page that begins where a cursor stands.
    pub(super) fn new(at: u64, chain: [u8; 16], part: Option<SentParts>) -> Self {
        Self { commits: String::new(), at, chain, part, rows: 0, count: 0 }
    }

    /// Fills the page from the log.
    pub(super) fn fill(&mut self, view: &dyn View, tenant: TenantNo, ask: &Ask) -> Result<(), StorageError> {
        view.log(tenant, self.at, &mut |commit| self.add(view, tenant, ask, &commit))
    }

    /// Adds a commit, or a part of it; says whether there may be room for another.
    fn add(&mut self, view: &dyn View, tenant: TenantNo, ask: &Ask, commit: &LogRow<'_>) -> Result<bool, StorageError> {
        let own = ask.slot == Some(commit.slot);
        if self.part.is_none() && own && commit.as_sent && !ask.full {
            if self.count >= ask.rows_max.saturating_mul(10) || self.commits.len() >= ask.bytes_max {
                return Ok(false);
            }
            self.open(commit, own);
            self.commits.push_str(",\"as_sent\":true}");
            self.whole(commit);
            return Ok(true);
        }
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
                self.add_whole(commit, own, count, |out| {
                    out.push_str(rows);
                    Ok(())
                })
            }
            StoredImages::InOps => {
                if !self.has_room(ask, count, commit.ops.len()) {
                    return Ok(false);
                }
                self.add_whole(commit, own, count, |out| write_rows_of_ops(out, commit.n, commit.ops))
            }
        }
    }

    fn has_room(&self, ask: &Ask, rows: usize, bytes: usize) -> bool {
        let fits = self.rows.saturating_add(rows.max(1)) <= ask.rows_max
            && self.commits.len().saturating_add(bytes) <= ask.bytes_max;
        fits || self.count == 0
    }

    fn add_whole(
        &mut self,
        commit: &LogRow<'_>,
        own: bool,
        rows: usize,
        write: impl FnOnce(&mut String) -> Result<(), StorageError>,
    ) -> Result<bool, StorageError> {
        self.open(commit, own);
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
            _ => write_rows_of_ops(&mut text, commit.n, commit.ops)?,
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
        self.open(commit, ask.slot == Some(commit.slot));
        let _ = write!(self.commits, ",\"part\":{{\"i\":{sent},\"n\":{of}}},\"rows\":[");
        write(&mut self.commits)?;
        self.commits.push_str("]}");
        if sent >= of {
            self.whole(commit);
        } else {
            self.part = Some(SentParts { sent, ..before });
        }
        Ok(false)
    }

    fn open(&mut self, commit: &LogRow<'_>, own: bool) {
        if self.count > 0 {
            self.commits.push(',');
        }
        self.count += 1;
        // Writing to a String cannot fail.
        let _ = write!(self.commits, "{{\"n\":{},\"gid\":\"{}\"", commit.n, commit.gid);
        if own {
            let _ = write!(self.commits, ",\"own\":{}", commit.seq);
        }
    }

    fn whole(&mut self, commit: &LogRow<'_>) {
        self.at = commit.n;
        self.chain = commit.chain.first_chunk().copied().unwrap_or_default();
        self.part = None;
    }
}
