//! Runs every golden vector of `protocol/vectors`. With `TURNSTONE_BLESS=1` it writes what it
//! computes into them instead; the difference is then read by a person.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic, missing_docs)]

mod cases;
mod file;

use file::File;

#[test]
fn canonical_json() {
    File::open("canonical.json").check();
}

#[test]
fn values() {
    File::open("values.json").check();
}

#[test]
fn hlc() {
    File::open("hlc.json").check();
}

#[test]
fn schema_documents() {
    File::open("schema.json").check();
}

#[test]
fn admission_cases() {
    File::open("admit.json").check();
}

#[test]
fn merge_cases() {
    File::open("merge.json").check();
}

#[test]
fn fold_cases() {
    File::open("fold.json").check();
}

#[test]
fn hashes() {
    File::open("hash.json").check();
}

#[test]
fn messages() {
    File::open("wire.json").check();
}

#[test]
fn no_file_is_forgotten() {
    assert_eq!(File::names().len(), 9);
}
