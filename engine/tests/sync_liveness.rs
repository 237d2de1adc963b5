//! I-18 over random event sequences: never work pending, network up, and nothing outstanding and no timer armed;
//! and once faults stop, everything drains within one maximum back-off. I-17: no fault consumes a group.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic, missing_docs)]

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use fastrand::Rng;
use proptest::prelude::*;
use turnstone_engine::scheduler::{Conditions, Decision, Network};
use turnstone_engine::sync::{
    ApplyOutcome, Batch, BatchId, Command, Config, Event, Failure, Flight, Greeting, LocalWork, Now, Outcome, Page,
    Phase, ResetCause, Sync, TokenResult, Why,
};
use turnstone_protocol::Code;

/// How the world treats the device.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Weather {
    Fair,
    Foul,
}

/// A driver, a database and a server in one: only numbers.
struct World {
    sync: Sync,
    rng: Rng,
    now_ms: u64,
    weather: Weather,
    outstanding: VecDeque<Command>,
    /// Undecided groups by seq, and whether the server only wants them later.
    pending: BTreeMap<u64, bool>,
    next_seq: u64,
    /// A group that was given up: nothing after it is sent before its void is answered.
    void: Option<u64>,
    decided: BTreeSet<u64>,
    dead: BTreeSet<u64>,
    batches: BTreeMap<BatchId, Vec<u64>>,
    answers: BTreeMap<Flight, Vec<u64>>,
    /// Pages that arrived, and whether there are more after them.
    pages: BTreeMap<Flight, bool>,
    /// A pull was begun and has not reached the end.
    owes_pull: bool,
    sending: Option<Flight>,
    fetching: Option<Flight>,
    pages_left: u32,
    has_token: bool,
    finished: Vec<Outcome>,
    network_hint: bool,
    auto: bool,
}

impl World {
    fn new(seed: u64, config: Config) -> Self {
        let mut world = Self {
            sync: Sync::new(config, seed),
            rng: Rng::with_seed(seed ^ 0x5eed),
            now_ms: 1_000,
            weather: Weather::Foul,
            outstanding: VecDeque::new(),
            pending: BTreeMap::new(),
            next_seq: 1,
            void: None,
            decided: BTreeSet::new(),
            dead: BTreeSet::new(),
            batches: BTreeMap::new(),
            answers: BTreeMap::new(),
            pages: BTreeMap::new(),
            owes_pull: false,
            sending: None,
            fetching: None,
            pages_left: 3,
            has_token: false,
            finished: Vec::new(),
            network_hint: true,
            auto: config.auto,
        };
        let holds = (world.rng.u64(0..3) * 1_000, world.rng.u64(0..3) * 1_000);
        world.feed(Event::Started { push_hold_ms: holds.0, pull_hold_ms: holds.1 });
        world
    }

    fn feed(&mut self, event: Event) {
        let commands = self.sync.handle(event, Now { mono_ms: self.now_ms, wall_ms: self.now_ms });
        for command in commands {
            self.check(&command);
            match command {
                Command::Forget { batch } => assert!(self.batches.remove(&batch).is_some(), "forgot an unknown batch"),
                Command::Discard { flight } => self.discard(flight),
                Command::Finish { outcome } => self.finished.push(outcome),
                Command::Hold { .. } | Command::Trouble(_) | Command::Synced => {}
                command => self.outstanding.push_back(command),
            }
        }
    }

    /// Ends a request that was given up, and frees what it brought.
    fn discard(&mut self, flight: Flight) {
        self.pages.remove(&flight);
        self.sending = self.sending.filter(|sending| *sending != flight);
        self.fetching = self.fetching.filter(|fetching| *fetching != flight);
        self.outstanding.retain(|command| {
            !matches!(command, Command::Hello { flight: f } | Command::Send { flight: f, .. } | Command::Fetch { flight: f, .. } if *f == flight)
        });
    }

    /// What must hold for every command.
    fn check(&mut self, command: &Command) {
        match command {
            Command::Send { flight, batch, .. } => {
                assert!(self.has_token, "sent without a token");
                assert!(self.sending.is_none(), "two pushes in flight");
                assert!(self.batches.contains_key(batch), "sent an unknown batch");
                self.sending = Some(*flight);
            }
            Command::Fetch { flight, after, .. } => {
                assert!(self.has_token, "fetched without a token");
                assert!(self.fetching.is_none(), "two pulls in flight");
                assert!(after.is_none_or(|after| self.pages.contains_key(&after)), "went on after an unknown page");
                self.fetching = Some(*flight);
                self.owes_pull = true;
            }
            Command::Apply { flight } => assert!(self.pages.contains_key(flight), "applied an unknown page"),
            Command::SetAside { batch, .. } => assert_eq!(self.batches[batch].len(), 1, "set aside more than one"),
            _ => {}
        }
    }

