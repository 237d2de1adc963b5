//! Rows through pages, verdicts and refusals, as printed traces: `I-03`, `I-08`, `I-10`, `I-14`, `I-29`.

use turnstone_protocol::canonical;
use turnstone_protocol::op::{Op, OpKind};
use turnstone_protocol::schema::{DeletePolicy, Policy, Schema, Table};
use turnstone_protocol::value::{Fields, Value};

use super::*;

fn table(delete: DeletePolicy) -> Table {
    let schema = Schema::builder(1)
        .name("t")
        .table("notes", |table| {
            table
                .text("title")
                .default("")
                .end()
                .text("tag")
                .default("")
                .end()
                .integer("views")
                .default(0_i64)
                .merge(Policy::Counter)
                .end()
                .delete(delete)
        })
        .build()
        .unwrap();
    schema.table("notes").unwrap().clone()
}

fn fields(pairs: &[(&str, &str)]) -> Fields {
    pairs.iter().map(|(name, value)| ((*name).to_owned(), Value::from(*value))).collect()
}

fn op(kind: OpKind, set: &[(&str, &str)], views: i64) -> Op {
    let mut op: Op = serde_json::from_str(r#"{"op":"update","table":"notes","id":"a"}"#).unwrap();
    op.kind = kind;
    op.set = fields(set);
    if views != 0 {
        op.inc.insert("views".to_owned(), views);
    }
    op
}

fn update(set: &[(&str, &str)]) -> Op {
    op(OpKind::Update, set, 0)
}

/// A row and what happened to it, printed after every step.
struct Trace {
    table: Table,
    row: Row,
    text: String,
}

impl Trace {
    fn new(delete: DeletePolicy, version: u64, base: Option<Fields>) -> Self {
        let standing = base.map_or(Standing::Gone { last: None }, Standing::Live);
        let row = Row::new(Base { version, standing }, Vec::new(), true);
        let mut trace = Self { table: table(delete), row, text: String::new() };
        trace.print("start");
        trace
    }

    /// A local write: what storage does, which keeps the base derivable as it was.
    fn write(&mut self, number: i64, op: Op) -> &mut Self {
        let what = format!("write {number}: {}", show_op(&op));
        self.row.ops.push(FoldOp { number, group: number, op });
        self.print(&what)
    }

    fn receive(&mut self, n: u64, row: Option<Fields>) -> &mut Self {
        let what = format!("page, commit {n}: {}", show(row.as_ref()));
        self.row.receive(n, row);
        self.print(&what)
    }

    fn promote(&mut self, n: u64, number: i64) -> &mut Self {
        let op = self.row.ops.iter().find(|op| op.number == number).unwrap().op.clone();
        self.row.promote(n, &self.table, number, &op);
        self.print(&format!("page, commit {n}: own op {number} as sent"))
    }

    fn leave(&mut self, group: i64) -> &mut Self {
        self.row.leave(group);
        self.print(&format!("group {group} leaves"))
    }

    fn contain(&mut self, group: i64) -> &mut Self {
        let made = self.row.ops.iter().find(|op| op.group == group).unwrap().clone();
        self.row.contain(group, made.number, &made.op);
        self.print(&format!("group {group} is in the base"))
    }

    fn print(&mut self, what: &str) -> &mut Self {
        let plan = self.row.clone().plan(&self.table);
        // I-03, said again by other means than the plan's.
        let ops = self.row.ops.iter().map(|op| &op.op);
        assert_eq!(plan.visible, self.row.base.fold(&self.table, ops), "visible = fold(ops, base)");
        let base = match &plan.base {
            KeepBase::Drop => "no copy".to_owned(),
            KeepBase::Copy(Base { standing: Standing::Live(fields), .. }) => format!("copy {}", show(Some(fields))),
            KeepBase::Copy(Base { standing: Standing::Gone { last }, .. }) => {
                format!("copy gone, last {}", show(last.as_ref()))
            }
        };
        let links: Vec<String> =
            plan.relinked.iter().map(|link| format!(", {} follows {:?}", link.op, link.prev)).collect();
        self.text += &format!(
            "{what}\n    shows {} v{} head {:?}, {base}{}\n",
            show(plan.visible.as_ref()),
            plan.version,
            plan.head,
            links.concat()
        );
        self
    }
}

fn show(fields: Option<&Fields>) -> String {
    let Some(fields) = fields else { return "nothing".to_owned() };
    let mut out = String::new();
    canonical::write_fields(&mut out, fields);
    out
}

fn show_op(op: &Op) -> String {
    let mut out = String::new();
    canonical::write_op(&mut out, op);
    out
}

#[test]
fn a_promoted_op_moves_the_base_under_the_ops_after_it_without_a_copy() {
    let mut trace = Trace::new(DeletePolicy::DeleteWins, 3, Some(fields(&[("title", "A")])));
    trace.write(1, update(&[("title", "B")])).write(2, update(&[("tag", "x")])).promote(4, 1).promote(5, 2);
    insta::assert_snapshot!(trace.text);
}

#[test]
fn a_foreign_row_under_pending_ops_changes_what_they_do_not_touch() {
    let mut trace = Trace::new(DeletePolicy::DeleteWins, 3, Some(fields(&[("title", "A")])));
    trace
        .write(1, update(&[("title", "B")]))
        .receive(4, Some(fields(&[("title", "theirs"), ("tag", "t")])))
        .receive(4, Some(fields(&[("title", "the same commit again")])))
        .receive(2, Some(fields(&[("title", "an older commit")])))
        .promote(5, 1);
    insta::assert_snapshot!(trace.text);
}

#[test]
fn increments_are_counted_once_whether_promoted_or_received() {
    let mut trace = Trace::new(DeletePolicy::DeleteWins, 1, Some(Fields::new()));
    trace
        .write(1, op(OpKind::Update, &[], 2))
        .write(2, op(OpKind::Update, &[], 3))
        .promote(2, 1)
        .receive(3, Some([("views".to_owned(), Value::Int(12))].into()))
        .leave(2);
    insta::assert_snapshot!(trace.text);
}

#[test]
fn a_refused_op_in_the_middle_is_undone_and_the_later_ones_stay() {
    let mut trace = Trace::new(DeletePolicy::DeleteWins, 3, Some(fields(&[("title", "A")])));
    trace
        .write(1, update(&[("title", "B")]))
        .write(2, update(&[("tag", "x")]))
        .write(3, update(&[("title", "C")]))
        .leave(2)
        .promote(4, 1)
        .promote(5, 3);
    insta::assert_snapshot!(trace.text);
}

#[test]
fn where_deletes_win_a_tombstone_hides_the_row_and_keeps_its_ops() {
    let mut trace = Trace::new(DeletePolicy::DeleteWins, 3, Some(fields(&[("title", "A")])));
    trace.write(1, update(&[("title", "B")])).receive(4, None).leave(1);
    insta::assert_snapshot!(trace.text);
}

#[test]
fn where_edits_win_the_row_goes_on_being_shown_from_its_tombstone() {
    let mut trace = Trace::new(DeletePolicy::EditWins, 3, Some(fields(&[("title", "A"), ("tag", "t")])));
    trace
        .write(1, update(&[("title", "B")]))
        .receive(4, None)
        .write(2, update(&[("tag", "u")]))
        .leave(1)
        .receive(5, Some(fields(&[("title", "B"), ("tag", "t")])))
        .promote(6, 2);
    insta::assert_snapshot!(trace.text);
}

#[test]
fn an_own_delete_is_not_undone_by_an_edit_that_came_before_it() {
    let mut trace = Trace::new(DeletePolicy::EditWins, 3, Some(fields(&[("title", "A")])));
    trace
        .write(1, update(&[("title", "B")]))
        .write(2, op(OpKind::Delete, &[], 0))
        .receive(4, None)
        .receive(5, Some(fields(&[("title", "B")])))
        .leave(1)
        .promote(6, 2);
    insta::assert_snapshot!(trace.text);
}

#[test]
fn a_refused_create_takes_the_row_away_and_what_builds_on_it_is_kept() {
    let mut trace = Trace::new(DeletePolicy::DeleteWins, 0, None);
    trace.write(1, op(OpKind::Create, &[("title", "A")], 0)).write(2, update(&[("tag", "x")])).leave(1);
    insta::assert_snapshot!(trace.text);
}

#[test]
fn an_op_given_up_here_and_applied_all_the_same_is_taken_into_the_base() {
    let mut trace = Trace::new(DeletePolicy::DeleteWins, 3, Some(fields(&[("title", "A")])));
    trace.write(1, update(&[("title", "B")])).write(2, update(&[("tag", "x")])).leave(1);
    let given_up = update(&[("title", "B")]);
    let table = trace.table.clone();
    trace.row.promote(4, &table, 1, &given_up);
    trace.print("page, commit 4: own op 1 as sent").promote(5, 2);
    insta::assert_snapshot!(trace.text);
}

#[test]
fn an_op_that_was_given_up_and_accepted_comes_back_in_its_place() {
    let mut trace = Trace::new(DeletePolicy::DeleteWins, 3, Some(fields(&[("title", "A")])));
    trace
        .write(1, update(&[("tag", "x")]))
        .write(2, update(&[("title", "B")]))
        .write(3, update(&[("title", "C")]))
        .leave(2);
    trace.row.restore(FoldOp { number: 2, group: 2, op: update(&[("title", "B")]) });
    trace.print("group 2 comes back").promote(4, 1).promote(5, 2).promote(6, 3);
    insta::assert_snapshot!(trace.text);
}

#[test]
fn another_history_replaces_the_base_whatever_its_version() {
    let mut trace = Trace::new(DeletePolicy::DeleteWins, 9, Some(fields(&[("title", "A")])));
    trace.write(1, update(&[("tag", "x")]));
    trace.row.replace(2, Some(fields(&[("title", "restored")])));
    trace.print("another history, commit 2");
    insta::assert_snapshot!(trace.text);
}

#[test]
fn an_edit_of_a_refused_row_shows_over_the_row_that_is_made_anew() {
    let mut trace = Trace::new(DeletePolicy::DeleteWins, 0, None);
    trace.write(2, op(OpKind::Update, &[], 7)); // held back: its create was refused
    trace.write(3, op(OpKind::Create, &[("title", "B")], 0)).promote(7, 3);
    insta::assert_snapshot!(trace.text);
}

#[test]
fn what_was_done_to_a_row_before_it_was_made_anew_does_not_show_over_it() {
    let mut text = String::new();
    for promoted in [true, false] {
        let mut trace = Trace::new(DeletePolicy::DeleteWins, 0, None);
        trace.write(1, op(OpKind::Create, &[("title", "A")], 0)); // waits
        trace.write(2, op(OpKind::Delete, &[], 0));
        trace.write(3, op(OpKind::Create, &[("title", "B")], 0));
        trace.write(4, update(&[("tag", "c")]));
        if promoted {
            trace.promote(7, 3);
        } else {
            trace.receive(7, Some(fields(&[("title", "B")]))).contain(3);
        }
        trace.row.restore(FoldOp { number: 3, group: 3, op: op(OpKind::Create, &[("title", "B")], 0) });
        trace.print("op 3 comes back");
        text += &trace.text;
    }
    insta::assert_snapshot!(text);
}
