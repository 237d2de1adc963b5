//! Several devices, a lossy network, crashes, random writes: at every step the promise holds, and in the end everything
//! is equal, every increment counted once, nothing lost (I-03, I-09, I-10, I-12, I-14, I-23, I-27, I-29, I-32, I-64).
//!
//! A failing seed is printed; run it alone with `TURNSTONE_SEED=n`, or many with `TURNSTONE_SEED=a..b`.

use fastrand::Rng;
use turnstone_protocol::wire::{PullAnswer, PushAnswer};
use turnstone_protocol::{Code, Gid};

use super::device::{Packet, Question};
use super::server::Real;
use super::*;

/// Rows nobody deletes, so that their counters must come out exact.
const COUNTED: [&str; 2] = ["count-0", "count-1"];
const IDS: [&str; 4] = ["a", "b", "c", "d"];
const STEPS: usize = 250;

/// A message under way.
enum Message {
    Push { from: usize, packet: Packet },
    Answer { to: usize, packet: Packet, answer: PushAnswer },
    Pull { from: usize, asked: Question },
    Page { to: usize, asked: Question, page: PullAnswer },
}

struct World {
    rng: Rng,
    server: Box<dyn Server>,
    devices: Vec<Device>,
    messages: Vec<Message>,
    counted: [i64; 2],
    words: Vec<String>,
    _dir: tempfile::TempDir,
}

#[test]
fn devices_converge_over_a_bad_network() {
    run(World::with_model);
}

#[test]
fn devices_converge_on_the_real_server() {
    run(World::with_service);
}

fn run(make: fn(u64) -> World) {
    let number = |text: &str| text.parse::<u64>().unwrap();
    let seeds = match std::env::var("TURNSTONE_SEED") {
        Ok(text) => match text.split_once("..") {
            Some((from, to)) => number(from)..number(to),
            None => number(&text)..number(&text) + 1,
        },
        Err(_) => 0..16,
    };
    for seed in seeds {
        let run = std::panic::AssertUnwindSafe(|| make(seed).run());
        if let Err(cause) = std::panic::catch_unwind(run) {
            eprintln!("the failing seed: TURNSTONE_SEED={seed}");
            std::panic::resume_unwind(cause);
        }
    }
}

impl World {
    fn with_model(seed: u64) -> Self {
        let mut rng = Rng::with_seed(seed);
        let mut model = Model::new(schema());
        model.marks_own = rng.u8(0..5) > 0;
        model.page_rows_max = page_rows(&mut rng);
        Self::new(rng, Box::new(model))
    }

    fn with_service(seed: u64) -> Self {
        let mut rng = Rng::with_seed(seed);
        let page_rows_max = page_rows(&mut rng);
        Self::new(rng, Box::new(Real::new(schema(), page_rows_max)))
    }

    fn new(mut rng: Rng, mut server: Box<dyn Server>) -> Self {
        let names = &["one", "two", "three"][..rng.usize(2..=3)];
        let (dir, _, devices) = world(names);
        for id in COUNTED {
            shared(&mut *server, &devices, "notes", id);
        }
        Self { rng, server, devices, messages: Vec::new(), counted: [0; 2], words: Vec::new(), _dir: dir }
    }

    fn run(mut self) {
        for _ in 0..STEPS {
            self.step();
            let passed = self.rng.u64(0..50);
            self.server.pass_ms(passed);
        }
        self.messages.clear();
        self.server.trouble(None, Vec::new());
        for _ in 0..6 {
            self.quiet();
            // What was refused for a passing reason is meant again, so that nothing may be missing in the end.
            for device in &self.devices {
                for letter in device.letters() {
                    if letter.code == Code::Malformed {
                        device.retry(letter.id).ok();
                    }
                }
            }
        }
        self.quiet();
        settle(&mut *self.server, &self.devices);
        for (id, written) in COUNTED.into_iter().zip(self.counted) {
            let missing = |device: &Device| device.refused_amount(id) + device.parked_amount(id);
            let expected = written - self.devices.iter().map(missing).sum::<i64>();
            let Value::Int(found) = self.server.value("notes", id, "views").unwrap_or(Value::Int(0)) else { panic!() };
            let letters: Vec<_> = self.devices.iter().map(Device::letter_story).collect();
            assert_eq!(found, expected, "counter {id}, refused: {}", letters.concat());
            for device in &self.devices {
                let shown = device.int("notes", id, "views");
                assert_eq!(shown, expected + device.parked_amount(id), "{id} on {}", device.row_story("notes", id));
            }
        }
        self.nothing_is_lost();
    }

    fn quiet(&mut self) {
        for device in &self.devices {
            device.sync(&mut *self.server);
            device.check(&*self.server);
        }
    }

    /// Every word anybody wrote is in the server's history, or in a dead letter, or waits behind one.
    fn nothing_is_lost(&self) {
        let mut kept: Vec<String> = self.server.words();
        for device in &self.devices {
            for letter in device.letters() {
                kept.extend(letter.ops.iter().flat_map(|op| op.set.values()).filter_map(|value| match value {
                    Value::Text(text) => Some(text.clone()),
                    _ => None,
                }));
            }
            let rows = device
                .db
                .query("SELECT body FROM _ts_ops JOIN _ts_groups USING (grp) WHERE state IN (6, 8)", &[])
                .unwrap();
            for row in rows.rows {
                let Value::Text(body) = &row[0] else { panic!() };
                kept.extend(self.words.iter().filter(|word| body.contains(&format!("\"{word}\""))).cloned());
            }
        }
        for word in &self.words {
            assert!(kept.contains(word), "{word} was written, and is neither on the server nor in a letter");
        }
    }

