//! The buffer, byte by byte.

use std::sync::Arc;

use super::kit::{Device, Table, insert, wait};
use crate::value::{FfiChange, FfiField, FfiValue};

#[test]
fn every_kind_of_value_comes_back_as_it_was() {
    let device = Device::offline();
    let field = |name: &str, value: FfiValue| FfiField { name: name.to_owned(), value };
    let fields = vec![
        field("title", FfiValue::Text { value: "naïve 🐦".to_owned() }),
        field("pinned", FfiValue::Bool { value: true }),
        field("views", FfiValue::Int { value: i64::MIN }),
        field("weight", FfiValue::Real { value: -2.5 }),
        field("photo", FfiValue::Bytes { value: vec![0, 255, 7] }),
        field("meta", FfiValue::Json { value: r#"{"a":[1,2]}"#.to_owned() }),
    ];
    let id = "row-1".to_owned();
    device.write(vec![FfiChange::Insert { table: "notes".to_owned(), id: Some(id.clone()), fields }]);

    let row = wait(Arc::clone(&device.store).get("notes".to_owned(), id.clone())).unwrap().unwrap();
    let row = Table(row);
    assert_eq!(row.columns(), ["id", "title", "body", "pinned", "views", "weight", "photo", "meta"]);
    let tags: Vec<u8> = (0..8).map(|column| row.tag(0, column)).collect();
    assert_eq!(tags, [3, 3, 3, 5, 1, 2, 4, 6], "declared types");
    assert_eq!((row.text(0, 0), row.text(0, 1), row.text(0, 2)), (id, "naïve 🐦".to_owned(), String::new()));
    assert_eq!((row.slot(0, 3), row.int(0, 4)), (1, i64::MIN));
    assert_eq!(f64::from_bits(row.slot(0, 5)).to_bits(), (-2.5f64).to_bits());
    assert_eq!(row.bytes(0, 6), [0, 255, 7]);
    assert_eq!(row.text(0, 7), r#"{"a":[1,2]}"#);

    let rows = device.query("SELECT pinned, meta, NULL, photo, weight FROM notes");
    let tags: Vec<u8> = (0..5).map(|column| rows.tag(0, column)).collect();
    assert_eq!(tags, [1, 3, 0, 4, 2], "in a query SQLite's own types");
}

#[test]
fn no_rows_still_name_the_columns() {
    let device = Device::offline();
    let found = device.query("SELECT id, title AS t FROM notes");
    assert_eq!((found.rows(), found.columns()), (0, vec!["id".to_owned(), "t".to_owned()]));
    assert_eq!(wait(Arc::clone(&device.store).get("notes".to_owned(), "none".to_owned())), Ok(None));
}

#[test]
fn pages_are_of_one_moment_and_end() {
    let device = Device::offline();
    device.write((0..25).map(|n| insert(&format!("{n:02}"))).collect());
    let sql = "SELECT title FROM notes ORDER BY title".to_owned();
    let pages = Arc::clone(&device.store).pages(sql.clone(), Vec::new(), 10, 1 << 20).unwrap();
    let mut sizes = Vec::new();
    let mut titles = Vec::new();
    while let Some(page) = wait(Arc::clone(&pages).next()).unwrap() {
        let page = Table(page);
        assert_eq!(page.columns(), ["title"]);
        titles.extend((0..page.rows()).map(|row| page.text(row, 0)));
        sizes.push(page.rows());
        device.insert("zz written between two pages");
    }
    assert_eq!(sizes, [10, 10, 5]);
    assert_eq!(titles, (0..25).map(|n| format!("{n:02}")).collect::<Vec<_>>());
    assert_eq!(wait(Arc::clone(&pages).next()), Ok(None), "the end stays the end");

    // A page of few bytes ends at the byte limit.
    let small = Arc::clone(&device.store).pages(sql.clone(), Vec::new(), 1_000, 40).unwrap();
    assert!(Table(wait(Arc::clone(&small).next()).unwrap().unwrap()).rows() < 10);
    small.cancel().unwrap();
    let mut left = 0;
    while wait(Arc::clone(&small).next()).unwrap_or(None).is_some() {
        left += 1;
    }
    assert!(left <= 2, "a cancelled query ends: at most what was on its way still comes");

    let wrong = Arc::clone(&device.store).pages("SELEKT".to_owned(), Vec::new(), 10, 10).unwrap();
    assert!(wait(wrong.next()).is_err());
}

#[test]
fn a_store_that_closes_ends_pages_nobody_reads() {
    let device = Device::offline();
    device.write((0..25).map(|n| insert(&format!("{n:02}"))).collect());
    let sql = "SELECT title FROM notes".to_owned();
    let pages = Arc::clone(&device.store).pages(sql, Vec::new(), 1, 1 << 20).unwrap();
    assert!(wait(Arc::clone(&pages).next()).unwrap().is_some());
    wait(Arc::clone(&device.store).shutdown()).unwrap();
    // The file is free again: the query that nobody read let go of it.
    let again = |_| {
        std::thread::park_timeout(std::time::Duration::from_millis(5));
        wait(crate::store::FfiStore::open(super::kit::options(&device.path()), super::kit::no_hooks())).ok()
    };
    assert!((0..4_000).find_map(again).is_some());
}
