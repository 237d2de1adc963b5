//! A database file that was damaged or made by somebody else: opening and using it fails with a typed error or
//! works, and never does anything else (I-51's first half; I-62: nothing crashes).

use std::sync::OnceLock;

use turnstone::{Clock, Durability, Entropy, Error, Options, Schema, Store, Value};
use turnstone_crash_tests::scenario::World;
use turnstone_vfs::{DiskImage, Mount};

use crate::bytes::Bytes;
use crate::synced;

const PATH: &str = "/client.db";
const TOML: &str = include_str!("notes.toml");

thread_local! {
    static WORLD: World = World::new(1);
}

/// The first byte: 0 is a file of the input's own; otherwise ours is altered, closed in order or with its WAL, or (8) one that
/// was killed while it synced.
pub(crate) fn database(data: &[u8]) {
    let Some((how, rest)) = data.split_first() else { return };
    if how & 8 != 0 {
        let file = if how & 2 == 0 { PATH } else { "/client.db-wal" };
        let damage = |image: &mut DiskImage| {
            let altered = alter(image.get(file).unwrap_or_default().to_vec(), rest);
            image.insert(file, altered);
        };
        return synced::damaged(damage, use_it).unwrap_or_else(|error| judge(&error));
    }
    let mut image = DiskImage::new();
    if *how == 0 {
        image.insert(PATH, rest.to_vec());
    } else {
        let [closed, killed] = ours();
        image = if how % 2 == 0 { closed.clone() } else { killed.clone() };
        let file = if how & 2 == 0 || image.get("/client.db-wal").is_none() { PATH } else { "/client.db-wal" };
        let altered = alter(image.get(file).unwrap_or_default().to_vec(), rest);
        image.insert(file, altered);
    }
    WORLD.with(|world| {
        world.load([&image]);
        let machine = world.mount(0).expect("one machine");
        match open(machine, 2) {
            Ok(store) => use_it(&store),
            Err(error) => judge(&error),
        }
    });
}

/// Bytes set, runs of zeros, the end cut off.
fn alter(mut file: Vec<u8>, choices: &[u8]) -> Vec<u8> {
    let mut bytes = Bytes::new(choices);
    for _ in 0..64 {
        if bytes.is_empty() || file.is_empty() {
            break;
        }
        let at = bytes.place() % file.len();
        match bytes.below(8) {
            0 => file.truncate(at),
            1 => file[at..].iter_mut().take(512).for_each(|byte| *byte = 0),
            2 => {
                let run = bytes.below(16) + 1;
                let new = bytes.take(run);
                file[at..].iter_mut().zip(new).for_each(|(byte, new)| *byte = *new);
            }
            _ => file[at] = bytes.byte(),
        }
    }
    file
}

fn use_it(store: &Store) {
    let said = [
        store.status().map(drop),
        store.query("SELECT * FROM notes ORDER BY title", &[]).map(drop),
        store.dead_letters().map(drop),
        store.state_hash().map(drop),
        store.write_once("again", |tx| tx.update("notes", "n1", [("title", "changed")])).map(drop),
        store.execute("UPDATE notes SET body = body || '!', views = views + 1", &[]).map(drop),
        store.write(|tx| tx.insert("notes", [("title", "one more")])).map(drop),
        store.checkpoint(),
        store.close(),
    ];
    for error in said.into_iter().filter_map(Result::err) {
        judge(&error);
    }
}

/// Whatever it is, it is typed, and not a failure of our own.
fn judge(error: &Error) {
    assert!(error.code() != "internal", "{error}");
}

fn open(machine: &Mount, life: u64) -> Result<Store, Error> {
    let schema = Schema::parse(TOML).expect("our own schema");
    let options = Options::new(PATH, schema)
        .durability(Durability::Power)
        .vfs(machine.name())
        .clock(Clock::manual(1_750_000_000_000))
        .entropy(Entropy::seeded(life));
    Store::open(options)
}

/// A database with rows and pending ops, as an orderly end and as a kill leave it.
fn ours() -> &'static [DiskImage; 2] {
    static IMAGES: OnceLock<[DiskImage; 2]> = OnceLock::new();
    IMAGES.get_or_init(|| {
        let world = World::new(1);
        let machine = world.mount(0).expect("one machine");
        let store = open(machine, 1).expect("a new database opens");
        for n in 0..6 {
            let write = move |tx: &mut turnstone::Tx<'_>| {
                let body = "text ".repeat(n * 90);
                tx.insert_with_id(
                    "notes",
                    &format!("n{n}"),
                    [("title", Value::from("t")), ("body", Value::from(body))],
                )?;
                tx.increment("notes", &format!("n{n}"), "views", 2)
            };
            store.write_once(&format!("w{n}"), write).expect("a write");
        }
        store.execute("DELETE FROM notes WHERE id = 'n5'", &[]).expect("a delete");
        let killed = machine.disk().snapshot();
        store.close().expect("an orderly end");
        [machine.disk().snapshot(), killed]
    })
}
