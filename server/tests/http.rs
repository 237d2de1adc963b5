//! The server from outside: what each endpoint answers, and what it refuses with which problem.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic, missing_docs)]

mod common;

use std::io::Read as _;

use common::http::*;
use common::*;
use serde_json::json;
use turnstone_server::token;

#[tokio::test(flavor = "multi_thread")]
async fn a_group_pushed_by_one_device_is_pulled_by_another() {
    let server = Running::start().await;
    let ann = token_of("ann");
    let hello = answer(server.get("/sync/v1/hello", &ann).await).await;
    assert_eq!((&hello["tier"], &hello["schema"], &hello["head"]), (&json!(0), &json!(1), &json!(0)));
    assert_eq!(hello.get("last_seq"), None);
    let pushed = answer(
        server.post("/sync/v1/push", &ann, &push_body(1, &[group(1, 1, json!([create("n", "Grüße 🪨")]))])).await,
    )
    .await;
    assert_eq!(pushed["verdicts"][0]["verdict"], json!("applied"));
    let pulled = answer(server.post("/sync/v1/pull", &ann, &pull_body(2, None)).await).await;
    assert_eq!(pulled["commits"][0]["rows"][0]["fields"], json!({"title": "Grüße 🪨"}));
    assert_eq!(pulled["epoch"], hello["epoch"]);
    let cursor = pulled["cursor"].as_str().unwrap();
    let quiet = answer(server.post("/sync/v1/pull", &ann, &pull_body(2, Some(cursor))).await).await;
    assert_eq!((&quiet["commits"], &quiet["more"]), (&json!([]), &json!(false)));
    let named = format!(
        "/sync/v1/hello?device={}&incarnation={}",
        push_body(1, &[])["device"].as_str().unwrap(),
        push_body(1, &[])["incarnation"].as_str().unwrap()
    );
    assert_eq!(answer(server.get(&named, &ann).await).await["last_seq"], json!(1));
    let hash = answer(server.get("/sync/v1/state-hash", &ann).await).await;
    assert_eq!((&hash["at"], &hash["rows"]), (&json!(1), &json!(1)));
}

/// One round trip: the verdicts, and the pull half that already contains them.
#[tokio::test(flavor = "multi_thread")]
async fn a_push_may_bring_the_pull_half_along() {
    let server = Running::start().await;
    let mut body = push_body(1, &[group(1, 1, json!([create("n", "one")]))]);
    body["pull"] = json!({});
    let both = answer(server.post("/sync/v1/push", &token_of("ann"), &body).await).await;
    assert_eq!(both["verdicts"][0]["commit"], json!(1));
    assert_eq!(both["pull"]["commits"], json!([{"n": 1, "gid": gid(1), "own": 1, "as_sent": true}]));
    assert_eq!((&both["pull"]["at"], &both["pull"]["acked"]), (&json!(1), &json!(1)));
}

#[tokio::test(flavor = "multi_thread")]
async fn bodies_travel_packed_both_ways() {
    let server = Running::start().await;
    let ann = token_of("ann");
    let text = "a line that repeats\n".repeat(500);
    let body = push_body(1, &[group(1, 1, json!([create("n", &text)]))]).to_string();
    let zstd = zstd::bulk::compress(body.as_bytes(), 3).unwrap();
    let response = server
        .client
        .post(server.url("/sync/v1/push"))
        .bearer_auth(&ann)
        .header("content-encoding", "zstd")
        .body(zstd)
        .send()
        .await
        .unwrap();
    assert_eq!(answer(response).await["verdicts"][0]["verdict"], json!("applied"));
    for (accept, name) in [("gzip", "gzip"), ("gzip, zstd", "zstd")] {
        let response = server
            .client
            .post(server.url("/sync/v1/pull"))
            .bearer_auth(&ann)
            .header("accept-encoding", accept)
            .body(pull_body(2, None).to_string())
            .send()
            .await
            .unwrap();
        assert_eq!(response.headers()["content-encoding"], name);
        let packed = response.bytes().await.unwrap();
        assert!(packed.len() < 1000);
        let mut page = String::new();
        match name {
            "gzip" => flate2::read::GzDecoder::new(&packed[..]).read_to_string(&mut page).unwrap(),
            _ => zstd::stream::read::Decoder::new(&packed[..]).unwrap().read_to_string(&mut page).unwrap(),
        };
        let page: serde_json::Value = serde_json::from_str(&page).unwrap();
        assert_eq!(page["commits"][0]["rows"][0]["fields"]["title"], json!(text));
    }
}

