//! Tenants never see each other, whatever ids they share (I-56), and none stops another (I-60).

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic, missing_docs)]

mod common;

use common::http::{Running, answer, problem, pull_body, push_body, token_of};
use common::*;
use serde_json::json;
use turnstone_protocol::Code;
use turnstone_protocol::wire::Outcome;

/// The same gids, device, incarnation, seqs, row ids: two histories that know nothing of each other.
#[test]
fn i_56_tenants_that_share_every_id_share_nothing_else() {
    let world = World::new();
    let mut ann = Device { who: tenant("ann"), ..world.device(1) };
    let mut bob = Device { who: tenant("bob"), ..world.device(1) };
    assert_eq!(ann.say(1, json!([create("n", "ann's")])).commit, Some(1));
    assert_eq!(ann.say(2, json!([update("n", 1, json!({"title": "ann's second"}))])).commit, Some(2));
    assert_eq!(ann.say(3, json!([create("secret", "ann's")])).commit, Some(3));

    // A gid ann used, with another body: no gid_reuse, and no trace of hers.
    assert_eq!(bob.say(1, json!([create("n", "bob's")])).commit, Some(1));
    // A row that only ann has is unknown, exactly as one that nobody has.
    let probed = bob.say(2, json!([update("secret", 0, json!({"title": "x"}))]));
    let nobodys = bob.say(9, json!([update("nobody's", 0, json!({"title": "x"}))]));
    assert_eq!((probed.verdict, probed.code), (nobodys.verdict, nobodys.code));
    // Waiting for a gid that only ann has.
    let mut waiting = group(10, 4, json!([]));
    waiting["after"] = json!([gid(3)]);
    assert_eq!(bob.push(&[waiting]).unwrap().verdicts[0].verdict, Outcome::Blocked);

    for (reader, titles) in [(&mut ann, vec!["ann's", "ann's second", "ann's"]), (&mut bob, vec!["bob's"])] {
        reader.full = true;
        let page = reader.pull(1000);
        let told: Vec<_> = page.commits.iter().flat_map(|commit| &commit.rows).collect();
        let told: Vec<_> = told.iter().map(|row| serde_json::to_value(&row.fields["title"]).unwrap()).collect();
        assert_eq!(told, titles);
    }
    let hello = |who| world.service.hello(&who, Some((ann.device, ann.incarnation)), NOW_MS).unwrap();
    assert_eq!((hello(tenant("ann")).head, hello(tenant("bob")).head, hello(tenant("eve")).head), (3, 1, 0));
    assert_eq!((hello(tenant("ann")).last_seq, hello(tenant("eve")).last_seq), (Some(3), Some(0)));
    assert_eq!(world.service.state_hash(&tenant("eve")).unwrap().rows, 0);
}

/// I-56: a pull or hello of a tenant that never wrote makes nothing, and its cursor is good once it writes.
#[test]
fn a_tenant_begins_with_its_first_push() {
    let world = World::new();
    let mut eve = Device { who: tenant("eve"), ..world.device(1) };
    let page = eve.pull(1000);
    assert_eq!((page.at, page.acked, page.more, page.commits.len()), (0, 0, false, 0));
    let database = rusqlite::Connection::open(world.folder.path().join("server.db")).unwrap();
    let tenants = || database.query_row("SELECT count(*) FROM tenants", [], |row| row.get::<_, i64>(0)).unwrap();
    assert_eq!(tenants(), 0);
    let refused = eve.push(&[group(1, 5, json!([]))]).unwrap_err();
    assert_eq!((refused.code, tenants()), (Code::SeqGap, 0), "a refused push leaves nothing behind");
    eve.say(1, json!([create("n", "")]));
    assert_eq!((eve.pull(1000).at, tenants()), (1, 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn i_56_a_cursor_of_one_tenant_is_noise_to_another() {
    let server = Running::start().await;
    let (ann, bob) = (token_of("ann"), token_of("bob"));
    answer(server.post("/sync/v1/push", &ann, &push_body(1, &[group(1, 1, json!([create("n", "")]))])).await).await;
    let page = answer(server.post("/sync/v1/pull", &ann, &pull_body(1, None)).await).await;
    let cursor = page["cursor"].as_str().unwrap();
    let foreign = problem(server.post("/sync/v1/pull", &bob, &pull_body(1, Some(cursor))).await).await;
    let noise = problem(server.post("/sync/v1/pull", &bob, &pull_body(1, Some("noise"))).await).await;
    assert_eq!(foreign, noise, "nothing tells that it was a good cursor of somebody");
    assert_eq!(foreign.1, "cursor_invalid");
}
