//! Merge traces: devices with one common history, of which each has seen a part, write to one row in commit order.
//! The laws of `protocol/tests/merge_laws.rs`, where the fuzzer chooses the histories (I-28, I-29, I-30).

use std::collections::BTreeSet;

use turnstone_protocol::merge::{self, Applied, Context, Refusal, RowState, Stamp, Stamps};
use turnstone_protocol::schema::Table;
use turnstone_protocol::{Code, Fields, Gid, Hlc, Op, OpKind, Schema, Value, canonical};

use crate::bytes::Bytes;

const TOML: &str = include_str!("notes.toml");
const DEVICES: usize = 3;
const COMMITS_MAX: u64 = 24;

/// What one device knows.
#[derive(Default)]
struct Device {
    /// The commit it has pulled to.
    seen: u64,
    /// Its own groups, which later ones of it see.
    own: BTreeSet<Gid>,
}

pub(crate) fn merge(data: &[u8]) {
    let mut bytes = Bytes::new(data);
    let schema = Schema::parse(TOML).expect("our own schema");
    let name = bytes.one_of(&["notes", "lists", "cards"]);
    let table = schema.table(name).expect("a table");
    let mut devices: [Device; DEVICES] = std::array::from_fn(|_| Device::default());
    let mut history = History { table, row: None, written: BTreeSet::new() };
    let mut commit = 0;
    while commit < COMMITS_MAX && !bytes.is_empty() {
        let device = &mut devices[bytes.below(DEVICES)];
        if bytes.below(4) == 0 {
            device.seen = commit;
            continue;
        }
        let op = choose_op(&mut bytes, table, device.seen);
        let clock = Hlc::at(u64::from(bytes.byte() % 8) + 1);
        let Ok(op) = merge::admit_op(table, op, 1 << 16) else { continue };
        let gid = Gid::from_random(u128::from(commit + 1) << 64 | u128::from(bytes.byte() % 4));
        history.take(&op, gid, clock, commit + 1, device);
        device.own.insert(gid);
        commit += 1;
    }
}

struct History<'a> {
    table: &'a Table,
    row: Option<RowState>,
    /// Every value that somebody wrote, as canonical text.
    written: BTreeSet<(String, String)>,
}

impl History<'_> {
    fn take(&mut self, op: &Op, gid: Gid, clock: Hlc, commit: u64, device: &Device) {
        let own = &device.own;
        let sees = |stamp: &Stamp| own.contains(&stamp.gid);
        // The server confirms a group above everything its writer had seen.
        let hlc = clock.max(merge::causal_floor(self.row.as_ref(), op, &sees).succ());
        let ctx = Context { table: self.table, gid, n: 0, hlc, commit, sees: &sees };
        let done = merge::apply(self.row.clone(), op, &ctx);
        let stored = self.row.clone().map(|row| save_and_load(self.table, row));
        assert!(merge::apply(stored, op, &ctx) == done, "saving and loading makes a difference");
        for (field, value) in &op.set {
            self.written.insert((field.clone(), text(value)));
        }
        match done {
            Ok(applied) => {
                self.laws(op, &ctx, &applied);
                self.row = Some(applied.row);
            }
            Err(Refusal { code, .. }) => {
                let known = [Code::RowPurged, Code::RowExists, Code::CounterOverflow, Code::TooLarge];
                assert!(known.contains(&code), "{code:?}");
            }
        }
    }

    fn laws(&self, op: &Op, ctx: &Context<'_>, applied: &Applied) {
        let before = self.row.as_ref();
        let row = &applied.row;
        assert!(row.version >= before.map_or(0, |row| row.version) && row.version <= ctx.commit);
        assert!(row.born <= row.version, "born after its last change");
        if applied.lost {
            assert!(Some(row) == before, "an op that is lost changes the row");
            assert!(applied.merged && !applied.as_sent);
        }
        if applied.as_sent {
            let folded = merge::fold(self.table, before.and_then(alive), op);
            assert!(folded == alive(row), "as sent, and not what the fold shows");
        }
        let is_counter = |field: &str| self.table.field(field).is_some_and(|field| field.name == "views");
        for (field, value) in row.fields.iter().filter(|(field, _)| !is_counter(field)) {
            let known = self.written.contains(&(field.clone(), text(value)));
            assert!(known, "{field} holds what nobody wrote");
        }
        // Whoever has seen everything gets what it wrote, whatever its clock says (I-30). A maximum or a minimum stays
        // where it is beside a smaller or a larger one.
        let saw_all = before.is_some_and(|before| before.version <= op.base && before.gone.is_none());
        if saw_all && op.kind == OpKind::Update {
            let is_join = |field: &str| matches!(field, "best" | "low");
            let wins = op.set.iter().all(|(field, value)| is_join(field) || row.fields.get(field) == Some(value));
            assert!(wins, "an edit lost to what its writer had seen");
            assert!(applied.as_sent || op.set.keys().any(|field| is_join(field)), "it did not go as it was sent");
        }
        if op.kind == OpKind::Update && op.inc.is_empty() && row.gone.is_none() {
            let again = merge::apply(Some(row.clone()), op, ctx).expect("a repetition is accepted");
            assert!(again.row == *row, "a repeated edit changes something");
        }
    }
}

fn alive(row: &RowState) -> Option<Fields> {
    row.gone.is_none().then(|| row.fields.clone())
}

fn save_and_load(table: &Table, row: RowState) -> RowState {
    let fields: Fields = serde_json::from_str(&canonical::fields(&row.fields)).expect("fields read");
    let stamps = Stamps::from_bytes(&row.stamps.to_bytes()).expect("stamps read");
    RowState { fields: table.typed(fields), stamps, ..row }
}

fn text(value: &Value) -> String {
    let mut text = String::new();
    canonical::write_value(&mut text, value);
    text
}

fn choose_op(bytes: &mut Bytes<'_>, table: &Table, base: u64) -> Op {
    let kinds = [OpKind::Update, OpKind::Create, OpKind::Update, OpKind::Delete, OpKind::Update, OpKind::Undelete];
    let kind = bytes.one_of(&kinds);
    let (mut set, mut inc) = (Fields::new(), std::collections::BTreeMap::new());
    if kind != OpKind::Delete {
        for _ in 0..bytes.below(4) {
            let field = bytes.one_of(&["title", "body", "best", "low", "owner", "color", "views", "mood", "done"]);
            let number = i64::from(bytes.byte() % 5);
            match field {
                "views" => drop(inc.insert(field.to_owned(), if number == 4 { i64::MAX } else { number - 2 })),
                "best" if number == 0 => drop(set.insert(field.to_owned(), Value::Null)),
                "best" => drop(set.insert(field.to_owned(), Value::Int(number))),
                "low" => drop(set.insert(field.to_owned(), Value::Real(number as f64 / 2.0))),
                "done" => drop(set.insert(field.to_owned(), Value::Bool(number > 2))),
                _ => drop(set.insert(field.to_owned(), Value::Text(format!("v{number}")))),
            }
        }
    }
    let (was, was_hash) = Default::default();
    let op = Op { kind, table: table.name.clone(), id: "r".to_owned(), base, set, inc, was, was_hash };
    // As it arrives: a whole number in a field nobody knows is an integer.
    let mut travels = String::new();
    canonical::write_op(&mut travels, &op);
    serde_json::from_str(&travels).expect("a canonical op reads")
}
