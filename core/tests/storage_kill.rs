//! kill -9 at random moments, hundreds of times: what was acknowledged is there once, what was not is whole or
//! absent, and asking again with the same key never makes a second one (I-01, I-03, I-04).
//!
//! The writer is this test program itself, started again with a folder in the environment.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::disallowed_methods,
    missing_docs
)]

mod storage;

use std::collections::BTreeSet;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use storage::{one, options, schema, text};
use turnstone::storage::{Database, OpenOptions};
use turnstone::{Clock, Durability, Entropy, Error, Value};

const FOLDER: &str = "TURNSTONE_KILL_FOLDER";
const FROM: &str = "TURNSTONE_KILL_FROM";

fn child_options(from: u64) -> OpenOptions {
    let mut options = OpenOptions::new(Clock::system(), Entropy::system());
    options.durability = if from.is_multiple_of(2) { Durability::Power } else { Durability::Process };
    options
}

/// One group: two rows of its own, one more on the common counter. Whole or absent.
fn write_group(db: &Database, n: u64) -> Result<bool, Error> {
    let written = db.write_once(&format!("key {n}"), move |tx| {
        tx.insert_with_id("notes", &format!("{n}-a"), [("title", format!("group {n}"))])?;
        tx.execute("INSERT INTO notes (id, title) VALUES (?1, ?2)", &[text(&format!("{n}-b")), text("by sql")])?;
        tx.increment("notes", "sum", "views", 1)?;
        tx.remember(format!("{n}"));
        Ok(())
    })?;
    assert_eq!(written.result, Some(format!("{n}")));
    Ok(written.repeated)
}

/// The writer: writes until it is killed, and says so after each write. Nothing without the environment.
#[test]
fn child_writer() {
    let Ok(folder) = std::env::var(FOLDER) else { return };
    let from: u64 = std::env::var(FROM).unwrap().parse().unwrap();
    let db = Database::open(&Path::new(&folder).join("t.db"), &schema(), &child_options(from)).unwrap();
    db.write(|tx| tx.upsert("notes", "sum", [("title", "sum")])).unwrap();
    // The test harness has begun a line.
    println!();
    let say = |word: &str, n: u64| {
        let mut out = std::io::stdout().lock();
        writeln!(out, "{word} {n}").unwrap();
        out.flush().unwrap();
    };
    std::thread::scope(|scope| {
        scope.spawn(|| {
            for n in from.. {
                let repeated = write_group(&db, n).unwrap();
                say(if repeated { "again" } else { "acked" }, n);
            }
        });
        scope.spawn(|| {
            for n in from.. {
                let id = format!("other {from} {n}");
                db.write(move |tx| tx.insert_with_id("notes", &id, [("title", "other")])).unwrap();
                say("other", n);
                db.execute("DELETE FROM notes WHERE title = 'other' AND rowid % 3 = 0", &[]).unwrap();
            }
        });
    });
}

struct Round {
    acked: BTreeSet<u64>,
    again: BTreeSet<u64>,
    others: u64,
}

/// From when a writer's time counts.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Since {
    /// It was started: the blow may come while it opens the database.
    Start,
    /// It acknowledged something, however long a busy machine takes for that.
    FirstAck,
}

/// Runs the writer for a while, kills it, and says what it had acknowledged.
fn run_and_kill(folder: &Path, from: u64, since: Since, after: Duration) -> Round {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["child_writer", "--exact", "--nocapture", "--test-threads=1"])
        .env(FOLDER, folder)
        .env(FROM, from.to_string())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let (tell, told) = std::sync::mpsc::channel();
    let reader = std::thread::spawn(move || {
        let mut round = Round { acked: BTreeSet::new(), again: BTreeSet::new(), others: 0 };
        for line in lines {
            let Ok(line) = line else { break };
            // The last line may be cut short; then nobody heard it.
            let mut words = line.split(' ');
            match (words.next(), words.next().and_then(|n| n.parse().ok())) {
                (Some("acked"), Some(n)) => {
                    let _ = tell.send(());
                    round.acked.insert(n)
                }
                (Some("again"), Some(n)) => round.again.insert(n),
                (Some("other"), Some(_)) => {
                    round.others += 1;
                    true
                }
                _ => true,
            };
        }
        round
    });
    if since == Since::FirstAck {
        told.recv_timeout(Duration::from_secs(60)).expect("it writes");
    }
    std::thread::sleep(after);
    child.kill().unwrap();
    child.wait().unwrap();
    reader.join().unwrap()
}

