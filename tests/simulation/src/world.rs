//! The world: devices, a server, a network and time, all of it decided by a list of actions.

use std::collections::BTreeMap;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use serde_json::value::RawValue;
use turnstone::testing::inspect;
use turnstone::transport::{Request, Response, TransportError};
use turnstone_protocol::Gid;
use turnstone_vfs::{Disk, Faults, Mount};

use crate::action::Action;
use crate::app;
use crate::device::{Attempt, Device, DeviceSetup, Expected};
use crate::model::{Meaning, Model, ModelGroup, Restored, Violation};
use crate::network::{Net, Packet};
use crate::server::{Server, ServerSetup, expand};
use crate::swarm::Swarm;
use crate::work::Work;

/// The server's place among the mounts.
const SERVER_MOUNT: usize = 15;

thread_local! {
    // SQLite never lets go of a VFS, so a thread keeps its mounts and swaps the disks.
    static MOUNTS: std::cell::RefCell<BTreeMap<usize, Mount>> = const { std::cell::RefCell::new(BTreeMap::new()) };
}

/// Puts a disk under a name of this thread's own, and gives the name.
fn mount(place: usize, disk: &Disk, seed: u64) -> String {
    static THREADS: std::sync::atomic::AtomicU64 = std::sync::atomic::AtomicU64::new(0);
    MOUNTS.with_borrow_mut(|mounts| {
        let mount = mounts.entry(place).or_insert_with(|| {
            let name = format!("sim-{}-{place}", THREADS.fetch_add(1, Ordering::Relaxed));
            Mount::new(&name, disk)
        });
        mount.insert(disk);
        mount.set_random_seed(seed);
        mount.name().to_owned()
    })
}

/// Everything there is.
pub struct World {
    /// Virtual milliseconds since the beginning.
    pub now_ms: u64,
    /// The network.
    pub net: Net,
    /// The devices.
    pub devices: Vec<Device>,
    /// The server.
    pub server: Server,
    /// What was acknowledged.
    pub model: Model,
    /// The clock each group was sent with, and a hash of the rest of its body.
    pub sent: BTreeMap<Gid, u64>,
    bodies: BTreeMap<Gid, u64>,
    /// What did not hold.
    pub violations: Vec<Violation>,
    /// How often each kind of thing happened.
    pub counters: BTreeMap<&'static str, u64>,
    /// A hash of everything that happened.
    pub trace: u64,
    /// Tells what happens on standard error.
    pub tells: bool,
    /// Looks at everything after every step, so that what breaks is seen where it breaks.
    pub looks_hard: bool,
    refusals: bool,
    /// The last commit of the server when it last answered.
    answered_head: u64,
    rows: Vec<(&'static str, String)>,
    writes: u64,
    steps: u64,
    server_power: bool,
    seed: u64,
}

impl World {
    /// Makes the world of a seed; nothing runs in it yet.
    pub fn new(seed: u64, swarm: &Swarm) -> Self {
        let net = Net::default();
        let disk = Disk::new();
        let mut rng = fastrand::Rng::with_seed(seed ^ 0x5eed_0a0a_0000_0003);
        let mut random = [0; 32];
        rng.fill(&mut random);
        let server = Server::new(
            disk.clone(),
            ServerSetup {
                vfs: mount(SERVER_MOUNT, &disk, rng.u64(..)),
                page_rows_max: usize::from(swarm.page_rows),
                push_groups_max: usize::from(swarm.push_groups),
                stable_after_ms: if swarm.forgets { 20_000 } else { 1 << 40 },
                random,
            },
        );
        let devices = (0..usize::from(swarm.devices))
            .map(|index| {
                let disk = Disk::new();
                let setup = DeviceSetup {
                    index,
                    vfs: mount(index, &disk, rng.u64(..)),
                    auto: rng.u8(..4) > 0,
                    entries_max: usize::from(swarm.batch_groups),
                    rows_max: usize::from(swarm.batch_rows),
                    poll_ms: rng.u64(5_000..40_000),
                    seed: rng.u64(..),
                };
                Device::new(setup, disk, &net, server.key())
            })
            .collect();
        net.get().cut = vec![false; usize::from(swarm.devices)];
        Self {
            now_ms: 0,
            net,
            devices,
            server,
            model: Model::default(),
            sent: BTreeMap::new(),
            bodies: BTreeMap::new(),
            answered_head: 0,
            violations: Vec::new(),
            counters: BTreeMap::new(),
            trace: seed,
            tells: false,
            looks_hard: false,
            refusals: swarm.refusals,
            rows: vec![("notes", app::SETTINGS.to_owned())],
            writes: 0,
            steps: 0,
            server_power: false,
            seed,
        }
    }

