//! What the server said about a batch.

use std::borrow::Cow;
use std::collections::{HashMap, HashSet};

use rusqlite::{OptionalExtension, params};
use serde::{Deserialize, Serialize};
use turnstone_engine::oplog::{GroupState, Moment, Settlement, lost_ops, settle};
use turnstone_protocol::plant::{self, Bug};
use turnstone_protocol::wire::{Explain, Outcome, PushAnswer, Run, Verdict};
use turnstone_protocol::{Code, Gid};

use super::letters::{self, Refusal};
use super::log::{Head, Tally};
use super::park::Unblocked;
use super::report::{Sent, VerdictReport};
use super::rows::{Rows, known};
use super::{log, park, position};
use crate::error::Error;
use crate::storage::{Key, SystemTx};

/// What is kept of an accepted group's verdict until the group leaves the fold.
#[derive(Debug, Serialize, Deserialize)]
struct Kept {
    explain: Vec<Explain>,
}

/// Writes what the server said about a batch. Verdicts on anything that was not in it are ignored (I-14).
/// The pull half of the answer is not applied here: that is `apply_page`'s.
pub(crate) fn apply_verdicts(
    sys: &mut SystemTx<'_>,
    answer: &PushAnswer,
    sent: &[Sent],
    now: Moment,
) -> Result<VerdictReport, Error> {
    let mut report = VerdictReport::default();
    match position::epoch(sys)? {
        Some(epoch) if epoch != answer.epoch => {
            report.epoch_changed = true;
            return Ok(report);
        }
        Some(_) => {}
        None => sys.set_meta(Key::Epoch, Some(answer.epoch.as_bytes().as_slice()))?,
    }
    position::heard(sys, answer.now, answer.hlc, now)?;
    let mut tally = Tally::default();
    let incarnation = position::identity(sys)?.incarnation;
    let mine = sent.iter().filter(|sent| sent.incarnation == incarnation);
    let (by_gid, by_seq): (HashMap<Gid, &Sent>, HashMap<u64, &Sent>) =
        mine.map(|sent| ((sent.gid, sent), (sent.seq, sent))).unzip();
    let told = answer.verdicts.iter().filter_map(|verdict| Some((*by_gid.get(&verdict.gid)?, Cow::Borrowed(verdict))));
    let (mut in_runs, mut accepted) = (Vec::new(), (0, 0));
    for run in &answer.applied {
        let done = accepted_run(sys, run, &by_seq, &mut tally)?;
        report.applied += done.len();
        if let Some(more) = run.count.checked_sub(1).filter(|_| !done.is_empty()) {
            note(&mut accepted, run.seq + more, run.commit + more);
        }
        in_runs.extend(applied(run, &by_seq).into_iter().filter(|(sent, _)| !done.contains(&sent.seq)));
    }
    for (sent, verdict) in told.chain(in_runs) {
        if let Some(commit) = verdict.commit.filter(|_| verdict.verdict.is_accepted()) {
            note(&mut accepted, sent.seq, commit);
        }
        if accepted_at_once(sys, sent, &verdict, &mut tally)? {
            count_accepted(&verdict, &mut report);
        } else {
            one(sys, sent, &verdict, now, &mut report)?;
        }
    }
    position::was_told(sys, accepted.0, accepted.1)?;
    tally.write(sys)?;
    log::advance_low(sys)?;
    sys.touched_sync();
    Ok(report)
}

/// Notes the greatest seq and the last commit of what was accepted.
fn note(last: &mut (u64, u64), seq: u64, commit: u64) {
    *last = (last.0.max(seq), last.1.max(commit));
}

/// What a run says of the groups that were sent; of no more groups than were sent, however long it claims to be.
fn applied<'s>(run: &Run, by_seq: &HashMap<u64, &'s Sent>) -> Vec<(&'s Sent, Cow<'static, Verdict>)> {
    let word = |at: u64| {
        let (seq, commit) = (run.seq.checked_add(at)?, run.commit.checked_add(at)?);
        let sent = by_seq.get(&seq)?;
        Some((*sent, Cow::Owned(Verdict::applied(sent.gid, seq, commit))))
    };
    (0..run.count.min(by_seq.len() as u64)).filter_map(word).collect()
}

