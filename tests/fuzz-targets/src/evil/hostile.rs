//! Answers that look like a server's and are meant to do harm.

use bytes::Bytes as Body;
use serde_json::{Map, Value as Json, json};
use turnstone::transport::Response;

use super::answers::response;
use crate::bytes::Bytes;

/// Names of our own tables and columns, paths, SQL.
const WORDS: [&str; 22] = [
    "_ts_ops",
    "_ts_groups",
    "_ts_meta",
    "_ts_dead",
    "sqlite_master",
    "sqlite_schema",
    "sqlite_sequence",
    "_v",
    "_p",
    "_extra",
    "id",
    "rowid",
    "../x",
    "/etc/passwd",
    "file:/x?mode=rwc",
    "notes",
    "NOTES",
    "no\"tes",
    "",
    "x'); DELETE FROM _ts_ops; --",
    "x\"; DROP TABLE notes; --",
    "a\u{0}b",
];

/// Some strings or names of members of an answer are exchanged for a word.
pub(super) fn other_words(bytes: &mut Bytes<'_>, answer: Response) -> Response {
    edited(answer, |said| {
        for _ in 0..=bytes.below(3) {
            let word = bytes.one_of(&WORDS);
            let mut left = bytes.place() % strings(said).max(1);
            exchange(said, &mut left, word);
        }
    })
}

/// How many strings and names there are.
fn strings(json: &Json) -> usize {
    match json {
        Json::String(_) => 1,
        Json::Array(items) => items.iter().map(strings).sum(),
        Json::Object(members) => members.values().map(|member| 1 + strings(member)).sum(),
        _ => 0,
    }
}

/// Exchanges the one that `left` others come before. True: it was here.
fn exchange(json: &mut Json, left: &mut usize, word: &str) -> bool {
    let mut here = || {
        let is_here = *left == 0;
        *left = left.saturating_sub(1);
        is_here
    };
    match json {
        Json::String(text) => {
            let is_here = here();
            if is_here {
                word.clone_into(text);
            }
            is_here
        }
        Json::Array(items) => items.iter_mut().any(|item| exchange(item, left, word)),
        Json::Object(members) => {
            let names: Vec<String> = members.keys().cloned().collect();
            for name in names {
                let is_here = *left == 0;
                *left = left.saturating_sub(1);
                if is_here {
                    let value = members.remove(&name).unwrap_or_default();
                    members.insert(word.to_owned(), value);
                    return true;
                }
                if members.get_mut(&name).is_some_and(|member| exchange(member, left, word)) {
                    return true;
                }
            }
            false
        }
        _ => false,
    }
}

/// One member of the answer, of a verdict, a run or a commit says something else: also what it never said.
pub(super) fn lie(bytes: &mut Bytes<'_>, answer: Response) -> Response {
    edited(answer, |said| {
        let numbers = [0, 1, 2, 3, 4, 9, 1_000, (1 << 53) - 1, u64::MAX];
        let words =
            ["applied", "merged", "rejected", "conflict", "voided", "replaced", "op_expired", "blocked", "retry"];
        let lies = [
            "acked",
            "at",
            "own",
            "as_sent",
            "more",
            "stable",
            "n",
            "count",
            "commit",
            "seq",
            "verdict",
            "epoch",
            "head",
            "last_seq",
            "schema_min",
            "consistency",
            "now",
            "hlc",
            "gid",
            "part",
            "explain",
        ];
        for _ in 0..=bytes.below(4) {
            let member = bytes.one_of(&lies);
            let number = bytes.one_of(&numbers);
            let value = match member {
                "as_sent" | "more" => json!(number % 2 == 1),
                "verdict" => json!(bytes.one_of(&words)),
                "epoch" | "gid" => json!(format!("{number:032x}")),
                "hlc" => json!(format!("{number:016x}")),
                "consistency" => json!("final"),
                "part" => json!({"i": number, "n": numbers[bytes.below(numbers.len())]}),
                "explain" => json!([{"op": number, "policy": "delete_wins", "kept": "theirs"}]),
                _ => json!(number),
            };
            if let Some(object) = place(bytes, said) {
                object.insert(member.to_owned(), value);
                if member == "acked" && number.is_multiple_of(2) {
                    // Half of the time, for only where commits have no names it hides anything.
                    object.remove("names_own");
                }
            }
        }
    })
}

/// The answer itself, its page, or one entry of one of its lists.
fn place<'j>(bytes: &mut Bytes<'_>, said: &'j mut Json) -> Option<&'j mut Map<String, Json>> {
    let in_pull = said.get("pull").is_some() && bytes.below(2) == 1;
    let page = if in_pull { said.get_mut("pull")? } else { said };
    let list = ["", "verdicts", "applied", "commits"][bytes.below(4)];
    let index = bytes.byte();
    let entries = page.get(list).and_then(Json::as_array).map_or(0, Vec::len);
    match usize::from(index).checked_rem(entries) {
        Some(at) => page[list][at].as_object_mut(),
        None => page.as_object_mut(),
    }
}