    /// Counts that something happened.
    pub fn saw(&mut self, what: &'static str) {
        *self.counters.entry(what).or_default() += 1;
    }

    /// Mixes something into the trace.
    pub fn note(&mut self, word: u64) {
        self.trace = (self.trace ^ word).wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(29);
    }

    /// Says that a promise does not hold.
    pub fn wrong(&mut self, invariant: &'static str, what: impl Into<String>) {
        self.violations.push(Violation::new(invariant, what));
    }

    /// Lets one thing happen.
    pub fn step(&mut self, action: &Action) {
        self.steps += 1;
        if self.tells {
            eprintln!("{:>8} ms  {action:?}", self.now_ms);
        }
        match action {
            Action::Create { .. }
            | Action::Set { .. }
            | Action::Add { .. }
            | Action::Delete { .. }
            | Action::Pair { .. }
            | Action::Settings { .. }
            | Action::FailingWrite { .. } => self.app(action),
            Action::Sync { device } => {
                let at = self.device(*device);
                if self.up(at) {
                    self.devices[at].ask_sync();
                    self.touch(at);
                }
            }
            Action::Pass { ms } => self.pass(u64::from(*ms)),
            Action::Deliver { packet } => self.deliver_one(*packet),
            Action::Drop { packet } | Action::Duplicate { packet } | Action::Captive { packet } => {
                self.meddle(action, *packet);
            }
            Action::Truncate { packet, .. } => self.meddle(action, *packet),
            _ => self.fault(action),
        }
        self.note(self.net.len() as u64);
    }

    fn device(&self, index: u8) -> usize {
        usize::from(index) % self.devices.len()
    }

    /// Starts a device that is down. Returns whether it runs.
    pub fn up(&mut self, at: usize) -> bool {
        let now_ms = self.now_ms;
        let device = &mut self.devices[at];
        let was_up = device.store.is_some();
        let runs = device.start(now_ms);
        if runs && !was_up && self.devices[at].lives > 1 {
            self.saw("device restarted");
        }
        if !runs {
            self.bury(at);
        }
        runs
    }

    /// Lets a device live a moment, and looks at it.
    pub fn touch(&mut self, at: usize) {
        let now_ms = self.now_ms;
        self.now_ms = self.devices[at].live_until(now_ms).max(now_ms);
        self.bury(at);
        if self.devices[at].store.is_some() {
            crate::check::continuous(self, at, self.looks_hard || self.steps % 32 == at as u64);
        }
    }

    /// If a device's disk died, so did the device.
    fn bury(&mut self, at: usize) {
        if !self.devices[at].disk.is_dead() {
            return;
        }
        let power = self.devices[at].crash_power;
        self.saw(if power { "device lost power in a storage step" } else { "device killed in a storage step" });
        let seed = self.dice();
        let now_ms = self.now_ms;
        self.devices[at].kill(power.then_some(seed), now_ms);
    }

    fn dice(&mut self) -> u64 {
        self.writes += 1;
        self.seed.wrapping_mul(0x2545_f491_4f6c_dd1d).wrapping_add(self.writes)
    }

    /// Time passes everywhere.
    pub fn pass(&mut self, ms: u64) {
        self.now_ms += ms;
        for at in 0..self.devices.len() {
            if self.devices[at].store.is_some() {
                self.touch(at);
            }
        }
    }

