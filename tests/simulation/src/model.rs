//! The reference model, written from `docs/protocol.md` and nothing else.
//!
//! It never runs the engine's merge. It remembers what each acknowledged group meant and what its
//! writer had seen, learns from the server only *which groups were accepted, in which order*, and
//! says from causality alone what the final rows may be:
//!
//! - a register holds a value that somebody wrote and that no accepted write had seen and replaced;
//! - a counter is the sum of all accepted amounts;
//! - `max` and `min` are the greatest and smallest accepted value;
//! - a row of a `delete_wins` table is gone if and only if a delete was accepted;
//! - a row of an `edit_wins` table is gone if and only if some accepted delete had seen every accepted edit.

use std::collections::{BTreeMap, BTreeSet};

use turnstone_protocol::Gid;

/// A write, by its place in the model.
pub type WriteId = usize;

/// What an op of the simulated app means.
#[derive(Debug, Clone, PartialEq)]
pub enum Meaning {
    /// The row is made with these registers.
    Create(BTreeMap<&'static str, i64>),
    /// These registers are set.
    Set(BTreeMap<&'static str, i64>),
    /// The counter moves by this much.
    Add(&'static str, i64),
    /// The row goes.
    Delete,
}

/// One op.
#[derive(Debug, Clone)]
pub struct ModelOp {
    /// The table.
    pub table: &'static str,
    /// The row id.
    pub id: String,
    /// What it means.
    pub meaning: Meaning,
}

/// One acknowledged group.
#[derive(Debug, Clone)]
pub struct ModelGroup {
    /// Which device wrote it.
    pub device: usize,
    /// The idempotency key the device gave it.
    pub gid: Gid,
    /// The ops.
    pub ops: Vec<ModelOp>,
    /// The commit its device had pulled up to.
    pub position: u64,
}

/// What the server says it accepted: gid to commit.
pub type Accepted = BTreeMap<Gid, u64>;

/// A promise that does not hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Violation {
    /// The invariant.
    pub invariant: &'static str,
    /// What was seen.
    pub what: String,
}

impl Violation {
    /// Makes one.
    pub fn new(invariant: &'static str, what: impl Into<String>) -> Self {
        Self { invariant, what: what.into() }
    }
}

/// Everything the world was told was saved.
#[derive(Debug, Default, Clone)]
pub struct Model {
    /// The acknowledged groups.
    pub groups: Vec<ModelGroup>,
    by_gid: BTreeMap<Gid, WriteId>,
}

/// How the fields of a table are decided.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rule {
    /// Last writer wins, and its relatives: any maximal write.
    Register,
    /// Any accepted write: the policy prefers by arrival.
    Arrival,
    /// The sum of amounts.
    Sum,
    /// The greatest.
    Greatest,
    /// The smallest.
    Smallest,
}

/// What the model must know of a table.
#[derive(Debug, Clone)]
pub struct TableRule {
    /// Whether an unseen edit survives a delete.
    pub edit_wins: bool,
    /// The fields.
    pub fields: BTreeMap<&'static str, Rule>,
}

impl Model {
    /// Remembers an acknowledged group.
    pub fn acknowledge(&mut self, group: ModelGroup) -> WriteId {
        let id = self.groups.len();
        self.by_gid.insert(group.gid, id);
        self.groups.push(group);
        id
    }

    /// Whether `later` had seen `earlier`.
    fn saw(&self, later: WriteId, earlier: WriteId, accepted: &Accepted) -> bool {
        let (after, before) = (&self.groups[later], &self.groups[earlier]);
        (after.device == before.device && earlier < later)
            || accepted.get(&before.gid).is_some_and(|commit| *commit <= after.position)
    }

    /// The accepted writes that touch a row, in commit order.
    fn touching<'a>(&'a self, table: &str, id: &str, accepted: &'a Accepted) -> Vec<(WriteId, &'a ModelOp)> {
        let mut found: Vec<(u64, WriteId, &ModelOp)> = self
            .groups
            .iter()
            .enumerate()
            .filter_map(|(w, group)| accepted.get(&group.gid).map(|commit| (*commit, w, group)))
            .flat_map(|(commit, w, group)| group.ops.iter().map(move |op| (commit, w, op)))
            .filter(|(_, _, op)| op.table == table && op.id == id)
            .collect();
        found.sort_by_key(|(commit, w, _)| (*commit, *w));
        found.into_iter().map(|(_, w, op)| (w, op)).collect()
    }

    /// Every row any accepted group names.
    fn rows(&self, accepted: &Accepted) -> BTreeSet<(&'static str, String)> {
        self.groups
            .iter()
            .filter(|group| accepted.contains_key(&group.gid))
            .flat_map(|group| group.ops.iter().map(|op| (op.table, op.id.clone())))
            .collect()
    }

