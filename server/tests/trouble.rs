//! When the store or its memory gives out: typed answers, nothing half-written, and the server goes on (I-06, I-22, I-09).

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic, missing_docs)]

mod common;

use common::http::*;
use common::*;
use rusqlite::Connection;
use serde_json::json;
use turnstone_protocol::Code;
use turnstone_protocol::wire::Outcome;

fn sql(world: &World, statements: &str) {
    Connection::open(world.folder.path().join("server.db")).unwrap().execute_batch(statements).unwrap();
}

/// A backup tool holds the database: the push is sent away with a time to come back, reads go on, and the same
/// groups are applied once the lock is gone.
#[tokio::test(flavor = "multi_thread")]
async fn a_database_that_is_held_makes_pushes_wait_and_reads_go_on() {
    let server = Running::start().await;
    let ann = token_of("ann");
    let push = |at: u64| push_body(1, &[group(u128::from(at), at, json!([create(&at.to_string(), "")]))]);
    answer(server.post("/sync/v1/push", &ann, &push(1)).await).await;
    let holder = Connection::open(server.database()).unwrap();
    holder.execute_batch("BEGIN IMMEDIATE").unwrap();
    let held = server.post("/sync/v1/push", &ann, &push(2)).await;
    assert_eq!(held.headers()["retry-after"], "5");
    let (status, code, body) = problem(held).await;
    assert_eq!((status, code.as_str(), &body["class"]), (503, "unavailable", &json!("retry")));
    assert_eq!(answer(server.post("/sync/v1/pull", &ann, &pull_body(2, None)).await).await["at"], json!(1));
    holder.execute_batch("ROLLBACK").unwrap();
    let said = answer(server.post("/sync/v1/push", &ann, &push(2)).await).await;
    assert_eq!(said["verdicts"][0]["commit"], json!(2));
}

/// A store that fails after some of a push was written: nothing of it stays, and the same push works later. (Full
/// disks, failing fsyncs and power loss are played by the crash tests.)
#[test]
fn a_store_that_fails_half_way_leaves_nothing() {
    let world = World::new();
    let mut phone = world.device(1);
    phone.say(1, json!([create("n", "one")]));
    sql(&world, "CREATE TRIGGER fails BEFORE INSERT ON gids BEGIN SELECT RAISE(ABORT, 'planted'); END");
    let groups = [group(2, 2, json!([create("m", "two")])), group(3, 3, json!([create("o", "three")]))];
    let problem = phone.push(&groups).unwrap_err();
    assert_eq!(problem.code, Code::Internal);
    assert!(!problem.title.contains("planted"), "the cause stays in the log");
    let page = phone.pull(1000);
    assert_eq!((page.at, page.acked), (1, 1));
    assert_eq!(world.service.state_hash(&phone.who).unwrap().rows, 1);
    sql(&world, "DROP TRIGGER fails");
    let commits: Vec<_> = phone.push(&groups).unwrap().verdicts.iter().map(|said| said.commit).collect();
    assert_eq!(commits, [Some(2), Some(3)]);
}

/// I-22: behind the horizon nothing pretends to be up to date.
#[test]
fn i_22_a_cursor_behind_the_horizon_is_expired() {
    let world = World::new();
    let mut phone = world.device(1);
    phone.say(1, json!([create("a", "")]));
    let early = phone.pull(1000).cursor;
    phone.say(2, json!([create("b", "")]));
    let late = phone.pull(1000).cursor;
    sql(&world, "UPDATE tenants SET horizon = 2; DELETE FROM log WHERE at & 0xffffffffff < 2");
    let ask = |cursor: Option<&str>| {
        let device = Device { cursor: cursor.map(str::to_owned), ..world.device(1) };
        let request = device.pull_request(10);
        device.service.pull(&device.who, &request, NOW_MS)
    };
    assert_eq!(ask(Some(&early)).unwrap_err().code, Code::CursorExpired);
    assert_eq!(ask(None).unwrap_err().code, Code::CursorExpired, "from the start needs a snapshot");
    assert_eq!(ask(Some(&late)).unwrap().at, 2);
    let away = Device { cursor: Some(early), ..world.device(1) };
    assert_eq!(away.push_and_pull(&[group(3, 3, json!([]))]).unwrap_err().code, Code::CursorExpired);
}

/// I-09: a gid the server forgot is refused, never applied a second time.
#[test]
fn i_09_a_group_older_than_the_servers_memory_is_expired() {
    let world = World::new();
    let mut phone = world.device(1);
    phone.say(1, json!([create("n", "")]));
    phone.say(2, json!([increment("n", 1, 5)]));
    phone.say(3, json!([increment("n", 2, 5)]));
    sql(&world, "UPDATE devices SET pruned_seq = 2; DELETE FROM gids WHERE n <= 2");
    let said = phone.push(&[group(2, 2, json!([increment("n", 1, 5)]))]).unwrap().verdicts.remove(0);
    assert_eq!((said.verdict, said.code), (Outcome::OpExpired, Some(Code::OpExpired)));
    let again = phone.push(&[group(2, 2, json!([increment("n", 1, 5)]))]).unwrap().verdicts.remove(0);
    assert_eq!(again.verdict, Outcome::OpExpired);
    let unknown = phone.push(&[group(9, 3, json!([]))]).unwrap_err();
    assert_eq!(unknown.code, Code::DeviceForked, "what is remembered is not expired");
    assert_eq!(phone.pull(1000).at, 3);
}