    /// Time passes everywhere, and nobody looks.
    pub fn wait(&mut self, ms: u64) {
        self.now_ms += ms;
        for device in &mut self.devices {
            device.live_until(self.now_ms);
        }
    }

    fn app(&mut self, action: &Action) {
        let (device, work) = self.plan(action);
        let at = self.device(device);
        if !self.up(at) {
            return;
        }
        if let Some(attempt) = self.devices[at].unsure.take() {
            self.saw("write repeated under its write id");
            self.attempt(at, attempt);
            if self.devices[at].unsure.is_some() || !self.up(at) {
                return;
            }
        }
        self.writes += 1;
        let position = self.devices[at].position;
        let attempt =
            Attempt { write_id: format!("w{}", self.writes), work, ops: Arc::default(), position, refused_in: None };
        self.attempt(at, attempt);
        self.touch(at);
    }

    fn plan(&mut self, action: &Action) -> (u8, Work) {
        match *action {
            Action::Create { device, table, value } => {
                let table = app::TABLES[usize::from(table) % if self.refusals { app::TABLES.len() } else { 2 }];
                let id = match table {
                    "slots" => format!("slot{}", value.rem_euclid(4)),
                    _ if value % 4 == 0 && self.rows.len() > 3 => {
                        let pick = value.rem_euclid(97) as usize % self.rows.len();
                        let (table, id) = self.rows[pick].clone();
                        return (device, Work::Create { table, id, value });
                    }
                    _ => format!("row{}", self.rows.len()),
                };
                if !self.rows.contains(&(table, id.clone())) {
                    self.rows.push((table, id.clone()));
                }
                (device, Work::Create { table, id, value })
            }
            Action::Set { device, row, field, value, by_sql } => {
                let (table, id) = self.row(row);
                // Registers more often than the others.
                let field = app::SETTABLE.get(usize::from(field) % 12).copied().unwrap_or("a");
                (device, Work::Set { table, id, field, value, by_sql })
            }
            Action::Add { device, row, by } => {
                let (table, id) = self.row(row);
                (device, Work::Add { table, id, by })
            }
            Action::Delete { device, row, by_sql } => {
                let (table, id) = self.row(row);
                (device, Work::Delete { table, id, by_sql })
            }
            Action::Pair { device, value } => (device, Work::Pair { value }),
            Action::Settings { device, value } => (device, Work::Settings { value }),
            Action::FailingWrite { device, row } => {
                let (table, id) = self.row(row);
                (device, Work::Failing { table, id, value: i64::from(row), whole: row % 2 == 0 })
            }
            _ => (0, Work::Pair { value: 0 }),
        }
    }

    /// Newer rows more often: many devices then meet in few rows.
    fn row(&self, pick: u16) -> (&'static str, String) {
        let newest = self.rows.len().min(8);
        let from = if pick.is_multiple_of(3) { 0 } else { self.rows.len() - newest };
        let at = from + usize::from(pick / 3) % (self.rows.len() - from);
        self.rows[at].clone()
    }

