//! Random transactions by API and by SQL against a model: after each, the rows are the model's, the log replayed
//! from nothing gives the rows, and `visible = fold(ops, base)` holds (I-03).
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic, missing_docs)]

mod storage;

use std::collections::BTreeMap;

use proptest::prelude::*;
use storage::{Bed, bed};
use turnstone::{Error, Fields, Tx, Value};
use turnstone_protocol::merge;

/// One step inside a transaction.
#[derive(Debug, Clone)]
enum Step {
    Insert(u8, String, i64),
    Update(u8, String),
    Weight(u8, Option<i32>),
    Upsert(u8, String),
    Increment(u8, i64),
    Delete(u8),
    SqlUpdate(u8, String),
    SqlAll(i64),
    SqlSame,
    SqlReplace(u8, String),
    SqlUpsert(u8, i64),
    SqlDelete(u8),
    SqlDeleteInsert(u8, String),
    SqlFails,
    /// Undone, whatever is in it.
    Undone(Vec<Step>),
    Kept(Vec<Step>),
    /// With SAVEPOINT and ROLLBACK TO as SQL.
    SqlUndone(Vec<Step>),
}

#[derive(Debug, Clone)]
enum Action {
    Commit(Vec<Step>),
    Fail(Vec<Step>),
    Reopen,
}

/// What the rows must be: title, views, weight.
type Model = BTreeMap<String, (String, i64, Option<i32>)>;

fn leaf() -> impl Strategy<Value = Step> {
    let id = 0u8..4;
    let title = "[a-c]{0,2}|🐦|it's \"quoted\"|\u{202e}rtl";
    prop_oneof![
        3 => (id.clone(), title, -3i64..3).prop_map(|(id, title, views)| Step::Insert(id, title, views)),
        3 => (id.clone(), title).prop_map(|(id, title)| Step::Update(id, title)),
        1 => (id.clone(), proptest::option::of(-9..9i32)).prop_map(|(id, weight)| Step::Weight(id, weight)),
        1 => (id.clone(), title).prop_map(|(id, title)| Step::Upsert(id, title)),
        2 => (id.clone(), -3i64..4).prop_map(|(id, by)| Step::Increment(id, by)),
        2 => id.clone().prop_map(Step::Delete),
        2 => (id.clone(), title).prop_map(|(id, title)| Step::SqlUpdate(id, title)),
        1 => (-2i64..3).prop_map(Step::SqlAll),
        1 => Just(Step::SqlSame),
        1 => (id.clone(), title).prop_map(|(id, title)| Step::SqlReplace(id, title)),
        1 => (id.clone(), -2i64..3).prop_map(|(id, by)| Step::SqlUpsert(id, by)),
        1 => id.clone().prop_map(Step::SqlDelete),
        1 => (id, title).prop_map(|(id, title)| Step::SqlDeleteInsert(id, title)),
        1 => Just(Step::SqlFails),
    ]
}

fn step() -> impl Strategy<Value = Step> {
    leaf().prop_recursive(2, 8, 4, |inner| {
        let some = proptest::collection::vec(inner, 0..4);
        prop_oneof![
            some.clone().prop_map(Step::Undone),
            some.clone().prop_map(Step::Kept),
            some.prop_map(Step::SqlUndone),
        ]
    })
}

fn action() -> impl Strategy<Value = Action> {
    let steps = proptest::collection::vec(step(), 0..5).boxed();
    prop_oneof![
        8 => steps.clone().prop_map(Action::Commit),
        2 => steps.prop_map(Action::Fail),
        1 => Just(Action::Reopen),
    ]
}

fn run(tx: &mut Tx<'_>, model: &mut Model, step: &Step) -> Result<(), Error> {
    let name = |id: &u8| format!("n{id}");
    match step {
        Step::Insert(id, title, views) => {
            let fields: [(&str, Value); 2] = [("title", title.as_str().into()), ("views", (*views).into())];
            let done = tx.insert_with_id("notes", &name(id), fields);
            assert_eq!(done.is_err(), model.contains_key(&name(id)));
            model.entry(name(id)).or_insert((title.clone(), *views, None));
        }
        Step::Update(id, title) => {
            let done = tx.update("notes", &name(id), [("title", title.as_str())]);
            assert_eq!(done.is_ok(), model.contains_key(&name(id)));
            if let Some(row) = model.get_mut(&name(id)) {
                row.0.clone_from(title);
            }
        }
        Step::Weight(id, weight) => {
            let _ = tx.update("notes", &name(id), [("weight", weight.map(f64::from))]);
            if let Some(row) = model.get_mut(&name(id)) {
                row.2 = *weight;
            }
        }
        Step::Upsert(id, title) => {
            tx.upsert("notes", &name(id), [("title", title.as_str())])?;
            model.entry(name(id)).or_default().0.clone_from(title);
        }
        Step::Increment(id, by) => {
            let _ = tx.increment("notes", &name(id), "views", *by);
            if let Some(row) = model.get_mut(&name(id)) {
                row.1 += by;
            }
        }
        Step::Delete(id) => {
            let there = tx.delete("notes", &name(id))?;
            assert_eq!(there, model.remove(&name(id)).is_some());
        }
        _ => return run_sql(tx, model, step),
    }
    Ok(())
}

