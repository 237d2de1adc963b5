//! What the machine asks for: requests to the server, jobs in the database.

use std::future::Future;
use std::sync::Arc;

use turnstone_engine::sync::{BatchId, Command, Event, Failure, Flight, Outcome as RunOutcome, ResetCause, Trouble};
use turnstone_protocol::wire::{PullPart, PullRequest};
use turnstone_protocol::{Code, Incarnation};

use super::local::{self, Done, Greeted, Job, Place};
use super::run::{Loop, Message};
use super::wire::{Asker, Packed, Wire, read_page};
use crate::Error;
use crate::observe::LastError;
use crate::report::SyncReport;
use crate::sync::{Asked, Batch, ResetWhy, Sent};
use crate::transport::TokenError;

/// How long the time of the last sync may be remembered in memory only, in milliseconds: it is not worth a commit each.
const SYNCED_SAVE_MS: u64 = 60_000;

impl Loop {
    pub(super) fn execute(&mut self, command: Command) {
        match command {
            Command::Token { reason } => self.ask_token(reason),
            Command::Hello { flight } => self.ask_hello(flight),
            Command::Seal { batch, after_seq, entries_max, bytes_max } => {
                self.queue.push_back(Job::Seal { batch, after_seq, entries_max, bytes_max });
            }
            Command::Send { flight, batch, pull } => self.send(flight, batch, pull),
            Command::Settle { flight } => {
                if let Some((answer, sent)) = self.answers.remove(&flight) {
                    self.queue.push_back(Job::Settle(flight, Arc::from(answer), sent));
                }
            }
            Command::SetAside { batch, code } => {
                let gid = self.batches.get(&batch).and_then(|sealed| sealed.batch.groups.first());
                match gid.map(|group| group.sent.gid) {
                    Some(gid) => self.queue.push_back(Job::SetAside(gid, code)),
                    None => self.later(Event::Mended { done: false }),
                }
            }
            Command::Rewind { expected } => self.queue.push_back(Job::Rewind(expected)),
            Command::Renew => match self.setup.entropy.next() {
                Ok(random) => self.queue.push_back(Job::Renew(Incarnation::from_random(random))),
                Err(_) => self.later(Event::Mended { done: false }),
            },
            Command::Reset { cause } => match self.setup.entropy.next() {
                Ok(random) => {
                    let incarnation = Incarnation::from_random(random);
                    let why = reset_why(cause, self.epoch, incarnation);
                    if matches!(why, ResetWhy::History { .. }) {
                        // What was stable in another history says nothing about this one.
                        (self.stable, self.stable_done) = (0, 0);
                    }
                    self.queue.push_back(Job::Reset(why));
                }
                Err(_) => self.later(Event::Mended { done: false }),
            },
            Command::Forget { batch } => drop(self.batches.remove(&batch)),
            Command::Fetch { .. } => self.fetch(command),
            Command::Apply { flight } => self.apply(flight),
            Command::Discard { flight } => self.discard(flight),
            Command::Hold { lane, ms } => self.queue.push_back(Job::Hold(lane, ms)),
            Command::Trouble(trouble) => self.note(trouble),
            Command::Synced => self.synced(),
            Command::Finish { outcome } => self.finished = Some(outcome),
        }
    }

    /// Runs what waits for the database, in one transaction, if nothing runs yet.
    pub(super) fn pump(&mut self) {
        if self.is_busy || self.queue.is_empty() || self.stopping.is_some() {
            return;
        }
        self.is_busy = true;
        let jobs: Arc<[Job]> = self.queue.drain(..).collect();
        let (database, wire, to_loop) =
            (self.setup.view.database.clone(), Arc::clone(&self.setup.wire), self.setup.to_loop.clone());
        let mine = Arc::clone(&jobs);
        let work = self.setup.runtime.spawn_blocking(move || {
            let mut ran = local::run_all(&database, &mine);
            local::pack_ahead(&mut ran, &wire, database.schema().version);
            ran
        });
        self.setup.runtime.spawn(async move {
            let ran = work.await.unwrap_or_else(|_| local::Ran::lost(jobs.len()));
            let _ = to_loop.send(Message::Local(Done { jobs, ran }));
        });
    }

    /// Feeds an event after the present one.
    fn later(&self, event: Event) {
        let _ = self.setup.to_loop.send(Message::Event(event));
    }

    fn ask_token(&self, reason: turnstone_engine::sync::TokenReason) {
        let (tokens, to_loop) = (Arc::clone(&self.setup.tokens), self.setup.to_loop.clone());
        let asked = self.setup.runtime.spawn_blocking(move || tokens.token(reason));
        self.setup.runtime.spawn(async move {
            // A provider that panics gave no token now.
            let _ = to_loop.send(Message::Token(asked.await.unwrap_or(Err(TokenError::Later))));
        });
    }