    /// Runs a write, or runs it again.
    pub fn attempt(&mut self, at: usize, mut attempt: Attempt) {
        let fresh = Arc::new(Mutex::new(Vec::new()));
        let (work, cell) = (attempt.work.clone(), Arc::clone(&fresh));
        let position = self.devices[at].pulled_to().unwrap_or(self.devices[at].position);
        let life = self.devices[at].lives;
        let done = self.devices[at].with(|store| {
            store.write_once(&attempt.write_id, move |tx| {
                let ops = work.perform(tx)?;
                *cell.lock().unwrap_or_else(PoisonError::into_inner) = ops;
                Ok(())
            })
        });
        let Some(done) = done else { return };
        self.note(done.is_ok().into());
        match done {
            Ok(written) => {
                if written.repeated && attempt.refused_in == Some(life) {
                    self.wrong("I-06", format!("device {at}: a write that failed had been saved"));
                }
                let (ops, position) =
                    if written.repeated { (attempt.ops, attempt.position) } else { (fresh, position) };
                if written.repeated {
                    self.saw("an unsure write had been saved");
                }
                let ops = ops.lock().unwrap_or_else(PoisonError::into_inner).clone();
                match written.gid {
                    Some(gid) => self.acknowledge(at, gid, ops, position),
                    None if ops.is_empty() => {}
                    None => self.wrong("I-03", format!("device {at}: a write changed rows and made no group")),
                }
            }
            Err(_) if self.devices[at].disk.is_dead() => {
                if !fresh.lock().unwrap_or_else(PoisonError::into_inner).is_empty() {
                    attempt.ops = fresh;
                    attempt.position = position;
                }
                attempt.refused_in = None;
                self.devices[at].unsure = Some(attempt);
                self.saw("device died in a write");
                self.bury(at);
            }
            Err(turnstone::Error::RowMissing { .. } | turnstone::Error::Sql { .. }) => {
                self.saw("write failed by itself")
            }
            Err(error) => {
                if error.code() == "corrupt" {
                    self.wrong("I-01", format!("device {at}: the file is damaged"));
                }
                if !fresh.lock().unwrap_or_else(PoisonError::into_inner).is_empty() {
                    attempt.ops = fresh;
                    attempt.position = position;
                }
                attempt.refused_in = Some(life);
                self.devices[at].unsure = Some(attempt);
                self.saw("write failed by the disk");
            }
        }
    }

    fn acknowledge(&mut self, at: usize, gid: turnstone_protocol::Gid, ops: Vec<crate::model::ModelOp>, position: u64) {
        for op in &ops {
            let expected = &mut self.devices[at].expected;
            let mut expect = |field, what| expected.insert((op.table, op.id.clone(), field), (what, gid));
            match &op.meaning {
                Meaning::Create(fields) | Meaning::Set(fields) => {
                    for field in ["a", "b", "v"] {
                        if let Some(value) = fields.get(field) {
                            expect(field, Expected::Value(*value));
                        }
                    }
                    expected.remove(&(op.table, op.id.clone(), ""));
                }
                Meaning::Add(..) => {}
                Meaning::Delete => {
                    for field in ["a", "b", "v"] {
                        expected.remove(&(op.table, op.id.clone(), field));
                    }
                    expected.insert((op.table, op.id.clone(), ""), (Expected::Gone, gid));
                }
            }
        }
        for byte in gid.0.chunks(8) {
            self.note(byte.iter().fold(0, |word, byte| word << 8 | u64::from(*byte)));
        }
        if self.tells {
            eprintln!("             device {at} saved {gid} at {position}: {ops:?}");
        }
        let (line, at_ms) = (self.model.line(at), self.now_ms);
        if ops.is_empty() {
            return self.wrong("I-03", format!("device {at}: a write that changed nothing made a group"));
        }
        self.model.acknowledge(ModelGroup { device: at, gid, ops, position, line, at_ms });
    }

    fn deliver_one(&mut self, pick: u16) {
        let count = self.net.len();
        if count == 0 {
            return self.pass(20);
        }
        let at = if pick.is_multiple_of(2) { 0 } else { usize::from(pick / 2) % count };
        if at > 0 {
            self.saw("packets reordered");
        }
        self.deliver(at);
    }

    /// Delivers a packet.
    pub fn deliver(&mut self, at: usize) {
        match self.net.take(at) {
            Packet::Up { device, request, reply } => {
                let path = request.path.len() as u64;
                self.note(path ^ (request.body.len() as u64) << 8 ^ (device as u64) << 40);
                if reply.as_ref().is_none_or(tokio::sync::oneshot::Sender::is_closed) {
                    self.saw("request arrived that nobody waits for");
                }
                self.read_push(&request);
                match self.server.handle(device, &request, crate::device::EPOCH_MS + self.now_ms) {
                    Some(response) => {
                        if self.tells {
                            let text = String::from_utf8_lossy(&response.body);
                            eprintln!("             device {device} {} -> {} {text}", request.path, response.status);
                        }
                        self.note(u64::from(response.status) ^ (response.body.len() as u64) << 16);
                        self.read_answer(&response);
                        if let Some(reply) = reply {
                            self.net.put(Packet::Down { device, response, reply });
                        }
                    }
                    None => self.server_died(reply),
                }
            }
            Packet::Down { device, response, reply } => {
                let waited = reply.send(Ok(response)).is_ok();
                self.note(waited.into());
                if self.devices[device].store.is_some() {
                    self.touch(device);
                }
            }
        }
    }

