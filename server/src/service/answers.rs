//! The calls of the service that carry data: push and pull, as ready JSON or as values.

use std::borrow::Borrow;
use std::fmt::Write as _;
use std::sync::Arc;

use serde_json::value::RawValue;
use turnstone_protocol::plant::{self, Bug};
use turnstone_protocol::wire::{Outcome, PullAnswer, PullPart, PullRequest, PushAnswer, PushRequest, Run, Verdict};
use turnstone_protocol::{Code, Hlc, Problem};

use super::Principal;
use super::incoming::Incoming;
use super::open::{Service, storage_problem};
use super::pull::Pull;
use super::push::{Push, Pushed};
use crate::cursor::Cursor;
use crate::storage::{self, Head, Life};

/// The JSON of a [`PullAnswer`].
pub struct PullText {
    /// The text.
    pub json: String,
}

/// The JSON of a [`PushAnswer`].
pub struct PushText {
    /// The text.
    pub json: String,
    /// How many groups came.
    pub groups: usize,
    /// How many of them are in the history now.
    pub accepted: usize,
}

impl Service {
    /// Records and applies the groups of a device, durably, and says a verdict for each.
    ///
    /// # Errors
    /// A problem where the request as a whole is refused; nothing was recorded then.
    pub fn push(
        &self,
        who: &Principal,
        request: PushRequest<Box<RawValue>>,
        now_ms: u64,
    ) -> Result<PushAnswer, Problem> {
        read(&self.push_text(who, &request, now_ms)?.json)
    }

    /// Gives the next page of the feed.
    ///
    /// # Errors
    /// A problem where the cursor or the request is refused.
    pub fn pull(&self, who: &Principal, request: &PullRequest, now_ms: u64) -> Result<PullAnswer, Problem> {
        read(&self.pull_text(who, request, now_ms)?.json)
    }

    /// [`Service::push`], answered as the JSON that travels.
    ///
    /// # Errors
    /// As [`Service::push`].
    pub fn push_text<G: Borrow<RawValue>>(
        &self,
        who: &Principal,
        request: &PushRequest<G>,
        now_ms: u64,
    ) -> Result<PushText, Problem> {
        self.admit(who, request.device, request.schema)?;
        if request.groups.len() > self.rules.limits.push_groups_max {
            return Err(Problem::new(Code::TooLarge, "Too many groups in one push: send fewer at once."));
        }
        let life = Life { device: request.device, incarnation: request.incarnation };
        let cursor = self.open_cursor(who, request.pull.as_ref().and_then(|pull| pull.cursor.as_deref()))?;
        let pushed = self.apply(who, life, request, cursor, now_ms)?;
        let pull = match &request.pull {
            Some(part) => self.pull_half(who, life, part, request.runs, cursor, now_ms)?,
            None => None,
        };
        let accepted = pushed.verdicts.iter().filter(|verdict| verdict.verdict.is_accepted()).count();
        let (verdicts, applied) = if request.runs { in_runs(pushed.verdicts) } else { (pushed.verdicts, Vec::new()) };
        let said = Said { groups: &verdicts, runs: &applied, head: &pushed.head };
        let json = self.push_json(&said, pull.as_ref(), now_ms)?;
        Ok(PushText { json, groups: request.groups.len(), accepted })
    }

    /// [`Service::pull`], answered as the JSON that travels.
    ///
    /// # Errors
    /// As [`Service::pull`].
    pub fn pull_text(&self, who: &Principal, request: &PullRequest, now_ms: u64) -> Result<PullText, Problem> {
        self.admit(who, request.device, request.schema)?;
        let pull = Pull {
            holder: who.holder(),
            life: Life { device: request.device, incarnation: request.incarnation },
            cursor: self.open_cursor(who, request.cursor.as_deref())?,
            limit: request.limit,
            full: request.full,
            runs: request.runs,
            now_ms,
        };
        storage::read(&*self.storage, |view| pull.run(view, &self.rules)).map_err(|error| storage_problem(&error))?
    }

