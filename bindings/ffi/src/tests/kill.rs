//! Processes that are killed, and ones that open and close for long.

use std::io::{BufRead, BufReader};
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{Command, Stdio};

use super::alone::is_alone;
use super::kit::{Table, insert, options, wait};
use super::stores::open;

/// Set in the process that is going to be killed: the folder it writes to.
const VICTIM: &str = "TURNSTONE_VICTIM";
const SIGKILL: i32 = 9;

/// Writes and says so, until it is killed.
fn write_for_ever(folder: &Path) {
    let store = open(options(&folder.join("app.db"))).unwrap();
    loop {
        let written = wait(store.clone().write(vec![insert("acked")], None)).unwrap();
        println!("\nacked {}", written.ids[0]);
    }
}

#[test]
fn what_a_killed_process_left_opens_with_everything() {
    if let Some(folder) = std::env::var_os(VICTIM) {
        return write_for_ever(Path::new(&folder));
    }
    let folder = tempfile::TempDir::new().unwrap();
    let mut acked: Vec<String> = Vec::new();
    for round in 1..=3 {
        let mut victim = Command::new(std::env::current_exe().unwrap());
        victim.args(["--exact", "tests::kill::what_a_killed_process_left_opens_with_everything", "--nocapture"]);
        let mut victim = victim.env(VICTIM, folder.path()).stdout(Stdio::piped()).spawn().unwrap();
        let mut lines = BufReader::new(victim.stdout.take().unwrap()).lines().map_while(Result::ok);
        let mut next = || lines.find_map(|line| line.strip_prefix("acked ").map(str::to_owned));
        acked.extend((0..60).map_while(|_| next()));
        victim.kill().unwrap();
        // What it said before it died is in the pipe still.
        acked.extend(std::iter::from_fn(next));
        assert_eq!(victim.wait().unwrap().signal(), Some(SIGKILL), "it was killed, and did not end by itself");
        assert!(acked.len() >= round * 60);

        let store = open(options(&folder.path().join("app.db"))).unwrap();
        let found = Table(wait(store.clone().query("SELECT id FROM notes".to_owned(), Vec::new(), None)).unwrap());
        let found: Vec<String> = (0..found.rows()).map(|row| found.text(row, 0)).collect();
        assert!(acked.iter().all(|id| found.contains(id)), "what was acked is there");
        assert!(found.len() <= acked.len() + round, "at most one write of each killed process was on its way");
        assert_eq!(wait(store.clone().status()).unwrap().pending_groups, found.len() as u64, "and each will be sent");
        wait(store.shutdown()).unwrap();
    }
}

/// What this process holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Held {
    files: usize,
    threads: usize,
}

impl Held {
    fn now() -> Self {
        let count = |folder: &str| std::fs::read_dir(folder).unwrap().count();
        Self { files: count("/proc/self/fd"), threads: count("/proc/self/task") }
    }

    /// Waits until it is this again: threads with nothing to do wait for ten seconds before they end.
    fn becomes(self) -> Result<(), Self> {
        for _ in 0..2_400 {
            if Self::now() == self {
                return Ok(());
            }
            std::thread::park_timeout(std::time::Duration::from_millis(25));
        }
        Err(Self::now())
    }
}

/// Memory of its own, in KiB.
fn memory_kib() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("RssAnon:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

#[test]
fn stores_open_and_close_without_a_leak() {
    if !is_alone("tests::kill::stores_open_and_close_without_a_leak") {
        return;
    }
    // No disk where there is memory: what is counted is handles.
    let memory = Path::new("/dev/shm");
    let folder = if memory.is_dir() { tempfile::tempdir_in(memory) } else { tempfile::tempdir() }.unwrap();
    let options = options(&folder.path().join("app.db"));
    let cycle = || wait(open(options.clone()).unwrap().shutdown()).unwrap();
    // The threads of all calls, one that works and none that waits.
    crate::fence::runtime().unwrap();
    let before = Held::now();
    (0..1_000).for_each(|_| cycle());
    let kib = memory_kib();
    (0..9_000).for_each(|_| cycle());
    let grown = memory_kib().saturating_sub(kib);
    println!("{before:?}, {grown} KiB more");
    assert!(grown < 8 * 1024, "{grown} KiB in 9,000 rounds");
    assert_eq!(before.becomes(), Ok(()), "before: {before:?}");
}
