//! A new life on the wire: the same groups, under new seqs.

use rusqlite::params;
use turnstone_engine::oplog::GroupState;
use turnstone_protocol::plant::{self, Bug};
use turnstone_protocol::{Gid, Incarnation, limits};

use super::{after, letters, log, position, seal};
use crate::error::Error;
use crate::storage::{Key, SystemTx, states};

/// Takes a new incarnation: everything sealed and undecided is sent again under it, from seq 1, with the same gids,
/// stamps and payload hashes. The server knows most of them by gid and repeats its verdicts.
pub(crate) fn new_incarnation(sys: &mut SystemTx<'_>, incarnation: Incarnation) -> Result<(), Error> {
    let kept = plant::on(Bug::IdentityKept).then(|| position::identity(sys)).transpose()?;
    let incarnation = kept.map_or(incarnation, |identity| identity.incarnation);
    let conn = sys.conn();
    let low = log::low(sys)?;
    let newest: Option<i64> = conn.query_row("SELECT max(grp) FROM _ts_groups", [], |row| row.get(0))?;
    let mut found = conn.prepare(&format!(
        "SELECT grp, first_op, ops, after FROM _ts_groups WHERE grp >= ?1 AND ({} >> state) & 1 ORDER BY grp",
        *states::RESENT
    ))?;
    let rows = found.query_map([low], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?)))?;
    let undecided: Vec<(i64, i64, i64, Option<String>)> = rows.collect::<Result<_, _>>()?;
    // A seq names a group of the present incarnation, or none.
    conn.execute("UPDATE _ts_groups SET seq = NULL WHERE seq IS NOT NULL", [])?;
    let mut seq: u64 = 0;
    for (grp, first_op, ops, after) in undecided {
        seq += 1;
        let after = with_decided(sys, first_op, ops, after)?;
        conn.prepare_cached("UPDATE _ts_groups SET seq = ?2, after = ?3 WHERE grp = ?1")?.execute(params![
            grp,
            seq.cast_signed(),
            after
        ])?;
    }
    sys.set_meta(Key::Incarnation, Some(incarnation.as_bytes().as_slice()))?;
    sys.set_meta(Key::NextSeq, Some((seq + 1).cast_signed()))?;
    sys.set_meta(Key::Acked, Some(0))?;
    sys.set_meta::<i64>(Key::ToldSeq, None)?;
    sys.set_meta(Key::Renewed, newest)?;
    sys.set_meta(Key::EarlierLives, newest)?;
    sys.touched_sync();
    Ok(())
}

/// Adds what the old incarnation decided and the op had not pulled: it is in the op's past by being named.
fn with_decided(sys: &SystemTx<'_>, first_op: i64, ops: i64, after: Option<String>) -> Result<Option<String>, Error> {
    let mut gids: Vec<Gid> = match &after {
        Some(text) => serde_json::from_str(text).map_err(|_| Error::Corrupt)?,
        None => Vec::new(),
    };
    let room = limits::GIDS_MAX.saturating_sub(gids.len());
    for gid in after::decided(sys, first_op, ops, room)? {
        if !gids.contains(&gid) {
            gids.push(gid);
        }
    }
    Ok((!gids.is_empty()).then(|| seal::after_text(&gids)))
}

/// Makes what was sent from `expected` on sendable again: the server has forgotten it. False, and nothing changed:
/// the log no longer holds all of it.
pub(crate) fn rewind(sys: &mut SystemTx<'_>, expected: u64) -> Result<bool, Error> {
    let next = position::next_seq(sys)?;
    let held: i64 = sys
        .conn()
        .prepare_cached("SELECT count(DISTINCT seq) FROM _ts_groups WHERE seq IS NOT NULL AND seq >= ?1 AND seq < ?2")?
        .query_row([expected.cast_signed(), next.cast_signed()], |row| row.get(0))?;
    if expected == 0 || expected > next || held.cast_unsigned() != next - expected {
        return Ok(false);
    }
    let heads = log::between(sys, expected, next, &DECIDED)?;
    send_again(sys, &heads)?;
    sys.set_meta(Key::OutOfOrder, Some(1))?;
    Ok(true)
}

const DECIDED: [GroupState; 4] = [GroupState::Decided, GroupState::Gone, GroupState::Dead, GroupState::Parked];

/// Makes everything the log holds sendable again. The caller takes a new incarnation next, which gives it its seqs.
pub(super) fn send_all_again(sys: &mut SystemTx<'_>) -> Result<(), Error> {
    let heads = log::kept(sys, &DECIDED)?;
    send_again(sys, &heads)
}

fn send_again(sys: &mut SystemTx<'_>, heads: &[log::Head]) -> Result<(), Error> {
    for head in heads {
        let to = match head.state {
            // Still folded: as if its verdict had not been heard.
            GroupState::Decided => GroupState::Sent,
            // The base contains it, as far as this device knows.
            GroupState::Gone => GroupState::Unheard,
            // It was never sent.
            _ if head.attempts == 0 => continue,
            // It is held back: its void is to be confirmed once more.
            GroupState::Parked => GroupState::Held,
            // It was refused; the server must not change its mind on a group whose letter a person has seen.
            _ => GroupState::Voiding,
        };
        log::move_to(sys, head, to, None)?;
        log::lower_low(sys, head.grp)?;
        // It is to be decided anew: what an earlier verdict said of it does not hold any more.
        sys.conn()
            .prepare_cached("UPDATE _ts_groups SET commit_n = NULL, verdict = NULL WHERE grp = ?1")?
            .execute([head.grp])?;
        letters::withdraw_ops(sys, head)?;
    }
    Ok(())
}
