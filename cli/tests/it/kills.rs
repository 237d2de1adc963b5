//! kill -9, hundreds of times: of writing and syncing clients, of the server, with a bad network between them.
//!
//! Each round starts the devices, lets them write and sync, and kills them in the middle of it, while somebody else
//! kills the server. What was acknowledged over the pipe before the kill must be there at the end, nothing twice
//! (I-01, I-04, I-09, I-10, I-13, I-54), and every group whole (I-05).
//!
//! Every group makes a row and adds 1 to a counter. So at the end the counter says how many groups there are, the
//! rows say which, and the two must agree with each other and with the acknowledgements.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use crate::common::{Device, Server, Session, token};
use tempfile::tempdir;
use turnstone::{Fields, Value};
use turnstone_cli::device::{Act, Answer, Request, RowWrite, Write, Wrote};
use turnstone_cli::proxy::{Faults, Link, LinkConfig, Rate};

const COUNTER: &str = "counter";

/// How many kills, for a run of a bounded time. `TURNSTONE_KILLS` runs longer.
fn times() -> usize {
    std::env::var("TURNSTONE_KILLS").ok().and_then(|text| text.parse().ok()).unwrap_or(200)
}

/// Makes other worlds: `make kill` takes the next one each time.
fn seed_of_run() -> u64 {
    std::env::var("TURNSTONE_KILL_SEED").ok().and_then(|text| text.parse().ok()).unwrap_or(0)
}

/// What one device wrote, as the test knows it.
#[derive(Default)]
struct Account {
    /// Sent to the device at least once.
    sent: BTreeSet<usize>,
    /// Acknowledged.
    acked: BTreeSet<usize>,
    /// Acknowledged as a repetition: it had been saved before a kill that kept its acknowledgement back.
    repeated: usize,
}

struct Player {
    name: &'static str,
    device: Device,
    account: Account,
    next: usize,
    rng: fastrand::Rng,
}

impl Player {
    fn new(folder: &Path, name: &'static str, url: &str, token: &str, seed: u64) -> Self {
        let device = Device::with_server(folder, &format!("{name}.db"), url, token).and(&["--timeout-ms", "700"]);
        let device = Device { more: last_wins(device.more), ..device };
        Self { name, device, account: Account::default(), next: 0, rng: fastrand::Rng::with_seed(seed) }
    }

    fn group(&self, n: usize) -> Request {
        let name = self.name;
        let set: Fields = [("title".to_owned(), Value::from(format!("{name} {n}")))].into();
        let row = RowWrite { id: format!("{name}-{n}"), act: Act::Put, set, inc: BTreeMap::new() };
        let inc = [("views".to_owned(), 1)].into();
        let count = RowWrite { id: COUNTER.to_owned(), act: Act::Set, set: Fields::new(), inc };
        Request::Write(Write { table: "notes".to_owned(), writes: vec![row, count], write_id: Some(format!("w{n}")) })
    }

    /// One life: repeats what the last one left open (mostly), writes on, syncs, and is killed in the middle of it.
    fn live_and_die(&mut self) {
        let mut session = self.device.session();
        let open: Vec<usize> = self.account.sent.difference(&self.account.acked).copied().collect();
        let mut asked: Vec<Option<usize>> = Vec::new();
        // A write whose key is never repeated stays open: it counted once, or not at all.
        for n in open.into_iter().filter(|n| n % 10 != 7) {
            session.send(&self.group(n));
            asked.push(Some(n));
        }
        for at in 0..self.rng.usize(1..30) {
            if self.rng.u8(..4) == 0 || (at == 0 && self.rng.bool()) {
                session.send(&Request::Sync { attempts: 2 });
                asked.push(None);
            }
            let n = self.next;
            self.next += 1;
            self.account.sent.insert(n);
            session.send(&self.group(n));
            asked.push(Some(n));
        }
        std::thread::sleep(Duration::from_micros(self.rng.u64(5_000..200_000)));
        session.kill();
        // What it had said before the blow counts as said.
        for n in asked {
            let Some(answer) = session.answer() else { break };
            self.note(n, &answer);
        }
    }

    /// One long life: writes and syncs until `is_over`. Nothing may fail but the network.
    fn live_until(&mut self, is_over: impl Fn() -> bool) {
        let mut session = self.device.session();
        while !is_over() {
            for _ in 0..self.rng.usize(1..5) {
                let n = self.next;
                self.next += 1;
                self.account.sent.insert(n);
                let answer = session.ask(&self.group(n));
                self.note(Some(n), &answer);
            }
            let answer = session.ask(&Request::Sync { attempts: 1 });
            self.note(None, &answer);
        }
        session.finish();
    }