    fn ask_hello(&mut self, flight: Flight) {
        let Some((identity, known)) = self.place.as_ref().map(|place| (place.identity, place.position.known)) else {
            return self.locate(Command::Hello { flight });
        };
        let (wire, asker) = (Arc::clone(&self.setup.wire), self.asker());
        let greeted = async move { Ok(Greeted { answer: Box::new(wire.hello(&asker, identity).await?), known }) };
        self.launch(flight, greeted, Message::Hello);
    }

    fn send(&mut self, flight: Flight, batch: BatchId, pull: bool) {
        let (Some(place), Some(sealed)) = (self.place.clone(), self.batches.get(&batch)) else {
            return self.later(Event::Pushed { flight, result: Err(Failure::Broken) });
        };
        let sent: Arc<[Sent]> = sealed.batch.groups.iter().map(|group| group.sent).collect();
        let asked = (pull && !place.position.full).then(|| Asked::at(&place.identity, &place.position));
        let body = Body {
            packed: if asked.is_none() { sealed.packed.clone() } else { None },
            batch: Arc::clone(&sealed.batch),
            place,
            schema: self.schema(),
            pull: asked.as_ref().map(|asked| PullPart {
                cursor: asked.cursor.clone(),
                limit: turnstone_protocol::limits::PAGE_ROWS_MAX,
            }),
        };
        self.pushes.insert(flight, (sent, asked));
        let (wire, asker, runtime) = (Arc::clone(&self.setup.wire), self.asker(), self.setup.runtime.clone());
        let answer = async move {
            let packed = body.pack(&wire, &runtime).await?;
            wire.push(&asker, &packed).await.map(Box::new)
        };
        self.launch(flight, answer, Message::Pushed);
    }

    fn fetch(&mut self, command: Command) {
        let Command::Fetch { flight, after, rows_max } = command else { return };
        let Some(place) = self.place.clone() else {
            return self.locate(command);
        };
        let asked = match after.map(|after| self.pages.get(&after)) {
            None => Asked::at(&place.identity, &place.position),
            Some(Some(page)) => Asked { cursor: Some(page.cursor.clone()), ..page.asked.clone() },
            Some(None) => return self.later(Event::Fetched { flight, result: Err(Failure::Broken) }),
        };
        let request = PullRequest {
            device: place.identity.device,
            incarnation: asked.incarnation,
            schema: self.schema(),
            cursor: asked.cursor.clone(),
            limit: rows_max,
            full: asked.full,
            runs: true,
        };
        self.asked.insert(flight, asked);
        let (wire, asker, runtime) = (Arc::clone(&self.setup.wire), self.asker(), self.setup.runtime.clone());
        let answer = async move {
            let response = wire.pull(&asker, &request).await?;
            // Unpacked and read on another thread, while this one downloads.
            runtime.spawn_blocking(move || read_page(response)).await.unwrap_or(Err(Failure::Broken)).map(Box::new)
        };
        self.launch(flight, answer, Message::Fetched);
    }

    /// Who asks, and for whose database.
    fn asker(&self) -> Asker {
        let principal = self.place.as_ref().and_then(|place| place.principal.clone());
        Asker { token: Arc::clone(&self.token), principal }
    }

    /// Reads where the database stands first.
    fn locate(&mut self, command: Command) {
        if self.unplaced.is_empty() {
            self.queue.push_back(Job::Locate);
        }
        self.unplaced.push(command);
    }

    /// The database could not say where it stands: what waited for it failed.
    pub(super) fn place_failed(&mut self) {
        for command in std::mem::take(&mut self.unplaced) {
            match command {
                Command::Hello { flight } => self.feed(Event::Hello { flight, result: Err(Failure::Broken) }),
                Command::Fetch { flight, .. } => self.feed(Event::Fetched { flight, result: Err(Failure::Broken) }),
                _ => {}
            }
        }
    }