    /// Answers the outstanding command at `index`, well or badly.
    fn answer(&mut self, index: usize) {
        let command = self.outstanding.remove(index).unwrap();
        let foul = self.weather == Weather::Foul && self.rng.u8(0..10) < 5;
        let event = match command {
            Command::Token { .. } => self.answer_token(foul),
            Command::Hello { flight } => {
                let result = if foul { Err(self.failure()) } else { Ok(self.greeting()) };
                Event::Hello { flight, result }
            }
            Command::Seal { batch, .. } if foul && self.rng.bool() => {
                Event::StorageFailed { work: LocalWork::Seal(batch) }
            }
            Command::Seal { batch, after_seq, entries_max, .. } => self.seal(batch, after_seq, entries_max),
            Command::Send { flight, batch, pull } => self.answer_push(flight, batch, pull, foul),
            Command::Settle { flight } if foul => Event::StorageFailed { work: LocalWork::Settle(flight) },
            Command::Settle { flight } => self.settle(flight),
            Command::SetAside { batch, .. } => {
                if !foul {
                    let seq = self.batches[&batch][0];
                    self.pending.remove(&seq);
                    self.dead.insert(seq);
                }
                Event::Mended { done: !foul }
            }
            Command::Rewind { .. } | Command::Renew | Command::Reset { .. } if foul => {
                if self.rng.bool() {
                    Event::StorageFailed { work: LocalWork::Mend }
                } else {
                    Event::Mended { done: false }
                }
            }
            Command::Rewind { .. } | Command::Renew | Command::Reset { .. } => Event::Mended { done: true },
            Command::Fetch { flight, .. } => self.answer_fetch(flight, foul),
            Command::Apply { flight } if foul && self.rng.bool() => {
                Event::StorageFailed { work: LocalWork::Apply(flight) }
            }
            Command::Apply { flight } => {
                let more = self.pages.remove(&flight).unwrap_or(true);
                self.owes_pull &= foul || more;
                let outcome = match (foul, self.rng.bool()) {
                    (false, _) => ApplyOutcome::Done,
                    (true, true) => ApplyOutcome::Stale,
                    (true, false) => ApplyOutcome::Reset(ResetCause::EpochChanged),
                };
                Event::Applied { flight, outcome }
            }
            command => panic!("{command:?} needs no answer"),
        };
        self.feed(event);
    }

    fn answer_token(&mut self, foul: bool) -> Event {
        self.has_token |= !foul;
        let bad = if self.rng.bool() { TokenResult::SignIn } else { TokenResult::Later };
        Event::Token { result: if foul { bad } else { TokenResult::Ready } }
    }

    fn greeting(&mut self) -> Greeting {
        match (self.weather, self.rng.u8(0..10)) {
            (Weather::Foul, 0) => Greeting::EpochChanged,
            (Weather::Foul, 1) => Greeting::Forked,
            (Weather::Foul, 2) => Greeting::UpgradeRequired,
            (Weather::Foul, 3) => Greeting::EpochSuspect,
            _ => Greeting::Fine,
        }
    }

    fn seal(&mut self, batch: BatchId, after_seq: u64, entries_max: usize) -> Event {
        let mut all: Vec<u64> = self.pending.range(after_seq + 1..).map(|(seq, _)| *seq).collect();
        let void = self.void.filter(|void| self.pending.contains_key(void)).unwrap_or(u64::MAX);
        let waits = all.iter().take(entries_max + 1).any(|seq| *seq > void);
        all.retain(|seq| *seq <= void);
        let seqs: Vec<u64> = all.iter().copied().take(entries_max).collect();
        let event = Event::Sealed {
            batch: Batch {
                id: batch,
                entries: seqs.len(),
                voids: 0,
                bytes: seqs.len() * 100,
                last_seq: seqs.last().copied().unwrap_or(0),
                more: all.len() > seqs.len(),
                waits,
            },
        };
        if !seqs.is_empty() {
            self.batches.insert(batch, seqs);
        }
        event
    }

    fn answer_push(&mut self, flight: Flight, batch: BatchId, pull: bool, foul: bool) -> Event {
        if self.sending == Some(flight) {
            self.sending = None;
        }
        // The machine may have given the batch up meanwhile; the driver then knows no page either.
        let seqs = self.batches.get(&batch).cloned();
        let (Some(seqs), false) = (seqs, foul) else {
            return Event::Pushed { flight, result: Err(self.failure()) };
        };
        self.answers.insert(flight, seqs);
        let page = pull.then(|| self.page(flight));
        Event::Pushed { flight, result: Ok(page) }
    }