    /// Both devices make the same counter: a create on a row not seen is a merge.
    fn make_counter(&self) {
        let set: Fields = [("title".to_owned(), Value::from("counter"))].into();
        let row = RowWrite { id: COUNTER.to_owned(), act: Act::Put, set, inc: BTreeMap::new() };
        let make = Request::Write(Write { table: "notes".to_owned(), writes: vec![row], write_id: None });
        let mut session = self.device.session();
        assert!(matches!(session.ask(&make), Answer::Wrote(_)));
        session.finish();
    }

    fn note(&mut self, n: Option<usize>, answer: &Answer) {
        match (n, answer) {
            (Some(n), Answer::Wrote(Wrote { repeated })) => {
                self.account.acked.insert(n);
                self.account.repeated += usize::from(*repeated);
            }
            (None, Answer::Synced(_)) => {}
            other => panic!("{}: {other:?}", self.name),
        }
    }

    /// A last life, in peace: until everything is sent and fetched.
    fn settle(&self) -> (BTreeMap<String, Fields>, (u64, u64, String)) {
        let mut session = self.device.session();
        let Answer::Synced(synced) = session.ask(&Request::Sync { attempts: 20 }) else { panic!() };
        assert!(synced.quiet, "{}: {synced:?}", self.name);
        let Answer::Status(counted) = session.ask(&Request::Status) else { panic!() };
        assert_eq!((counted.pending_groups, counted.dead_letters), (0, 0), "{}: {counted:?}", self.name);
        let Answer::Rows(rows) = session.ask(&Request::Rows { table: "notes".to_owned() }) else { panic!() };
        let hash = match session.ask(&Request::Hash) {
            Answer::Hash { at, rows, hash } => (at, rows, hash),
            other => panic!("{other:?}"),
        };
        session.finish();
        (rows, hash)
    }
}

/// The later one of an option given twice.
fn last_wins(more: Vec<String>) -> Vec<String> {
    let at = more.iter().position(|arg| arg == "--timeout-ms").unwrap();
    let mut more = more;
    more.drain(at..at + 2);
    more
}

/// Kills the server again and again, whenever some exchanges have passed, and starts it on the same database.
fn torment(folder: &Path, seed: u64, link: &Arc<Link>, done: &AtomicBool, killed: &AtomicUsize) -> Server {
    let mut rng = fastrand::Rng::with_seed(72 + seed);
    let mut server = Server::start(folder);
    link.set_target(server.address());
    while !done.load(Ordering::SeqCst) {
        let until = link.summary().exchanges + rng.u64(1..4);
        while link.summary().exchanges < until && !done.load(Ordering::SeqCst) {
            std::thread::sleep(Duration::from_millis(2));
        }
        std::thread::sleep(Duration::from_micros(rng.u64(0..4_000)));
        server.kill();
        killed.fetch_add(1, Ordering::SeqCst);
        server = Server::start(folder);
        link.set_target(server.address());
    }
    server
}

/// How often whom.
#[derive(Default)]
struct Kills {
    clients: AtomicUsize,
    servers: AtomicUsize,
}

/// Two devices live on one server that is killed again and again, behind a bad link; then peace, and the account.
fn world(seed: u64, life: impl Fn(&mut Player, &Kills) + Sync) -> Kills {
    let seed = seed.wrapping_add(seed_of_run().wrapping_mul(1_000));
    let folder = tempdir().unwrap();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let config = LinkConfig {
        listen: "127.0.0.1:0".parse().unwrap(),
        to: "127.0.0.1:1".to_owned(),
        seed,
        faults: Faults { half_open_ms_max: 300, delay_ms_max: 20, delay: Rate::percent(10), ..Faults::rough() },
    };
    let link = Arc::new(runtime.block_on(Link::start(config)).unwrap());
    let token = token("t");
    let (done, kills) = (AtomicBool::new(false), Kills::default());
    let mut players =
        [("ann", 1), ("bob", 2)].map(|(name, n)| Player::new(folder.path(), name, &link.url(), &token, seed + n));
    let server = std::thread::scope(|scope| {
        let _done = Done(&done);
        let tormentor = scope.spawn(|| torment(folder.path(), seed, &link, &done, &kills.servers));
        players.iter().for_each(Player::make_counter);
        let lives: Vec<_> = players.iter_mut().map(|player| scope.spawn(|| life(player, &kills))).collect();
        let ends: Vec<_> = lives.into_iter().map(std::thread::ScopedJoinHandle::join).collect();
        done.store(true, Ordering::SeqCst);
        ends.into_iter().for_each(|end| end.unwrap());
        tormentor.join().unwrap()
    });
    link.set_faults(Faults::NONE);
    // Twice: the second time brings what the other one sent meanwhile.
    players.iter().for_each(|player| drop(player.settle()));
    let ends = players.each_ref().map(Player::settle);
    let hash = server.state_hash(&token);
    for (player, (rows, state)) in players.iter().zip(&ends) {
        assert_eq!(state.2, hash["hash"].as_str().unwrap(), "{} and the server differ", player.name);
        assert_eq!(*rows, ends[0].0);
    }
    account(&players, &ends[0].0);
    let (clients, servers) = (kills.clients.load(Ordering::SeqCst), kills.servers.load(Ordering::SeqCst));
    println!("{clients} client kills, {servers} server kills, {} faults of the link", link.summary().faults());
    for player in &players {
        let Account { sent, acked, repeated } = &player.account;
        let (name, sent, acked) = (player.name, sent.len(), acked.len());
        println!("{name}: {sent} groups sent, {acked} acknowledged, {repeated} found saved by a repeated key");
    }
    kills
}