    /// What was sealed is frozen: a group comes with the same clock and the same ops for ever (rule 12).
    fn read_push(&mut self, request: &Request) {
        if request.path != "/sync/v1/push" {
            return;
        }
        let Ok(body) = expand(request) else { return };
        let Ok(push) = serde_json::from_slice::<PushBody<'_>>(&body) else { return };
        for group in push.groups {
            let (Some(gid), Some(hlc), Some(ops)) = (group.gid, group.hlc, group.ops) else { continue };
            let Ok(hlc) = u64::from_str_radix(hlc, 16) else { continue };
            let word =
                ops.get().bytes().fold(hlc, |word, byte| (word ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3));
            if self.sent.insert(gid, hlc).is_none() {
                self.check_stamp(gid, hlc);
            }
            if self.bodies.insert(gid, word).is_some_and(|before| before != word) {
                self.wrong("I-11", format!("group {gid} was sent with two bodies"));
            }
        }
    }

    /// A device that has heard from the server since it booted knows how old its write is, whatever its wall clock says
    /// (rule 20): no stamp lies in the future, but for the moments by which the devices' own clocks run apart here.
    fn check_stamp(&mut self, gid: Gid, hlc: u64) {
        let Some(group) = self.model.find(gid).map(|write| &self.model.groups[write]) else { return };
        let device = &self.devices[group.device];
        let since_ms = device.time.booted_ms.load(Ordering::Relaxed);
        let knows = device.anchored_boot == Some(device.time.boot.load(Ordering::Relaxed)) && group.at_ms > since_ms;
        let now_ms = crate::device::EPOCH_MS + self.now_ms;
        if knows && hlc >> 16 > now_ms + 1_000 && !device.dated_ahead {
            let ahead_ms = (hlc >> 16) - now_ms;
            return self.wrong("I-31", format!("group {gid} is stamped {ahead_ms} ms after it was sent"));
        }
        // What was stamped before the first contact may be ahead, and what follows it comes after it.
        let ahead = hlc >> 16 > now_ms + 1_000;
        let at = group.device;
        self.devices[at].dated_ahead |= ahead;
    }

    /// What the server has answered stays answered, and some answers never come where nobody went back in time.
    fn read_answer(&mut self, response: &Response) {
        let head = self.server.head().unwrap_or(0);
        if head < self.answered_head {
            self.wrong("I-54", format!("the server answered at commit {}, now it has {head}", self.answered_head));
        }
        self.answered_head = head;
        if response.status == 200 {
            return;
        }
        self.saw("request refused");
        #[derive(serde::Deserialize)]
        struct Code<'a> {
            code: &'a str,
        }
        let Ok(Code { code }) = serde_json::from_slice(&response.body) else { return };
        if code == "device_forked" && !self.model.restored.is_empty() {
            return self.saw("a restored device was told so");
        }
        let never = ["gid_reuse", "seq_gap", "device_forked", "malformed", "internal"];
        if never.contains(&code) || code.starts_with("cursor") || code.starts_with("epoch") {
            self.wrong("I-12", format!("the server answered {code}"));
        }
    }

    fn server_died(&mut self, reply: Option<crate::network::Reply>) {
        if self.server.disk.is_dead() {
            self.saw(if self.server_power { "server lost power in a request" } else { "server killed in a request" });
            let seed = self.dice();
            if self.server_power {
                self.server.disk.reboot(seed);
            } else {
                self.server.disk.revive();
            }
        }
        self.server.stop();
        self.net.get().lost.extend(reply);
    }