    /// Starts a request. However it ends, one message comes; none after it was given up.
    fn launch<T: Send + 'static>(
        &mut self,
        flight: Flight,
        answer: impl Future<Output = Result<T, Failure>> + Send + 'static,
        message: fn(Flight, Result<T, Failure>) -> Message,
    ) {
        let task = self.setup.runtime.spawn(answer);
        self.flights.insert(flight, task.abort_handle());
        let to_loop = self.setup.to_loop.clone();
        self.setup.runtime.spawn(async move {
            match task.await {
                Ok(result) => drop(to_loop.send(message(flight, result))),
                Err(error) if error.is_cancelled() => {}
                // A transport that panics gave no answer.
                Err(_) => drop(to_loop.send(message(flight, Err(Failure::Broken)))),
            }
        });
    }

    fn apply(&mut self, flight: Flight) {
        let page = self.pages.get_mut(&flight).and_then(|page| Some((page.answer.take()?, page.asked.clone())));
        match page {
            Some((answer, asked)) => self.queue.push_back(Job::Apply(flight, Arc::from(answer), asked)),
            None => {
                let work = turnstone_engine::sync::LocalWork::Apply(flight);
                self.later(Event::StorageFailed { work });
            }
        }
    }

    fn discard(&mut self, flight: Flight) {
        if let Some(task) = self.flights.remove(&flight) {
            task.abort();
        }
        self.pages.remove(&flight);
        self.asked.remove(&flight);
        self.pushes.remove(&flight);
    }

    fn note(&mut self, mut trouble: Trouble) {
        if trouble.code == "storage"
            && let Some(error) = &self.failed
        {
            trouble.code = error.code().to_owned();
        }
        log::warn!(target: "turnstone", "syncing met trouble: {}", trouble.code);
        let error = LastError { code: trouble.code, class: trouble.class, at_ms: self.now().wall_ms };
        self.setup.view.update(|doing| doing.last_error = Some(error.clone()));
        self.setup.hub.sync_changed();
        self.queue.push_back(Job::Trouble(error));
    }

    fn synced(&mut self) {
        let now_ms = self.now().wall_ms;
        let mut had_error = false;
        self.setup.view.update(|doing| {
            had_error = doing.last_error.take().is_some();
            doing.last_synced_at_ms = Some(now_ms);
        });
        self.setup.hub.sync_changed();
        if had_error || now_ms.abs_diff(self.synced_saved_ms) >= SYNCED_SAVE_MS {
            self.synced_saved_ms = now_ms;
            self.queue.push_back(Job::Synced(now_ms));
        }
        if self.stable > self.stable_done {
            self.queue.push_back(Job::ForgetStable(self.stable));
        }
    }

    /// When everything was last synced, if only memory knows.
    pub(super) fn unsaved_synced(&self) -> Option<u64> {
        let at_ms = self.setup.view.doing().last_synced_at_ms?;
        (at_ms > self.synced_saved_ms && self.synced_saved_ms > 0).then_some(at_ms)
    }

    pub(super) fn finish(&mut self, outcome: &RunOutcome) {
        let (report, now_ms) = (self.report(), self.now().mono_ms);
        self.setup.view.update(|doing| doing.totals = report);
        self.conclude_runs(outcome);
        for waiter in self.waiters.drain(..) {
            let result = match outcome {
                RunOutcome::Quiet { waiting } => {
                    let ms = now_ms.saturating_sub(waiter.since_ms);
                    Ok(SyncReport { waiting: *waiting as u64, ms, ..report.since(&waiter.before) })
                }
                RunOutcome::Failed(trouble) => Err(match &self.failed {
                    Some(error) if trouble.code == "storage" => error.clone(),
                    _ => Error::SyncStopped { code: Code::from(trouble.code.clone()), class: trouble.class },
                }),
            };
            let _ = waiter.reply.send(result);
        }
    }

    fn schema(&self) -> u32 {
        self.setup.view.database.schema().version
    }
}

/// The body of a push, not packed yet unless that was done ahead.
struct Body {
    packed: Option<Packed>,
    batch: Arc<Batch>,
    place: Place,
    schema: u32,
    pull: Option<PullPart>,
}

impl Body {
    async fn pack(self, wire: &Arc<Wire>, runtime: &super::Tasks) -> Result<Packed, Failure> {
        if let Some(packed) = self.packed {
            return Ok(packed);
        }
        let wire = Arc::clone(wire);
        let work = move || {
            let body = local::push_body(&self.place.identity, self.schema, &self.batch, self.pull.as_ref());
            wire.pack(body)
        };
        runtime.spawn_blocking(work).await.map_err(|_| Failure::Broken)
    }
}

fn reset_why(cause: ResetCause, epoch: Option<turnstone_protocol::Epoch>, incarnation: Incarnation) -> ResetWhy {
    match cause {
        ResetCause::CursorExpired | ResetCause::CursorInvalid => ResetWhy::CursorLost,
        ResetCause::EpochChanged | ResetCause::EpochSuspect => ResetWhy::History { epoch, incarnation },
    }
}
