//! Golden traces: event in, commands out. A reader learns the machine's behaviour from the files in `snapshots/`.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic, missing_docs)]

use std::fmt::Write as _;

use turnstone_engine::scheduler::Conditions;
use turnstone_engine::sync::{
    ApplyOutcome, Batch, BatchId, Command, Config, Event, Failure, Flight, Greeting, LocalWork, Now, Page, Sync,
    TokenResult,
};
use turnstone_protocol::Code;

/// Feeds a machine and writes down what it says.
struct Trace {
    sync: Sync,
    now_ms: u64,
    text: String,
    flights: Vec<Flight>,
    batches: Vec<BatchId>,
}

impl Trace {
    fn new(config: Config) -> Self {
        let mut trace = Self {
            sync: Sync::new(config, 1),
            now_ms: 0,
            text: String::new(),
            flights: Vec::new(),
            batches: Vec::new(),
        };
        trace.event(Event::Started { push_hold_ms: 0, pull_hold_ms: 0 });
        trace
    }

    fn auto() -> Self {
        Self::new(Config { auto: true, ..Config::default() })
    }

    fn event(&mut self, event: Event) -> &mut Self {
        writeln!(self.text, "{:>6} ms  {}", self.now_ms, short(&event)).unwrap();
        let now = Now { mono_ms: self.now_ms, wall_ms: 1_700_000_000_000 + self.now_ms };
        for command in self.sync.handle(event, now) {
            writeln!(self.text, "              -> {}", short(&command)).unwrap();
            match command {
                Command::Hello { flight } | Command::Send { flight, .. } | Command::Fetch { flight, .. } => {
                    self.flights.push(flight);
                }
                Command::Seal { batch, .. } => self.batches.push(batch),
                _ => {}
            }
        }
        self
    }

    fn wait(&mut self) -> &mut Self {
        let wake = self.sync.wake().expect("a timer is armed");
        writeln!(self.text, "           .. sleeps until {} ms: {:?}", wake.at_ms, wake.why).unwrap();
        self.now_ms = self.now_ms.max(wake.at_ms);
        self.event(Event::Tick)
    }

    fn after(&mut self, ms: u64) -> &mut Self {
        self.now_ms += ms;
        self
    }

    fn token(&mut self) -> &mut Self {
        self.event(Event::Token { result: TokenResult::Ready })
    }

    fn hello(&mut self, result: Result<Greeting, Failure>) -> &mut Self {
        let flight = *self.flights.last().unwrap();
        self.event(Event::Hello { flight, result })
    }

    fn connected(&mut self) -> &mut Self {
        self.token().hello(Ok(Greeting::Fine))
    }

    fn sealed(&mut self, entries: usize, last_seq: u64, more: bool) -> &mut Self {
        let id = *self.batches.last().unwrap();
        self.event(Event::Sealed {
            batch: Batch { id, entries, voids: 0, bytes: entries * 200, last_seq, more, waits: false },
        })
    }

    fn pushed(&mut self, result: Result<Option<Page>, Failure>) -> &mut Self {
        let flight = *self.flights.last().unwrap();
        self.event(Event::Pushed { flight, result })
    }

    fn settled(&mut self, decided: usize, waiting: usize) -> &mut Self {
        self.event(Event::Settled { decided, waiting, reset: None })
    }

    fn fetched(&mut self, result: Result<bool, Failure>) -> &mut Self {
        let flight = *self.flights.last().unwrap();
        self.event(Event::Fetched { flight, result: result.map(|more| Page { more }) })
    }

    fn applied(&mut self, flight: usize) -> &mut Self {
        self.event(Event::Applied { flight: self.flights[flight], outcome: ApplyOutcome::Done })
    }

    fn applied_last(&mut self) -> &mut Self {
        self.applied(self.flights.len() - 1)
    }

    fn end(&mut self) -> String {
        let wake = self.sync.wake().map_or("nothing".to_owned(), |wake| format!("{} ms, {:?}", wake.at_ms, wake.why));
        writeln!(self.text, "phase {:?}, next: {wake}", self.sync.phase()).unwrap();
        std::mem::take(&mut self.text)
    }
}

fn short(value: &impl std::fmt::Debug) -> String {
    format!("{value:?}").replace("Flight(", "flight(").replace("BatchId(", "batch(")
}

fn status(status: u16, code: Option<Code>) -> Failure {
    Failure::Status { status, code, retry_after_ms: None, expected: None }
}

