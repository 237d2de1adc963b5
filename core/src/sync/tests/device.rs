//! A device whose every step the test takes by hand, and the oracle that holds it to the promise.

use std::collections::BTreeSet;
use std::path::PathBuf;

use serde_json::value::RawValue;
use turnstone_engine::oplog::Moment;
use turnstone_protocol::wire::{PullAnswer, PullRequest, PushAnswer, PushRequest};
use turnstone_protocol::{Code, Fields, Gid, Incarnation, Op, Schema, Value};

use super::server::{Server, Truth};
use crate::clock::{Clock, Entropy};
use crate::storage::{Database, Durability, OpenOptions, SystemTx, Tx};
use crate::sync::{self, Asked, Batch, PageOutcome, PageReport, SealInput, Sent, VerdictReport};

/// A device.
pub(super) struct Device {
    pub(super) name: String,
    pub(super) db: Database,
    pub(super) clock: Clock,
    path: PathBuf,
    schema: Schema,
    seed: u64,
}

/// A push under way.
pub(super) struct Packet {
    pub(super) request: PushRequest<Box<RawValue>>,
    pub(super) sent: Vec<Sent>,
}

/// A pull as it was asked for.
#[derive(Clone)]
pub(super) struct Question {
    pub(super) request: PullRequest,
    asked: Asked,
}

impl std::ops::Deref for Question {
    type Target = PullRequest;

    fn deref(&self) -> &PullRequest {
        &self.request
    }
}

impl Device {
    pub(super) fn open(dir: &std::path::Path, name: &str, schema: &Schema) -> Self {
        let path = dir.join(format!("{name}.db"));
        let clock = Clock::manual(1_800_000_000_000);
        let seed = name.bytes().fold(7, |seed, byte| seed * 31 + u64::from(byte));
        let db = open(&path, schema, &clock, seed);
        Self { name: name.to_owned(), db, clock, path, schema: schema.clone(), seed }
    }

    /// The process dies between two steps, and starts again.
    pub(super) fn crash(&mut self) {
        self.seed += 1_000_003;
        self.db.close().unwrap();
        self.db = open(&self.path, &self.schema, &self.clock, self.seed);
    }

    /// Opens the same file with a newer schema.
    pub(super) fn update_app(&mut self, schema: &Schema) {
        self.schema = schema.clone();
        self.crash();
    }

    pub(super) fn now(&self) -> Moment {
        self.clock.now()
    }