#[test]
fn hundreds_of_client_kills_lose_nothing_and_double_nothing() {
    let times = times();
    let kills = world(5, |player, kills| {
        for _ in 0..times {
            player.live_and_die();
            kills.clients.fetch_add(1, Ordering::SeqCst);
        }
    });
    assert!(kills.clients.into_inner() >= 2 * times && kills.servers.into_inner() > 3);
}

#[test]
fn hundreds_of_server_kills_lose_nothing_and_double_nothing() {
    let times = times();
    let kills = world(6, |player, kills| player.live_until(|| kills.servers.load(Ordering::SeqCst) >= times));
    assert!(kills.servers.into_inner() >= times);
}

/// Lets the tormentor end also where an assertion failed.
struct Done<'a>(&'a AtomicBool);

impl Drop for Done<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::SeqCst);
    }
}

/// Acknowledged: there. There: sent. Counted: exactly the groups that are there.
fn account(players: &[Player], rows: &BTreeMap<String, Fields>) {
    let mut groups = 0;
    for player in players {
        let name = player.name;
        for n in &player.account.acked {
            let row = rows.get(&format!("{name}-{n}"));
            let row = row.unwrap_or_else(|| panic!("{name}-{n} was acknowledged and is lost"));
            assert_eq!(row["title"], Value::from(format!("{name} {n}")));
        }
        let there = rows.keys().filter(|id| id.starts_with(&format!("{name}-"))).count();
        let sent = player.account.sent.iter().filter(|n| rows.contains_key(&format!("{name}-{n}"))).count();
        assert_eq!(there, sent, "{name}: a row that nobody wrote");
        groups += there;
    }
    let counted = &rows[COUNTER]["views"];
    assert_eq!(
        *counted,
        Value::from(i64::try_from(groups).unwrap()),
        "the counter and the {groups} groups that are there"
    );
}

#[test]
fn sigterm_drains_and_the_answer_still_comes() {
    let folder = tempdir().unwrap();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    for round in 0..6 {
        let folder = folder.path().join(round.to_string());
        std::fs::create_dir(&folder).unwrap();
        let mut server = Server::start(&folder);
        let config = LinkConfig {
            listen: "127.0.0.1:0".parse().unwrap(),
            to: server.address(),
            seed: round,
            faults: Faults::NONE,
        };
        let link = runtime.block_on(Link::start(config)).unwrap();
        let token = token("t");
        let player = Player::new(&folder, "ann", &link.url(), &token, round);
        let mut session: Session = player.device.session();
        let row = RowWrite { id: COUNTER.to_owned(), act: Act::Put, set: Fields::new(), inc: BTreeMap::new() };
        session.ask(&Request::Write(Write { table: "notes".to_owned(), writes: vec![row], write_id: None }));
        for n in 0..400 {
            assert!(matches!(session.ask(&player.group(n)), Answer::Wrote(_)));
        }
        // The signal comes while a request is at the server, or on its way.
        session.send(&Request::Sync { attempts: 1 });
        while link.summary().exchanges == 0 {
            std::thread::yield_now();
        }
        std::thread::sleep(Duration::from_micros(700 * round));
        server.terminate();
        let status = server.child.wait().unwrap();
        assert_eq!(status.code(), Some(0), "round {round}: drained and ended in order");
        assert!(matches!(session.answer(), Some(Answer::Synced(_))));
        let log = crate::common::read(&server.log);
        assert!(log.contains("\"in_time\":true"), "every request it took was answered in time (I-59): {log}");

        let mut server = Server::start(&folder);
        link.set_target(server.address());
        let Answer::Synced(synced) = session.ask(&Request::Sync { attempts: 5 }) else { panic!() };
        assert!(synced.quiet, "{synced:?}");
        session.finish();
        let (rows, hash) = player.settle();
        assert_eq!(rows[COUNTER]["views"], Value::from(400));
        assert_eq!(server.state_hash(&token)["hash"], hash.2);
        server.kill();
        runtime.block_on(link.stop());
    }
}
