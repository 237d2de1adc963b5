//! Two processes on one file, each of which writes, syncs, runs in the background, suspends, closes and is killed as it
//! comes: one of them has the file at a time, nothing is lost, and nothing has effect twice (I-42).
//!
//! The processes are this test program itself, started again with a folder in the environment.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::disallowed_methods,
    missing_docs
)]

mod kit;

use std::fs::File;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use kit::{HttpServer, good_token};
use turnstone::transport::{Exchange, HttpTransport, Request, StaticToken, Timeouts, Transport};
use turnstone::{Budget, Durability, Error, Options, Remote, RunReason, Store, Value};

const FOLDER: &str = "TURNSTONE_SHARED_FOLDER";
const URL: &str = "TURNSTONE_SHARED_URL";
const LANE: &str = "TURNSTONE_SHARED_LANE";
const FROM: &str = "TURNSTONE_SHARED_FROM";

/// Writes of each lane, every one a group.
const WRITES: u64 = 60;
const LANES: u64 = 2;

fn say(word: &str, n: u64) {
    let mut out = std::io::stdout().lock();
    writeln!(out, "{word} {n}").unwrap();
    out.flush().unwrap();
}

/// The way to the server, which says so where a request is under way in the other process.
struct OneFlight {
    way: HttpTransport,
    /// Locked while this process has a request under way.
    file: PathBuf,
    under_way: Mutex<(u64, Option<File>)>,
}

impl OneFlight {
    fn begin(&self) -> Flight<'_> {
        let mut under_way = self.under_way.lock().unwrap();
        under_way.0 += 1;
        if under_way.0 == 1 {
            let file = File::create(&self.file).unwrap();
            if file.try_lock().is_err() {
                say("overlap", 0);
            }
            under_way.1 = Some(file);
        }
        Flight(self)
    }
}

/// A request under way; also one that is given up ends.
struct Flight<'f>(&'f OneFlight);

impl Drop for Flight<'_> {
    fn drop(&mut self) {
        let mut under_way = self.0.under_way.lock().unwrap();
        under_way.0 -= 1;
        if under_way.0 == 0 {
            under_way.1 = None;
        }
    }
}

impl Transport for OneFlight {
    fn exchange(&self, request: Request) -> Exchange<'_> {
        Box::pin(async move {
            let _flight = self.begin();
            self.way.exchange(request).await
        })
    }
}

fn options(folder: &Path, url: &str) -> Options {
    let timeouts =
        Timeouts { connect: Duration::from_secs(20), read: Duration::from_secs(20), total: Duration::from_secs(60) };
    let way = HttpTransport::new(url, timeouts, false).unwrap();
    let link = OneFlight { way, file: folder.join("flight"), under_way: Mutex::default() };
    Options::new(folder.join("app.db"), kit::schema())
        .durability(Durability::Process)
        .remote(Remote::custom(link, StaticToken::new(good_token())))
}

/// Tries until the file is free, and counts how often it was not.
fn once_free<T>(refused: &mut u64, mut attempt: impl FnMut() -> Result<T, Error>) -> T {
    let began = Instant::now();
    loop {
        match attempt() {
            Ok(done) => return done,
            Err(Error::AlreadyOpen) => {
                if *refused == 0 {
                    say("met", 1);
                }
                *refused += 1;
            }
            Err(other) => panic!("{other:?}"),
        }
        assert!(began.elapsed() < Duration::from_secs(60), "the file is never free");
        std::thread::park_timeout(Duration::from_millis(1));
    }
}

fn background(store: &Store) {
    let budget = Budget { time: Duration::from_secs(20), bytes_max: None };
    store.run_background_blocking(budget, RunReason::Scheduled).unwrap();
}

/// One of the processes: opens, writes, syncs in some way, and lets the other one have it. Nothing without the environment.
#[test]
fn child_of_two() {
    let Ok(folder) = std::env::var(FOLDER) else { return };
    let (folder, url) = (PathBuf::from(folder), std::env::var(URL).unwrap());
    let number = |name: &str| -> u64 { std::env::var(name).unwrap().parse().unwrap() };
    let (lane, mut n, mut refused) = (number(LANE), number(FROM), 0);
    let mut rng = fastrand::Rng::with_seed(lane * 1_000 + n);
    // The test harness has begun a line.
    println!();
    while n < WRITES {
        let store = once_free(&mut refused, || Store::open(options(&folder, &url)));
        for _ in 0..rng.u64(1..6).min(WRITES - n) {
            let id = format!("{lane}-{n}");
            let written = store.write_once(&id.clone(), move |tx| {
                tx.insert_with_id("notes", &id, [("title", "by one of two")])?;
                tx.increment("notes", "sum", "views", 1)
            });
            written.unwrap();
            say("acked", n);
            n += 1;
        }
        match rng.u8(0..5) {
            0 => drop(store.sync_blocking().unwrap()),
            1 => background(&store),
            // A worker and the screen.
            2 => std::thread::scope(|scope| {
                scope.spawn(|| background(&store));
                store.sync_blocking().unwrap();
            }),
            // Suspended in the middle of it, and the other process comes in between.
            3 => {
                std::thread::scope(|scope| {
                    let syncing = scope.spawn(|| store.sync_blocking());
                    std::thread::park_timeout(Duration::from_millis(rng.u64(0..8)));
                    store.suspend().unwrap();
                    let ended = syncing.join().unwrap();
                    assert!(ended.as_ref().err().is_none_or(|error| error.code() == "suspended"), "{ended:?}");
                });
                std::thread::park_timeout(Duration::from_millis(rng.u64(0..20)));
                once_free(&mut refused, || store.resume());
            }
            // What is left is sent by whoever comes next.
            _ => {}
        }
        store.close().unwrap();
        drop(store);
        std::thread::park_timeout(Duration::from_millis(rng.u64(0..20)));
    }
    say("refused", refused);
}

