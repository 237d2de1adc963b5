//! Applying a page of the feed: stage, plan, write, cursor last (I-20).
//!
//! A row without pending ops is written straight from the page by one prepared statement; first syncs are made of
//! those. Every other row goes through the pure plan. A page is applied only where it was asked for, and a commit
//! at or before the database's position is passed over: duplicates and late answers change nothing (I-23).

mod commit;
mod direct;
mod own;
mod stage;

use std::collections::HashMap;

use turnstone_engine::oplog::{GroupState, Moment};
use turnstone_protocol::Gid;
use turnstone_protocol::plant::{self, Bug};
use turnstone_protocol::wire::{Commit, Consistency, PullAnswer};

use super::log::Tally;
use super::report::{Asked, PageOutcome, PageReport, ResetWhy};
use super::rows::Rows;
use super::{log, park, position, resync, verdicts};
use crate::error::Error;
use crate::storage::{Key, SystemTx};

/// A page being applied.
struct Page {
    /// The rows the plan decides.
    rows: Rows,
    /// The statements for the others.
    direct: direct::Direct,
    /// Whether the last row of the page that was looked at has pending ops.
    met_pending: bool,
    now: Moment,
    /// Groups that were sent under an earlier incarnation: their commits do not come marked as own.
    renewed: HashMap<Gid, i64>,
    /// What may come as a copy's commit; read when the first commit names a gid that is not `own`.
    elsewhere: Option<own::Elsewhere>,
    tally: Tally,
    /// Something that had been given up was applied after all.
    withdrew: bool,
    report: PageReport,
}

/// Applies a page that was asked for at `asked`.
pub(crate) fn apply_page(
    sys: &mut SystemTx<'_>,
    page: &PullAnswer,
    asked: &Asked,
    now: Moment,
) -> Result<PageReport, Error> {
    let mut report = PageReport { outcome: PageOutcome::Applied, rows: 0, settled: 0, applied: 0, released: false };
    let position = position::position(sys)?;
    if position.epoch.is_some_and(|epoch| epoch != page.epoch) {
        report.outcome = PageOutcome::EpochChanged;
        return Ok(report);
    }
    if !asked.is_still(&position::identity(sys)?, &position) {
        report.outcome = PageOutcome::Stale;
        return Ok(report);
    }
    // A feed that is staged begins anew, and one that showed a copy of this device is read again with its rows: both
    // count at their end.
    let staged = resync::staging(sys)? || page.consistency == Consistency::Final;
    if page.at < asked.known && !page.more {
        report.outcome = PageOutcome::EpochSuspect;
        return Ok(report);
    }
    if !names_decided(sys, page, staged, position.at)? || ((!staged || !page.more) && has_forgotten(sys, page, asked)?)
    {
        report.outcome = PageOutcome::EpochSuspect;
        return Ok(report);
    }
    if !staged && !stage::is_whole(sys, page.commits.iter().filter(|commit| commit.n > position.at))? {
        report.outcome = PageOutcome::Torn;
        return Ok(report);
    }
    if plant::on(Bug::CursorBeforeData) {
        sys.set_meta(Key::Cursor, Some(page.cursor.as_str()))?;
        sys.set_meta(Key::AppliedN, Some(page.at.cast_signed()))?;
        sys.conn().execute_batch("COMMIT; BEGIN IMMEDIATE")?;
    }
    if plant::on(Bug::PageKept) {
        let text = serde_json::to_string(page).unwrap_or_default();
        let key = format!("page {} {}", page.at, page.now);
        sys.conn().execute("INSERT OR REPLACE INTO _ts_meta (key, value) VALUES (?1, ?2)", [key, text])?;
    }
    if plant::on(Bug::RowsTakenFirst) {
        for row in page.commits.iter().flat_map(|commit| &commit.rows) {
            if sys.schema().table(&row.table).is_some() {
                let drop = format!("DELETE FROM \"{}\" WHERE id = ?1 AND _p IS NULL", row.table);
                sys.conn().execute(&drop, [&row.id])?;
            }
        }
        sys.conn().execute_batch("COMMIT; BEGIN IMMEDIATE")?;
    }
    // A feed that is only consistent at its end is staged until then, like one that is read again.
    if staged {
        if own::by_a_copy(sys, &page.commits)? {
            return Ok(PageReport { outcome: PageOutcome::Forked, ..report });
        }
        report.rows = resync::take(sys, page)?;
        if !page.more {
            resync::publish(sys, page, now, &mut report)?;
        }
    } else {
        let mut work = Page::begin(sys, now, report)?;
        for commit in page.commits.iter().filter(|commit| commit.n > position.at) {
            if !work.commit(sys, commit)? {
                // A copy of this device pushed under our seqs, and `acked` speaks of its groups (I-08). Under a new
                // incarnation the rest of the page comes again, with its rows.
                report = work.end(sys)?;
                sys.set_meta(Key::AppliedN, Some(commit.n.saturating_sub(1).max(position.at).cast_signed()))?;
                return Ok(PageReport { outcome: PageOutcome::Forked, ..report });
            }
        }
        work.passed(sys, page)?;
        report = work.end(sys)?;
        sys.set_meta(Key::AppliedN, Some(page.at.max(position.at).cast_signed()))?;
    }
    log::advance_low(sys)?;
    position::heard(sys, page.now, page.hlc, now)?;
    sys.set_meta(Key::Stable, Some(page.stable.cast_signed()))?;
    sys.set_meta(Key::Epoch, Some(page.epoch.as_bytes().as_slice()))?;
    sys.set_meta(Key::Cursor, Some(page.cursor.as_str()))?;
    sys.touched_sync();
    Ok(report)
}