/// How many rounds; more with `TURNSTONE_KILL_ROUNDS`.
fn rounds() -> u64 {
    std::env::var("TURNSTONE_KILL_ROUNDS").ok().and_then(|n| n.parse().ok()).unwrap_or(200)
}

#[test]
fn i_01_i_04_acknowledged_writes_survive_kill_9_and_none_is_doubled() {
    let mut rng = fastrand::Rng::with_seed(11);
    let (mut all_acked, mut all_again, mut all_others) = (0, 0, 0);
    let mut folder = tempfile::tempdir().unwrap();
    let mut acked: BTreeSet<u64> = BTreeSet::new();
    for number in 0..rounds() {
        if number.is_multiple_of(20) {
            folder = tempfile::tempdir().unwrap();
            acked.clear();
        }
        // What the last writer may have been in the middle of is asked for again.
        let from = acked.last().map_or(1, |last| last + 1);
        let since = if number.is_multiple_of(2) { Since::Start } else { Since::FirstAck };
        let round = run_and_kill(folder.path(), from, since, Duration::from_millis(rng.u64(5..70)));
        assert!(round.again.len() <= 1, "only the last write before a kill was uncertain");
        all_acked += round.acked.len();
        all_again += round.again.len();
        all_others += round.others;
        acked.extend(round.acked);
        acked.extend(round.again);
        if folder.path().join("t.db").exists() {
            examine(folder.path(), &acked);
        }
    }
    println!("{all_acked} groups acknowledged, {all_again} found done when asked again, {all_others} other writes");
    assert!(all_acked > 100 && all_others > 100, "the writers hardly wrote: {all_acked}, {all_others}");
}

fn examine(folder: &Path, acked: &BTreeSet<u64>) {
    let db = Database::open(&folder.join("t.db"), &schema(), &options()).unwrap();
    assert_eq!(db.check().unwrap(), Vec::<String>::new());
    assert_eq!(one(&db, "SELECT integrity_check FROM pragma_integrity_check LIMIT 1"), text("ok"));
    let rows = db.query("SELECT id FROM notes WHERE title LIKE 'group %'", &[]).unwrap().rows;
    let there: BTreeSet<u64> = rows
        .iter()
        .map(|row| match &row[0] {
            Value::Text(id) => id.trim_end_matches("-a").parse().unwrap(),
            _ => panic!("no text"),
        })
        .collect();
    assert!(acked.is_subset(&there), "acknowledged and gone: {:?}", acked.difference(&there));
    assert!(there.len() <= acked.len() + 1, "at most the one that was cut off");
    let count = Value::Int(i64::try_from(there.len()).unwrap());
    assert_eq!(one(&db, "SELECT count(*) FROM notes WHERE title = 'by sql'"), count, "groups are whole");
    assert_eq!(one(&db, "SELECT count(*) FROM _ts_write_ids"), count);
    assert_eq!(one(&db, "SELECT coalesce(sum(views), 0) FROM notes WHERE id = 'sum'"), count, "each counted once");
}

/// A kill releases the lock at once: the next opener is not turned away.
#[test]
fn the_lock_of_a_killed_process_is_free() {
    let folder = tempfile::tempdir().unwrap();
    let round = run_and_kill(folder.path(), 1, Since::FirstAck, Duration::from_millis(50));
    assert!(!round.acked.is_empty(), "it had the database open");
    Database::open(&folder.path().join("t.db"), &schema(), &options()).unwrap();
}
