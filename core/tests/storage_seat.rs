//! Many writers at once: one seat, shared commits, everybody's own result.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::disallowed_methods,
    missing_docs
)]

mod storage;

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, mpsc};
use std::thread;

use storage::{bed, one, text};
use turnstone::storage::{ChangeSet, Database};
use turnstone::{Error, Value};

/// I-05: every group is whole, in its own numbers, whoever shared its commit.
#[test]
fn writers_at_once_each_get_their_own_group() {
    let bed = bed();
    thread::scope(|scope| {
        for writer in 0..16 {
            let db = bed.db.clone();
            scope.spawn(move || {
                for n in 0..50 {
                    let id = format!("{writer}-{n}");
                    let key = id.clone();
                    let there = db
                        .write(move |tx| {
                            tx.insert_with_id("notes", &key, [("title", "a")])?;
                            tx.update("notes", &key, [("body", "b")])?;
                            tx.get("notes", &key)
                        })
                        .unwrap();
                    assert_eq!(there.unwrap().text("body"), Some("b"));
                    assert!(db.get("notes", &id).unwrap().is_some(), "I-08: what was acknowledged is visible");
                }
            });
        }
    });
    assert_eq!(bed.counts(), (1600, 800));
    assert_eq!(
        one(
            &bed.db,
            "SELECT count(*) FROM (SELECT grp FROM _ts_ops GROUP BY grp HAVING count(DISTINCT substr(row_id, 1, 6)) > 1 OR count(*) <> 2)"
        ),
        Value::Int(0)
    );
    bed.check();
}

/// Holds the seat until everybody else waits, so that all of them share one commit.
/// What one of several threads does with the database.
type Job = Box<dyn FnOnce(&Database) -> Result<(), Error> + Send>;

fn together(db: &Database, jobs: Vec<Job>) -> (Result<(), Error>, Vec<Result<(), Error>>) {
    let (seated, is_seated) = mpsc::channel();
    let (go, may_go) = mpsc::channel::<()>();
    let holder = {
        let db = db.clone();
        thread::spawn(move || {
            db.write(move |tx| {
                tx.insert_with_id("notes", "holder", [("title", "holder")])?;
                seated.send(()).unwrap();
                may_go.recv().unwrap();
                Ok(())
            })
        })
    };
    is_seated.recv().unwrap();
    let mut waiting = Vec::new();
    for job in jobs {
        let theirs = db.clone();
        waiting.push(thread::spawn(move || job(&theirs)));
        while db.writes_waiting() < waiting.len() {
            thread::yield_now();
        }
    }
    go.send(()).unwrap();
    let done = holder.join().unwrap();
    (done, waiting.into_iter().map(|thread| thread.join().unwrap()).collect())
}

fn insert(id: &'static str) -> Job {
    Box::new(move |db| db.write(move |tx| tx.insert_with_id("notes", id, [("title", id)])))
}

#[test]
fn those_who_wait_share_one_commit() {
    let bed = bed();
    let commits = Arc::new(Mutex::new(Vec::<ChangeSet>::new()));
    let seen = Arc::clone(&commits);
    bed.db.after_commit(move |changes| seen.lock().unwrap().push(changes.clone()));
    let (held, done) = together(&bed.db, vec![insert("a"), insert("b"), insert("c"), insert("d")]);
    assert_eq!((held, done), (Ok(()), vec![Ok(()); 4]));
    let commits = commits.lock().unwrap();
    assert_eq!(commits.len(), 1);
    assert_eq!((commits[0].revision, commits[0].ops), (1, 5));
    assert_eq!(bed.counts(), (5, 5));
    bed.check();
}

