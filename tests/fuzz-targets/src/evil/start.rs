//! Where every run begins: a device with three groups to send, a server with rows of somebody else.

use std::collections::BTreeSet;
use std::sync::OnceLock;

use turnstone::transport::MemoryTransport;
use turnstone::{Entropy, Error, Options, Remote, Schema, Store, Value, transport::StaticToken};
use turnstone_crash_tests::dump;
use turnstone_crash_tests::scenario::World;
use turnstone_crash_tests::scenarios::server as honest;
use turnstone_crash_tests::time::Time;
use turnstone_protocol::Gid;
use turnstone_vfs::{DiskImage, Mount};

pub(crate) const PATH: &str = "/client.db";
pub(crate) const NOW_MS: u64 = 1_750_000_000_000;

pub(crate) struct Start {
    pub(crate) disks: Vec<DiskImage>,
    pub(crate) groups: BTreeSet<Gid>,
    /// Every table, index and trigger of the device's file.
    pub(crate) schema: Vec<String>,
}

pub(crate) fn open(device: &Mount, time: &Time, life: u64, transport: Option<MemoryTransport>) -> Result<Store, Error> {
    let schema = Schema::parse(honest::SCHEMA).expect("our own schema");
    let options = Options::new(PATH, schema)
        .vfs(device.name())
        .clock(time.clock().clone())
        .entropy(Entropy::seeded(life))
        .auto_sync(false);
    let options = match transport {
        Some(transport) => options.remote(Remote::custom(transport, StaticToken::new("token"))),
        None => options,
    };
    Store::open(time.drive(options))
}

pub(crate) fn start() -> &'static Start {
    static START: OnceLock<Start> = OnceLock::new();
    START.get_or_init(|| {
        let world = World::new(2);
        let [device, server] = &world.machines[..] else { panic!("two machines") };
        let service = honest::open(server, honest::SCHEMA).expect("the server opens");
        for action in 0..3 {
            honest::push(&service, action, 1).expect("somebody else's rows");
        }
        drop(service);
        let time = Time::new(NOW_MS).expect("a time");
        let _inside = time.enter();
        let store = open(device, &time, 1, None).expect("a new database opens");
        let mut groups = BTreeSet::new();
        for n in 0..3i64 {
            let written = store.write_once(&format!("w{n}"), move |tx| {
                tx.upsert("notes", "a", [("title", Value::from(format!("a{n}")))])?;
                tx.increment("notes", "a", "views", n + 1)?;
                tx.insert_with_id("notes", &format!("own{n}"), [("title", "own")])
            });
            groups.extend(written.expect("a local write").gid);
        }
        store.close().expect("an orderly end");
        let schema = schema_of(device);
        Start { disks: world.machines.iter().map(|machine| machine.disk().snapshot()).collect(), groups, schema }
    })
}

/// What the file's tables, indexes and triggers are, in their own words.
pub(crate) fn schema_of(device: &Mount) -> Vec<String> {
    let file = dump::open(device, PATH).expect("the file opens");
    let mut found = file
        .prepare("SELECT type || ' ' || name || ': ' || ifnull(sql, '') FROM sqlite_schema ORDER BY 1")
        .expect("SQLite reads its own table");
    let objects = found.query_map([], |row| row.get(0)).expect("a query");
    objects.collect::<Result<_, _>>().expect("text")
}
