//! Streams: what they give, how they end, and that a caller who goes away loses nothing.

use std::time::Duration;

use super::kit::{Device, Table, TestServer, wait};
use crate::records::FfiRowState;

#[test]
fn a_watch_gives_rows_now_and_after_each_commit() {
    let device = Device::offline();
    wait(async {
        let watch = device.store.clone().watch("SELECT title FROM notes".to_owned(), Vec::new()).await.unwrap();
        assert_eq!(Table(watch.clone().next().await.unwrap().unwrap()).rows(), 0);
        device.store.clone().write(vec![super::kit::insert("one")], None).await.unwrap();
        assert_eq!(Table(watch.clone().next().await.unwrap().unwrap()).text(0, 0), "one");
        // Nothing new: it waits. Whoever goes away meanwhile loses nothing.
        let waited = tokio::time::timeout(Duration::from_millis(50), watch.clone().next()).await;
        assert!(waited.is_err());
        device.store.clone().write(vec![super::kit::insert("two")], None).await.unwrap();
        assert_eq!(Table(watch.clone().next().await.unwrap().unwrap()).rows(), 2);
        let (ended, ()) = tokio::join!(watch.clone().next(), async {
            tokio::task::yield_now().await;
            watch.cancel().unwrap();
        });
        assert_eq!(ended, Ok(None));
        assert_eq!(watch.clone().next().await, Ok(None));
    });
}

#[test]
fn callers_who_go_away_at_any_moment_lose_no_emission() {
    let device = Device::offline();
    wait(async {
        let watch = device.store.clone().watch("SELECT title FROM notes".to_owned(), Vec::new()).await.unwrap();
        for round in 0..100u64 {
            device.store.clone().write(vec![super::kit::insert("x")], None).await.unwrap();
            let _ = tokio::time::timeout(Duration::from_micros(round * 13), watch.clone().next()).await;
        }
        device.store.clone().write(vec![super::kit::insert("last")], None).await.unwrap();
        let mut rows = 0;
        while rows < 101 {
            let next = tokio::time::timeout(Duration::from_secs(20), watch.clone().next()).await;
            rows = Table(next.expect("the newest rows come").unwrap().unwrap()).rows();
        }
    });
}

#[test]
fn the_state_of_a_row_and_of_the_store_can_be_watched() {
    let server = TestServer::start();
    let device = Device::on(&server);
    let id = device.insert("one");
    wait(async {
        let row = device.store.clone().watch_row_state("notes".to_owned(), id).await.unwrap();
        let status = device.store.clone().watch_status().await.unwrap();
        assert_eq!(row.clone().next().await, Ok(Some(FfiRowState::Saved)));
        assert_eq!(status.clone().next().await.unwrap().unwrap().pending_groups, 1);
        device.store.clone().sync(None).await.unwrap();
        while row.clone().next().await.unwrap() != Some(FfiRowState::Synced) {}
        while status.clone().next().await.unwrap().unwrap().pending_groups != 0 {}
        row.cancel().unwrap();
        status.cancel().unwrap();
        assert_eq!((row.next().await, status.next().await), (Ok(None), Ok(None)));
        let missing = device.store.clone().watch_row_state("cats".to_owned(), "1".to_owned()).await;
        assert!(missing.is_err());
    });
}
