//! Nothing that is read panics, whatever the bytes (I-58).
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic, missing_docs)]

use proptest::prelude::*;
use turnstone_protocol::entry::Address;
use turnstone_protocol::limits::{GIDS_MAX, GROUP_BYTES_MAX, GROUP_OPS_MAX};
use turnstone_protocol::merge::{Stamp, Stamps, admit_op};
use turnstone_protocol::wire::{HelloAnswer, PullAnswer, PullRequest, PushAnswer, PushRequest};
use turnstone_protocol::{Code, Entry, Fields, Gid, Hlc, Op, Problem, Schema, Value, canonical};

const TOML: &str = r#"version = 1
name = "x"
[tables.notes]
delete = "edit_wins"
[tables.notes.fields]
title = { type = "text", default = "", merge = "lww" }
views = { type = "integer", default = 0, merge = "counter" }
at = { type = "timestamp", nullable = true, merge = "max" }
[[tables.notes.indexes]]
name = "by_at"
fields = ["at"]
"#;

const JSON: &str = r#"{"gid":"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa","seq":1,"hlc":"0000018f3c2a0000","schema":1,"after":["bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"],"ops":[{"op":"update","table":"notes","id":"n1","base":5,"set":{"title":"x","at":1.5e3,"more":[{"a":null}]},"inc":{"views":"9007199254740993"},"was":{"title":"y"}}]}"#;

const PAGE: &str = r#"{"epoch":"eeeeeeeeeeeeeeeeeeeeeeeeeeeeeeee","consistency":"commit","commits":[{"n":7,"gid":"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa","rows":[{"table":"notes","id":"n1","born":7,"fields":{"title":"x","more":{"a":[1,2]}}},{"table":"notes","id":"n2","born":3,"gone":"deleted"}]},{"n":8,"own":4,"as_sent":true}],"cursor":"def","at":9,"more":true,"acked":4,"stable":0,"hlc":"0000018f3c2a0000","now":1700000000000}"#;

/// A text with some bytes changed, cut out or doubled.
fn damaged(text: &'static str) -> impl Strategy<Value = String> {
    let edit = (0..text.len(), 0u8..3, any::<u8>());
    proptest::collection::vec(edit, 1..5).prop_map(move |edits| {
        let mut bytes = text.as_bytes().to_vec();
        for (at, kind, byte) in edits {
            let at = at.min(bytes.len().saturating_sub(1));
            match kind {
                0 => bytes[at] = byte,
                1 => drop(bytes.remove(at)),
                _ => bytes.extend_from_within(at..),
            }
        }
        String::from_utf8_lossy(&bytes).into_owned()
    })
}

fn read_everything(text: &str) {
    let _ = Schema::parse(text).map(|schema| schema.to_toml());
    let _ = Schema::from_canonical_json(text);
    let _ = canonical::json_text(text);
    let _ = Address::read(text);
    let _ = Hlc::parse(text);
    let _ = Gid::parse(text);
    let _ = serde_json::from_str::<HelloAnswer>(text);
    let _ = serde_json::from_str::<PushRequest<Entry>>(text);
    let _ = serde_json::from_str::<PushAnswer>(text);
    let _ = serde_json::from_str::<PullRequest>(text);
    let _ = serde_json::from_str::<PullAnswer>(text);
    let _ = serde_json::from_str::<Problem>(text);
    let schema = Schema::parse(TOML).unwrap();
    let table = schema.table("notes").unwrap();
    if let Ok(Entry::Group(group)) = Entry::read(text) {
        for op in group.ops {
            let _ = admit_op(table, op, 1 << 20);
        }
    }
    if let Ok(fields) = serde_json::from_str::<Fields>(text) {
        let text = canonical::fields(&fields);
        let again: Fields = serde_json::from_str(&text).expect("canonical text reads");
        assert_eq!(canonical::fields(&again), text, "canonical text is a fixed point");
    }
}