    fn meddle(&mut self, action: &Action, pick: u16) {
        let count = self.net.len();
        if count == 0 {
            return;
        }
        let at = usize::from(pick) % count;
        let packet = self.net.take(at);
        match (action, packet) {
            (Action::Drop { .. }, Packet::Up { reply, .. }) => {
                self.saw("request lost");
                self.lose(reply, pick);
            }
            (Action::Drop { .. }, Packet::Down { reply, .. }) => {
                self.saw("answer lost after the server's commit");
                self.lose(Some(reply), pick);
            }
            (Action::Duplicate { .. }, Packet::Up { device, request, reply }) => {
                self.saw("request doubled");
                self.net.put(Packet::Up { device, request: request.clone(), reply });
                self.net.put(Packet::Up { device, request, reply: None });
            }
            (Action::Truncate { keep, .. }, Packet::Down { device, mut response, reply }) => {
                self.saw("answer cut");
                let len = response.body.len();
                response.body.truncate(usize::from(*keep) % len.max(1));
                self.net.put(Packet::Down { device, response, reply });
            }
            (Action::Captive { .. }, Packet::Up { device, reply: Some(reply), .. }) => {
                self.saw("captive portal");
                self.net.put(Packet::Down { device, response: portal(), reply });
            }
            (_, packet) => self.net.put(packet),
        }
    }

    /// Who waited finds out at once, or by waiting.
    fn lose(&mut self, reply: Option<crate::network::Reply>, pick: u16) {
        let Some(reply) = reply else { return };
        if pick.is_multiple_of(3) {
            self.net.get().lost.push(reply);
        } else {
            let error = if pick % 3 == 1 { TransportError::Broken } else { TransportError::Offline };
            let _ = reply.send(Err(error));
        }
    }

    fn fault(&mut self, action: &Action) {
        match *action {
            Action::CrashDevice { device } => {
                let at = self.device(device);
                if self.devices[at].store.is_some() {
                    self.saw("device killed");
                    let now_ms = self.now_ms;
                    self.devices[at].kill(None, now_ms);
                }
            }
            Action::CrashDeviceAt { device, step, power } => {
                let at = self.device(device);
                self.devices[at].crash_power = power;
                let disk = &self.devices[at].disk;
                disk.crash_at(disk.steps() + 1 + u64::from(step) % 48);
            }
            Action::CrashServer => {
                self.saw("server killed");
                self.server.disk.revive();
                self.server.stop();
            }
            Action::CrashServerAt { step, power } => {
                self.server_power = power;
                let disk = &self.server.disk;
                disk.crash_at(disk.steps() + 1 + u64::from(step) % 32);
            }
            Action::Clock { device, ms } => {
                let at = self.device(device);
                self.saw("clock jumped");
                self.devices[at].time.skew_ms.store(ms, Ordering::Relaxed);
            }
            Action::Disk { device, full } => {
                let at = self.device(device);
                let disk = &self.devices[at].disk;
                disk.set_capacity(full.then(|| disk.used() + 2_000));
                self.saw(if full { "disk filled" } else { "disk freed" });
            }
            Action::DiskError { device, step } => {
                let at = self.device(device);
                let disk = &self.devices[at].disk;
                let io_error_at = Some(disk.steps() + 1 + u64::from(step) % 24);
                disk.set_faults(Faults { io_error_at, ..Faults::default() });
                self.saw("disk error armed");
            }
            Action::Partition { device, cut } => {
                let at = self.device(device);
                self.net.get().cut[at] = cut;
                self.saw(if cut { "network cut" } else { "network healed" });
                if let Some(()) = self.devices[at].with(|store| {
                    if step_hint(self.steps) {
                        store.network_changed(!cut)
                    }
                }) {
                    self.touch(at);
                }
            }
            Action::ExpireToken { device } => {
                let at = self.device(device);
                self.saw("token expired");
                let floor = self.devices[at].token.load(Ordering::Relaxed) + 1;
                self.server.token_floor.insert(at, floor);
            }
            Action::Backup { device } => {
                let at = self.device(device);
                let pending = self.devices[at].with(turnstone::Store::status);
                // With writes that were never sent a restored device breaks I-11: see docs/reliability.md, known limits.
                let nothing_pending = matches!(pending, Some(Ok(status)) if status.pending_groups == 0);
                if nothing_pending && self.devices[at].unsure.is_none() && !self.devices[at].disk.is_dead() {
                    self.saw("device backed up");
                    let until = self.model.groups.len();
                    let known = Restored { line: self.model.line(at), until, at: until };
                    self.devices[at].backup = Some((self.devices[at].disk.snapshot(), known));
                }
            }
            Action::Restore { device } => self.restore(self.device(device)),
            Action::Neighbour => {
                self.saw("another tenant wrote");
                let now_ms = crate::device::EPOCH_MS + self.now_ms;
                if let Err(problem) = self.server.neighbour_writes(now_ms) {
                    self.wrong("I-56", format!("another tenant is refused: {problem}"));
                }
            }
            Action::Overload { ms } => {
                self.saw("server overloaded");
                self.server.overloaded_until_ms = crate::device::EPOCH_MS + self.now_ms + u64::from(ms);
            }
            _ => {}
        }
    }

