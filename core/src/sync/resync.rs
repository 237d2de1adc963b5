//! Reading the feed again from its beginning: after the cursor was lost, or the server's history changed.
//!
//! What arrives is staged, and replaces the base in one transaction at the end. Until then every row stays as it is:
//! no row goes back in time, and none is missing in between (I-08). At the end, rows the feed did not name are
//! removed (set difference); pending ops stay and are folded over what is there then.
//! The pages of a server that promises consistency only at the end of a pull are staged in the same way, without
//! the set difference.

use rusqlite::{OptionalExtension, params};
use turnstone_engine::oplog::{GroupState, Moment};
use turnstone_protocol::Gid;
use turnstone_protocol::plant::{self, Bug};
use turnstone_protocol::wire::PullAnswer;

use super::report::{PageReport, ResetWhy};
use super::rows::{Rows, fitting, from_text, known, to_text};
use super::{incarnation, letters, log, park, position, verdicts};
use crate::error::Error;
use crate::storage::{Key, SystemTx};

/// Where a group's ops may be folded and the server may have decided it.
const FOLDED: [GroupState; 3] = [GroupState::Sent, GroupState::Decided, GroupState::Held];
/// Where a group was given up, and a server that was put back may have taken it after all.
const GIVEN_UP: [GroupState; 2] = [GroupState::Voiding, GroupState::Dead];

/// Starts again from the beginning of the feed. After a change of history, everything the log still holds is made
/// sendable again first: the server repeats its verdict where it knows the gid, and applies what it forgot.
pub(crate) fn reset_cursor(sys: &mut SystemTx<'_>, why: ResetWhy) -> Result<(), Error> {
    sys.conn().execute("DELETE FROM _ts_stage", [])?;
    sys.conn().execute("DELETE FROM _ts_resync", [])?;
    sys.set_meta::<String>(Key::Cursor, None)?;
    sys.set_meta(Key::FullPull, Some(1))?;
    if let ResetWhy::History { epoch, incarnation } = why {
        sys.set_meta(Key::Epoch, epoch.map(|epoch| epoch.as_bytes().to_vec()))?;
        // A commit number of the old history says nothing about the new one: new rows claim to have seen nothing.
        sys.set_meta(Key::AppliedN, Some(0))?;
        sys.set_meta::<i64>(Key::ToldN, None)?;
        sys.set_meta(Key::Stable, Some(0))?;
        if !plant::on(Bug::ForgottenNotResent) {
            incarnation::send_all_again(sys)?;
        }
        incarnation::new_incarnation(sys, incarnation)?;
    }
    sys.touched_sync();
    Ok(())
}

/// Whether pages are being staged.
pub(super) fn staging(sys: &SystemTx<'_>) -> Result<bool, Error> {
    Ok(sys.conn().prepare_cached("SELECT EXISTS (SELECT 1 FROM _ts_resync)")?.query_row([], |row| row.get(0))?
        || position::resyncing(sys)?)
}

/// Stages a page: the latest image of each row, and the own groups it shows.
pub(super) fn take(sys: &SystemTx<'_>, page: &PullAnswer) -> Result<usize, Error> {
    let mut put = sys.conn().prepare_cached(
        "INSERT INTO _ts_resync (tbl, row_id, v, gone, image) VALUES (?1, ?2, ?3, ?4, ?5) ON CONFLICT (tbl, row_id) \
         DO UPDATE SET v = excluded.v, gone = excluded.gone, image = excluded.image WHERE v <= excluded.v",
    )?;
    let mut rows = 0;
    for commit in &page.commits {
        // The table without a name holds the groups the feed has shown.
        if let Some(gid) = commit.gid {
            put.execute(params!["", gid.to_string(), commit.n.cast_signed(), commit.as_sent, None::<String>])?;
        }
        for row in &commit.rows {
            let image = if row.gone.is_some() { None } else { Some(to_text(&row.fields)?) };
            put.execute(params![row.table, row.id, commit.n.cast_signed(), row.gone.is_some(), image])?;
            rows += 1;
        }
    }
    Ok(rows)
}