    fn settle(&mut self, flight: Flight) -> Event {
        let (mut decided, mut waiting) = (0, 0);
        for seq in self.answers.remove(&flight).unwrap() {
            if self.weather == Weather::Foul && self.rng.u8(0..4) == 0 {
                waiting += 1;
            } else if self.pending.remove(&seq).is_some() {
                self.decided.insert(seq);
                decided += 1;
            }
        }
        Event::Settled { decided, waiting, reset: None }
    }

    fn page(&mut self, flight: Flight) -> Page {
        let more = self.pages_left > 0;
        self.pages.insert(flight, more);
        self.pages_left = self.pages_left.saturating_sub(1);
        Page { more }
    }

    fn answer_fetch(&mut self, flight: Flight, foul: bool) -> Event {
        if self.fetching == Some(flight) {
            self.fetching = None;
        }
        let result = if foul { Err(self.failure()) } else { Ok(self.page(flight)) };
        Event::Fetched { flight, result }
    }

    fn failure(&mut self) -> Failure {
        let codes = [
            None,
            Some(Code::SeqGap),
            Some(Code::DeviceForked),
            Some(Code::GidReuse),
            Some(Code::CursorExpired),
            Some(Code::EpochSuspect),
            Some(Code::CursorInvalid),
            Some(Code::UpgradeRequired),
        ];
        let statuses = [400, 401, 403, 404, 408, 413, 429, 500, 502, 503, 426, 302];
        match self.rng.u8(0..9) {
            0 => Failure::Offline,
            1 => Failure::Timeout,
            2 => Failure::Broken,
            3 => Failure::NotTurnstone,
            4 => Failure::AnswerTooLarge,
            _ => Failure::Status {
                status: statuses[self.rng.usize(0..statuses.len())],
                code: codes[if self.rng.bool() { 0 } else { self.rng.usize(0..codes.len()) }].clone(),
                retry_after_ms: (self.rng.u8(0..4) == 0).then(|| self.rng.u64(0..40_000)),
                expected: self.rng.bool().then_some(1),
            },
        }
    }

    fn write(&mut self) {
        self.pending.insert(self.next_seq, false);
        if self.void.is_none_or(|void| !self.pending.contains_key(&void)) && self.rng.u8(0..6) == 0 {
            self.void = Some(self.next_seq);
        }
        self.next_seq += 1;
        self.feed(Event::WorkPending);
    }

    /// Something happens.
    fn step(&mut self) {
        match self.rng.u8(0..16) {
            0 => self.write(),
            7 | 8 => {
                let conditions = self.conditions();
                self.feed(Event::Conditions(conditions));
            }
            9 => self.feed(Event::Granted),
            10 => self.feed(Event::Expired),
            1 => self.feed(Event::Requested),
            2 => self.feed(Event::Poked),
            3 => {
                self.network_hint = self.rng.bool();
                self.feed(Event::Network { up: self.network_hint });
            }
            4 => self.feed(Event::TokenChanged),
            5 => {
                self.now_ms += self.rng.u64(0..5_000);
                self.feed(Event::Tick);
            }
            6 => self.sleep(),
            _ if !self.outstanding.is_empty() => {
                let index = self.rng.usize(0..self.outstanding.len());
                self.answer(index);
            }
            _ => self.sleep(),
        }
        self.assert_alive();
    }

    fn conditions(&mut self) -> Conditions {
        let networks = [Network::Unknown, Network::Offline, Network::Unmetered, Network::Metered, Network::Roaming];
        Conditions {
            network: networks[self.rng.usize(0..networks.len())],
            validated: self.rng.u8(0..4) > 0,
            foreground: self.rng.bool(),
            low_power: self.rng.bool(),
            charging: self.rng.bool(),
        }
    }

    fn sleep(&mut self) {
        if let Some(wake) = self.sync.wake() {
            self.now_ms = self.now_ms.max(wake.at_ms);
            self.feed(Event::Tick);
        }
    }

    fn assert_alive(&self) {
        // Without `auto` nothing is promised between two requested syncs.
        if !self.auto || self.pending.is_empty() || !self.outstanding.is_empty() {
            return;
        }
        let now = Now { mono_ms: self.now_ms, wall_ms: self.now_ms };
        if let Decision::Background(wish) = self.sync.decision(now) {
            // The operating system holds it.
            let wait_ms = wish.earliest_ms.saturating_sub(self.now_ms);
            assert!(wait_ms <= 905_000, "I-18: asks for time {wait_ms} ms from now for {:?}", wish.why);
            return;
        }
        let wake = self.sync.wake().expect("I-18: work is pending, nothing is outstanding and no timer is armed");
        let wait_ms = wake.at_ms.saturating_sub(self.now_ms);
        assert!(
            !matches!(self.sync.decision(now), Decision::Idle { .. }),
            "I-18: work is pending, and it calls that idle"
        );
        let bound_ms = if self.sync.phase() == Phase::Stopped { 900_000 } else { 66_000 };
        assert!(wait_ms <= bound_ms, "I-18: sleeps {wait_ms} ms for {:?}", wake.why);
    }

