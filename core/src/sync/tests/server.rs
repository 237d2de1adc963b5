//! What a test needs of a server, and the real one behind it.

use std::cell::RefCell;
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use serde_json::value::RawValue;
use turnstone_protocol::op::Entry;
use turnstone_protocol::wire::{PullAnswer, PullRequest, PushAnswer, PushRequest, Row};
use turnstone_protocol::{Code, DeviceId, Fields, Gid, Incarnation, Schema, Value};
use turnstone_server::service::{Principal, Service, Settings};
use turnstone_server::storage::sqlite::{SqliteOptions, SqliteStorage, Synchronous};

/// Rows by table and id.
pub(super) type Truth = BTreeMap<(String, String), Fields>;

/// A server as the tests see it.
pub(super) trait Server {
    fn push(&mut self, request: &PushRequest<Box<RawValue>>) -> Result<PushAnswer, Code>;
    fn pull(&self, request: &PullRequest) -> Result<PullAnswer, Code>;
    fn state_hash(&self) -> String;
    /// The live rows as they were at a commit, in canonical form.
    fn rows_at(&self, at: u64) -> Truth;
    /// Every text an accepted group wrote.
    fn words(&self) -> Vec<String>;
    fn pass_ms(&mut self, ms: u64);
    /// Begins to fail on a group, or to put one off; or stops both.
    fn trouble(&mut self, poison: Option<Gid>, undecided: Vec<Gid>);

    /// The value of a field of a live row, as the server holds it.
    fn value(&self, table: &str, id: &str, field: &str) -> Option<Value> {
        self.rows_at(u64::MAX).get(&(table.to_owned(), id.to_owned()))?.get(field).cloned()
    }
}

/// The rows a list of commits left, up to one of them.
pub(super) fn replay<'r>(rows: impl Iterator<Item = &'r Row>) -> Truth {
    let mut truth = Truth::new();
    for row in rows {
        let key = (row.table.clone(), row.id.clone());
        match row.gone {
            Some(_) => truth.remove(&key),
            None => truth.insert(key, row.fields.clone()),
        };
    }
    truth
}

/// What an onlooker has pulled: where it stands, and each row with its commit.
type Seen = (Option<String>, Vec<(u64, Row)>);

/// The real server in this process.
pub(super) struct Real {
    service: Service,
    who: Principal,
    now_ms: u64,
    poison: Option<Gid>,
    words: HashMap<Gid, Vec<String>>,
    seen: RefCell<Seen>,
    _dir: tempfile::TempDir,
}

impl Real {
    pub(super) fn new(schema: Schema, page_rows_max: usize) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let storage = SqliteStorage::open(&SqliteOptions {
            path: dir.path().join("server.db"),
            synchronous: Synchronous::Off,
            new_epoch: false,
            random: [7; 32],
            witness: None,
            vfs: None,
        })
        .unwrap();
        let mut settings = Settings {
            schema,
            keys: vec![turnstone_server::key::Key::from_bytes([7; 32]).unwrap()],
            limits: turnstone_server::config::Limits::default(),
            schema_min: 1,
            stable_after_ms: 0,
        };
        settings.limits.page_rows_max = page_rows_max;
        let service = Service::open(Arc::new(storage), settings).unwrap();
        let who = Principal { tenant: "t".into(), sub: "s".into(), device: None };
        let (words, seen) = (HashMap::new(), RefCell::default());
        Self { service, who, now_ms: 1_800_000_000_000, poison: None, words, seen, _dir: dir }
    }

    fn look(&self) {
        let mut seen = self.seen.borrow_mut();
        loop {
            let request = PullRequest {
                device: DeviceId::from_random(1),
                incarnation: Incarnation::from_random(1),
                schema: 1,
                cursor: seen.0.clone(),
                limit: 1_000,
                runs: false,
                full: true,
            };
            let page = self.service.pull(&self.who, &request, self.now_ms).unwrap();
            seen.1.extend(
                page.commits.into_iter().flat_map(|commit| commit.rows.into_iter().map(move |row| (commit.n, row))),
            );
            seen.0 = Some(page.cursor);
            if !page.more {
                return;
            }
        }
    }
}

impl Server for Real {
    fn push(&mut self, request: &PushRequest<Box<RawValue>>) -> Result<PushAnswer, Code> {
        for raw in &request.groups {
            if let Entry::Group(group) = serde_json::from_str(raw.get()).unwrap() {
                if self.poison == Some(group.gid) {
                    return Err(Code::Internal);
                }
                let texts = group.ops.iter().flat_map(|op| op.set.values()).filter_map(text_of).collect();
                self.words.insert(group.gid, texts);
            }
        }
        let answer = self.service.push(&self.who, request.clone(), self.now_ms).map_err(|problem| problem.code)?;
        for verdict in answer.verdicts.iter().filter(|verdict| !verdict.verdict.is_accepted()) {
            self.words.remove(&verdict.gid);
        }
        Ok(answer)
    }

    fn pull(&self, request: &PullRequest) -> Result<PullAnswer, Code> {
        self.service.pull(&self.who, request, self.now_ms).map_err(|problem| problem.code)
    }

    fn state_hash(&self) -> String {
        self.service.state_hash(&self.who).unwrap().hash
    }

    fn rows_at(&self, at: u64) -> Truth {
        self.look();
        replay(self.seen.borrow().1.iter().filter(|(n, _)| *n <= at).map(|(_, row)| row))
    }

    fn words(&self) -> Vec<String> {
        self.words.values().flatten().cloned().collect()
    }

    fn pass_ms(&mut self, ms: u64) {
        self.now_ms += ms;
    }

    fn trouble(&mut self, poison: Option<Gid>, _undecided: Vec<Gid>) {
        self.poison = poison;
    }
}

/// A text value.
pub(super) fn text_of(value: &Value) -> Option<String> {
    match value {
        Value::Text(text) => Some(text.clone()),
        _ => None,
    }
}