proptest! {
    #[test]
    fn random_text_never_panics(text in "\\PC{0,80}") {
        read_everything(&text);
    }

    #[test]
    fn random_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..120)) {
        let _ = Stamps::from_bytes(&bytes);
        let _ = Stamp::from_bytes(&bytes);
        read_everything(&String::from_utf8_lossy(&bytes));
    }

    #[test]
    fn damaged_documents_never_panic(text in prop_oneof![damaged(TOML), damaged(JSON), damaged(PAGE)]) {
        read_everything(&text);
    }

    /// A value is the same however often it is written and read, by either writer.
    #[test]
    fn values_survive_the_wire(value in value()) {
        let fields = Fields::from([("f".to_owned(), value)]);
        let text = canonical::fields(&fields);
        let read: Fields = serde_json::from_str(&text).unwrap();
        prop_assert_eq!(&canonical::fields(&read), &text);
        let read: Fields = serde_json::from_str(&serde_json::to_string(&fields).unwrap()).unwrap();
        prop_assert_eq!(&canonical::fields(&read), &text);
    }
}

fn value() -> impl Strategy<Value = Value> {
    let real = any::<f64>().prop_filter("finite", |real| real.is_finite());
    prop_oneof![
        any::<i64>().prop_map(Value::Int),
        (-(1i64 << 54)..(1 << 54)).prop_map(Value::Int),
        real.prop_map(|real| Value::Real(real + 0.0)),
        any::<i64>().prop_map(|int| Value::Real(int as f64)),
        any::<bool>().prop_map(Value::Bool),
        "[^\0]{0,20}".prop_map(Value::Text),
        proptest::collection::vec(any::<u8>(), 0..20).prop_map(Value::Bytes),
    ]
}

fn group_of(ops: usize, after: usize) -> String {
    let op = r#"{"op":"delete","table":"t","id":"i","base":1}"#;
    let gid = format!("\"{}\"", "b".repeat(32));
    format!(
        r#"{{"gid":"{}","seq":1,"hlc":"0000000000000000","schema":1,"after":[{}],"ops":[{}]}}"#,
        "a".repeat(32),
        vec![gid.as_str(); after].join(","),
        vec![op; ops].join(",")
    )
}

/// I-58: counts and sizes are bounded before anything is done with them.
#[test]
fn entries_are_bounded() {
    assert!(Entry::read(&group_of(GROUP_OPS_MAX, GIDS_MAX)).is_ok());
    assert_eq!(Entry::read(&group_of(GROUP_OPS_MAX + 1, 0)).unwrap_err().code, Code::TooLarge);
    assert_eq!(Entry::read(&group_of(1, GIDS_MAX + 1)).unwrap_err().code, Code::TooLarge);
    let padded = group_of(1, 0) + &" ".repeat(GROUP_BYTES_MAX);
    assert_eq!(Entry::read(&padded).unwrap_err().code, Code::TooLarge);
}