/// What the processes of one lane came to.
#[derive(Default)]
struct Lane {
    overlaps: u64,
    met: bool,
    refused: u64,
    kills: u64,
}

/// Runs one process after the other until all writes of the lane were acknowledged; most are killed on the way.
fn run(lane: u64, folder: &Path, url: &str, met: &AtomicU64) -> Lane {
    let mut rng = fastrand::Rng::with_seed(lane + 42);
    let (mut came_to, mut from) = (Lane::default(), 0);
    while from < WRITES {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["child_of_two", "--exact", "--nocapture", "--test-threads=1"])
            .envs([(FOLDER, folder.as_os_str()), (URL, url.as_ref())])
            .envs([(LANE, lane.to_string()), (FROM, from.to_string())])
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        // Somewhere behind that write, wherever it is by then.
        let last = from + rng.u64(6..25);
        for line in BufReader::new(child.stdout.take().unwrap()).lines() {
            let line = line.unwrap();
            match line.split_once(' ').map(|(word, n)| (word, n.parse::<u64>())) {
                Some(("acked", Ok(n))) => {
                    from = n + 1;
                    if n == last && from < WRITES {
                        std::thread::park_timeout(Duration::from_millis(rng.u64(0..15)));
                        child.kill().unwrap();
                        came_to.kills += 1;
                    }
                }
                Some(("met", _)) => {
                    let again = std::mem::replace(&mut came_to.met, true);
                    met.fetch_add(u64::from(!again), Ordering::Relaxed);
                }
                Some(("overlap", _)) => came_to.overlaps += 1,
                Some(("refused", Ok(n))) => came_to.refused += n,
                _ => {}
            }
        }
        let ended = child.wait().unwrap();
        assert!(ended.success() || ended.code().is_none(), "a process failed by itself: see above");
    }
    came_to
}

#[test]
fn i_42_two_processes_on_one_file_lose_nothing_and_send_nothing_twice() {
    let server = HttpServer::new();
    let url = format!("http://{}", server.addr);
    let folder = tempfile::tempdir().unwrap();
    let first = Store::open(options(folder.path(), &url)).unwrap();
    first.write(|tx| tx.insert_with_id("notes", "sum", [("title", "sum")])).unwrap();
    first.sync_blocking().unwrap();

    let met = AtomicU64::new(0);
    let lanes: Vec<Lane> = std::thread::scope(|scope| {
        let run = |lane| {
            let (folder, url, met) = (folder.path(), &url, &met);
            scope.spawn(move || run(lane, folder, url, met))
        };
        let running: Vec<_> = (0..LANES).map(run).collect();
        // However slow the machine is: each of them finds the file taken once, and both wait for it then.
        let began = Instant::now();
        while met.load(Ordering::Relaxed) < LANES && running.iter().all(|lane| !lane.is_finished()) {
            assert!(began.elapsed() < Duration::from_secs(60), "a process does not say that the file is taken");
            std::thread::park_timeout(Duration::from_millis(1));
        }
        first.close().unwrap();
        running.into_iter().map(|lane| lane.join().unwrap()).collect()
    });
    let sum = |of: fn(&Lane) -> u64| lanes.iter().map(of).sum::<u64>();
    let (overlaps, refused, kills) = (sum(|lane| lane.overlaps), sum(|lane| lane.refused), sum(|lane| lane.kills));
    println!("{} writes, {refused} times refused by whoever ended in order, {kills} kills", LANES * WRITES);
    assert_eq!(overlaps, 0, "both processes had a request under way");
    assert_eq!(met.load(Ordering::Relaxed), LANES, "each of them was refused at least once");
    assert!(kills > 0, "nobody was killed");

    // What the last of them left behind is sent by itself: no wake-up was lost with a process.
    let last = Store::open(options(folder.path(), &url).auto_sync(true)).unwrap();
    let status = last.watch_status().unwrap();
    while status.next_blocking().unwrap().pending_groups > 0 {}
    last.sync_blocking().unwrap();
    assert_eq!(last.dead_letters().unwrap().len(), 0);
    let sound = last.query("SELECT integrity_check FROM pragma_integrity_check LIMIT 1", &[]).unwrap();
    assert_eq!(sound.rows[0][0], Value::Text("ok".to_owned()));

    let other = server.device("other");
    other.sync();
    let found = other.store.query("SELECT count(*) - 1, sum(views) FROM notes", &[]).unwrap();
    let all = i64::try_from(LANES * WRITES).unwrap();
    assert_eq!(found.rows[0].to_vec(), [Value::Int(all), Value::Int(all)], "each write once");
    let state = other.store.state_hash().unwrap();
    assert_eq!(state.at, LANES * WRITES + 1, "each group was decided once");
    assert_eq!(state, last.state_hash().unwrap());
}