/// A page with a commit nobody made: rows of any table, any id, any member.
pub(super) fn made_up(bytes: &mut Bytes<'_>, answer: Response) -> Response {
    edited(answer, |said| {
        let Some(page) = page_of(said) else { return };
        let n = page.get("at").and_then(Json::as_u64).unwrap_or(0).saturating_add(1);
        let mut rows = Vec::new();
        for _ in 0..=bytes.below(4) {
            let word = |bytes: &mut Bytes<'_>| match bytes.below(3) {
                0 => "notes",
                1 => "a",
                _ => bytes.one_of(&WORDS),
            };
            let mut fields = Map::new();
            for _ in 0..bytes.below(4) {
                let name =
                    bytes.one_of(&["title", "views", "body", "_v", "_p", "_extra", "id", "x\" TEXT, \"y", "other"]);
                let value = match bytes.below(6) {
                    0 => json!(bytes.place()),
                    1 => json!("9223372036854775807"),
                    2 => json!(bytes.one_of(&WORDS)),
                    3 => serde_json::from_str(&format!("{}{}", "[".repeat(100), "]".repeat(100))).expect("JSON"),
                    4 => json!({"_ts_ops": [null, -1, 1e300]}),
                    _ => Json::Null,
                };
                fields.insert(name.to_owned(), value);
            }
            let mut row = json!({"table": word(bytes), "id": word(bytes), "fields": fields});
            if bytes.below(4) == 1 {
                row["gone"] = json!("deleted");
            }
            rows.push(row);
        }
        add(page, n, json!({"n": n, "rows": rows}));
    })
}

/// More than anybody asked for.
pub(super) fn huge(bytes: &mut Bytes<'_>, answer: Response) -> Response {
    match bytes.below(6) {
        // It unpacks to more than an answer may have.
        0 => response(200, "application/json", Some("zstd"), bomb().to_vec()),
        1 => response(200, "application/json", None, "[".repeat(200_000).into_bytes()),
        2 => edited(answer, |said| {
            fill(said, |n| {
                let row = |i| json!({"table": "notes", "id": format!("huge{i}"), "fields": {"title": "t".repeat(40)}});
                json!({"n": n, "rows": (0..3_000).map(row).collect::<Vec<_>>()})
            })
        }),
        3 => edited(answer, |said| {
            fill(
                said,
                |n| json!({"n": n, "rows": [{"table": "notes", "id": "huge", "fields": {"body": "b".repeat(3 << 20)}}]}),
            )
        }),
        // The first of parts that never come.
        4 => edited(answer, |said| {
            fill(said, |n| {
                let rows = json!([{"table": "notes", "id": "part", "fields": {"body": "p".repeat(200_000)}}]);
                json!({"n": n, "part": {"i": 1, "n": u32::MAX}, "rows": rows})
            })
        }),
        // Tables nobody knows.
        _ => edited(answer, |said| {
            fill(said, |n| {
                let row =
                    |i| json!({"table": format!("t{i}"), "id": "x".repeat(256), "fields": {"f": "x".repeat(400)}});
                json!({"n": n, "rows": (0..300).map(row).collect::<Vec<_>>()})
            })
        }),
    }
}

fn fill(said: &mut Json, commit: impl FnOnce(u64) -> Json) {
    let Some(page) = page_of(said) else { return };
    let n = page.get("at").and_then(Json::as_u64).unwrap_or(0).saturating_add(1);
    let commit = commit(n);
    add(page, n, commit);
}

fn add(page: &mut Map<String, Json>, n: u64, commit: Json) {
    if let Some(commits) = page.get_mut("commits").and_then(Json::as_array_mut) {
        commits.push(commit);
        page.insert("at".to_owned(), json!(n));
        page.insert("cursor".to_owned(), json!(format!("made up {n}")));
    }
}

fn page_of(said: &mut Json) -> Option<&mut Map<String, Json>> {
    if said.get("commits").is_some() { said.as_object_mut() } else { said.get_mut("pull")?.as_object_mut() }
}

/// Changes an answer that is JSON; another one stays as it is.
fn edited(answer: Response, edit: impl FnOnce(&mut Json)) -> Response {
    let Ok(mut said) = serde_json::from_slice::<Json>(&answer.body) else { return answer };
    edit(&mut said);
    Response { body: Body::from(said.to_string()), ..answer }
}

/// 40 MiB of JSON in a few kilobytes.
fn bomb() -> &'static [u8] {
    static BOMB: std::sync::OnceLock<Vec<u8>> = std::sync::OnceLock::new();
    BOMB.get_or_init(|| {
        let text = format!("{{\"x\":\"{}\"}}", "x".repeat(40 << 20));
        zstd::encode_all(text.as_bytes(), 1).expect("zstd packs")
    })
}
