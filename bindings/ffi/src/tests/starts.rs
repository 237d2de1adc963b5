//! What starts a sync, beside the call of that name.

use std::time::Duration;

use super::background::auto;
use super::kit::{Device, TestServer, wait};
use crate::background::FfiDecision;

/// Far less than the next look at the server by itself, and than a look for a network that may be back.
const SOON: Duration = Duration::from_secs(30);

#[test]
fn a_poke_starts_a_sync() {
    let server = TestServer::start();
    let (device, other) = (auto(&server), Device::on(&server));
    device.sync();
    other.insert("news");
    other.sync();
    wait(async {
        let status = device.store.clone().watch_status().await.unwrap();
        // Nothing of the opening is under way any more.
        while matches!(status.clone().next().await.unwrap().unwrap().next, FfiDecision::Now { .. }) {}
        let query = "SELECT title FROM notes WHERE title = 'news'".to_owned();
        let watch = device.store.clone().watch(query, Vec::new()).await.unwrap();
        assert_eq!(super::kit::Table(watch.clone().next().await.unwrap().unwrap()).rows(), 0);
        device.store.poke().unwrap();
        let came = tokio::time::timeout(SOON, watch.clone().next()).await.expect("a poke starts a sync");
        assert_eq!(super::kit::Table(came.unwrap().unwrap()).rows(), 1);
    });
}

#[test]
fn the_network_coming_back_starts_a_sync() {
    let server = TestServer::start();
    let device = auto(&server);
    device.sync();
    device.store.network_changed(false).unwrap();
    device.insert("written offline");
    wait(async {
        let status = device.store.clone().watch_status().await.unwrap();
        let is_offline = |next: &FfiDecision| matches!(next, FfiDecision::At { why, .. } if why == "offline");
        while !is_offline(&status.clone().next().await.unwrap().unwrap().next) {}
        device.store.network_changed(true).unwrap();
        let sent = async { while status.clone().next().await.unwrap().unwrap().pending_groups > 0 {} };
        tokio::time::timeout(SOON, sent).await.expect("a network that is back starts a sync");
    });
}