    /// A backup is put back: what the device wrote since is gone, as far as nobody else has it.
    fn restore(&mut self, at: usize) {
        if self.devices[at].unsure.is_some() || self.devices[at].disk.is_dead() {
            return;
        }
        let Some((image, known)) = self.devices[at].backup.clone() else { return };
        self.saw("device restored from a backup");
        let now_ms = self.now_ms;
        let device = &mut self.devices[at];
        device.kill(None, now_ms);
        device.disk.restore(&image);
        device.expected.clear();
        (device.position, device.anchored_boot) = (0, None);
        let line = self.model.line(at) + 1;
        let known = Restored { at: self.model.groups.len(), ..known };
        self.model.restored.insert((at, line), known);
    }

    /// All faults end: what was dead starts, what was cut is whole.
    pub fn heal(&mut self) {
        let cut = vec![false; self.devices.len()];
        self.net.get().cut = cut;
        self.server.overloaded_until_ms = 0;
        self.server.disk.set_faults(Faults::default());
        if self.server.disk.is_dead() {
            self.server.disk.revive();
            self.server.stop();
        }
        if !self.server.start() {
            let why = self.server.failed.clone().unwrap_or_default();
            self.wrong("I-54", format!("the server does not start: {why}"));
        }
        for at in 0..self.devices.len() {
            self.bury(at);
            self.devices[at].disk.set_faults(Faults::default());
            self.devices[at].disk.set_capacity(None);
            if !self.up(at) {
                let why = self.devices[at].failed.as_ref().map(ToString::to_string).unwrap_or_default();
                self.wrong("I-01", format!("device {at} does not start: {why}"));
                continue;
            }
            if let Some(attempt) = self.devices[at].unsure.take() {
                self.attempt(at, attempt);
                if self.devices[at].unsure.is_some() {
                    self.wrong("I-06", format!("device {at}: a write fails although nothing is wrong any more"));
                }
            }
        }
    }

    /// What a device says must hold and does not.
    pub fn faults_of(&self, at: usize) -> Vec<String> {
        match self.devices[at].with(inspect::faults) {
            Some(Ok(faults)) => faults,
            Some(Err(_)) | None => Vec::new(),
        }
    }
}

#[derive(serde::Deserialize)]
struct PushBody<'a> {
    #[serde(borrow)]
    groups: Vec<GroupBody<'a>>,
}

#[derive(serde::Deserialize)]
struct GroupBody<'a> {
    gid: Option<Gid>,
    hlc: Option<&'a str>,
    #[serde(borrow)]
    ops: Option<&'a RawValue>,
}

/// Whether the system tells the app about the network this time; sometimes it does not.
fn step_hint(step: u64) -> bool {
    step.is_multiple_of(2)
}

fn portal() -> Response {
    let headers = vec![("content-type".to_owned(), "text/html".to_owned())];
    Response { status: 200, headers, body: Bytes::from_static(b"<html>Welcome to the hotel</html>") }
}