fn one(
    sys: &mut SystemTx<'_>,
    sent: &Sent,
    verdict: &Verdict,
    now: Moment,
    report: &mut VerdictReport,
) -> Result<(), Error> {
    report.overlaps += verdict.explain.len();
    let Some(head) = log::head(sys, sent.grp)?.filter(|head| head.gid == verdict.gid) else { return Ok(()) };
    match settle(head.state, verdict) {
        Settlement::Nothing => {}
        Settlement::Decided { commit } => {
            count_accepted(verdict, report);
            if head.state.is_void() && has_passed(sys, &head, commit)? {
                accept_passed(sys, &head, verdict, commit, now)?;
            } else {
                accept(sys, &head, verdict, commit)?;
            }
            if head.state.is_void() {
                report.released |= park::release(sys)?;
            }
        }
        Settlement::Gone { commit } => {
            count_accepted(verdict, report);
            accept_passed(sys, &head, verdict, commit, now)?;
            if head.state.is_void() {
                report.released |= park::release(sys)?;
            }
        }
        Settlement::Refused { code } => {
            report.rejected += 1;
            report.refused = Some(code.clone());
            let refusal = Refusal { code: &code, fields: &verdict.fields, at_ms: now.wall_ms };
            report.refused_one(refuse(sys, &head, GroupState::Dead, Some(&refusal))?);
        }
        Settlement::Buried if head.state == GroupState::Held => {
            report.voided += 1;
            log::move_to(sys, &head, GroupState::Parked, None)?;
            report.released |= park::release(sys)?;
        }
        Settlement::Buried => {
            report.voided += 1;
            report.refused_one(refuse(sys, &head, GroupState::Dead, None)?);
        }
        Settlement::Waits { code } => {
            log::note_error(sys, head.grp, &code)?;
            match park::unblock(sys, &head, &verdict.by)? {
                Unblocked::Parked => report.parked += 1,
                Unblocked::Waits | Unblocked::GoesOn => report.waiting += 1,
            }
        }
    }
    Ok(())
}

/// What refusing a group did to others.
pub(super) struct Refused {
    /// How many are held back with it.
    parked: usize,
    /// Whether something goes on that was held back.
    released: bool,
}

impl VerdictReport {
    fn refused_one(&mut self, refused: Refused) {
        self.parked += refused.parked;
        self.released |= refused.released;
    }
}

const fn count_accepted(verdict: &Verdict, report: &mut VerdictReport) {
    match verdict.verdict {
        Outcome::Merged => report.merged += 1,
        _ => report.applied += 1,
    }
}

/// The usual case in one statement: sent, and accepted.
fn accepted_at_once(sys: &SystemTx<'_>, sent: &Sent, verdict: &Verdict, tally: &mut Tally) -> Result<bool, Error> {
    let Some(commit) = verdict.commit else { return Ok(false) };
    if !verdict.verdict.is_accepted() || !verdict.explain.is_empty() || plant::on(Bug::AckEndsFold) {
        return Ok(false);
    }
    let ops: Option<i64> = sys
        .conn()
        .prepare_cached(
            "UPDATE _ts_groups SET state = 2, commit_n = ?3, error = NULL WHERE grp = ?1 AND gid = ?2 AND state = 1 \
             RETURNING ops",
        )?
        .query_row(params![sent.grp, sent.gid.as_bytes(), commit.cast_signed()], |row| row.get(0))
        .optional()?;
    if let Some(ops) = ops {
        tally.settled(ops);
    }
    Ok(ops.is_some())
}

