//! Sealing: what is sent is frozen in a committed transaction before its first byte leaves (rule 12).

use std::collections::HashSet;
use std::fmt::Write as _;
use std::sync::LazyLock;

use rusqlite::{Row as SqlRow, params};
use sha2::{Digest, Sha256};
use turnstone_engine::oplog::{GroupState, Moment, Room, Stamper};
use turnstone_protocol::plant::{self, Bug};
use turnstone_protocol::{Gid, Hlc, Incarnation, canonical, limits};

use super::after::{Earlier, Written};
use super::report::{Batch, Identity, SealInput, SealedGroup, Sent};
use super::{log, park, position};
use crate::error::Error;
use crate::storage::{Key, SystemTx, states};

/// What sealing and sending read of a group.
struct Candidate {
    grp: i64,
    gid: Gid,
    state: GroupState,
    first_op: i64,
    ops: i64,
    bytes: usize,
    written: Moment,
    floor: Hlc,
    schema: u32,
    app: Option<String>,
    seq: Option<u64>,
    hlc: Option<Hlc>,
    after: Option<String>,
    replaces: Option<Gid>,
}

static CANDIDATES: LazyLock<String> = LazyLock::new(|| candidates_by("grp"));
/// The same where local order is not that of the seqs.
static BY_SEQ: LazyLock<String> = LazyLock::new(|| candidates_by("seq IS NULL, seq, grp"));

fn candidates_by(order: &str) -> String {
    format!(
        "SELECT grp, gid, state, first_op, ops, bytes, wall, boot, boot_ms, hlc_floor, schema, app, seq, hlc, after, \
         replaces FROM _ts_groups \
         WHERE grp >= ?1 AND ({} >> state) & 1 AND (seq IS NULL OR seq > ?2) ORDER BY {order} LIMIT ?3",
        *states::SENDABLE
    )
}

/// Bytes an entry has beside its ops: ids, stamps, member names.
const ENVELOPE_BYTES: usize = 256;
/// Bytes of a gid in `after`.
const GID_BYTES: usize = 35;

/// Takes the next entries in seq order and seals those that are new. The caller commits before the first byte leaves.
///
/// What was sealed before keeps its seq, its stamp and its bytes. What is new gets the next seq in local order.
pub(crate) fn seal_batch(sys: &mut SystemTx<'_>, input: &SealInput) -> Result<Batch, Error> {
    let only: Option<HashSet<Gid>> = input.only.as_ref().map(|gids| gids.iter().copied().collect());
    let mut room = Room::new(input.groups_max, input.bytes_max);
    let mut batch = Batch::default();
    let mut sealer = Sealer::begin(sys, input.now)?;
    let had_lives = sys.meta::<i64>(Key::EarlierLives)?.is_some();
    let out_of_order = sys.meta::<i64>(Key::OutOfOrder)?.is_some();
    let mut from = log::low(sys)?;
    'batch: loop {
        let listed =
            if out_of_order { by_seq(sys, from, input)? } else { candidates(sys, from, input, only.is_some())? };
        let next = listed.last().filter(|_| !out_of_order && listed.len() > input.groups_max).map(|last| last.grp + 1);
        for candidate in listed {
            if only.as_ref().is_some_and(|only| !only.contains(&candidate.gid)) {
                continue;
            }
            if waits_for_void(sys, &candidate)? {
                batch.waits = true;
                break 'batch;
            }
            let mut after = Earlier::of(candidate.grp, had_lives);
            let bodies = match candidate.state {
                GroupState::New => bodies(sys, &candidate, |op| after.note(sys, op))?,
                state if state.is_void() => String::new(),
                _ => bodies(sys, &candidate, |_| Ok(()))?,
            };
            // Written after what it builds on was held back: it waits with that.
            if after.beside_held && park::hold_new(sys, candidate.grp)? {
                continue;
            }
            let gids = after.gids();
            let expected = ENVELOPE_BYTES + candidate.bytes + gids.len() * GID_BYTES;
            if gids.len() > limits::GIDS_MAX || !room.take(expected) {
                batch.more = true;
                break 'batch;
            }
            let entry = sealer.entry(sys, candidate, &gids, &bodies)?;
            batch.bytes += entry.body.len();
            batch.groups.push(entry);
        }
        // Only where some were held back does a full list not fill the batch.
        match next {
            Some(next) => from = next,
            None => break,
        }
    }
    sealer.end(sys)?;
    Ok(batch)
}