    fn apply<G: Borrow<RawValue>>(
        &self,
        who: &Principal,
        life: Life,
        request: &PushRequest<G>,
        cursor: Option<Cursor>,
        now_ms: u64,
    ) -> Result<Pushed, Problem> {
        let read = |raw: &G| Incoming::read(raw.borrow(), &self.rules.schema, &self.rules.limits);
        let entries = request.groups.iter().map(read).collect::<Result<Vec<_>, _>>()?;
        if entries.is_empty() {
            return Ok(Pushed { verdicts: Vec::new(), head: self.head(who)?.unwrap_or_default() });
        }
        let rules = Arc::clone(&self.rules);
        let early = if plant::on(Bug::HeadBeforeLock) { self.head(who)? } else { None };
        let push = Push { rules, tenant: who.tenant.clone(), life, now_ms, entries, cursor, early };
        storage::write(&*self.storage, move |tx| push.run(tx)).map_err(|error| storage_problem(&error))?
    }

    fn head(&self, who: &Principal) -> Result<Option<Head>, Problem> {
        let head = storage::read(&*self.storage, |view| view.tenant(&who.tenant));
        Ok(head.map_err(|error| storage_problem(&error))?.map(|(_, head)| head))
    }

    /// The pull half of a push. The push is stored by now, so nothing that fails here may hide its verdicts: the
    /// device pulls again and is told then.
    fn pull_half(
        &self,
        who: &Principal,
        life: Life,
        part: &PullPart,
        runs: bool,
        cursor: Option<Cursor>,
        now_ms: u64,
    ) -> Result<Option<PullText>, Problem> {
        let pull = Pull { holder: who.holder(), life, cursor, limit: part.limit, full: false, runs, now_ms };
        match storage::read(&*self.storage, |view| pull.run(view, &self.rules)) {
            Ok(answer) => Ok(answer.ok()),
            Err(error) => {
                tracing::error!(%error, "a pull half was left out");
                Ok(None)
            }
        }
    }

    fn open_cursor(&self, who: &Principal, cursor: Option<&str>) -> Result<Option<Cursor>, Problem> {
        cursor.map(|text| self.rules.cursors.open(who.holder(), text)).transpose()
    }

    fn push_json(&self, said: &Said<'_>, pull: Option<&PullText>, now_ms: u64) -> Result<String, Problem> {
        let failed = |_| Problem::new(Code::Internal, "The verdicts cannot be written.");
        let verdicts = serde_json::to_string(said.groups).map_err(failed)?;
        let hlc: Hlc = said.head.hlc;
        let mut json = String::with_capacity(verdicts.len() + pull.map_or(0, |pull| pull.json.len()) + 200);
        // Writing to a String cannot fail.
        let _ = write!(
            json,
            "{{\"epoch\":\"{}\",\"verdicts\":{verdicts},\"now\":{now_ms},\"hlc\":\"{hlc}\",\"stable\":{}",
            self.rules.epoch, said.head.stable
        );
        if !said.runs.is_empty() {
            json.push_str(",\"applied\":");
            json.push_str(&serde_json::to_string(said.runs).map_err(failed)?);
        }
        if let Some(pull) = pull {
            json.push_str(",\"pull\":");
            json.push_str(&pull.json);
        }
        json.push('}');
        Ok(json)
    }
}

/// What is said about the groups of a push.
struct Said<'a> {
    groups: &'a [Verdict],
    runs: &'a [Run],
    head: &'a Head,
}

/// Takes the verdicts that say nothing but `applied` out of the list and into runs.
fn in_runs(verdicts: Vec<Verdict>) -> (Vec<Verdict>, Vec<Run>) {
    let mut runs: Vec<Run> = Vec::new();
    let mut others = Vec::new();
    for verdict in verdicts {
        let plain =
            verdict.code.is_none() && verdict.fields.is_empty() && verdict.by.is_empty() && verdict.explain.is_empty();
        match verdict.commit.filter(|_| plain && verdict.verdict == Outcome::Applied) {
            None => others.push(verdict),
            Some(commit) => match runs.last_mut() {
                Some(run) if (run.seq + run.count, run.commit + run.count) == (verdict.seq, commit) => run.count += 1,
                _ => runs.push(Run { seq: verdict.seq, commit, count: 1 }),
            },
        }
    }
    (others, runs)
}

fn read<T: for<'de> serde::Deserialize<'de>>(json: &str) -> Result<T, Problem> {
    serde_json::from_str(json).map_err(|_| Problem::new(Code::Internal, "The answer cannot be read back."))
}