#[test]
fn one_who_fails_does_not_take_the_others_along() {
    let bed = bed();
    let fails: Job = Box::new(|db| {
        db.write(|tx| {
            tx.insert_with_id("notes", "lost", [("title", "lost")])?;
            tx.execute("UPDATE notes SET title = 'lost'", &[])?;
            tx.insert_with_id("notes", "lost", [("title", "again")])
        })
    });
    let panics: Job = Box::new(|db| {
        db.write(|tx| {
            tx.insert_with_id("notes", "panic", [("title", "lost")])?;
            panic!("the app's own");
        })
    });
    let (held, done) = together(&bed.db, vec![insert("a"), fails, insert("b"), panics, insert("c")]);
    held.unwrap();
    let codes: Vec<&str> = done.iter().map(|done| done.as_ref().map_or_else(Error::code, |()| "ok")).collect();
    assert_eq!(codes, ["ok", "row_exists", "ok", "internal", "ok"]);
    assert_eq!(bed.counts(), (4, 4));
    assert_eq!(one(&bed.db, "SELECT count(*) FROM notes WHERE title = 'lost'"), Value::Int(0));
    bed.check();
}

/// Nobody is told "saved" before the shared commit: if it is lost, all of them hear of it.
#[test]
fn a_shared_transaction_that_is_lost_is_lost_for_everybody() {
    let bed = bed();
    let rollback: Job = Box::new(|db| {
        db.write(|tx| {
            let _ = tx.execute("UPDATE OR ROLLBACK notes SET title = NULL", &[]);
            Ok(())
        })
    });
    let (held, done) = together(&bed.db, vec![rollback]);
    assert_eq!((held, done), (Err(Error::Lost), vec![Err(Error::Lost)]));
    assert_eq!(bed.counts(), (0, 0));
    bed.db.write(|tx| tx.insert("notes", [("title", "works")])).unwrap();
    bed.check();
}

#[test]
fn a_write_inside_a_joined_write_is_an_error_too() {
    let bed = bed();
    let nested: Job = Box::new(|db| {
        let inner = db.clone();
        db.write(move |tx| {
            tx.insert("notes", [("title", "outer")])?;
            inner.write(|tx| tx.insert("notes", [("title", "inner")])).map(drop)
        })
    });
    let (held, done) = together(&bed.db, vec![nested, insert("a")]);
    assert_eq!((held, done), (Ok(()), vec![Err(Error::Reentrant), Ok(())]));
    bed.check();
}

#[test]
fn closing_waits_for_the_running_write_and_turns_away_the_rest() {
    let bed = bed();
    let close: Job = Box::new(Database::close);
    let (held, done) = together(&bed.db, vec![close]);
    assert_eq!((held, done), (Ok(()), vec![Ok(())]));
    assert_eq!(bed.db.write(|_| Ok(())).unwrap_err(), Error::Closed);
}

/// I-08: a reader sees a commit whole or not at all, and never an older state than before.
#[test]
fn readers_see_whole_commits_that_only_go_forward() {
    let bed = bed();
    bed.db
        .write(|tx| {
            tx.insert_with_id("notes", "a", [("at", 0)])?;
            tx.insert_with_id("notes", "b", [("at", 0)])
        })
        .unwrap();
    let stop = AtomicBool::new(false);
    thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                let mut newest = 0;
                while !stop.load(Ordering::Relaxed) {
                    let rows = bed.db.query("SELECT at FROM notes ORDER BY id", &[]).unwrap().rows;
                    let (Value::Int(a), Value::Int(b)) = (&rows[0][0], &rows[1][0]) else { panic!("no number") };
                    assert_eq!(a, b, "half of a group");
                    assert!(*a >= newest, "backwards");
                    newest = *a;
                }
            });
        }
        for n in 1..400i64 {
            bed.db
                .write(move |tx| {
                    tx.update("notes", "a", [("at", n)])?;
                    tx.update("notes", "b", [("at", n)])
                })
                .unwrap();
        }
        stop.store(true, Ordering::Relaxed);
    });
    bed.check();
}