#[test]
fn one_write_is_pushed_with_the_pull_half_and_all_is_quiet() {
    let mut trace = Trace::auto();
    trace.connected().sealed(0, 0, false).fetched(Ok(false)).applied_last();
    trace.after(60_000).event(Event::WorkPending).wait();
    trace.sealed(1, 1, false).pushed(Ok(Some(Page { more: false }))).settled(1, 0).applied_last();
    insta::assert_snapshot!(trace.end());
}

#[test]
fn a_backlog_prepares_the_next_batch_while_one_is_in_flight() {
    let mut trace = Trace::new(Config::default());
    trace.event(Event::Requested).connected();
    trace.sealed(1_000, 1_000, true).sealed(1_000, 2_000, true);
    trace.pushed(Ok(None)).settled(1_000, 0);
    trace.sealed(500, 2_500, false).pushed(Ok(None)).settled(1_000, 0);
    trace.pushed(Ok(Some(Page { more: false }))).settled(500, 0).applied_last();
    insta::assert_snapshot!(trace.end());
}

#[test]
fn a_page_downloads_while_another_is_applied() {
    let mut trace = Trace::new(Config::default());
    trace.event(Event::Requested).connected().sealed(0, 0, false);
    trace.fetched(Ok(true)).fetched(Ok(true)).applied(1).fetched(Ok(false)).applied(2).applied(3);
    insta::assert_snapshot!(trace.end());
}

/// C11: the pull goes on beside a push that hangs, and beside one that waits.
#[test]
fn a_pull_never_waits_for_a_stuck_push() {
    let mut trace = Trace::auto();
    trace.connected().sealed(3, 3, true);
    let push = trace.flights.last().copied().unwrap();
    trace.wait().fetched(Ok(false)).applied_last();
    trace.event(Event::Pushed { flight: push, result: Err(Failure::Timeout) });
    trace.event(Event::Poked).fetched(Ok(false)).applied_last();
    insta::assert_snapshot!(trace.end());
}

/// C11: also where the push was to bring the pull half along.
#[test]
fn a_pull_half_that_does_not_come_is_pulled_for() {
    let mut trace = Trace::auto();
    trace.connected().sealed(3, 3, false);
    let push = trace.flights.last().copied().unwrap();
    trace.wait().fetched(Ok(false)).applied_last();
    trace.event(Event::Pushed { flight: push, result: Ok(Some(Page { more: false })) }).settled(3, 0);
    insta::assert_snapshot!(trace.end());
}

/// I-48: a token of somebody else stops both lanes, keeps the batch, and the next token is greeted before anything.
#[test]
fn a_token_of_another_account_waits_for_the_right_one() {
    let mut trace = Trace::auto();
    trace.connected().sealed(0, 0, false).fetched(Ok(false)).applied_last();
    trace.after(60_000).event(Event::WorkPending).wait();
    trace.sealed(1, 1, false).pushed(Err(status(403, Some(Code::OtherAccount)))).wait();
    trace.token().hello(Ok(Greeting::OtherAccount)).wait();
    trace.connected().sealed(1, 1, false);
    insta::assert_snapshot!(trace.end());
}

/// I-17, H13: a 401 asks for a token once and burns no attempt; a second one needs a person.
#[test]
fn a_401_renews_the_token_once_and_a_second_one_needs_a_person() {
    let mut trace = Trace::auto();
    trace.connected().sealed(2, 2, false);
    trace.pushed(Err(status(401, Some(Code::TokenExpired)))).token();
    trace.sealed(2, 2, false).pushed(Err(status(401, None)));
    trace.event(Event::TokenChanged).token();
    trace.sealed(2, 2, false).pushed(Ok(Some(Page { more: false }))).settled(2, 0).applied_last();
    insta::assert_snapshot!(trace.end());
}

/// I-17: 403 stops the push, keeps the ops and keeps pulling.
#[test]
fn a_403_stops_the_push_and_keeps_pulling() {
    let mut trace = Trace::auto();
    trace.connected().sealed(2, 2, false).pushed(Err(status(403, None)));
    trace.fetched(Ok(false)).applied_last().wait();
    insta::assert_snapshot!(trace.end());
}

