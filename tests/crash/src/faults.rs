//! One I/O error, or a full disk, at every step of a scenario, or an error at every read: the machine lives on.
//!
//! The oracle: a call that fails says so with a typed error; with the fault gone (or the space back) the same handle
//! works, or at least a newly opened one; the end is the same as undisturbed, and survives a power loss.

use turnstone_vfs::{Disk, DiskImage, Faults, NoSpace};

use crate::power::Share;
use crate::report::Report;
use crate::scenario::{Failure, Scenario, Session, World};

/// Power losses after each fault, and at the end of each run.
const LOSSES: u64 = 3;

/// Which fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// One call fails.
    IoError,
    /// One read fails.
    ReadError,
    /// One sync fails; what it was to sync is in doubt for ever.
    SyncError,
    /// From a step on nothing may grow; later there is space again.
    NoSpace,
    /// The same, and nothing may be overwritten or created either.
    NothingLeft,
}

impl Kind {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::IoError, Self::SyncError, Self::NoSpace, Self::NothingLeft, Self::ReadError];

    /// Its name in reports.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::IoError => "I/O error",
            Self::ReadError => "read error",
            Self::SyncError => "sync error",
            Self::NoSpace => "no space",
            Self::NothingLeft => "nothing left",
        }
    }

    fn at(self, step: u64) -> Faults {
        let full = |every_write| Some(NoSpace { from: step, until: None, every_write });
        match self {
            Self::IoError => Faults { io_error_at: Some(step), ..Faults::default() },
            Self::ReadError => Faults { read_error_at: Some(step), ..Faults::default() },
            Self::SyncError => Faults { sync_error_at: Some(step), ..Faults::default() },
            Self::NoSpace => Faults { no_space: full(false), ..Faults::default() },
            Self::NothingLeft => Faults { no_space: full(true), ..Faults::default() },
        }
    }

    /// How many of the calls in which it may strike there have been.
    fn steps(self, disk: &Disk) -> u64 {
        if self == Self::ReadError { disk.reads() } else { disk.steps() }
    }

    /// Whether looking may meet it: a WAL that nobody has open cannot be opened with nothing left, not even to read.
    const fn meets_readers(self) -> bool {
        matches!(self, Self::ReadError | Self::NothingLeft)
    }

    /// Whether the fault lasts until it is lifted.
    const fn lasts(self) -> bool {
        matches!(self, Self::NoSpace | Self::NothingLeft)
    }
}

/// Runs the scenario once per step, with the fault there.
///
/// # Errors
/// If the undisturbed run fails: never right.
pub fn fault_at_every_step(scenario: &dyn Scenario, kind: Kind, share: Share) -> Result<Report, Failure> {
    let mut report = Report::new(scenario.name(), kind.name());
    let start = scenario.start()?;
    let world = World::new(start.len());
    world.load(&start);
    let end = {
        let mut session = scenario.open(&world.machines)?;
        for i in 0..scenario.actions() {
            session.act(i)?;
        }
        session.settle()?;
        session.see()?
    };
    report.steps = kind.steps(&world.disk(scenario.victim())?);
    for step in (1..=report.steps).filter(|step| share.takes(*step)) {
        world.load(&start);
        report.cases += 1;
        let disk = world.disk(scenario.victim())?;
        disk.set_faults(kind.at(step));
        let mut run =
            Run { scenario, world: &world, kind, step, report: &mut report, session: None, losses: Vec::new() };
        let ended = run.reach_end().and_then(|seen| {
            run.lose(&seen, share.seed)?;
            Ok(seen)
        });
        let losses = std::mem::take(&mut run.losses);
        drop(run);
        match ended {
            Ok(seen) if seen == end => {}
            Ok(_) => report.violation(format!("{} at step {step}: it ends otherwise than undisturbed", kind.name())),
            Err(failure) => report.violation(format!("{} at step {step}: {failure}", kind.name())),
        }
        let keeps_all = scenario.durable() && (kind != Kind::SyncError || scenario.outlives_sync_errors());
        for (loss, before) in losses.iter().filter(|_| keeps_all) {
            world.load(loss);
            let seen = scenario.open(&world.machines).and_then(|mut session| session.see());
            if seen.as_ref() != Ok(before) {
                let what = "a power loss after it takes something away";
                report.violation(format!("{} at step {step}: {what}", kind.name()));
                break;
            }
        }
    }
    Ok(report)
}