/// What is void takes nobody's place but another's: never its own.
#[test]
fn a_void_that_replaces_itself_is_malformed() {
    let void = |gid: &str, replaces: &str| format!(r#"{{"seq":1,"void":"{gid}","replaces":"{replaces}"}}"#);
    let (one, other) = ("a".repeat(32), "b".repeat(32));
    assert!(Entry::read(&void(&one, &other)).is_ok());
    assert_eq!(Entry::read(&void(&one, &one)).unwrap_err().code, Code::Malformed);
}

/// Deep nesting is refused without using the stack for it.
#[test]
fn deep_nesting_is_refused() {
    let deep = "[".repeat(100_000);
    read_everything(&deep);
    read_everything(&format!("{{\"a\":{deep}"));
    assert!(serde_json::from_str::<Value>(&("[".repeat(65) + &"]".repeat(65))).is_err());
    assert!(Schema::parse(&format!("version = 1\nx = {deep}")).is_err());
}

/// I-61: no debug text shows values, row ids or cursors.
#[test]
fn debug_text_shows_no_payload() {
    let canary = "canary-7f3a";
    let op: Op = serde_json::from_str(&format!(
        r#"{{"op":"update","table":"notes","id":"{canary}","base":1,"set":{{"title":"{canary}","n":1}},"was":{{"title":"{canary}"}}}}"#
    ))
    .unwrap();
    let page: PullAnswer = serde_json::from_str(
        &PAGE.replace("\"def\"", &format!("\"{canary}\"")).replace("\"n1\"", &format!("\"{canary}\"")),
    )
    .unwrap();
    let request = PullRequest {
        device: Default::default(),
        incarnation: Default::default(),
        schema: 1,
        cursor: Some(canary.to_owned()),
        limit: 1,
        runs: false,
        full: false,
    };
    let text = format!("{op:?} {page:?} {:?} {request:?} {:?}", page.commits, Value::from(canary));
    assert!(!text.contains(canary), "{text}");
}

const HELLO: &str = r#"{"epoch":"00000000000000000000000000000001","tier":0,"schema":1,"schema_hash":"ab","schema_min":0,"head":9,"stable":4,
    "last_seq":3,"now":1750000000000,"hlc":"01977420e36e0000"}"#;
const PULLED: &str = r#"{"epoch":"00000000000000000000000000000001","commits":[{"n":7,"own":1,"as_sent":true,"count":3,"gids":"ab"},
    {"n":10,"part":{"i":1,"n":2},"rows":[{"table":"notes","id":"a","born":8}]}],"cursor":"c","at":11,"more":false,"acked":3,"stable":4,
    "hlc":"01977420e36e0000","now":1750000000000}"#;

/// Every integer of an answer is at most 2^53-1: a sum of two is a number too, whatever a server makes up (I-58, I-62).
#[test]
fn i_58_an_answer_with_an_integer_beyond_2_53_cannot_be_read() {
    let pushed = format!(
        r#"{{"epoch":"00000000000000000000000000000001","verdicts":[{{"gid":"01977420de86714da55083bf08d8fb95","seq":4,"verdict":"applied",
        "commit":12}}],"applied":[{{"seq":1,"commit":7,"count":3}}],"now":1750000000000,"hlc":"01977420e36e0000","stable":4,"pull":{PULLED}}}"#
    );
    type Reads = fn(&str) -> bool;
    let answers: [(&str, usize, Reads); 3] = [
        (HELLO, 7, |text| serde_json::from_str::<HelloAnswer>(text).is_ok()),
        (PULLED, 11, |text| serde_json::from_str::<PullAnswer>(text).is_ok()),
        (&pushed, 18, |text| serde_json::from_str::<PushAnswer>(text).is_ok()),
    ];
    for (answer, count, reads) in answers {
        assert!(reads(answer), "{answer}");
        let tree: serde_json::Value = serde_json::from_str(answer).unwrap();
        let places = numbers(&tree, String::new());
        assert_eq!(places.len(), count, "{places:?}");
        for place in places {
            let with = |number: u64| {
                let mut tree = tree.clone();
                *tree.pointer_mut(&place).unwrap() = number.into();
                reads(&tree.to_string())
            };
            assert!(!with(1 << 53), "{place} is read");
            let is_small =
                ["tier", "schema", "schema_min", "i"].iter().any(|name| place.ends_with(&format!("/{name}")))
                    || place.ends_with("/part/n");
            assert!(is_small || with((1 << 53) - 1), "{place} is not read");
        }
    }
}

/// Where the numbers of a text are.
fn numbers(tree: &serde_json::Value, at: String) -> Vec<String> {
    match tree {
        serde_json::Value::Number(_) => vec![at],
        serde_json::Value::Array(items) => {
            items.iter().enumerate().flat_map(|(place, item)| numbers(item, format!("{at}/{place}"))).collect()
        }
        serde_json::Value::Object(members) => {
            members.iter().flat_map(|(name, member)| numbers(member, format!("{at}/{name}"))).collect()
        }
        _ => Vec::new(),
    }
}
