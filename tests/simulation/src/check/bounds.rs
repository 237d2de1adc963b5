//! Nothing grows without bound: what is under way, what is kept, what a file needs.

use std::collections::BTreeMap;

use turnstone::Value;
use turnstone::testing::inspect;
use turnstone_engine::oplog::GroupState;
use turnstone_protocol::Gid;
use turnstone_protocol::limits::WAS_BYTES_MAX;

use crate::app;
use crate::network::Packet;
use crate::world::World;

/// How many requests a handle waits for at once: its greeting, a push, a page.
const UNDER_WAY_MAX: usize = 3;

/// Every table of a device's file that grows.
const KEPT: [&str; 13] = [
    "notes",
    "todos",
    "slots",
    app::WHOLE,
    "pairs",
    "_ts_ops",
    "_ts_groups",
    "_ts_write_ids",
    "_ts_dead",
    "_ts_sessions",
    "_ts_unknown",
    "_ts_absent",
    "_ts_base",
];

/// Pages of a file with nothing in its tables.
const EMPTY_PAGES: i64 = 30;

/// The least number of rows, of whatever table, that a page holds on average.
const ROWS_ON_A_PAGE: i64 = 12;

/// Where a text that is longer than a page may be kept.
const LONG: &[(&str, &str)] = &[
    ("notes", "b"),
    ("todos", "b"),
    ("slots", "b"),
    (app::WHOLE, "b"),
    ("_ts_ops", "body"),
    ("_ts_ops", "undo"),
    ("_ts_dead", "body"),
    ("_ts_base", "image"),
];

/// What such a text takes.
const LONG_PAGES: i64 = 2;

/// SQLite moves the log into the file after a thousand pages; a transaction may be larger.
const LOG_BYTES_MAX: u64 = 2_000 * 4_096;

/// No handle on a file asks again and again without waiting for answers. One that was let go of lives on while somebody
/// waits for a sync of it: each counts its own.
pub fn under_way(world: &mut World) {
    let mut waited_for: BTreeMap<(usize, u64), usize> = BTreeMap::new();
    for packet in &world.net.get().packets {
        let reply = match packet {
            Packet::Up { reply, .. } => reply.as_ref(),
            Packet::Down { reply, .. } => Some(reply),
        };
        if let Some(reply) = reply.filter(|reply| !reply.is_closed()) {
            *waited_for.entry((packet.device(), reply.handle)).or_default() += 1;
        }
    }
    for ((at, _), count) in waited_for {
        if count > UNDER_WAY_MAX {
            world.wrong("bounds", format!("a handle of device {at} has {count} requests under way"));
        }
    }
}

/// A device with nothing to send keeps of its log what is not stable yet, and its newest group (rule 17); one more was
/// the newest when it last forgot. `stable` is what the server said before the device last synced.
pub(super) fn log(world: &mut World, at: usize, stable: u64) {
    let Some(Ok(groups)) = world.devices[at].with(inspect::groups) else { return };
    if groups.iter().any(|(_, state)| state.is_pending() || state.is_resent()) {
        return;
    }
    // What was refused has no commit: it goes with what surrounds it. What was decided late keeps what was written after it.
    let older = groups.split_last().map_or(&[][..], |(_newest, older)| older);
    let mut decided = older.iter().filter(|(_, state)| *state != GroupState::Dead);
    let (Some(first), Some(second)) = (decided.next(), decided.next()) else { return };
    let is_stable = |group: &(Gid, GroupState)| {
        let commit = world.server.decided_at(group.0).filter(|_| group.1 == GroupState::Gone);
        commit.is_some_and(|commit| commit <= stable)
    };
    if is_stable(first) && is_stable(second) {
        let (kept, gid) = (groups.len(), second.0);
        world.wrong("bounds", format!("device {at} keeps {kept} groups and could forget {gid}: stable is {stable}"));
    }
}

/// With nothing pending there is nothing staged, put aside or copied for what was.
pub(super) fn leftovers(world: &mut World, at: usize) {
    const TABLES: [&str; 4] = ["_ts_stage", "_ts_resync", "_ts_base", "_ts_absent"];
    for table in TABLES {
        let count = format!("SELECT count(*) FROM {table}");
        if let Some(Ok(found)) = world.devices[at].with(|store| store.query(&count, &[]))
            && found.rows.first().and_then(|row| row.first()) != Some(&Value::Int(0))
        {
            world.wrong("I-03", format!("device {at} has nothing pending, and {table} has rows: {:?}", found.rows));
        }
    }
}

/// A file has the size of what is in it, and its log of changes does not grow for ever.
pub(super) fn size(world: &mut World, at: usize) {
    let contents: Vec<String> = KEPT.iter().map(|table| format!("(SELECT count(*) FROM {table})")).collect();
    let pages = "(SELECT page_count FROM pragma_page_count()) - (SELECT freelist_count FROM pragma_freelist_count())";
    let long: Vec<String> = LONG
        .iter()
        .map(|(table, what)| format!("(SELECT count(*) FROM {table} WHERE octet_length({what}) > {WAS_BYTES_MAX})"))
        .collect();
    let sql = format!("SELECT {pages}, {}, {}", contents.join(" + "), long.join(" + "));
    let Some(Ok((pages, rows, long))) = world.devices[at]
        .with(|store| store.query_map(&sql, &[], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?))))
        .map(|found| found.map(|rows| rows.first().copied().unwrap_or((0_i64, 0_i64, 0_i64))))
    else {
        return;
    };
    if pages > EMPTY_PAGES + rows / ROWS_ON_A_PAGE + long * LONG_PAGES {
        let what = format!("{pages} pages of its file are used for {rows} rows, {long} of them long");
        world.wrong("bounds", format!("device {at}: {what}"));
    }
    let log_bytes = world.devices[at].disk.file_len("/app.db-wal").unwrap_or(0);
    if log_bytes > LOG_BYTES_MAX {
        world.wrong("bounds", format!("device {at}: its write-ahead log has {log_bytes} bytes"));
    }
}