#[test]
fn one_read_is_one_state() {
    let bed = bed();
    bed.db.write(|tx| tx.insert_with_id("notes", "a", [("title", "one")])).unwrap();
    let writer = bed.db.clone();
    bed.db
        .read(|reader| {
            assert_eq!(reader.get("notes", "a")?.unwrap().text("title"), Some("one"));
            writer.write(|tx| tx.update("notes", "a", [("title", "two")]))?;
            assert_eq!(reader.get("notes", "a")?.unwrap().text("title"), Some("one"), "still the same state");
            Ok(())
        })
        .unwrap();
    assert_eq!(bed.db.get("notes", "a").unwrap().unwrap().text("title"), Some("two"));
}

#[test]
fn watchers_hear_of_rows_tables_and_ops_in_commit_order() {
    let bed = bed();
    let heard = Arc::new(Mutex::new(Vec::<ChangeSet>::new()));
    let seen = Arc::clone(&heard);
    bed.db.after_commit(move |changes| seen.lock().unwrap().push(changes.clone()));
    bed.db.write(|tx| tx.insert_with_id("notes", "a", [("title", "one")])).unwrap();
    bed.db.write(|tx| tx.query("SELECT * FROM notes", &[])).unwrap();
    let _ = bed.db.write(|tx| {
        tx.insert_with_id("notes", "b", [("title", "one")])?;
        Err::<(), _>(Error::Busy)
    });
    bed.db.execute("UPDATE drafts SET text = 'x'", &[]).unwrap();
    bed.db.execute("UPDATE notes SET title = 'two'", &[]).unwrap();
    let heard = heard.lock().unwrap();
    assert_eq!(heard.iter().map(|changes| changes.revision).collect::<Vec<_>>(), [1, 2, 3]);
    assert!(heard[0].has_row("notes", "a") && !heard[0].has_row("notes", "b"));
    assert_eq!((heard[0].ops, heard[1].ops, heard[2].ops), (1, 0, 1));
    assert!(heard[1].has_row("drafts", "whichever"), "which rows of a local table is not known");
    assert!(heard[2].has_row("notes", "a"));
    assert_eq!(bed.db.revision(), 3);
}

#[test]
fn queries_tell_which_tables_they_read() {
    let bed = bed();
    let tables = bed
        .db
        .tables_read("SELECT n.title FROM notes n JOIN drafts d ON d.id = n.id WHERE EXISTS (SELECT 1 FROM places)")
        .unwrap();
    assert_eq!(tables, ["drafts", "notes", "places"]);
    bed.db.query("SELECT id FROM notes", &[]).unwrap();
    assert_eq!(bed.db.tables_read("SELECT id FROM notes").unwrap(), ["notes"], "also when it is kept prepared");
}

/// A thread that is told "saved" in the middle of others' work finds its write.
#[test]
fn a_storm_of_writers_and_readers_loses_nothing() {
    let bed = bed();
    let acked = AtomicU64::new(0);
    thread::scope(|scope| {
        for writer in 0..8 {
            let (db, acked) = (&bed.db, &acked);
            scope.spawn(move || {
                for n in 0..60 {
                    let title = text(&format!("{writer} {n}"));
                    let done = match n % 4 {
                        0 => db.write(move |tx| tx.insert("notes", [("title", title)]).map(drop)),
                        1 => db
                            .execute("INSERT INTO notes (id, title) VALUES (hex(randomblob(8)), ?1)", &[title])
                            .map(drop),
                        2 => db
                            .write_once(&format!("{writer}-{n}"), move |tx| {
                                tx.insert("notes", [("title", title)]).map(drop)
                            })
                            .map(drop),
                        _ => db.write(move |tx| {
                            tx.insert("notes", [("title", title)])?;
                            Err(Error::Busy)
                        }),
                    };
                    if done.is_ok() {
                        acked.fetch_add(1, Ordering::Relaxed);
                    }
                    db.query("SELECT count(*) FROM notes", &[]).unwrap();
                }
            });
        }
    });
    assert_eq!(acked.load(Ordering::Relaxed), 8 * 45);
    assert_eq!(one(&bed.db, "SELECT count(DISTINCT title) FROM notes"), Value::Int(360));
    assert_eq!(bed.counts(), (360, 360));
    bed.check();
}
