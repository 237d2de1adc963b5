//! Opening, writing, errors, closing.

use std::sync::Arc;
use std::time::Duration;

use super::kit::{Device, insert, no_hooks, wait};
use crate::error::FfiError;
use crate::open::FfiOptions;
use crate::store::{FfiCancel, FfiStore};
use crate::value::{FfiChange, FfiValue};

pub(super) fn code<T: std::fmt::Debug>(result: Result<T, FfiError>) -> (&'static str, String) {
    match result.unwrap_err() {
        FfiError::Retryable { code, .. } => ("retryable", code),
        FfiError::AuthRequired { code, .. } => ("auth", code),
        FfiError::UpgradeRequired { code, .. } => ("upgrade", code),
        FfiError::StorageFull { code, .. } => ("full", code),
        FfiError::Corrupt { code, .. } => ("corrupt", code),
        FfiError::Unavailable { code, .. } => ("unavailable", code),
        FfiError::OtherAccount { code, .. } => ("account", code),
        FfiError::KeyUnavailable { code, .. } => ("key", code),
        FfiError::InvalidArgument { code, .. } => ("invalid", code),
        FfiError::Closed { code, .. } => ("closed", code),
        FfiError::Cancelled { code, .. } => ("cancelled", code),
        FfiError::Internal { code, .. } => ("internal", code),
    }
}

pub(super) fn open(options: FfiOptions) -> Result<Arc<FfiStore>, FfiError> {
    wait(FfiStore::open(options, no_hooks()))
}

impl std::fmt::Debug for FfiStore {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("FfiStore")
    }
}

#[test]
fn a_list_of_changes_is_one_transaction() {
    let device = Device::offline();
    let id = device.insert("first");
    let text = |name: &str| name.to_owned();
    let wrong = vec![
        FfiChange::Increment { table: text("notes"), id: id.clone(), field: text("views"), by: 3 },
        FfiChange::Delete { table: text("notes"), id: id.clone() },
        FfiChange::Update { table: text("notes"), id: id.clone(), fields: Vec::new() },
    ];
    let refused = wait(Arc::clone(&device.store).write(wrong, None));
    assert_eq!(code(refused), ("invalid", text("row_missing")));
    assert_eq!(device.titles(), ["first"], "nothing of it happened");

    let sql = FfiChange::Sql {
        sql: text("UPDATE notes SET body = ?1 WHERE id = ?2"),
        params: vec![FfiValue::Text { value: text("b") }, FfiValue::Text { value: id.clone() }],
    };
    let upsert = FfiChange::Upsert { table: text("notes"), id: text("own"), fields: Vec::new() };
    let more = FfiChange::Increment { table: text("notes"), id, field: text("views"), by: 3 };
    let written = device.write(vec![insert("second"), sql, upsert, more]);
    assert_eq!(written.ids.len(), 1, "an id for each insert");
    let found = device.query("SELECT count(*), sum(views), sum(body = 'b') FROM notes");
    assert_eq!((found.int(0, 0), found.int(0, 1), found.int(0, 2)), (3, 3, 1));
    let status = wait(Arc::clone(&device.store).status()).unwrap();
    assert_eq!(status.pending_groups, 2);
}

#[test]
fn a_write_id_is_used_once_and_gives_the_same_ids() {
    let device = Device::offline();
    let write = |title: &str| wait(Arc::clone(&device.store).write(vec![insert(title)], Some("import-1".to_owned())));
    let first = write("one").unwrap();
    let again = write("two").unwrap();
    assert!(!first.repeated && again.repeated);
    assert_eq!(first.ids, again.ids);
    assert_eq!(device.titles(), ["one"]);
}

#[test]
fn fifty_callers_at_once() {
    let device = Device::offline();
    wait(async {
        let calls = (0..50).map(|n| {
            let store = Arc::clone(&device.store);
            async move {
                let written = store.clone().write(vec![insert(&format!("{n:02}"))], None).await.unwrap();
                let id = written.ids[0].clone();
                assert!(store.get("notes".to_owned(), id).await.unwrap().is_some());
            }
        });
        let mut set = tokio::task::JoinSet::new();
        calls.for_each(|call| drop(set.spawn(call)));
        while let Some(done) = set.join_next().await {
            done.unwrap();
        }
    });
    assert_eq!(device.titles().len(), 50);
}

/// A query that never ends, nor comes to a row.
pub(super) const ENDLESS: &str =
    "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n";

#[test]
fn a_cancelled_query_ends_at_once() {
    let device = Device::offline();
    let store = || Arc::clone(&device.store);
    // It began by then, or ends as it begins.
    let soon = || std::thread::park_timeout(Duration::from_millis(50));
    // Told so, as Swift does.
    let cancel = FfiCancel::create().unwrap();
    let query = store().query(ENDLESS.to_owned(), Vec::new(), Some(Arc::clone(&cancel)));
    let later = async {
        soon();
        cancel.cancel().unwrap();
    };
    assert_eq!(wait(async { tokio::join!(query, later).0 }), Err(FfiError::cancelled()));
    // By a caller who goes away, as Kotlin does.
    wait(async {
        tokio::select! {
            biased;
            ended = store().query(ENDLESS.to_owned(), Vec::new(), None) => panic!("it ended: {ended:?}"),
            () = async { soon() } => {}
        }
    });
    let is_idle = || Arc::strong_count(&device.store) == 1;
    (0..1_200).take_while(|_| !is_idle()).for_each(|_| std::thread::park_timeout(Duration::from_millis(25)));
    assert!(is_idle(), "a query that nobody waits for goes on");
    // Pages whose first row is far.
    let pages = store().pages(ENDLESS.to_owned(), Vec::new(), 1, 1).unwrap();
    soon();
    pages.cancel().unwrap();
    assert_eq!(wait(pages.next()), Ok(None), "their thread has ended");
    assert!(device.titles().is_empty(), "the connections go on as if nothing had been");
}