/// Whether a server does not know any more what it said: the first seq that it does not call decided was decided, in a
/// commit that the page has passed. It was put back to before that commit, and went on from there another way.
fn has_forgotten(sys: &SystemTx<'_>, page: &PullAnswer, asked: &Asked) -> Result<bool, Error> {
    let Some(head) = page.acked.checked_add(1).map(|seq| log::head_by_seq(sys, seq)).transpose()?.flatten() else {
        return Ok(false);
    };
    if !matches!(head.state, GroupState::Decided | GroupState::Gone) {
        return Ok(false);
    }
    // What an earlier incarnation or a copy of this device sent too is recorded for this one when it is sent again: before
    // this one was told so, a page need not count it.
    let by_a_copy = |commit: &Commit| commit.own.is_none() && commit.gid == Some(head.gid);
    let sent_by_others =
        sys.meta::<i64>(Key::EarlierLives)?.is_some_and(|last| last >= head.grp) || page.commits.iter().any(by_a_copy);
    let counts = !sent_by_others || head.seq.is_some_and(|seq| seq <= asked.told_seq);
    Ok(counts && head.commit.is_some_and(|commit| commit <= page.at))
}

/// Whether a page that goes on from `at`, or a feed that is read from its beginning and ends here, names what it does not call
/// decided and a verdict said is in the commits it covers. One that does not was made in another history, whenever it was
/// asked for: no page is older than a commit that it covers.
fn names_decided(sys: &SystemTx<'_>, page: &PullAnswer, staged: bool, at: u64) -> Result<bool, Error> {
    let from_start = staged && position::resyncing(sys)?;
    if !page.names_own || (staged && (page.more || !from_start)) {
        return Ok(true);
    }
    let at = if from_start { 0 } else { at };
    let next_seq = position::next_seq(sys)?;
    for head in log::between(sys, page.acked.saturating_add(1), next_seq, &[GroupState::Decided])? {
        let Some(n) = head.commit.filter(|n| *n > at && *n <= page.at) else { continue };
        let names = |commit: &Commit| {
            let is_run = commit.count > 1 && commit.own.is_some();
            let covers = n >= commit.n && n - commit.n < commit.count;
            covers && (is_run || commit.gid == Some(head.gid))
        };
        let was_named = staged && resync::named(sys, head.gid)?.is_some();
        if !was_named && !page.commits.iter().any(names) {
            return Ok(false);
        }
    }
    Ok(true)
}

impl Page {
    fn begin(sys: &mut SystemTx<'_>, now: Moment, report: PageReport) -> Result<Self, Error> {
        Ok(Self {
            rows: Rows::default(),
            direct: direct::Direct::begin(sys)?,
            met_pending: false,
            now,
            renewed: renewed(sys)?,
            elsewhere: None,
            tally: Tally::default(),
            withdrew: false,
            report,
        })
    }

    /// What the page has passed without naming it: every commit a verdict told of (rule 10), and everything acked, where own
    /// commits have no names (rule 11).
    fn passed(&mut self, sys: &mut SystemTx<'_>, page: &PullAnswer) -> Result<(), Error> {
        let next_seq = position::next_seq(sys)?;
        let before = sys.meta::<i64>(Key::Acked)?.unwrap_or(0).cast_unsigned();
        let acked = if plant::on(Bug::AckClearsAll) { u64::MAX } else { page.acked };
        let acked = acked.min(next_seq.saturating_sub(1));
        if acked > before {
            // Where own commits have names, what was sent and no page named has changed nothing, or `acked` speaks of what a
            // copy of this device sent: its verdict says which, and is looked for again with the next page.
            let waits_for_name = page.names_own && !plant::on(Bug::AckClearsAll);
            let mut through = acked;
            for head in log::between(sys, before + 1, acked, &[GroupState::Sent, GroupState::Decided])? {
                if waits_for_name && head.state == GroupState::Sent {
                    through = through.min(head.seq.unwrap_or(1).saturating_sub(1));
                } else {
                    self.leave(sys, &head, None)?;
                }
            }
            sys.set_meta(Key::Acked, Some(through.cast_signed()))?;
        }
        for grp in self.renewed.clone().into_values() {
            let Some(head) = log::head(sys, grp)?.filter(|head| head.state == GroupState::Decided) else { continue };
            if head.commit.is_some_and(|commit| commit <= page.at) {
                self.leave(sys, &head, None)?;
            }
        }
        for head in log::between(sys, acked.max(before) + 1, next_seq, &[GroupState::Decided])? {
            if head.commit.is_some_and(|commit| commit <= page.at) {
                self.leave(sys, &head, None)?;
            }
        }
        Ok(())
    }

    fn end(mut self, sys: &mut SystemTx<'_>) -> Result<PageReport, Error> {
        self.rows.flush(sys)?;
        self.tally.write(sys)?;
        if self.withdrew {
            self.report.released |= park::release(sys)?;
        }
        Ok(self.report)
    }
}

/// The undecided groups of earlier incarnations, by gid. Forgets the mark once there are none.
fn renewed(sys: &mut SystemTx<'_>) -> Result<HashMap<Gid, i64>, Error> {
    let Some(last) = sys.meta::<i64>(Key::Renewed)? else { return Ok(HashMap::new()) };
    let heads = log::kept(sys, &own::SENT)?;
    let found = own::by_gid(heads.iter().filter(|head| head.grp <= last));
    if found.is_empty() {
        sys.set_meta::<i64>(Key::Renewed, None)?;
    }
    Ok(found)
}
