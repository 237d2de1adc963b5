//! A server that answers whatever it likes (I-62): nothing crashes, every row stays the fold of its ops, no group is
//! let go of without its final word on that very group, no table is made or changed and no file but the database's, and
//! what is stored is bounded by what was sent. Then the server thinks better of it, and gets everything it did not decide.

mod answers;
mod hostile;
mod said;
pub(crate) mod start;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use answers::Evil;
use said::Said;
use start::{NOW_MS, PATH};
use turnstone::testing::inspect;
use turnstone::transport::MemoryTransport;
use turnstone::{Error, Store, Value};
use turnstone_crash_tests::dump;
use turnstone_crash_tests::link::Slot;
use turnstone_crash_tests::scenario::World;
use turnstone_crash_tests::scenarios::server as honest;
use turnstone_crash_tests::time::Time;
use turnstone_protocol::Gid;
use turnstone_vfs::Mount;

/// What a device may store beyond what it held, in bytes: its log, a WAL, and of each byte it was sent so many.
const STORED_MAX: u64 = 4 << 20;
const STORED_PER_BYTE: u64 = 4;

thread_local! {
    static WORLD: World = World::new(2);
}

pub(crate) fn server(data: &[u8]) {
    WORLD.with(|world| {
        let start = start::start();
        world.load(&start.disks);
        let [device, server] = &world.machines[..] else { panic!("two machines") };
        let slot = Slot::default();
        slot.set_now_ms(NOW_MS);
        slot.set(Some(Arc::new(honest::open(server, honest::SCHEMA).expect("the server opens"))));
        let evil = Arc::new(Mutex::new(Evil::new(data)));
        let time = Time::new(NOW_MS).expect("a time");
        let _inside = time.enter();
        let honest = slot.transport(honest::who());
        let answers = Arc::clone(&evil);
        let transport = MemoryTransport::new(move |request| lock(&answers).answer(&honest, request));
        let held = device.disk().used();
        let store = start::open(device, &time, 2, Some(transport)).expect("the store opens");
        let mut groups = start.groups.clone();
        for round in 0..3 {
            if let Err(error) = time.sync(&store).expect("a sync ends") {
                judge(&error);
            }
            bounded(device, held, lock(&evil).said.bytes);
            // The app goes on meanwhile.
            let id = format!("late{round}");
            let written = store.write_once(&id.clone(), move |tx| {
                tx.upsert("notes", &id, [("title", "late")])?;
                tx.upsert("notes", "a", [("body", Value::from(format!("round {round}")))])?;
                Ok(())
            });
            groups.extend(written.expect("local writes go on").gid);
            time.advance_ms(600_000);
        }
        assert_eq!(inspect::faults(&store).expect("the file reads"), Vec::<String>::new());
        account(device, &groups, &lock(&evil).said.decided);
        lock(&evil).repents = true;
        let recovered = recover(&store, &time, &slot);
        let Said { decided, principal: honest, .. } = std::mem::take(&mut lock(&evil).said);
        assert_eq!(inspect::faults(&store).expect("the file reads"), Vec::<String>::new());
        let _ = store.close();
        time.settle();
        account(device, &groups, &decided);
        let owner = principal(device);
        if owner.is_none() || owner == honest {
            assert_eq!(recovered, Ok(()), "an honest server does not get everything");
        } else {
            // The first greeting named somebody else: the database is that account's, and an honest server of this one gets
            // nothing of it (I-48).
            assert!(recovered.is_err(), "a database of {owner:?} syncs as {honest:?}");
        }
        untouched(device, &start.schema);
    });
}

/// Syncs with a server that is honest again, until it has everything but what is held back behind a refusal.
fn recover(store: &Store, time: &Time, slot: &Slot) -> Result<(), String> {
    let mut last = String::new();
    slot.set_now_ms(NOW_MS + 400 * 3_600_000);
    // It may have been told that nobody is signed in.
    store.token_changed();
    for _ in 0..12 {
        // Beyond whatever it was told to wait.
        time.advance_ms(26 * 3_600_000);
        let ended = time.sync(store).expect("a sync ends");
        let status = store.status().expect("the status reads");
        if ended.is_ok() && status.pending_groups == status.parked_groups {
            return Ok(());
        }
        last = format!("{} groups wait, {} are held back: {ended:?}", status.pending_groups, status.parked_groups);
    }
    Err(last)
}

/// Each group is in the log and will be sent, or is a dead letter, or the server had the last word on it.
fn account(device: &Mount, groups: &BTreeSet<Gid>, decided: &BTreeSet<Gid>) {
    let file = dump::open(device, PATH).expect("the file opens");
    let by_gid = |sql: &str| -> BTreeMap<Vec<u8>, Option<i64>> {
        let mut found = file.prepare(sql).expect("a query");
        let rows = found.query_map([], |row| Ok((row.get(0)?, row.get(1)?))).expect("rows");
        rows.collect::<Result<_, _>>().expect("gids")
    };
    let logged = by_gid("SELECT gid, NULL FROM _ts_ops WHERE gid IS NOT NULL");
    let states = by_gid("SELECT gid, state FROM _ts_groups");
    let letters = by_gid("SELECT gid, NULL FROM _ts_dead");
    for gid in groups.difference(decided) {
        let key = gid.as_bytes().to_vec();
        // Not decided and gone (2, 3), and not dead (4); without a state: not looked at yet.
        let state = states.get(&key).copied().flatten().unwrap_or(0);
        let waits = logged.contains_key(&key) && !matches!(state, 2..=4);
        assert!(waits || letters.contains_key(&key), "{gid} had no final word, and is gone (state {state})");
    }
}

fn bounded(device: &Mount, held: u64, sent: u64) {
    let stored = device.disk().used();
    let most = held + STORED_MAX + STORED_PER_BYTE * sent;
    assert!(stored <= most, "{stored} bytes are stored of {sent} that were sent");
}

/// Whose database it is, as far as the device knows.
fn principal(device: &Mount) -> Option<String> {
    let file = dump::open(device, PATH).expect("the file opens");
    let mut found = file.prepare("SELECT value FROM _ts_meta WHERE key = 'principal'").expect("a query");
    found.query_map([], |row| row.get(0)).expect("rows").next().transpose().expect("a text")
}

/// No table, no trigger, no file that was not there.
fn untouched(device: &Mount, schema: &[String]) {
    assert_eq!(start::schema_of(device), schema);
    let files = device.disk().snapshot();
    let foreign: Vec<&str> = files.iter().map(|(name, _)| name).filter(|name| !name.starts_with(PATH)).collect();
    assert_eq!(foreign, Vec::<&str>::new());
}

/// Errors are typed; a loop that died says `closed`.
fn judge(error: &Error) {
    assert!(!matches!(error.code(), "internal" | "closed"), "{error}");
}

fn lock(evil: &Mutex<Evil>) -> MutexGuard<'_, Evil> {
    evil.lock().unwrap_or_else(PoisonError::into_inner)
}