    pub(super) fn write(&self, work: impl FnOnce(&mut Tx<'_>) -> Result<(), crate::Error> + Send + 'static) {
        self.clock.advance_ms(5);
        self.db.write(work).unwrap();
    }

    pub(super) fn system<T>(&self, work: impl FnOnce(&mut SystemTx<'_>) -> Result<T, crate::Error>) -> T {
        self.db.system(work).unwrap()
    }

    pub(super) fn get(&self, table: &str, id: &str, field: &str) -> Option<Value> {
        self.db.get(table, id).unwrap().map(|row| row.get(field).cloned().unwrap())
    }

    pub(super) fn text(&self, table: &str, id: &str, field: &str) -> Option<String> {
        match self.get(table, id, field)? {
            Value::Text(text) => Some(text),
            other => panic!("{other:?} is not text"),
        }
    }

    pub(super) fn int(&self, table: &str, id: &str, field: &str) -> i64 {
        match self.get(table, id, field).unwrap() {
            Value::Int(int) => int,
            other => panic!("{other:?} is not an integer"),
        }
    }

    pub(super) fn seal_with(&self, change: impl FnOnce(&mut SealInput)) -> Batch {
        let mut input = SealInput { now: self.now(), after_seq: 0, groups_max: 1_000, bytes_max: 8 << 20, only: None };
        change(&mut input);
        self.system(|sys| sync::seal_batch(sys, &input))
    }

    /// Seals what there is and puts it into a request. None: nothing is to be sent.
    pub(super) fn pack(&self) -> Option<Packet> {
        self.packet(self.seal_with(|_| {}))
    }

    pub(super) fn packet(&self, batch: Batch) -> Option<Packet> {
        if batch.groups.is_empty() {
            return None;
        }
        let identity = self.system(|sys| sync::identity(sys));
        let raw = |body: &String| RawValue::from_string(body.clone()).unwrap();
        Some(Packet {
            request: PushRequest {
                device: identity.device,
                incarnation: identity.incarnation,
                schema: self.schema.version,
                groups: batch.groups.iter().map(|group| raw(&group.body)).collect(),
                runs: true,
                pull: None,
            },
            sent: batch.groups.iter().map(|group| group.sent).collect(),
        })
    }

    pub(super) fn hear(&self, answer: &PushAnswer, packet: &Packet) -> VerdictReport {
        let now = self.now();
        self.system(|sys| sync::apply_verdicts(sys, answer, &packet.sent, now))
    }

    pub(super) fn ask(&self) -> Question {
        self.system(|sys| {
            let (identity, position) = (sync::identity(sys)?, sync::position(sys)?);
            let asked = Asked::at(&identity, &position);
            let request = PullRequest {
                device: identity.device,
                incarnation: identity.incarnation,
                schema: 1,
                cursor: position.cursor,
                limit: 1_000,
                runs: true,
                full: position.full,
            };
            Ok(Question { request, asked })
        })
    }

    pub(super) fn apply(&self, page: &PullAnswer, asked: &Question) -> PageReport {
        let now = self.now();
        self.system(|sys| sync::apply_page(sys, page, &asked.asked, now))
    }

    /// Pushes once, if there is something to push; the answer arrives.
    pub(super) fn push(&self, server: &mut dyn Server) -> VerdictReport {
        let Some(packet) = self.pack() else { return VerdictReport::default() };
        let answer = server.push(&packet.request).unwrap_or_else(|code| {
            let seqs: Vec<_> = packet.sent.iter().map(|sent| (sent.seq, sent.grp, sent.void)).collect();
            panic!("{code:?} for {seqs:?}\n{}", self.story())
        });
        self.hear(&answer, &packet)
    }

    /// Pulls to the end of the feed.
    pub(super) fn pull(&self, server: &dyn Server) {
        loop {
            let asked = self.ask();
            let page = server.pull(&asked).unwrap();
            assert_eq!(self.apply(&page, &asked).outcome, PageOutcome::Applied);
            if !page.more {
                return;
            }
        }
    }

    /// Pushes and pulls until nothing changes any more.
    pub(super) fn sync(&self, server: &mut dyn Server) {
        for _ in 0..20 {
            let report = self.push(server);
            self.pull(server);
            let counts = self.counts();
            if report == VerdictReport::default() || (counts.pending_groups == 0 && counts.voids == 0) {
                return;
            }
        }
    }

    pub(super) fn counts(&self) -> sync::StatusCounts {
        self.db.read(|reader| sync::status_counts(reader.conn())).unwrap()
    }

    pub(super) fn letters(&self) -> Vec<sync::DeadLetter> {
        self.db.read(|reader| sync::dead_letters(reader.conn())).unwrap()
    }

    pub(super) fn row_state(&self, table: &str, id: &str) -> sync::RowSync {
        self.db.read(|reader| sync::row_state(reader.conn(), table, id)).unwrap()
    }

    /// What was added to a note's counter by groups that are refused.
    pub(super) fn refused_amount(&self, id: &str) -> i64 {
        amount(self.letters().iter().flat_map(|letter| &letter.ops), id)
    }

    /// What was added to a note's counter by groups that are held back.
    pub(super) fn parked_amount(&self, id: &str) -> i64 {
        let sql = "SELECT body FROM _ts_ops JOIN _ts_groups USING (grp) WHERE state IN (6, 8)";
        let rows = self.db.query(sql, &[]).unwrap().rows;
        let ops: Vec<Op> = rows
            .iter()
            .map(|row| match &row[0] {
                Value::Text(body) => serde_json::from_str(body).unwrap(),
                other => panic!("{other:?}"),
            })
            .collect();
        amount(&ops, id)
    }

    /// The dead letters, for a failing test to print.
    pub(super) fn letter_story(&self) -> String {
        let tell = |letter: &sync::DeadLetter| {
            let group = "SELECT grp || ' state ' || state || ' replaces ' || coalesce(hex(replaces), '-') || ' commit ' || coalesce(commit_n, '-') FROM _ts_groups WHERE hex(gid) = ?1";
            let rows = self.db.query(group, &[Value::from(letter.gid.to_string().to_uppercase())]).unwrap().rows;
            let group = rows.first().map(|row| row[0].clone());
            let ops = serde_json::to_string(&letter.ops).unwrap();
            format!(
                "\n{} letter {} {:?} n {:?} {} {} {ops}",
                self.name,
                letter.id,
                letter.code,
                letter.n,
                letter.gid,
                group.as_ref().and_then(super::server::text_of).unwrap_or_default()
            )
        };
        self.letters().iter().map(tell).collect()
    }

    /// The ops of a row, for a failing test to print.
    pub(super) fn row_story(&self, table: &str, id: &str) -> String {
        self.system(|sys| Ok(format!("{}: {}", self.name, tell(sys, table, id))))
    }

    /// What has not settled, for a failing test to print.
    pub(super) fn story(&self) -> String {
        let sql = "SELECT grp, state, seq, hex(gid), after, hex(replaces), error, \
                   (SELECT group_concat(body) FROM _ts_ops o WHERE o.grp = g.grp) \
                   FROM _ts_groups g WHERE state NOT IN (2, 3, 4)";
        let rows = self.db.query(sql, &[]).unwrap().rows;
        let show = |value: &Value| match value {
            Value::Text(text) => text.clone(),
            Value::Int(int) => int.to_string(),
            _ => "-".to_owned(),
        };
        let lines: Vec<String> = rows.iter().map(|row| row.iter().map(show).collect::<Vec<_>>().join(" | ")).collect();
        format!("{} has not settled:\n{}", self.name, lines.join("\n"))
    }

    pub(super) fn retry(&self, id: i64) -> Result<(), sync::RetryRefused> {
        let entropy = Entropy::seeded(self.seed ^ 0x5eed ^ id as u64);
        let mut gid = move || Gid::from_random(entropy.next().unwrap());
        self.system(|sys| {
            let first = gid();
            sync::retry_dead_letter(sys, id, first, &mut gid)
        })
    }

    pub(super) fn quarantine(&self, gid: Gid) -> bool {
        let now = self.now();
        self.system(|sys| sync::quarantine(sys, gid, &Code::Malformed, now))
    }

    pub(super) fn newest_gid(&self) -> Gid {
        let rows = self.db.query("SELECT gid FROM _ts_groups ORDER BY grp DESC LIMIT 1", &[]).unwrap().rows;
        match &rows[0][0] {
            Value::Bytes(bytes) => Gid::from_slice(bytes).unwrap(),
            other => panic!("{other:?}"),
        }
    }

    pub(super) fn renew(&self, number: u128) {
        self.system(|sys| sync::new_incarnation(sys, Incarnation::from_random(number)));
    }

    pub(super) fn at(&self) -> u64 {
        self.system(|sys| Ok(sync::position(sys)?.at))
    }

    pub(super) fn hash(&self) -> String {
        self.db.read(sync::state_hash).unwrap().hash
    }

    /// The promise itself, for every row (I-03): the base is the server's row at the commit this device has pulled
    /// to, and what is visible is the base with the ops in the fold laid over it.
    pub(super) fn check(&self, server: &dyn Server) {
        let truth = server.rows_at(self.at());
        let name = &self.name;
        assert_eq!(self.db.check().unwrap(), Vec::<String>::new(), "{name}: what the file says of itself");
        self.system(|sys| {
            for table in self.schema.tables.values().filter(|table| !table.local_only) {
                for id in ids(sys, &table.name, &truth)? {
                    let (loaded, visible) = sync::rows::peek(sys, table, &id)?;
                    let base = loaded.base.standing.fields().map(|fields| table.canonical_fields(fields));
                    let expected = truth.get(&(table.name.clone(), id.clone())).cloned();
                    assert_eq!(texts(&base), texts(&expected), "{name}: base of {}", tell(sys, &table.name, &id));
                    let folded = loaded.visible(table).map(|fields| table.canonical_fields(&fields));
                    let shown = visible.map(|fields| table.canonical_fields(&fields));
                    assert_eq!(texts(&shown), texts(&folded), "{name}: as shown: {}", tell(sys, &table.name, &id));
                }
            }
            Ok(())
        });
    }
}

fn open(path: &std::path::Path, schema: &Schema, clock: &Clock, seed: u64) -> Database {
    let mut options = OpenOptions::new(clock.clone(), Entropy::seeded(seed));
    // Processes die in these tests, machines do not.
    options.durability = Durability::Process;
    Database::open(path, schema, &options).unwrap()
}

/// Values have no Debug that shows them.
fn texts(fields: &Option<Fields>) -> Option<String> {
    fields.as_ref().map(turnstone_protocol::canonical::fields)
}

/// Every row id of a table that the device or the server knows of.
fn ids(sys: &SystemTx<'_>, table: &str, truth: &Truth) -> Result<BTreeSet<String>, crate::Error> {
    let mut ids: BTreeSet<String> =
        truth.keys().filter(|(other, _)| other == table).map(|(_, id)| id.clone()).collect();
    let text = format!("SELECT id FROM \"{table}\" UNION SELECT row_id FROM _ts_absent WHERE tbl = '{table}'");
    let mut found = sys.conn().prepare(&text)?;
    for id in found.query_map([], |row| row.get::<_, String>(0))? {
        ids.insert(id?);
    }
    Ok(ids)
}

/// The ops of a row and what is kept of it, for a failing test to print.
fn tell(sys: &SystemTx<'_>, table: &str, id: &str) -> String {
    let lines = |text: &str| -> Vec<String> {
        let mut found = sys.conn().prepare(text).unwrap();
        found
            .query_map([table, id], |row| row.get::<_, String>(0))
            .unwrap()
            .map(|line| format!("  {}", line.unwrap()))
            .collect()
    };
    let at = sync::position(sys).unwrap().at;
    let ops = lines(
        "SELECT 'op ' || op || ' grp ' || grp || ' state ' || state || ' commit ' || coalesce(commit_n, '-') || ' prev ' || coalesce(prev, '-') || ' ' || body \
         FROM _ts_ops JOIN _ts_groups USING (grp) WHERE tbl = ?1 AND row_id = ?2 ORDER BY op",
    );
    let bases = lines(
        "SELECT 'copy ' || v || ' gone ' || gone || ' ' || coalesce(image, '-') FROM _ts_base WHERE tbl = ?1 AND row_id = ?2",
    );
    let absent = lines("SELECT 'absent ' || p || ' v ' || v FROM _ts_absent WHERE tbl = ?1 AND row_id = ?2");
    format!(
        "{table}/{id} at {at}, head {:?}\n{}",
        sys.head(table, id).unwrap(),
        [ops, bases, absent].concat().join("\n")
    )
}

fn amount<'o>(ops: impl IntoIterator<Item = &'o Op>, id: &str) -> i64 {
    ops.into_iter().filter(|op| op.id == id).filter_map(|op| op.inc.get("views")).sum()
}