/// The usual case of a run, in one statement. Says which seqs that were: all of them, as a rule. Nothing but what was
/// sent is touched (I-14), so a run that claims more is left to the slow way.
fn accepted_run(
    sys: &SystemTx<'_>,
    run: &Run,
    by_seq: &HashMap<u64, &Sent>,
    tally: &mut Tally,
) -> Result<HashSet<u64>, Error> {
    let mut done = HashSet::new();
    let is_sent = |at: u64| {
        run.seq.checked_add(at).and_then(|seq| by_seq.get(&seq)).is_some_and(|sent| !sent.void)
            && run.commit.checked_add(at).is_some()
    };
    let usual = run.count <= by_seq.len() as u64 && (0..run.count).all(is_sent);
    if !usual || plant::on(Bug::AckEndsFold) {
        return Ok(done);
    }
    let mut update = sys.conn().prepare_cached(
        "UPDATE _ts_groups SET state = 2, commit_n = ?3 + (seq - ?1), error = NULL \
         WHERE seq >= ?1 AND seq < ?1 + ?2 AND state = 1 RETURNING seq, ops",
    )?;
    let mut rows = update.query([run.seq.cast_signed(), run.count.cast_signed(), run.commit.cast_signed()])?;
    while let Some(row) = rows.next()? {
        done.insert(row.get::<_, i64>(0)?.cast_unsigned());
        tally.settled(row.get(1)?);
    }
    Ok(done)
}

/// Accepted; its page has not shown it yet.
fn accept(sys: &mut SystemTx<'_>, head: &Head, verdict: &Verdict, commit: u64) -> Result<(), Error> {
    if head.state.in_fold() {
        log::move_to(sys, head, GroupState::Decided, Some(commit))?;
        return keep_explain(sys, head, verdict);
    }
    // It was given up here, and accepted all the same: it comes back into the fold until its page comes.
    let mut rows = Rows::default();
    letters::withdraw(sys, head.gid, &mut rows)?;
    for op in log::ops(sys, head)? {
        rows.restore(sys, op)?;
    }
    rows.flush(sys)?;
    log::move_to(sys, head, GroupState::Decided, Some(commit))?;
    keep_explain(sys, head, verdict)
}

/// Whether a page has shown the commit of a group that was given up after that: the page named it, or counted its seq.
fn has_passed(sys: &SystemTx<'_>, head: &Head, commit: u64) -> Result<bool, Error> {
    let acked = sys.meta::<i64>(Key::Acked)?.unwrap_or(0).cast_unsigned();
    let at = position::position(sys)?.at;
    Ok(head.commit.is_some() || (head.seq.is_some_and(|seq| seq <= acked) && commit <= at))
}

/// Accepted, and the base contains what became of it.
fn accept_passed(
    sys: &mut SystemTx<'_>,
    head: &Head,
    verdict: &Verdict,
    commit: u64,
    now: Moment,
) -> Result<(), Error> {
    let mut rows = Rows::default();
    take_over(sys, head, &mut rows)?;
    if head.state == GroupState::Voiding {
        letters::withdraw(sys, head.gid, &mut rows)?;
    }
    rows.flush(sys)?;
    log::move_to(sys, head, GroupState::Gone, Some(commit))?;
    keep(sys, head, verdict)?;
    file_lost(sys, head, &verdict.explain, now)
}

/// Takes a group out of the fold, undoing what its base does not contain, and holds back what builds on it.
/// Says how many groups that were. `refusal`: why it becomes a dead letter.
pub(super) fn refuse(
    sys: &mut SystemTx<'_>,
    head: &Head,
    to: GroupState,
    refusal: Option<&Refusal<'_>>,
) -> Result<Refused, Error> {
    let mut released = false;
    let ops = log::ops(sys, head)?;
    let parked = if head.state.in_fold() { park::dependents(sys, head, &ops)? } else { 0 };
    if head.state.in_fold() {
        leave_fold(sys, head)?;
    }
    log::move_to(sys, head, to, None)?;
    if let Some(refusal) = refusal {
        log::note_error(sys, head.grp, refusal.code)?;
        if meant_again(sys, head, &ops, refusal.code)? {
            released = park::release(sys)?;
        } else {
            letters::file_group(sys, head, &ops, refusal)?;
        }
    }
    Ok(Refused { parked, released })
}