    fn step(&mut self) {
        let who = self.rng.usize(0..self.devices.len());
        match self.rng.u32(0..100) {
            0..=34 => self.write(who),
            35..=49 => {
                if let Some(packet) = self.devices[who].pack() {
                    self.messages.push(Message::Push { from: who, packet });
                }
            }
            50..=59 => self.messages.push(Message::Pull { from: who, asked: self.devices[who].ask() }),
            60..=91 => self.deliver(),
            92..=94 => self.devices[who].crash(),
            95 => {
                let number = self.rng.u128(..);
                self.devices[who].renew(number);
            }
            96 => self.poison(who),
            97 => self.retry(who),
            98 => {
                let pending = self.devices[who].pack().map(|packet| packet.sent[0].gid);
                self.server.trouble(None, pending.into_iter().collect());
            }
            _ => {
                let stable = self.devices.iter().map(Device::at).min().unwrap_or(0);
                self.devices[who].system(|sys| crate::sync::forget_stable(sys, stable).map(|_| ()));
            }
        }
        self.devices[who].check(&*self.server);
    }

    fn write(&mut self, who: usize) {
        let device = &self.devices[who];
        device.clock.advance_ms(self.rng.u64(0..200));
        let which = self.rng.usize(0..2);
        let by = self.rng.i64(1..1_000);
        let id = IDS[self.rng.usize(0..IDS.len())];
        let other = IDS[self.rng.usize(0..IDS.len())];
        let table = ["notes", "tasks", "tags"][self.rng.usize(0..3)];
        let field = if table == "tags" { "name" } else { ["title", "tag"][self.rng.usize(0..2)] };
        let word = format!("w{}", self.words.len());
        let there = device.get(table, id, field).is_some();
        match self.rng.u32(0..10) {
            0..=2 => {
                self.counted[which] += by;
                device.write(move |tx| tx.increment("notes", COUNTED[which], "views", by));
            }
            3 if there => device.write(move |tx| tx.delete(table, id).map(|_| ())),
            4 if there => {
                self.counted[which] += by;
                self.words.push(word.clone());
                device.write(move |tx| {
                    tx.update(table, id, [(field, word.as_str())])?;
                    tx.increment("notes", COUNTED[which], "views", by)
                });
            }
            5 if table == "tags" && !there => {
                self.words.push(word.clone());
                device.write(move |tx| tx.insert_with_id("tags", id, [("name", word.as_str()), ("note", other)]));
            }
            6 => {
                self.words.push(word.clone());
                device.write(move |tx| {
                    tx.upsert(table, id, [(field, "replaced at once")])?;
                    tx.upsert(table, id, [(field, word.as_str())]).map(|_| ())
                });
            }
            _ => {
                self.words.push(word.clone());
                device.write(move |tx| tx.upsert(table, id, [(field, word.as_str())]).map(|_| ()));
            }
        }
    }

    /// Some message arrives, perhaps twice, perhaps never.
    fn deliver(&mut self) {
        if self.messages.is_empty() {
            return;
        }
        let message = self.messages.swap_remove(self.rng.usize(0..self.messages.len()));
        if self.rng.u8(0..6) == 0 {
            return;
        }
        let twice = self.rng.u8(0..8) == 0;
        match message {
            Message::Push { from, packet } => {
                if twice {
                    self.server.push(&packet.request).ok();
                }
                match self.server.push(&packet.request) {
                    Ok(answer) => self.messages.push(Message::Answer { to: from, packet, answer }),
                    // A packet of a life that is over, or overtaken by another, or with the poison in it.
                    Err(Code::SeqGap | Code::DeviceForked | Code::Internal) => {}
                    Err(other) => panic!("{other:?}"),
                }
            }
            Message::Answer { to, packet, answer } => {
                for _ in 0..=usize::from(twice) {
                    self.devices[to].hear(&answer, &packet);
                    self.devices[to].check(&*self.server);
                }
            }
            Message::Pull { from, asked } => {
                let page = self.server.pull(&asked).unwrap();
                self.messages.push(Message::Page { to: from, asked, page });
            }
            Message::Page { to, asked, page } => {
                for _ in 0..=usize::from(twice) {
                    self.devices[to].apply(&page, &asked);
                    self.devices[to].check(&*self.server);
                }
            }
        }
    }

    /// The server begins to fail on a group, and the device sets it aside.
    fn poison(&mut self, who: usize) {
        let Some(packet) = self.devices[who].pack() else { return };
        let gid: Gid = packet.sent[self.rng.usize(0..packet.sent.len())].gid;
        self.messages.push(Message::Push { from: who, packet });
        if self.rng.bool() {
            self.server.trouble(Some(gid), Vec::new());
        }
        self.devices[who].quarantine(gid);
    }

    fn retry(&mut self, who: usize) {
        let letters = self.devices[who].letters();
        if let Some(letter) = letters.first() {
            self.devices[who].retry(letter.id).ok();
        }
    }
}

fn page_rows(rng: &mut Rng) -> usize {
    [1, 2, 3, 1_000][rng.usize(0..4)]
}