/// Whether a new group takes the place of one whose end is not known yet. It is sent once that is: the server must
/// never apply both, nor a third that takes the place of the second. What comes after it keeps its order and waits
/// for that one answer too.
fn waits_for_void(sys: &SystemTx<'_>, candidate: &Candidate) -> Result<bool, Error> {
    let mut earlier = candidate.replaces.filter(|_| candidate.state == GroupState::New);
    while let Some(gid) = earlier {
        let Some(head) = log::head_by_gid(sys, gid)? else { return Ok(false) };
        if head.state.is_void() {
            return Ok(true);
        }
        earlier = head.replaces;
    }
    Ok(false)
}

/// The groups from `from` on that may be sent, in local order.
fn candidates(sys: &SystemTx<'_>, from: i64, input: &SealInput, all: bool) -> Result<Vec<Candidate>, Error> {
    // One more than fits tells whether there is more.
    let most = if all { -1 } else { i64::try_from(input.groups_max).unwrap_or(i64::MAX).saturating_add(1) };
    let after_seq = if all { 0 } else { input.after_seq };
    let mut found = sys.conn().prepare_cached(&CANDIDATES)?;
    let rows = found.query_map(params![from, after_seq.cast_signed(), most], read)?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// The same in the order of their seqs, new ones last. What went on after it was held back stands before what was sealed
/// meanwhile: all of them are sorted, until nothing is out of order any more.
fn by_seq(sys: &mut SystemTx<'_>, from: i64, input: &SealInput) -> Result<Vec<Candidate>, Error> {
    let mut found = sys.conn().prepare_cached(&BY_SEQ)?;
    let rows = found.query_map(params![from, 0, -1], read)?;
    let mut all: Vec<Candidate> = rows.collect::<Result<_, _>>()?;
    if all.is_sorted_by_key(|candidate| candidate.grp) {
        sys.set_meta::<i64>(Key::OutOfOrder, None)?;
    }
    let after_seq = if input.only.is_some() { 0 } else { input.after_seq };
    all.retain(|candidate| candidate.seq.is_none_or(|seq| seq > after_seq));
    Ok(all)
}

/// Gives out seqs and stamps.
struct Sealer {
    stamper: Stamper,
    incarnation: Incarnation,
    next_seq: u64,
    sealed: bool,
}

impl Sealer {
    fn begin(sys: &SystemTx<'_>, now: Moment) -> Result<Self, Error> {
        let stamper = Stamper { anchor: position::anchor(sys)?, last: position::last_hlc(sys)?, now };
        let Identity { incarnation, next_seq, .. } = position::identity(sys)?;
        Ok(Self { stamper, incarnation, next_seq, sealed: false })
    }

    fn entry(
        &mut self,
        sys: &SystemTx<'_>,
        mut group: Candidate,
        after: &[Gid],
        bodies: &str,
    ) -> Result<SealedGroup, Error> {
        if group.state == GroupState::New {
            self.seal(sys, &mut group, after, bodies)?;
        } else {
            if plant::on(Bug::SealedAgain) {
                group.hlc = Some(self.stamper.stamp(group.written, group.floor));
            }
            sys.conn()
                .prepare_cached("UPDATE _ts_groups SET attempts = attempts + 1 WHERE grp = ?1")?
                .execute([group.grp])?;
        }
        let seq = group.seq.ok_or(Error::Corrupt)?;
        let void = group.state.is_void();
        let body = if void { compose_void(&group) } else { compose(&group, bodies) };
        let sent = Sent { gid: group.gid, seq, incarnation: self.incarnation, grp: group.grp, void };
        Ok(SealedGroup { sent, body })
    }

    fn seal(&mut self, sys: &SystemTx<'_>, group: &mut Candidate, after: &[Gid], bodies: &str) -> Result<(), Error> {
        if plant::on(Bug::BaseDroppedWhenSent) {
            let text = "DELETE FROM _ts_base WHERE (tbl, row_id) IN (SELECT tbl, row_id FROM _ts_ops WHERE grp = ?1)";
            sys.conn().prepare_cached(text)?.execute([group.grp])?;
        }
        let hlc = self.stamper.stamp(group.written, group.floor);
        group.seq = Some(self.next_seq);
        group.hlc = Some(hlc);
        group.after = (!after.is_empty()).then(|| after_text(after));
        self.next_seq += 1;
        self.sealed = true;
        sys.conn()
            .prepare_cached(
                "UPDATE _ts_groups SET state = 1, seq = ?2, hlc = ?3, hash = ?4, after = ?5, attempts = attempts + 1 \
                 WHERE grp = ?1",
            )?
            .execute(params![
                group.grp,
                group.seq.map(u64::cast_signed),
                hlc.0.cast_signed(),
                payload_hash(hlc, group.schema, bodies).as_slice(),
                group.after
            ])?;
        Ok(())
    }

    fn end(self, sys: &mut SystemTx<'_>) -> Result<(), Error> {
        if self.sealed {
            sys.set_meta(Key::NextSeq, Some(self.next_seq.cast_signed()))?;
            sys.set_meta(Key::LastHlc, Some(self.stamper.last.0.cast_signed()))?;
            sys.touched_sync();
        }
        Ok(())
    }
}

/// The frozen bodies of a group's ops, as the members of a JSON list; `note` sees each on the way.
fn bodies(
    sys: &SystemTx<'_>,
    group: &Candidate,
    mut note: impl FnMut(Written<'_>) -> Result<(), Error>,
) -> Result<String, Error> {
    let mut out = String::with_capacity(group.bytes + usize::try_from(group.ops).unwrap_or(0));
    let mut found =
        sys.conn().prepare_cached("SELECT body, prev, tbl FROM _ts_ops WHERE op >= ?1 AND op < ?2 ORDER BY op")?;
    let mut rows = found.query([group.first_op, group.first_op + group.ops])?;
    let mut count = 0;
    while let Some(row) = rows.next()? {
        if count > 0 {
            out.push(',');
        }
        let text = |at: usize| row.get_ref(at)?.as_str().map_err(|_| Error::Corrupt);
        let body = text(0)?;
        out.push_str(body);
        note(Written { prev: row.get(1)?, table: text(2)?, body })?;
        count += 1;
    }
    if count == group.ops { Ok(out) } else { Err(Error::Corrupt) }
}

/// The payload hash (rule 12): over canonical ops, stamp and schema version, and nothing about transport.
/// The bodies in the log are canonical text already.
fn payload_hash(hlc: Hlc, schema: u32, bodies: &str) -> [u8; 32] {
    let mut hash = Sha256::new();
    hash.update(format!(r#"{{"hlc":"{hlc}","ops":["#));
    hash.update(bodies);
    hash.update(format!(r#"],"schema":{schema}}}"#));
    hash.finalize().into()
}

/// The entry as it travels, from frozen parts only: every resend is the same text.
fn compose(group: &Candidate, bodies: &str) -> String {
    let mut out = String::with_capacity(bodies.len() + ENVELOPE_BYTES);
    let hlc = group.hlc.unwrap_or_default();
    // Writing to a String cannot fail.
    let _ = write!(
        out,
        r#"{{"gid":"{}","seq":{},"hlc":"{hlc}","schema":{}"#,
        group.gid,
        group.seq.unwrap_or(0),
        group.schema
    );
    if let Some(app) = &group.app {
        out.push_str(r#","app":"#);
        canonical::write_string(&mut out, app);
    }
    if let Some(after) = &group.after {
        out.push_str(r#","after":"#);
        out.push_str(after);
    }
    if let Some(gid) = group.replaces {
        let _ = write!(out, r#","replaces":"{gid}""#);
    }
    out.push_str(r#","ops":["#);
    out.push_str(bodies);
    out.push_str("]}");
    out
}

/// What gives a group up, and says what that would have taken the place of.
fn compose_void(group: &Candidate) -> String {
    let replaces = group.replaces.map_or_else(String::new, |gid| format!(r#","replaces":"{gid}""#));
    format!(r#"{{"seq":{},"void":"{}"{replaces}}}"#, group.seq.unwrap_or(0), group.gid)
}

/// A list of gids as JSON text.
pub(super) fn after_text(after: &[Gid]) -> String {
    let list: Vec<String> = after.iter().map(|gid| format!("\"{gid}\"")).collect();
    format!("[{}]", list.join(","))
}

fn read(row: &SqlRow<'_>) -> rusqlite::Result<Candidate> {
    let boot_id = row.get_ref(7)?.as_blob()?;
    Ok(Candidate {
        grp: row.get(0)?,
        gid: log::read_gid(row, 1)?,
        state: log::read_state(row, 2)?,
        first_op: row.get(3)?,
        ops: row.get(4)?,
        bytes: usize::try_from(row.get::<_, i64>(5)?).unwrap_or(0),
        written: Moment {
            wall_ms: row.get::<_, i64>(6)?.cast_unsigned(),
            boot_id: <[u8; 16]>::try_from(boot_id).unwrap_or_default(),
            boot_ms: row.get::<_, i64>(8)?.cast_unsigned(),
        },
        floor: Hlc(row.get::<_, i64>(9)?.cast_unsigned()),
        schema: row.get(10)?,
        app: row.get(11)?,
        seq: row.get::<_, Option<i64>>(12)?.map(i64::cast_unsigned),
        hlc: row.get::<_, Option<i64>>(13)?.map(|hlc| Hlc(hlc.cast_unsigned())),
        after: row.get(14)?,
        replaces: row.get_ref(15)?.as_blob_or_null()?.and_then(|bytes| Gid::from_slice(bytes).ok()),
    })
}
