//! The documents say what the code says. With `TURNSTONE_BLESS=1` the tables are written anew.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic, missing_docs)]

use std::collections::BTreeSet;
use std::path::PathBuf;

use turnstone_protocol::schema::{CreatePolicy, DeletePolicy, Kind, Policy, RowMerge, Schema};
use turnstone_protocol::{Code, limits};

fn path(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("..").join("docs").join(name)
}

fn read(name: &str) -> String {
    std::fs::read_to_string(path(name)).unwrap()
}

/// The sentences of the doc comments, so that there is one place to write them.
fn comment_of(source: &str, item: &str) -> String {
    let before = &source[..source.find(item).unwrap_or_else(|| panic!("{item}"))];
    let comment = before.rsplit('\n').skip(1).take_while(|line| line.trim_start().starts_with("///"));
    let mut lines: Vec<&str> = comment.map(|line| line.trim_start().trim_start_matches("///").trim()).collect();
    lines.reverse();
    lines.join(" ")
}

fn codes() -> String {
    let source = include_str!("../src/catalogue.rs");
    let row = |code: &Code| {
        let class = serde_json::to_value(code.class()).unwrap();
        let meaning = comment_of(source, &format!(" = \"{}\",", code.as_str()));
        let meaning = meaning.replace("Group: ", "In a verdict: ");
        format!("| `{}` | {} | {} | {} |", code.as_str(), class.as_str().unwrap(), code.status(), meaning)
    };
    Code::ALL.iter().map(row).collect::<Vec<_>>().join("\n")
}

macro_rules! limits {
    ($($name:ident),+ $(,)?) => { vec![$((stringify!($name), limits::$name.to_string())),+] };
}

fn limit_rows() -> String {
    let all = limits![
        VALUE_BYTES_MAX,
        VALUE_BYTES_CEILING,
        ROW_BYTES_MAX,
        GROUP_OPS_MAX,
        GROUP_BYTES_MAX,
        REQUEST_PACKED_BYTES_MAX,
        REQUEST_EXPANDED_BYTES_MAX,
        ANSWER_EXPANDED_BYTES_MAX,
        PUSH_GROUPS_MAX,
        PAGE_ROWS_MAX,
        PAGE_BYTES_MAX,
        ID_BYTES_MAX,
        NAME_BYTES_MAX,
        TABLES_MAX,
        FIELDS_MAX,
        INDEXES_MAX,
        SCHEMA_BYTES_MAX,
        JSON_DEPTH_MAX,
        WAS_BYTES_MAX,
        GIDS_MAX,
        APP_BYTES_MAX,
        CURSOR_BYTES_MAX,
        PRINCIPAL_BYTES_MAX,
        WIRE_INTEGER_MAX,
    ];
    let source = include_str!("../src/limits.rs");
    assert_eq!(source.matches("pub const ").count(), all.len(), "every limit is in the list");
    let row = |(name, value): &(&str, String)| {
        format!("| `{name}` | {value} | {} |", comment_of(source, &format!("pub const {name}:")))
    };
    all.iter().map(row).collect::<Vec<_>>().join("\n")
}

fn check_table(head: &str, placeholder: &str, rows: &str) {
    let text = read("protocol.md");
    let start = text.find(head).unwrap() + head.len();
    let end = start + text[start..].find("\n\n").unwrap();
    if std::env::var_os("TURNSTONE_BLESS").is_some() {
        std::fs::write(path("protocol.md"), format!("{}{rows}{}", &text[..start], &text[end..])).unwrap();
        return;
    }
    assert_eq!(&text[start..end], rows, "{placeholder}: run with TURNSTONE_BLESS=1 and read the difference");
}

#[test]
fn protocol_tables_are_the_codes_and_limits() {
    check_table("| Code | Class | Status | Meaning |\n|---|---|---|---|\n", "CODES", &codes());
    check_table("| Limit | Value | What it bounds |\n|---|---|---|\n", "LIMITS", &limit_rows());
}

fn toml_blocks(text: &str) -> Vec<&str> {
    text.split("```toml\n").skip(1).map(|rest| rest.split("```").next().unwrap()).collect()
}

#[test]
fn schema_examples_are_schemas() {
    let text = read("schema.md");
    let blocks = toml_blocks(&text);
    assert!(!blocks.is_empty());
    for block in blocks {
        Schema::parse(block).unwrap_or_else(|error| panic!("{error}\n{block}")).check_supported().unwrap();
    }
}

/// The Rust of the page, word by word, says what its TOML says.
#[test]
fn the_rust_example_means_the_toml_example() {
    let text = read("schema.md");
    let rust = text.split("```rust\n").nth(1).unwrap().split("```").next().unwrap();
    let here = include_str!("documents.rs");
    let squeeze = |text: &str| text.split_whitespace().collect::<String>();
    let body = rust.split_once("let schema = ").unwrap().1.trim().trim_end_matches(".expect(\"a schema\");");
    assert!(squeeze(here).contains(&squeeze(body)), "the example below is the one of the page");
    let schema = Schema::builder(1)
        .name("notes")
        .table("notes", |t| {
            t.text("title")
                .default("")
                .end()
                .text("body")
                .default("")
                .end()
                .boolean("pinned")
                .default(false)
                .end()
                .integer("views")
                .default(0)
                .merge(Policy::Counter)
                .end()
                .text("list_id")
                .nullable()
                .references("lists")
                .end()
                .timestamp("edited_at")
                .default(0)
                .merge(Policy::Max)
                .end()
                .delete(DeletePolicy::EditWins)
                .index("notes_by_list", &["list_id", "edited_at"])
        })
        .table("lists", |t| t.text("name").end())
        .build()
        .unwrap();
    assert_eq!(schema, Schema::parse(toml_blocks(&text)[0]).unwrap());
    assert_eq!(Schema::parse(&schema.to_toml()).unwrap(), schema);
}

#[test]
fn schema_page_lists_every_word_and_code() {
    let text = read("schema.md");
    let words = [Kind::WORDS, Policy::WORDS, DeletePolicy::WORDS, CreatePolicy::WORDS, RowMerge::WORDS].concat();
    for word in words {
        assert!(text.contains(&format!("`{word}`")) || text.contains(&format!("`\"{word}\"`")), "{word}");
    }
    let source = include_str!("../src/schema/error.rs");
    let codes: BTreeSet<&str> = source.split('"').filter(|text| text.starts_with("schema_")).collect();
    let listed: BTreeSet<&str> =
        text.lines().filter_map(|line| line.strip_prefix("| `schema_").and_then(|_| line.split('`').nth(1))).collect();
    assert_eq!(codes, listed);
    for line in text
        .lines()
        .filter(|line| line.contains("not built yet") && line.starts_with("| `") && !line.starts_with("| `schema_"))
    {
        let policy = Policy::from_word(line.split('`').nth(1).unwrap()).unwrap();
        assert!(!policy.is_built(), "{line}");
    }
}