/// I-17: 413 halves, and one group that is too large by itself is set aside.
#[test]
fn a_413_halves_and_sets_a_single_group_aside() {
    let mut trace = Trace::new(Config::default());
    trace.event(Event::Requested).connected().sealed(2, 2, false).pushed(Err(status(413, Some(Code::TooLarge))));
    trace.sealed(1, 1, true).pushed(Err(status(413, Some(Code::TooLarge)))).event(Event::Mended { done: true });
    trace.sealed(2, 2, false).pushed(Ok(Some(Page { more: false }))).settled(2, 0).applied_last();
    insta::assert_snapshot!(trace.end());
}

/// I-60, B16: bisecting finds the one group a 400 is about.
#[test]
fn a_400_is_bisected_to_the_one_poison_group() {
    let mut trace = Trace::new(Config::default());
    trace.event(Event::Requested).connected().sealed(4, 4, false).pushed(Err(status(400, None)));
    trace.sealed(2, 2, true).pushed(Ok(None)).settled(2, 0);
    trace.sealed(1, 3, true).pushed(Err(status(400, None))).event(Event::Mended { done: true });
    trace.sealed(2, 4, false).pushed(Ok(Some(Page { more: false }))).settled(2, 0).applied_last();
    insta::assert_snapshot!(trace.end());
}

/// A server that refuses everything costs one dead letter, not the whole queue.
#[test]
fn a_server_that_refuses_everything_sets_one_group_aside_and_no_more() {
    let mut trace = Trace::auto();
    trace.connected().sealed(1, 1, true).pushed(Err(status(400, None))).event(Event::Mended { done: true });
    trace.sealed(1, 1, false).pushed(Err(status(400, None)));
    insta::assert_snapshot!(trace.end());
}

/// I-60: the disk was full when a group was to be set aside. Nothing was: with the next refusal it is.
#[test]
fn a_group_that_could_not_be_set_aside_is_set_aside_later() {
    let mut trace = Trace::auto();
    trace.connected().sealed(1, 1, false).pushed(Err(status(400, None)));
    trace.event(Event::StorageFailed { work: LocalWork::Mend });
    while trace.batches.len() == 1 {
        trace.wait();
    }
    trace.sealed(1, 1, false).pushed(Err(status(400, None)));
    assert_eq!(trace.end().matches("-> SetAside").count(), 2);
}

#[test]
fn a_500_on_one_group_is_retried_and_set_aside_only_while_pulls_work() {
    let mut trace = Trace::auto();
    trace.connected().sealed(1, 1, false).pushed(Err(status(500, None)));
    trace.fetched(Ok(false)).applied_last();
    for at in 0..4 {
        trace.wait().sealed(1, 1, false).pushed(Err(status(500, None)));
        if at == 0 {
            trace.fetched(Ok(false)).applied_last();
        }
    }
    trace.event(Event::Mended { done: true });
    insta::assert_snapshot!(trace.end());
}

/// H5: a server in trouble is left alone, then asked with one small push that brings nothing back.
#[test]
fn three_server_failures_open_the_breaker_and_one_small_push_closes_it() {
    let mut trace = Trace::auto();
    trace.connected().sealed(1000, 1000, true).pushed(Err(status(503, None)));
    trace.fetched(Err(Failure::Timeout));
    trace.wait().wait().sealed(1000, 1000, true).pushed(Err(Failure::Timeout));
    while trace.sync.wake().is_some_and(|wake| wake.at_ms < 5_000) {
        trace.wait();
    }
    trace.wait().sealed(50, 50, true).pushed(Ok(None)).settled(50, 0);
    insta::assert_snapshot!(trace.end());
}

/// H10, I-50: one small push first; when the time is over, what was begun ends and counts for nothing.
#[test]
fn i_50_a_run_the_system_gave_time_for_starts_small_and_ends_without_a_trace() {
    let mut trace = Trace::auto();
    trace.event(Event::Conditions(Conditions { foreground: false, low_power: true, ..Conditions::default() }));
    trace.connected().sealed(1000, 1000, true).event(Event::Expired);
    let flight = trace.flights[1];
    trace.event(Event::Pushed { flight, result: Err(Failure::Broken) });
    trace.after(60_000).event(Event::Granted).sealed(50, 50, true).pushed(Ok(None)).settled(50, 0);
    trace.event(Event::Expired).after(600_000).event(Event::Conditions(Conditions::default()));
    insta::assert_snapshot!(trace.end());
}

