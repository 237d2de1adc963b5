//! Transactions that the app drives.

use std::sync::Arc;

use super::kit::{Device, Table, insert, wait};
use crate::error::FfiError;
use crate::value::FfiChange;

#[test]
fn a_transaction_reads_what_it_wrote_and_is_atomic() {
    let device = Device::offline();
    wait(async {
        let tx = device.store.clone().begin().await.unwrap();
        let ids = tx.clone().apply(vec![insert("one"), insert("two")]).await.unwrap();
        let found = Table(tx.clone().query("SELECT count(*) FROM notes".to_owned(), Vec::new()).await.unwrap());
        assert_eq!(found.int(0, 0), 2);
        assert!(tx.clone().get("notes".to_owned(), ids[0].clone()).await.unwrap().is_some());
        // What fails inside is undone alone; the transaction goes on.
        let missing = FfiChange::Update { table: "notes".to_owned(), id: "none".to_owned(), fields: Vec::new() };
        assert!(tx.clone().apply(vec![insert("three"), missing]).await.is_err());
        assert_eq!(tx.clone().execute("UPDATE notes SET body = 'x'".to_owned(), Vec::new()).await, Ok(2));
        // Nobody else sees it yet.
        assert_eq!(
            Table(device.store.clone().query("SELECT 1 FROM notes".to_owned(), Vec::new(), None).await.unwrap()).rows(),
            0
        );
        tx.clone().commit().await.unwrap();
        let again = tx.clone().commit().await;
        assert!(matches!(&again, Err(FfiError::InvalidArgument { code, .. }) if code == "transaction_over"));
        tx.rollback().await.unwrap();
    });
    assert_eq!(device.titles(), ["one", "two"]);
    assert_eq!(wait(device.store.clone().status()).unwrap().pending_groups, 1, "one transaction, one group");
}

#[test]
fn a_transaction_that_is_rolled_back_never_happened() {
    let device = Device::offline();
    wait(async {
        let tx = device.store.clone().begin().await.unwrap();
        tx.clone().apply(vec![insert("one")]).await.unwrap();
        tx.rollback().await.unwrap();
        let forgotten = device.store.clone().begin().await.unwrap();
        forgotten.clone().apply(vec![insert("two")]).await.unwrap();
        drop(forgotten);
        // The seat is free again.
        device.store.clone().write(vec![insert("three")], None).await.unwrap();
    });
    assert_eq!(device.titles(), ["three"]);
}

#[test]
fn closing_ends_a_transaction_that_nobody_drives() {
    let device = Device::offline();
    wait(async {
        let tx = device.store.clone().begin().await.unwrap();
        tx.clone().apply(vec![insert("one")]).await.unwrap();
        device.store.clone().shutdown().await.unwrap();
        assert!(tx.clone().commit().await.is_err());
    });
    let _ = Arc::clone(&device.store);
}
