//! What an app's test does with a server and devices in its own process.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, missing_docs)]

use turnstone::{Clock, Value};
use turnstone_testing::{FaultyTransport, TestError, TestServer};

const SCHEMA: &str = r#"
name = "notes"
version = 1
[tables.notes]
fields.title = { type = "text", default = "" }
fields.views = { type = "integer", default = 0, merge = "counter" }
"#;

fn views(device: &turnstone_testing::TestDevice) -> Value {
    device.store.query("SELECT views FROM notes", &[]).unwrap().rows[0][0].clone()
}

#[test]
fn a_lost_answer_doubles_nothing_and_both_end_equal() {
    let server = TestServer::start(SCHEMA).unwrap();
    let (a, b) = (server.device().unwrap(), server.device().unwrap());
    let id = a.store.write(|tx| tx.insert("notes", [("title", "Milk")])).unwrap();
    server.settle([&a, &b]).unwrap();

    a.link.lose_answers(1);
    let (of_a, of_b) = (id.clone(), id);
    a.store.write(move |tx| tx.increment("notes", &of_a, "views", 1)).unwrap();
    b.store.write(move |tx| tx.increment("notes", &of_b, "views", 10)).unwrap();
    server.settle([&a, &b]).unwrap();
    assert_eq!((views(&a), views(&b)), (Value::Int(11), Value::Int(11)));
}

#[test]
fn without_its_link_a_device_is_offline_and_settling_says_so() {
    let server = TestServer::start(SCHEMA).unwrap();
    let device = server.device().unwrap();
    device.store.write(|tx| tx.insert("notes", [("title", "Milk")])).unwrap();
    device.link.set_up(false);
    assert!(matches!(server.settle([&device]), Err(TestError::Store(_))));
    assert_eq!(device.store.status().unwrap().pending_groups, 1);
    device.link.set_up(true);
    server.settle([&device]).unwrap();
}

#[test]
fn time_is_what_the_test_says() {
    let clock = Clock::manual(1_900_000_000_000);
    let server = TestServer::start_at(SCHEMA, clock.clone()).unwrap();
    let device = server.device().unwrap();
    let id = device.store.write(|tx| tx.insert("notes", [("title", "Milk")])).unwrap();
    assert_eq!(device.store.status().unwrap().oldest_pending_at_ms, Some(1_900_000_000_000));
    // The token of the device is good for a day.
    clock.advance_ms(2 * 86_400_000);
    assert!(matches!(server.settle([&device]), Err(TestError::Store(_))));
    assert!(device.store.get("notes", &id).unwrap().is_some());
}

#[test]
fn a_network_can_misbehave_by_a_seed() {
    let server = TestServer::start(SCHEMA).unwrap();
    let bad = FaultyTransport::new(server.transport(), 7, 400);
    let remote = server.remote("somebody", bad.clone()).unwrap();
    let device = server.device_with(|options| options.remote(remote)).unwrap();
    for title in ["Milk", "Bread", "Tea"] {
        device.store.write(move |tx| tx.insert("notes", [("title", title)])).unwrap();
        let _ = device.store.sync_blocking();
    }
    bad.set_rate(0);
    server.settle([&device]).unwrap();
    assert_eq!(device.store.query("SELECT * FROM notes", &[]).unwrap().rows.len(), 3);
}
