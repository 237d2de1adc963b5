//! I-48: whose database it is, and whose the token.

use std::sync::Arc;

use super::kit::{Device, TestServer, Tokens, mint, mint_for, no_hooks, options, wait};
use super::stores::open;
use crate::error::FfiError;
use crate::open::FfiOptions;

#[test]
fn a_token_of_another_account_sends_nothing() {
    let server = TestServer::start();
    let hers = || Ok(mint(3_600));
    let tokens = vec![hers(), Ok(mint_for("ben", 3_600)), hers()];
    let device = Device::with(&server, Tokens::new(tokens));
    device.insert("hers");
    device.sync();
    device.insert("hers too");
    device.store.token_changed().unwrap();
    let refused = wait(device.store.clone().sync(None));
    assert!(
        matches!(&refused, Err(FfiError::AuthRequired { code, .. }) if code == "sync_other_account"),
        "{refused:?}"
    );
    let now = wait(Arc::clone(&device.store).status()).unwrap();
    assert_eq!((now.pending_groups, now.last_error_code.as_deref()), (1, Some("other_account")));
    let other = Device::on(&server);
    other.sync();
    assert_eq!(other.titles(), ["hers"]);
    device.store.token_changed().unwrap();
    device.sync();
    assert_eq!(wait(Arc::clone(&device.store).status()).unwrap().pending_groups, 0);
}

#[test]
fn a_database_of_another_account_is_refused_and_says_what_waits() {
    let device = Device::opened(no_hooks(), |options| FfiOptions { account: Some("ann".to_owned()), ..options });
    device.insert("hers");
    wait(Arc::clone(&device.store).shutdown()).unwrap();
    let open_for = |account: &str| {
        let options = FfiOptions { account: Some(account.to_owned()), ..options(&device.path()) };
        open(options)
    };
    match open_for("ben").map(drop) {
        Err(FfiError::OtherAccount { code, pending_groups: 1, .. }) => assert_eq!(code, "other_account"),
        other => panic!("{other:?}"),
    }
    let again = open_for("ann").unwrap();
    assert_eq!(wait(Arc::clone(&again).status()).unwrap().pending_groups, 1);
    wait(again.shutdown()).unwrap();
}