/// Publishes what was staged, at the end of the feed.
pub(super) fn publish(
    sys: &mut SystemTx<'_>,
    page: &PullAnswer,
    now: Moment,
    report: &mut PageReport,
) -> Result<(), Error> {
    let from_start = position::resyncing(sys)?;
    let mut rows = Rows::default();
    let let_go = settle_groups(sys, page, now, &mut rows, report)?;
    let withdrew = withdraw_named(sys, &mut rows)? || let_go;
    if from_start {
        show_forgotten(sys, page, &mut rows)?;
    }
    let conn = sys.conn();
    if from_start {
        conn.execute("DELETE FROM _ts_unknown", [])?;
    }
    let mut staged =
        conn.prepare("SELECT tbl, row_id, v, gone, image FROM _ts_resync WHERE tbl <> '' ORDER BY tbl, row_id")?;
    let mut found = staged.query([])?;
    while let Some(row) = found.next()? {
        let (name, id, v): (String, String, i64) = (row.get(0)?, row.get(1)?, row.get(2)?);
        let (gone, image): (bool, Option<String>) = (row.get(3)?, row.get(4)?);
        let Some(table) = sys.schema().table(&name).filter(|table| !table.local_only) else {
            put_unknown(sys, &name, &id, v, image.filter(|_| !gone).as_deref())?;
            continue;
        };
        let fields = image.map(|text| from_text(table, &text).map(|fields| fitting(table, fields))).transpose()?;
        rows.change(sys, table, &id, |row| row.replace(v.cast_unsigned(), fields))?;
    }
    if from_start {
        for (table, id) in unnamed(sys)? {
            let table = known(sys.schema(), &table)?;
            rows.change(sys, table, &id, |row| row.replace(page.at, None))?;
        }
    }
    rows.flush(sys)?;
    conn.execute("DELETE FROM _ts_resync", [])?;
    sys.set_meta::<i64>(Key::FullPull, None)?;
    sys.set_meta(Key::AppliedN, Some(page.at.cast_signed()))?;
    if withdrew {
        report.released |= park::release(sys)?;
    }
    Ok(())
}

fn put_unknown(sys: &SystemTx<'_>, table: &str, id: &str, v: i64, image: Option<&str>) -> Result<(), Error> {
    let text = match image {
        Some(_) => "INSERT OR REPLACE INTO _ts_unknown (tbl, row_id, v, image) VALUES (?1, ?2, ?3, ?4)",
        None => "DELETE FROM _ts_unknown WHERE tbl = ?1 AND row_id = ?2 AND v < ?3 AND ?4 IS NULL",
    };
    sys.conn().prepare_cached(text)?.execute(params![table, id, v, image])?;
    Ok(())
}

/// Own groups the feed contains leave the fold, with the rows that now come from it. Says whether what was held back for one
/// of them may go on.
fn settle_groups(
    sys: &mut SystemTx<'_>,
    page: &PullAnswer,
    now: Moment,
    rows: &mut Rows,
    report: &mut PageReport,
) -> Result<bool, Error> {
    let mut let_go = false;
    let acked = page.acked.min(position::next_seq(sys)?.saturating_sub(1));
    for head in log::kept(sys, &[&FOLDED[..], &GIVEN_UP].concat())? {
        let named = named(sys, head.gid)?;
        let passed = head.commit.is_some_and(|commit| commit <= page.at && head.state == GroupState::Decided);
        let only_named = page.names_own || head.state == GroupState::Held || GIVEN_UP.contains(&head.state);
        let decided = passed || !only_named && head.seq.is_some_and(|seq| seq <= acked);
        if named.is_none() && !decided {
            continue;
        }
        for op in log::ops(sys, &head)? {
            let table = known(sys.schema(), &op.body.table)?;
            let loaded = rows.load(sys, table, &op.body.id)?;
            match named {
                Some((commit, true)) => loaded.row.promote(commit, table, op.op, &op.body),
                _ if named.is_some() || passed => loaded.row.contain(head.grp, op.op, &op.body),
                _ => loaded.row.leave(head.grp),
            }
        }
        let to = if matches!(named, Some((_, true))) {
            report.applied += usize::from(head.state.is_pending());
            GroupState::Gone
        } else if head.state == GroupState::Decided {
            verdicts::file_kept_lost(sys, &head, now)?;
            GroupState::Gone
        } else if GIVEN_UP.contains(&head.state) {
            log::given_up_but_applied(sys, &head)?
        } else {
            GroupState::Unheard
        };
        log::move_to(sys, &head, to, named.map(|(commit, _)| commit))?;
        let_go |= head.state == GroupState::Held;
        report.released |= to == GroupState::Unheard && head.state != GroupState::Sent;
        report.settled += 1;
    }
    sys.set_meta(Key::Acked, Some(acked.cast_signed()))?;
    Ok(let_go)
}

