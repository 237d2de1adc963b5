//! A pull over one snapshot: the cursor checked, the page filled, `acked` exact for its end.

use std::fmt::Write as _;

use turnstone_protocol::Problem;
use turnstone_protocol::hash::CHAIN_START;
use turnstone_protocol::plant::{self, Bug};

use super::answers::PullText;
use super::open::Rules;
use super::page::{Ask, Page};
use super::position::{check_cursor, expired, stable};
use crate::cursor::{Cursor, Holder};
use crate::storage::{Head, Life, StorageError, TenantNo, View, runs};

/// A pull, read.
pub(super) struct Pull<'a> {
    pub(super) holder: Holder<'a>,
    pub(super) life: Life,
    pub(super) cursor: Option<Cursor>,
    pub(super) limit: usize,
    pub(super) full: bool,
    pub(super) runs: bool,
    pub(super) now_ms: u64,
}

impl Pull<'_> {
    /// Answers the pull. The inner problem is what is wrong with the cursor.
    pub(super) fn run(&self, view: &dyn View, rules: &Rules) -> Result<Result<PullText, Problem>, StorageError> {
        // A tenant that never wrote has an empty history; no pull makes one.
        let (tenant, head) = view.tenant(self.holder.tenant)?.unwrap_or((TenantNo(0), Head::default()));
        if let Some(cursor) = &self.cursor {
            if let Err(problem) = check_cursor(view, rules, tenant, &head, cursor)? {
                return Ok(Err(problem));
            }
        } else if head.horizon > 0 {
            return Ok(Err(expired()));
        }
        let slot = view.slot(tenant, self.life)?.map(|slot| slot.no);
        let ask = Ask {
            slot,
            kin: view.slots(tenant, self.life.device)?,
            runs: self.runs,
            rows_max: self.limit.clamp(1, rules.limits.page_rows_max),
            bytes_max: rules.limits.page_bytes_max,
            full: self.full,
        };
        let start = self.cursor.unwrap_or_else(|| Cursor::at(rules.epoch, 0, &CHAIN_START));
        let mut page = Page::new(start.n, start.chain, start.part);
        if start.n < head.n {
            page.fill(view, tenant, &ask)?;
        }
        if plant::on(Bug::CommitSkipped) && page.part.is_none() {
            (page.at, page.chain) = (head.n, Cursor::quarter(&head.chain));
        }
        let acked = match slot {
            Some(slot) => {
                let tail = view.run_at(slot, u64::MAX)?;
                let end = if plant::on(Bug::AckedAtHead) { head.n } else { page.at };
                runs::acked(tail, end, |seq| view.run_at(slot, seq))?
            }
            None => 0,
        };
        let stable = stable(view, tenant, &head, self.now_ms, rules.stable_after_ms)?;
        let end = Cursor { n: page.at, chain: page.chain, part: page.part, ..start };
        let cursor = match rules.cursors.seal(self.holder, &end) {
            Ok(cursor) => cursor,
            Err(problem) => return Ok(Err(problem)),
        };
        let mut json = page.commits;
        json.insert_str(0, &format!("{{\"epoch\":\"{}\",\"commits\":[", rules.epoch));
        // Writing to a String cannot fail.
        let _ = write!(
            json,
            "],\"cursor\":\"{cursor}\",\"at\":{},\"more\":{},\"acked\":{acked},\"names_own\":true,\"stable\":{stable},\"hlc\":\"{}\",\"now\":{}}}",
            end.n,
            end.n < head.n,
            head.hlc,
            self.now_ms,
        );
        Ok(Ok(PullText { json }))
    }
}