    /// Checks the final rows (`table, id` to registers) against everything that was accepted.
    pub fn judge(
        &self,
        rules: &BTreeMap<&'static str, TableRule>,
        accepted: &Accepted,
        rows: &BTreeMap<(String, String), BTreeMap<String, i64>>,
    ) -> Vec<Violation> {
        let mut wrong = Vec::new();
        for (table, id) in self.rows(accepted) {
            let Some(rule) = rules.get(table) else { continue };
            let ops = self.touching(table, &id, accepted);
            let row = rows.get(&(table.to_owned(), id.clone()));
            self.judge_row(rule, table, &id, &ops, row, accepted, &mut wrong);
        }
        let known = self.rows(accepted);
        for (table, id) in rows.keys() {
            let named = known.iter().any(|(t, i)| t == table && i == id);
            if rules.contains_key(table.as_str()) && !named {
                wrong.push(Violation::new("I-36", format!("{table} {id} is there but no accepted group made it")));
            }
        }
        wrong
    }

    #[allow(clippy::too_many_arguments)]
    fn judge_row(
        &self,
        rule: &TableRule,
        table: &str,
        id: &str,
        ops: &[(WriteId, &ModelOp)],
        row: Option<&BTreeMap<String, i64>>,
        accepted: &Accepted,
        wrong: &mut Vec<Violation>,
    ) {
        let deletes: Vec<WriteId> =
            ops.iter().filter(|(_, op)| op.meaning == Meaning::Delete).map(|(w, _)| *w).collect();
        let edits: Vec<WriteId> = ops.iter().filter(|(_, op)| op.meaning != Meaning::Delete).map(|(w, _)| *w).collect();
        let made = ops.iter().any(|(_, op)| matches!(op.meaning, Meaning::Create(_)));
        let gone = if rule.edit_wins {
            deletes.iter().any(|d| edits.iter().all(|e| self.saw(*d, *e, accepted) || d == e))
        } else {
            !deletes.is_empty()
        };
        // A create whose writer had seen a delete begins another life of the id. Who is lost between lives is for the
        // unit tests of the merge to say; here only that values are somebody's.
        let creates = ops.iter().filter(|(_, op)| matches!(op.meaning, Meaning::Create(_)));
        let lives = creates.filter(|(c, _)| deletes.iter().any(|d| self.saw(*c, *d, accepted) || c == d)).count();
        match row {
            _ if lives > 0 && row.is_none() => {}
            Some(_) if gone && lives > 0 => {}
            Some(_) if gone => wrong.push(Violation::new("I-36", format!("{table} {id} is there but was deleted"))),
            None if made && !gone => {
                wrong.push(Violation::new("I-09", format!("{table} {id} is missing but nobody's delete stands")));
            }
            Some(row) => {
                // With deletes about, an edit may have been lost to one and revived by another:
                // the single values are then only bounded by what was written.
                let strict = deletes.is_empty();
                for (field, rule) in &rule.fields {
                    self.judge_field(
                        *rule,
                        table,
                        id,
                        field,
                        ops,
                        row.get(*field).copied().unwrap_or(0),
                        strict,
                        accepted,
                        wrong,
                    );
                }
            }
            None => {}
        }
    }

    #[allow(clippy::too_many_arguments)]
    fn judge_field(
        &self,
        rule: Rule,
        table: &str,
        id: &str,
        field: &str,
        ops: &[(WriteId, &ModelOp)],
        value: i64,
        strict: bool,
        accepted: &Accepted,
        wrong: &mut Vec<Violation>,
    ) {
        let mut writes: Vec<(WriteId, i64)> = Vec::new();
        let mut sum = 0;
        for (w, op) in ops {
            match &op.meaning {
                Meaning::Create(fields) | Meaning::Set(fields) => {
                    if let Some(v) = fields.get(field) {
                        // The last write of a group to a field is what the group means.
                        if writes.last().is_some_and(|(last, _)| last == w) {
                            writes.pop();
                        }
                        writes.push((*w, *v));
                    }
                }
                Meaning::Add(f, by) if *f == field => sum += by,
                Meaning::Add(..) | Meaning::Delete => {}
            }
        }
        let at = format!("{table} {id} {field} is {value}");
        match rule {
            Rule::Sum if strict && value != sum => {
                wrong.push(Violation::new("I-32", format!("{at}, the accepted amounts sum to {sum}")));
            }
            Rule::Sum => {}
            Rule::Greatest if strict && !writes.is_empty() => {
                let expected = writes.iter().map(|(_, v)| *v).max().unwrap_or(0);
                if value != expected {
                    wrong.push(Violation::new("I-28", format!("{at}, the greatest accepted is {expected}")));
                }
            }
            Rule::Smallest if strict && !writes.is_empty() => {
                let expected = writes.iter().map(|(_, v)| *v).min().unwrap_or(0);
                if value != expected {
                    wrong.push(Violation::new("I-28", format!("{at}, the smallest accepted is {expected}")));
                }
            }
            Rule::Register if strict && !writes.is_empty() => {
                let maximal: Vec<i64> = writes
                    .iter()
                    .filter(|(w, _)| !writes.iter().any(|(other, _)| other != w && self.saw(*other, *w, accepted)))
                    .map(|(_, v)| *v)
                    .collect();
                if !maximal.contains(&value) {
                    wrong.push(Violation::new(
                        "I-30",
                        format!("{at}, but only {maximal:?} were never seen and replaced"),
                    ));
                }
            }
            _ if writes.is_empty() => {}
            _ => {
                if value != 0 && !writes.iter().any(|(_, v)| *v == value) {
                    wrong.push(Violation::new("I-29", format!("{at}, which nobody wrote")));
                }
            }
        }
    }
}