/// What the feed contains, and had been refused or given up before: the server that refused it was put back, and took it
/// then, from a copy of this device if not from here. The log may have forgotten it; its letter has not. Says whether
/// there was any.
fn withdraw_named(sys: &mut SystemTx<'_>, rows: &mut Rows) -> Result<bool, Error> {
    let mut withdrew = false;
    for gid in letters::given_up(sys)? {
        if named(sys, gid)?.is_some() {
            letters::withdraw(sys, gid, rows)?;
            withdrew = true;
        }
    }
    Ok(withdrew)
}

/// Own groups that were applied once and that the feed does not contain go back over the base that comes: the server
/// forgot them, they are pending again, and what is pending shows (I-08, I-40).
fn show_forgotten(sys: &mut SystemTx<'_>, page: &PullAnswer, rows: &mut Rows) -> Result<(), Error> {
    for head in log::kept(sys, &[GroupState::Unheard, GroupState::Gone])? {
        let to = match (head.state, head.commit) {
            (GroupState::Unheard, _) if head.seq.is_some_and(|seq| seq > page.acked) => GroupState::Sent,
            // It was given back while the feed was read.
            (GroupState::Gone, Some(commit)) if commit > page.at => GroupState::Decided,
            _ => continue,
        };
        if named(sys, head.gid)?.is_some() {
            continue;
        }
        for op in log::ops(sys, &head)? {
            rows.restore(sys, op)?;
        }
        log::move_to(sys, &head, to, None)?;
    }
    Ok(())
}

/// The commit the feed shows of a group, and whether it came without rows (`as_sent`).
pub(super) fn named(sys: &SystemTx<'_>, gid: Gid) -> Result<Option<(u64, bool)>, Error> {
    let mut found = sys.conn().prepare_cached("SELECT v, gone FROM _ts_resync WHERE tbl = '' AND row_id = ?1")?;
    let named = found.query_row([gid.to_string()], |row| Ok((row.get::<_, i64>(0)?.cast_unsigned(), row.get(1)?)));
    Ok(named.optional()?)
}

/// The rows this device has and the feed did not name.
fn unnamed(sys: &SystemTx<'_>) -> Result<Vec<(String, String)>, Error> {
    let mut missing = Vec::new();
    for table in sys.schema().tables.values().filter(|table| !table.local_only) {
        let text = format!(
            "SELECT id FROM \"{0}\" WHERE id NOT IN (SELECT row_id FROM _ts_resync WHERE tbl = '{0}') \
             UNION SELECT row_id FROM _ts_absent WHERE tbl = '{0}' \
             AND row_id NOT IN (SELECT row_id FROM _ts_resync WHERE tbl = '{0}')",
            table.name
        );
        let mut found = sys.conn().prepare(&text)?;
        for id in found.query_map([], |row| row.get::<_, String>(0))? {
            missing.push((table.name.clone(), id?));
        }
    }
    Ok(missing)
}
