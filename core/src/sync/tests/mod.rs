//! Devices and a server in one process, every message in the test's hand.

mod converge;
mod device;
mod feed;
mod held;
mod interleavings;
mod model;
mod refused;
mod renewed;
mod restored;
mod server;

use turnstone_protocol::schema::{CreatePolicy, DeletePolicy, Policy};
use turnstone_protocol::{Schema, Value};

use device::Device;
use model::Model;
use server::Server;

/// Notes where deletes win, tasks where edits win, tags that refer to notes and are created once.
fn schema() -> Schema {
    Schema::builder(1)
        .name("test")
        .table("notes", |table| {
            let table = table.text("title").default("").end().text("tag").default("").end();
            let table = table.integer("views").default(0_i64).merge(Policy::Counter).end();
            let table = table.integer("best").default(0_i64).merge(Policy::Max).end();
            table.text("first").default("").merge(Policy::Server).end().delete(DeletePolicy::DeleteWins)
        })
        .table("tasks", |table| {
            table.text("title").default("").end().text("tag").default("").end().delete(DeletePolicy::EditWins)
        })
        .table("tags", |table| {
            table
                .text("name")
                .default("")
                .end()
                .text("note")
                .nullable()
                .references("notes")
                .end()
                .create(CreatePolicy::Reject)
        })
        .build()
        .unwrap()
}

/// A server and devices that know each other's tables and nothing else.
fn world(names: &[&str]) -> (tempfile::TempDir, Model, Vec<Device>) {
    let dir = tempfile::tempdir().unwrap();
    let schema = schema();
    let devices = names.iter().map(|name| Device::open(dir.path(), name, &schema)).collect();
    (dir, Model::new(schema), devices)
}

/// A row that every device has.
fn shared(server: &mut dyn Server, devices: &[Device], table: &'static str, id: &'static str) {
    let first = devices.first().unwrap();
    first.write(move |tx| tx.insert_with_id(table, id, [("title", "A")]));
    for device in devices {
        device.sync(server);
    }
}

fn set(device: &Device, table: &'static str, id: &'static str, field: &'static str, value: &'static str) {
    device.write(move |tx| tx.update(table, id, [(field, value)]));
}

fn count(device: &Device, id: &'static str, by: i64) {
    device.write(move |tx| tx.increment("notes", id, "views", by));
}

/// Everybody syncs until nothing changes; then all hashes are equal and nothing is pending.
fn settle(server: &mut dyn Server, devices: &[Device]) {
    for _ in 0..2 {
        for device in devices {
            device.sync(server);
            device.check(server);
        }
    }
    let expected = server.state_hash();
    for device in devices {
        assert_eq!(device.hash(), expected, "{} holds another state than the server", device.name);
        let counts = device.counts();
        assert_eq!(counts.pending_groups, counts.parked_groups, "{}", device.story());
        assert_eq!(counts.voids, 0, "{} still has voids to send", device.name);
    }
}

fn text(value: &str) -> Option<Value> {
    Some(Value::from(value))
}
