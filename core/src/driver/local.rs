//! What the driver does in the database: each job a step of a system transaction, jobs that wait together share one.

use std::sync::Arc;

use bytes::Bytes;
use turnstone_engine::oplog::Moment;
use turnstone_engine::sync::{BatchId, Flight, Greeting, Lane};
use turnstone_protocol::wire::{HelloAnswer, PullAnswer, PullPart, PushAnswer};
use turnstone_protocol::{Code, Gid, Incarnation};

use super::hold;
use super::wire::{Packed, Wire};
use crate::Error;
use crate::observe::LastError;
use crate::storage::{Database, Key, SystemTx};
use crate::sync::{
    self, Asked, Batch, Forgotten, Identity, PageReport, Position, ResetWhy, SealInput, Sent, VerdictReport,
};

/// One step in the database. It may be run twice, if the transaction it shared was lost.
pub(super) enum Job {
    /// Reads what is left of each lane's `Retry-After`, in a store that was opened then.
    Begin(Moment),
    /// Reads where the database stands.
    Locate,
    /// Compares what the server says of itself with what the database knows.
    Greet(Flight, Greeted),
    /// Takes the next batch.
    Seal { batch: BatchId, after_seq: u64, entries_max: usize, bytes_max: usize },
    /// Writes verdicts.
    Settle(Flight, Arc<PushAnswer>, Arc<[Sent]>),
    /// Moves a group to the dead letters.
    SetAside(Gid, Code),
    /// Makes what was sent sendable again.
    Rewind(u64),
    /// Takes a new incarnation.
    Renew(Incarnation),
    /// Starts again from the beginning of the feed.
    Reset(ResetWhy),
    /// Applies a page that was asked for at a cursor.
    Apply(Flight, Arc<PullAnswer>, Asked),
    /// Remembers what is left of a `Retry-After`.
    Hold(Lane, u64),
    /// Remembers what went wrong.
    Trouble(LastError),
    /// Remembers that everything was synced, and forgets what went wrong.
    Synced(u64),
    /// Forgets own groups nobody will ask for again.
    ForgetStable(u64),
}

impl Job {
    /// Whether it only remembers something for later.
    pub(super) const fn is_note(&self) -> bool {
        matches!(self, Self::Hold(..) | Self::Trouble(_) | Self::Synced(_))
    }
}

/// What the server says of itself.
pub(super) struct Greeted {
    pub(super) answer: Box<HelloAnswer>,
    /// The last commit the database knew of when it asked.
    pub(super) known: u64,
}

/// What came of a job.
pub(super) enum Outcome {
    Begun {
        push_hold_ms: u64,
        pull_hold_ms: u64,
        last_error: Option<LastError>,
        last_synced_at_ms: Option<u64>,
    },
    Located,
    Greeted(Flight, Greeting),
    Sealed(BatchId, Box<Batch>, Option<Packed>),
    Settled(Box<VerdictReport>),
    Mended(bool),
    Applied(Flight, PageReport),
    /// How much of what is stable was forgotten.
    Forgot(u64, Forgotten),
    Noted,
}

/// Where the database stands: what requests carry.
#[derive(Debug, Clone)]
pub(super) struct Place {
    pub(super) identity: Identity,
    pub(super) position: Position,
    /// Whose database it is, as the server named them.
    pub(super) principal: Option<Arc<str>>,
}

/// What came of jobs that were run together, in their order.
pub(super) struct Ran {
    pub(super) outcomes: Vec<Result<Outcome, Error>>,
    /// Where the database stands now; none: it could not be read.
    pub(super) place: Option<Place>,
}

/// Jobs with what came of them.
pub(super) struct Done {
    pub(super) jobs: Arc<[Job]>,
    pub(super) ran: Ran,
}

impl Ran {
    /// What is said of jobs whose thread was lost.
    pub(super) fn lost(jobs: usize) -> Self {
        let lost = || Err(Error::Internal { what: "a sync step was lost" });
        Self { outcomes: std::iter::repeat_with(lost).take(jobs).collect(), place: None }
    }
}

/// Runs jobs in order: in one transaction, so that they share a commit, or, if that fails, each in its own.
pub(super) fn run_all(database: &Database, jobs: &[Job]) -> Ran {
    let together = database.system(|sys| {
        let outcomes = jobs.iter().map(|job| run(job, sys)).collect::<Result<Vec<_>, _>>()?;
        Ok((outcomes, locate(sys)?))
    });
    match together {
        Ok((outcomes, place)) => Ran { outcomes: outcomes.into_iter().map(Ok).collect(), place: Some(place) },
        Err(error) if jobs.len() == 1 => Ran { outcomes: vec![Err(error)], place: None },
        Err(_) => {
            let mut ran = Ran { outcomes: Vec::with_capacity(jobs.len()), place: None };
            for job in jobs.chunks(1) {
                let alone = run_all(database, job);
                ran.place = alone.place.or(ran.place);
                ran.outcomes.extend(alone.outcomes);
            }
            ran
        }
    }
}

/// Packs a batch that will be followed by another while the one before it is in flight. The last one may yet ask for
/// the pull half, so it is packed when it leaves.
pub(super) fn pack_ahead(ran: &mut Ran, wire: &Wire, schema: u32) {
    let Some(place) = &ran.place else { return };
    for outcome in &mut ran.outcomes {
        if let Ok(Outcome::Sealed(_, batch, packed)) = outcome
            && batch.more
        {
            *packed = Some(wire.pack(push_body(&place.identity, schema, batch, None)));
        }
    }
}