struct Run<'a> {
    scenario: &'a dyn Scenario,
    world: &'a World,
    kind: Kind,
    step: u64,
    report: &'a mut Report,
    session: Option<Box<dyn Session + 'a>>,
    /// All disks, the victim's as power losses left it after the fault and at the end, with what was seen before.
    losses: Vec<(Vec<DiskImage>, String)>,
}

impl<'a> Run<'a> {
    fn reach_end(&mut self) -> Result<String, Failure> {
        for i in 0..self.scenario.actions() {
            self.until_done(i)?;
            if self.losses.is_empty() && self.steps()? >= self.step {
                // Whatever the handles did to survive the fault must have kept their promise.
                let seen = self.opened()?.see();
                self.lose(&seen?, i as u64)?;
            }
        }
        self.lift()?;
        match self.end() {
            Err(failure) if self.kind == Kind::ReadError => {
                self.refused(&failure)?;
                self.end()
            }
            ended => ended,
        }
    }

    fn end(&mut self) -> Result<String, Failure> {
        let session = self.opened()?;
        session.settle()?;
        session.see()
    }

    fn steps(&self) -> Result<u64, Failure> {
        Ok(self.kind.steps(&self.world.disk(self.scenario.victim())?))
    }

    /// Runs one action, however often it takes: with the fault, without it, at last on a new handle.
    fn until_done(&mut self, i: usize) -> Result<(), Failure> {
        let mut before = None;
        for attempt in 0..6 {
            if attempt == 2 {
                self.lift()?;
            }
            if attempt == 4 && self.session.take().is_some() {
                // It had two chances without the fault and took neither.
                self.fault(&format!("action {i} fails on the same handle after the fault"));
            }
            let look = attempt > 0 || self.close_by()?;
            let session = match self.opened() {
                Ok(session) => session,
                Err(failure) => {
                    self.refused(&failure)?;
                    continue;
                }
            };
            let now = if look { session.see().map(Some) } else { Ok(None) };
            let now = match now {
                Ok(now) => now,
                Err(failure) if self.kind.meets_readers() => {
                    self.refused(&failure)?;
                    continue;
                }
                Err(failure) => return Err(Failure::unexpected(format!("reads fail: {failure}"))),
            };
            if self.scenario.atomic(i) && before.is_some() && before != now {
                return Err(Failure::unexpected(format!("action {i} was refused and left a trace")));
            }
            before = now;
            let session = self.opened()?;
            match session.act(i) {
                Ok(()) => return Ok(()),
                Err(failure) => self.refused(&failure)?,
            }
        }
        Err(Failure::unexpected(format!("action {i} fails for ever")))
    }

    /// Takes the disk as a few power losses would leave it now, under open handles.
    fn lose(&mut self, seen: &str, seed: u64) -> Result<(), Failure> {
        let victim = self.scenario.victim();
        let disk = self.world.disk(victim)?;
        let others: Vec<DiskImage> = self.world.machines.iter().map(|machine| machine.disk().snapshot()).collect();
        let lost = |seed: u64| {
            let mut images = others.clone();
            if let Some(image) = images.get_mut(victim) {
                *image = disk.power_loss(seed);
            }
            images
        };
        let seeds = (0..LOSSES).map(|n| seed.wrapping_mul(31).wrapping_add(self.step * LOSSES + n));
        self.losses.extend(seeds.map(|seed| (lost(seed), seen.to_owned())));
        Ok(())
    }

    /// Whether the fault may strike in the next action: only then it is worth looking at everything before.
    fn close_by(&self) -> Result<bool, Failure> {
        let steps = self.steps()?;
        Ok(steps <= self.step && self.step < steps + 200)
    }

    fn opened(&mut self) -> Result<&mut (dyn Session + 'a), Failure> {
        if self.session.is_none() {
            self.session = Some(self.scenario.open(&self.world.machines)?);
        }
        self.session.as_deref_mut().ok_or_else(|| Failure::unexpected("no session"))
    }

    fn refused(&mut self, failure: &Failure) -> Result<(), Failure> {
        self.report.refused += 1;
        if failure.code == "unexpected" || failure.code == "internal" {
            return Err(failure.clone());
        }
        Ok(())
    }

    fn fault(&mut self, what: &str) {
        self.report.violation(format!("{} at step {}: {what}", self.kind.name(), self.step));
    }

    fn lift(&self) -> Result<(), Failure> {
        if self.kind.lasts() {
            self.world.disk(self.scenario.victim())?.set_faults(Faults::default());
        }
        Ok(())
    }
}