fn run_sql(tx: &mut Tx<'_>, model: &mut Model, step: &Step) -> Result<(), Error> {
    let name = |id: &u8| format!("n{id}");
    let text = |text: &str| Value::from(text);
    match step {
        Step::SqlUpdate(id, title) => {
            tx.execute("UPDATE notes SET title = ?1 WHERE id = ?2", &[text(title), text(&name(id))])?;
            if let Some(row) = model.get_mut(&name(id)) {
                row.0.clone_from(title);
            }
        }
        Step::SqlAll(by) => {
            tx.execute("UPDATE notes SET views = views + ?1", &[Value::Int(*by)])?;
            model.values_mut().for_each(|row| row.1 += by);
        }
        Step::SqlSame => {
            tx.execute("UPDATE notes SET title = title, views = views, weight = weight", &[])?;
        }
        Step::SqlReplace(id, title) => {
            tx.execute("REPLACE INTO notes (id, title) VALUES (?1, ?2)", &[text(&name(id)), text(title)])?;
            model.insert(name(id), (title.clone(), 0, None));
        }
        Step::SqlUpsert(id, by) => {
            let sql = "INSERT INTO notes (id, views) VALUES (?1, ?2) ON CONFLICT DO UPDATE SET views = views + excluded.views";
            tx.execute(sql, &[text(&name(id)), Value::Int(*by)])?;
            model.entry(name(id)).or_default().1 += by;
        }
        Step::SqlDelete(id) => {
            tx.execute("DELETE FROM notes WHERE id = ?1", &[text(&name(id))])?;
            model.remove(&name(id));
        }
        Step::SqlDeleteInsert(id, title) => {
            tx.execute("DELETE FROM notes WHERE id = ?1", &[text(&name(id))])?;
            tx.execute("INSERT INTO notes (id, title) VALUES (?1, ?2)", &[text(&name(id)), text(title)])?;
            model.insert(name(id), (title.clone(), 0, None));
        }
        Step::SqlFails => {
            let failed = tx.execute("UPDATE notes SET title = CASE id WHEN 'n2' THEN NULL ELSE 'wrong' END", &[]);
            assert_eq!(failed.is_err(), model.contains_key("n2"));
            if failed.is_ok() {
                model.values_mut().for_each(|row| "wrong".clone_into(&mut row.0));
            }
        }
        Step::Undone(steps) => {
            let mut scratch = model.clone();
            let undone = tx.savepoint(|tx| {
                steps.iter().try_for_each(|step| run(tx, &mut scratch, step))?;
                Err::<(), _>(Error::Busy)
            });
            assert_eq!(undone, Err(Error::Busy));
        }
        Step::Kept(steps) => tx.savepoint(|tx| steps.iter().try_for_each(|step| run(tx, model, step)))?,
        Step::SqlUndone(steps) => {
            let mut scratch = model.clone();
            tx.execute("SAVEPOINT mine", &[])?;
            steps.iter().try_for_each(|step| run(tx, &mut scratch, step))?;
            tx.execute("ROLLBACK TO mine", &[])?;
            tx.execute("RELEASE mine", &[])?;
        }
        _ => unreachable!(),
    }
    Ok(())
}

fn rows(bed: &Bed) -> Model {
    let rows = bed.db.query("SELECT id, title, views, weight FROM notes", &[]).unwrap().rows;
    rows.into_iter()
        .map(|row| match &row[..] {
            [Value::Text(id), Value::Text(title), Value::Int(views), Value::Real(weight)] =>
            {
                #[allow(clippy::cast_possible_truncation)]
                (id.clone(), (title.clone(), *views, Some(*weight as i32)))
            }
            [Value::Text(id), Value::Text(title), Value::Int(views), Value::Null] => {
                (id.clone(), (title.clone(), *views, None))
            }
            _ => panic!("another shape"),
        })
        .collect()
}

/// What somebody who gets every op and nothing else would have.
fn replayed(bed: &Bed) -> Model {
    let schema = storage::schema();
    let table = schema.table("notes").unwrap();
    let mut rows: BTreeMap<String, Fields> = BTreeMap::new();
    for (_, op) in bed.ops() {
        match merge::fold(table, rows.remove(&op.id), &op) {
            Some(fields) => rows.insert(op.id.clone(), fields),
            None => None,
        };
    }
    rows.into_iter()
        .map(|(id, fields)| {
            let title = match fields.get("title") {
                Some(Value::Text(title)) => title.clone(),
                _ => String::new(),
            };
            let Value::Int(views) = fields.get("views").cloned().unwrap_or(Value::Int(0)) else { panic!("no number") };
            #[allow(clippy::cast_possible_truncation)]
            let weight = match fields.get("weight") {
                Some(Value::Int(weight)) => Some(*weight as i32),
                Some(Value::Real(weight)) => Some(*weight as i32),
                _ => None,
            };
            (id, (title, views, weight))
        })
        .collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 150, failure_persistence: None, ..ProptestConfig::default() })]
    #[test]
    fn i_03_rows_are_the_fold_of_the_log(actions in proptest::collection::vec(action(), 1..12)) {
        let mut bed = bed();
        let mut model = Model::new();
        for action in actions {
            match action {
                Action::Commit(steps) => {
                    let before = model.clone();
                    model = bed.db.write(move |tx| {
                        let mut model = before;
                        steps.iter().try_for_each(|step| run(tx, &mut model, step))?;
                        Ok(model)
                    }).unwrap();
                }
                Action::Fail(steps) => {
                    let mut scratch = model.clone();
                    let failed = bed.db.write(move |tx| {
                        steps.iter().try_for_each(|step| run(tx, &mut scratch, step))?;
                        Err::<(), _>(Error::Busy)
                    });
                    prop_assert_eq!(failed, Err(Error::Busy));
                }
                Action::Reopen => bed = bed.reopen(),
            }
            prop_assert_eq!(&rows(&bed), &model);
            prop_assert_eq!(&replayed(&bed), &model);
            bed.check();
        }
    }
}