fn locate(sys: &SystemTx<'_>) -> Result<Place, Error> {
    Ok(Place { identity: sync::identity(sys)?, position: sync::position(sys)?, principal: sync::principal(sys)? })
}

fn run(job: &Job, sys: &mut SystemTx<'_>) -> Result<Outcome, Error> {
    let now = sys.now();
    Ok(match job {
        Job::Begin(opened) => Outcome::Begun {
            push_hold_ms: held_ms(sys, Key::RetryAfterMs, *opened)?,
            pull_hold_ms: held_ms(sys, Key::PullRetryAfterMs, *opened)?,
            last_error: sys.meta::<String>(Key::LastError)?.and_then(|text| serde_json::from_str(&text).ok()),
            last_synced_at_ms: sys.meta::<i64>(Key::LastSyncedMs)?.map(i64::cast_unsigned),
        },
        Job::Locate => Outcome::Located,
        Job::Greet(flight, greeted) => Outcome::Greeted(*flight, greet(sys, greeted)?),
        Job::Seal { batch, after_seq, entries_max, bytes_max } => {
            let input =
                SealInput { now, after_seq: *after_seq, groups_max: *entries_max, bytes_max: *bytes_max, only: None };
            Outcome::Sealed(*batch, Box::new(sync::seal_batch(sys, &input)?), None)
        }
        Job::Settle(_, answer, sent) => Outcome::Settled(Box::new(sync::apply_verdicts(sys, answer, sent, now)?)),
        Job::SetAside(gid, code) => Outcome::Mended(sync::quarantine(sys, *gid, code, now)?),
        Job::Rewind(expected) => Outcome::Mended(sync::rewind(sys, *expected)?),
        Job::Renew(incarnation) => {
            sync::new_incarnation(sys, *incarnation)?;
            Outcome::Mended(true)
        }
        Job::Reset(why) => {
            sync::reset_cursor(sys, *why)?;
            Outcome::Mended(true)
        }
        Job::Apply(flight, page, asked) => Outcome::Applied(*flight, sync::apply_page(sys, page, asked, now)?),
        Job::ForgetStable(stable) => Outcome::Forgot(*stable, sync::forget_stable(sys, *stable)?),
        Job::Hold(..) | Job::Trouble(_) | Job::Synced(_) => note(job, sys)?,
    })
}

fn held_ms(sys: &SystemTx<'_>, key: Key, opened: Moment) -> Result<u64, Error> {
    let text: Option<String> = sys.meta(key)?;
    Ok(text.map_or(0, |text| hold::left_ms(&text, opened, sys.now())))
}

fn note(job: &Job, sys: &mut SystemTx<'_>) -> Result<Outcome, Error> {
    match job {
        Job::Hold(lane, ms) => {
            let key = match lane {
                Lane::Push => Key::RetryAfterMs,
                Lane::Pull => Key::PullRetryAfterMs,
            };
            let text = (*ms > 0).then(|| hold::write(*ms, sys.now()));
            sys.set_meta(key, text)?;
        }
        Job::Trouble(error) => {
            let text = serde_json::to_string(error).map_err(|_| Error::Internal { what: "an error has no text" })?;
            sys.set_meta(Key::LastError, Some(text))?;
            sys.touched_sync();
        }
        Job::Synced(at_ms) => {
            sys.set_meta::<String>(Key::LastError, None)?;
            sys.set_meta(Key::LastSyncedMs, Some(at_ms.cast_signed()))?;
            sys.touched_sync();
        }
        _ => {}
    }
    Ok(Outcome::Noted)
}

/// What hello means for this device.
fn greet(sys: &mut SystemTx<'_>, Greeted { answer, known }: &Greeted) -> Result<Greeting, Error> {
    let place = locate(sys)?;
    let now = sys.now();
    // First of all: what is said to somebody else means nothing here.
    if !sync::claim(sys, answer.principal.as_deref())? {
        return Ok(Greeting::OtherAccount);
    }
    if sys.schema().version < answer.schema_min {
        return Ok(Greeting::UpgradeRequired);
    }
    if place.position.epoch.is_some_and(|epoch| epoch != answer.epoch) {
        return Ok(Greeting::EpochChanged);
    }
    // What is known may have overtaken the answer: only what was there before it was asked for must be there.
    if answer.head < place.position.known.min(*known) {
        return Ok(Greeting::EpochSuspect);
    }
    sync::heard(sys, answer.now, answer.hlc, now)?;
    if answer.last_seq.is_some_and(|last| last >= place.identity.next_seq) {
        return Ok(Greeting::Forked);
    }
    Ok(Greeting::Fine)
}

/// The body of a push: frozen entries in an envelope. The entries are not read again, only copied.
pub(super) fn push_body(identity: &Identity, schema: u32, batch: &Batch, pull: Option<&PullPart>) -> Bytes {
    let bytes: usize = batch.groups.iter().map(|group| group.body.len() + 1).sum();
    let mut body = String::with_capacity(bytes + 512);
    body.push_str(&format!(
        r#"{{"device":"{}","incarnation":"{}","schema":{schema},"runs":true,"groups":["#,
        identity.device, identity.incarnation
    ));
    for (at, group) in batch.groups.iter().enumerate() {
        if at > 0 {
            body.push(',');
        }
        body.push_str(&group.body);
    }
    body.push(']');
    if let Some(text) = pull.and_then(|pull| serde_json::to_string(pull).ok()) {
        body.push_str(r#","pull":"#);
        body.push_str(&text);
    }
    body.push('}');
    Bytes::from(body)
}