    /// Faults stop: everything must drain.
    fn calm(&mut self) {
        self.weather = Weather::Fair;
        self.feed(Event::Conditions(Conditions::default()));
        let since_ms = self.now_ms;
        let mut upgrade = false;
        for _ in 0..2_000 {
            upgrade |= self.sync.phase() == Phase::Stopped;
            if !self.outstanding.is_empty() {
                self.answer(0);
            } else if self.pending.is_empty() && self.sync.wake().is_none_or(|wake| wake.why == Why::Poll) {
                let bound_ms = if upgrade { 1_000_000 } else { 200_000 };
                assert!(self.now_ms - since_ms <= bound_ms, "I-18: drained after {} ms", self.now_ms - since_ms);
                assert!(self.batches.is_empty(), "batches are kept for ever");
                assert!(self.pages.is_empty(), "pages are kept for ever");
                assert!(!self.owes_pull, "a pull was begun and never ended");
                return;
            } else {
                self.sleep();
            }
        }
        panic!("I-18: never drained: {:?} wake {:?} pending {:?}", self.sync.phase(), self.sync.wake(), self.pending);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 10_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn i18_never_pending_with_network_up_and_nothing_armed(seed in any::<u64>(), steps in 10usize..400) {
        let mut world = World::new(seed, Config { auto: true, entries_max: 5, ..Config::default() });
        for _ in 0..steps {
            world.step();
        }
        world.calm();
        // I-17: every group was decided or is a dead letter; none vanished.
        let all: BTreeSet<u64> = (1..world.next_seq).collect();
        let known: BTreeSet<u64> = world.decided.union(&world.dead).copied().collect();
        prop_assert_eq!(all, known);
    }

    #[test]
    fn i18_a_requested_sync_always_returns_and_drains_when_faults_stop(seed in any::<u64>(), steps in 10usize..200) {
        let mut world = World::new(seed, Config { entries_max: 5, ..Config::default() });
        for _ in 0..20 {
            world.write();
        }
        for _ in 0..steps {
            world.step();
        }
        world.weather = Weather::Fair;
        for _ in 0..3 {
            world.finished.clear();
            world.feed(Event::Requested);
            for _ in 0..1_000 {
                if !world.finished.is_empty() {
                    break;
                }
                if world.outstanding.is_empty() { world.sleep() } else { world.answer(0) }
            }
            prop_assert_eq!(world.finished.len(), 1, "the sync never returned");
            // Only a Retry-After of the foul time may still hold a lane back.
            if let Some(Outcome::Failed(trouble)) = world.finished.first() {
                let held = world.sync.holds_ms(Now { mono_ms: world.now_ms, wall_ms: 0 });
                prop_assert!(held.0 + held.1 > 0, "failed in fair weather: {:?}", trouble);
                world.now_ms += 60_000;
            }
        }
        while !world.outstanding.is_empty() {
            world.answer(0);
        }
        prop_assert!(world.pending.is_empty(), "left behind: {:?}", world.pending);
    }
}

/// A requested sync returns whatever goes wrong, for ever.
#[test]
fn a_requested_sync_returns_whatever_goes_wrong() {
    let statuses = [302, 400, 401, 403, 404, 408, 409, 413, 415, 426, 429, 500, 503];
    let codes =
        [None, Some(Code::SeqGap), Some(Code::DeviceForked), Some(Code::CursorExpired), Some(Code::EpochSuspect)];
    let mut failures =
        vec![Failure::Offline, Failure::Timeout, Failure::Broken, Failure::NotTurnstone, Failure::AnswerTooLarge];
    for status in statuses {
        for code in &codes {
            let code = code.clone();
            failures.push(Failure::Status { status, code, retry_after_ms: None, expected: Some(1) });
        }
    }
    for failure in failures {
        let mut world = World::new(3, Config::default());
        world.write();
        world.weather = Weather::Fair;
        world.feed(Event::Requested);
        for _ in 0..500 {
            let Some(command) = world.outstanding.front().cloned() else {
                if !world.finished.is_empty() {
                    break;
                }
                world.sleep();
                continue;
            };
            match command {
                Command::Send { flight, .. } => {
                    world.outstanding.pop_front();
                    world.sending = None;
                    world.feed(Event::Pushed { flight, result: Err(failure.clone()) });
                }
                Command::Fetch { flight, .. } => {
                    world.outstanding.pop_front();
                    world.fetching = None;
                    world.feed(Event::Fetched { flight, result: Err(failure.clone()) });
                }
                _ => world.answer(0),
            }
        }
        assert_eq!(world.finished.len(), 1, "never returned on {failure:?}");
        assert!(matches!(world.finished[0], Outcome::Failed(_)), "{failure:?} was called quiet");
    }
}