/// I-17: what a client meets before its ops are even looked at says so by status and code, and records nothing.
#[tokio::test(flavor = "multi_thread")]
async fn i_17_refusals_have_their_status_and_consume_nothing() {
    let server = Running::with(|config| config.limits.push_groups_max = 3).await;
    let ann = token_of("ann");
    let groups: Vec<_> = (1..=4).map(|at| group(at, at as u64, json!([create(&at.to_string(), "")]))).collect();
    let body = push_body(1, &groups);

    let response = server.client.post(server.url("/sync/v1/push")).body(body.to_string()).send().await.unwrap();
    assert_eq!(response.headers()["www-authenticate"], r#"Bearer realm="turnstone""#);
    assert_eq!(&problem(response).await.1, "token_missing");
    let problem_of = async |token: &str, body: &serde_json::Value| {
        let (status, code, _) = problem(server.post("/sync/v1/push", token, body).await).await;
        (status, code)
    };
    assert_eq!(problem_of("nonsense", &body).await, (401, "token_invalid".to_owned()));
    let late = token::mint(&key(), "ann", "ann", None, 0, NOW_MS).unwrap();
    assert_eq!(problem_of(&late, &body).await, (401, "token_expired".to_owned()));
    let other = turnstone_protocol::DeviceId::from_random(99);
    let bound = token::mint(&key(), "ann", "ann", Some(other), 60, NOW_MS).unwrap();
    assert_eq!(problem_of(&bound, &body).await, (403, "forbidden".to_owned()));
    assert_eq!(problem_of(&ann, &body).await, (413, "too_large".to_owned()));
    assert_eq!(problem_of(&ann, &json!({"groups": 7})).await, (400, "malformed".to_owned()));
    let (status, code, _) = problem(server.get("/sync/v1/snapshot", &ann).await).await;
    assert_eq!((status, code.as_str()), (404, "not_found"));
    let (status, code, _) = problem(server.get("/sync/v1/push", &ann).await).await;
    assert_eq!((status, code.as_str()), (405, "method_not_allowed"));
    let packed = server.client.post(server.url("/sync/v1/push")).bearer_auth(&ann).header("content-encoding", "br");
    let (status, code, _) = problem(packed.body("x").send().await.unwrap()).await;
    assert_eq!((status, code.as_str()), (415, "unsupported_encoding"));

    let hello = answer(server.get("/sync/v1/hello", &ann).await).await;
    assert_eq!(hello["head"], json!(0), "none of all that left a trace");
    let fits = push_body(1, &groups[..3]);
    assert_eq!(answer(server.post("/sync/v1/push", &ann, &fits).await).await["verdicts"].as_array().unwrap().len(), 3);
}

/// I-48: whoever asks for a database of somebody else is told so before anything is read, by every endpoint.
#[tokio::test(flavor = "multi_thread")]
async fn i_48_a_request_for_somebody_elses_database_is_refused_before_anything() {
    let server = Running::start().await;
    let hello = |token: String| {
        let request = server.client.get(server.url("/sync/v1/hello")).bearer_auth(token);
        async move { answer(request.send().await.unwrap()).await }
    };
    let ann = hello(token_of("ann")).await["principal"].as_str().unwrap().to_owned();
    let colleague = token::mint(&key(), "ann", "colleague", None, 3600, NOW_MS).unwrap();
    let body = push_body(1, &[group(1, 1, json!([create("1", "hers")]))]);
    for token in [&token_of("ben"), &colleague] {
        for path in ["/sync/v1/push", "/sync/v1/pull", "/sync/v1/hello", "/sync/v1/state-hash"] {
            let request = match path {
                "/sync/v1/push" => server.client.post(server.url(path)).body(body.to_string()),
                "/sync/v1/pull" => server.client.post(server.url(path)).body(pull_body(1, None).to_string()),
                _ => server.client.get(server.url(path)),
            };
            let response = request.bearer_auth(token).header("turnstone-principal", &ann).send().await.unwrap();
            let (status, code, body) = problem(response).await;
            assert_eq!((status, code.as_str(), &body["class"]), (403, "other_account", &json!("auth")), "{path}");
        }
    }
    for tenant in ["ann", "ben"] {
        assert_eq!(hello(token_of(tenant)).await["head"], json!(0), "none of all that left a trace");
    }
    let request = server.client.post(server.url("/sync/v1/push")).bearer_auth(token_of("ann"));
    let response = request.header("turnstone-principal", &ann).body(body.to_string()).send().await.unwrap();
    assert_eq!(answer(response).await["verdicts"][0]["verdict"], json!("applied"));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_app_that_is_too_old_is_told_to_upgrade() {
    let server = Running::with(|config| config.schema_min = 2).await;
    let (status, code, body) = problem(server.post("/sync/v1/pull", &token_of("ann"), &pull_body(1, None)).await).await;
    assert_eq!((status, code.as_str(), &body["class"]), (426, "upgrade_required", &json!("upgrade")));
}

#[tokio::test(flavor = "multi_thread")]
async fn health_needs_no_token_and_every_answer_has_an_id() {
    let server = Running::start().await;
    let response = server.client.get(server.url("/healthz")).header("x-request-id", "proxy-7").send().await.unwrap();
    assert_eq!(response.headers()["x-request-id"], "proxy-7");
    assert_eq!(answer(response).await, json!({"ok": true}));
    let response = server.client.get(server.url("/healthz")).header("x-request-id", "a b\tc").send().await.unwrap();
    assert_ne!(response.headers()["x-request-id"], "a b\tc");
}