/// Whether this is a dead letter that was sent again unchanged, and the first sending was applied after all:
/// what it meant has happened, so there is nothing to keep.
fn meant_again(sys: &SystemTx<'_>, head: &Head, ops: &[crate::storage::LoggedOp], code: &Code) -> Result<bool, Error> {
    let (Some(gid), Code::ReplacedApplied) = (head.replaces, code) else { return Ok(false) };
    // What the log has forgotten, or knows by another name, was meant again as it was.
    let Some(first) = log::head_by_gid(sys, gid)? else { return Ok(true) };
    let earlier = log::ops(sys, &first)?;
    Ok(earlier.len() == ops.len()
        && earlier
            .iter()
            .zip(ops)
            .all(|(a, b)| a.body.kind == b.body.kind && a.body.set == b.body.set && a.body.inc == b.body.inc))
}

/// Takes the ops of a group out of the fold of their rows.
pub(super) fn leave_fold(sys: &mut SystemTx<'_>, head: &Head) -> Result<(), Error> {
    let mut rows = Rows::default();
    take_out(sys, head, &mut rows)?;
    rows.flush(sys)
}

/// Takes the ops of a group out of the fold of rows that are being worked on.
pub(super) fn take_out(sys: &SystemTx<'_>, head: &Head, rows: &mut Rows) -> Result<(), Error> {
    for touch in log::touches(sys, head.first_op, head.ops)? {
        let table = known(sys.schema(), &touch.table)?;
        rows.load(sys, table, &touch.id)?.row.leave(head.grp);
    }
    Ok(())
}

/// The same for a group whose commit the base contains, or what comes; it may have left the fold before.
pub(super) fn take_over(sys: &SystemTx<'_>, head: &Head, rows: &mut Rows) -> Result<(), Error> {
    for op in log::ops(sys, head)? {
        let table = known(sys.schema(), &op.body.table)?;
        rows.load(sys, table, &op.body.id)?.row.contain(head.grp, op.op, &op.body);
    }
    Ok(())
}

fn keep_explain(sys: &SystemTx<'_>, head: &Head, verdict: &Verdict) -> Result<(), Error> {
    if verdict.explain.is_empty() { Ok(()) } else { keep(sys, head, verdict) }
}

/// Keeps a verdict with its group: why it lost, and that it was heard.
fn keep(sys: &SystemTx<'_>, head: &Head, verdict: &Verdict) -> Result<(), Error> {
    let text = serde_json::to_string(&Kept { explain: verdict.explain.clone() })
        .map_err(|_| Error::Internal { what: "a verdict without a JSON text" })?;
    sys.conn()
        .prepare_cached("UPDATE _ts_groups SET verdict = ?2, error = NULL WHERE grp = ?1")?
        .execute(params![head.grp, text])?;
    Ok(())
}

/// Files the ops of a decided group that had no effect, now that it leaves the fold.
pub(super) fn file_kept_lost(sys: &mut SystemTx<'_>, head: &Head, now: Moment) -> Result<(), Error> {
    let Some(text) = &head.verdict else { return Ok(()) };
    let kept: Kept = serde_json::from_str(text).map_err(|_| Error::Corrupt)?;
    file_lost(sys, head, &kept.explain, now)
}

fn file_lost(sys: &mut SystemTx<'_>, head: &Head, explain: &[Explain], now: Moment) -> Result<(), Error> {
    let lost = lost_ops(explain);
    if lost.is_empty() {
        return Ok(());
    }
    let refusal = Refusal { code: &Code::RowDeleted, fields: &[], at_ms: now.wall_ms };
    for op in log::ops(sys, head)? {
        if usize::try_from(op.n).is_ok_and(|n| lost.contains(&n)) {
            letters::file_op(sys, head, &op, &refusal)?;
        }
    }
    Ok(())
}