#[test]
fn retry_after_is_obeyed_and_written_down_for_a_restart() {
    let mut trace = Trace::auto();
    let busy =
        Failure::Status { status: 503, code: Some(Code::Unavailable), retry_after_ms: Some(120_000), expected: None };
    trace.connected().sealed(1, 1, false).pushed(Err(busy));
    trace.fetched(Ok(false)).applied_last().after(20_000).event(Event::Requested);
    let (push_hold_ms, _) = trace.sync.holds_ms(Now { mono_ms: trace.now_ms, wall_ms: 0 });
    assert!((100_000..=105_000).contains(&push_hold_ms), "{push_hold_ms}");
    let mut next = Trace::auto();
    next.event(Event::Started { push_hold_ms, pull_hold_ms: 0 });
    insta::assert_snapshot!(trace.end() + &next.end());
}

/// I-17: HTML with 200 is a network error; nothing is consumed.
#[test]
fn a_captive_portal_is_a_bad_network() {
    let mut trace = Trace::auto();
    trace.token().hello(Err(Failure::NotTurnstone)).wait().hello(Ok(Greeting::Fine));
    insta::assert_snapshot!(trace.end());
}

#[test]
fn a_tier_0_server_without_hello_works() {
    let mut trace = Trace::new(Config::default());
    trace.event(Event::Requested).token().hello(Err(status(404, None)));
    trace.sealed(1, 1, false).pushed(Ok(None)).settled(1, 0).fetched(Ok(false)).applied_last();
    insta::assert_snapshot!(trace.end());
}

#[test]
fn a_seq_gap_is_filled_and_the_same_gap_again_takes_a_new_incarnation() {
    let mut trace = Trace::auto();
    let gap = Failure::Status { status: 409, code: Some(Code::SeqGap), retry_after_ms: None, expected: Some(7) };
    trace.connected().sealed(3, 12, false).pushed(Err(gap.clone())).event(Event::Mended { done: true });
    trace.sealed(6, 12, false).pushed(Err(gap)).event(Event::Mended { done: true }).hello(Ok(Greeting::Fine));
    insta::assert_snapshot!(trace.end());
}

#[test]
fn a_forked_device_takes_a_new_incarnation_and_loses_nothing() {
    let mut trace = Trace::auto();
    trace.connected().sealed(3, 3, false).pushed(Err(status(409, Some(Code::DeviceForked))));
    trace.event(Event::Mended { done: true }).hello(Ok(Greeting::Fine)).sealed(3, 3, false);
    trace.pushed(Ok(Some(Page { more: false }))).settled(3, 0).applied_last();
    insta::assert_snapshot!(trace.end());
}

#[test]
fn an_expired_cursor_starts_again_and_keeps_pushing() {
    let mut trace = Trace::auto();
    trace.connected().sealed(0, 0, false).fetched(Err(status(410, Some(Code::CursorExpired))));
    trace.event(Event::Mended { done: true }).fetched(Ok(false)).applied_last();
    insta::assert_snapshot!(trace.end());
}

#[test]
fn an_app_that_is_too_old_stops_and_asks_again_much_later() {
    let mut trace = Trace::auto();
    trace.token().hello(Ok(Greeting::UpgradeRequired)).event(Event::WorkPending).wait();
    insta::assert_snapshot!(trace.end());
}

#[test]
fn groups_the_server_wants_later_are_sent_again_after_a_back_off() {
    let mut trace = Trace::auto();
    trace.connected().sealed(2, 2, false).pushed(Ok(Some(Page { more: false }))).settled(1, 1).applied_last();
    trace.sealed(1, 2, false).pushed(Ok(Some(Page { more: false }))).settled(0, 1).applied_last();
    trace.wait().sealed(1, 2, false).pushed(Ok(Some(Page { more: false }))).settled(1, 0).applied_last();
    insta::assert_snapshot!(trace.end());
}

#[test]
fn a_sync_that_finds_no_network_returns_at_once() {
    let mut trace = Trace::new(Config::default());
    trace.event(Event::Requested).token().hello(Err(Failure::Offline));
    insta::assert_snapshot!(trace.end());
}

#[test]
fn writes_in_a_row_are_waited_for_but_not_for_ever() {
    let mut trace = Trace::auto();
    trace.connected().sealed(0, 0, false).fetched(Ok(false)).applied_last();
    for _ in 0..5 {
        trace.event(Event::WorkPending).after(2_500);
    }
    insta::assert_snapshot!(trace.end());
}

#[test]
fn a_network_hint_cannot_stick() {
    let mut trace = Trace::auto();
    trace.event(Event::Token { result: TokenResult::Later }).event(Event::Network { up: false });
    trace.event(Event::WorkPending).wait().wait();
    insta::assert_snapshot!(trace.end());
}
