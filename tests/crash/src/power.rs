//! Power loss and kills at every step of a scenario.
//!
//! One undisturbed run; before every step of the victim's disk its files are taken as several power losses would leave
//! them, and as a kill would. A second thread examines them. What a kill leaves behind is, by SQLite's promise, a
//! committed state; in order they are the history of the run. The oracle:
//! - each damaged disk holds exactly one state of that history: no half transaction, no corruption;
//! - not an older one than the newest acknowledged action made (`Durability::Power`), and at most the commit that was
//!   under way beyond what the kill shows;
//! - from it, the scenario can be driven on to the same end.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{SyncSender, sync_channel};

use turnstone_vfs::{Disk, DiskImage, Mount, Watcher};

use crate::examine::{Sample, examine};
use crate::judge::judge;
use crate::report::Report;
use crate::scenario::{Failure, Scenario, World};

/// How much of it to do.
#[derive(Debug, Clone, Copy)]
pub struct Share {
    /// Makes the damages, and says which steps are left out.
    pub seed: u64,
    /// Damages per step.
    pub damages: u64,
    /// One step in so many is examined.
    pub every: u64,
    /// One damaged disk in so many is driven on to the end (kills: every one).
    pub resume_every: u64,
    /// Steps beyond this one are left out.
    pub steps_max: u64,
}

impl Share {
    /// Everything.
    pub fn all(seed: u64, damages: u64) -> Self {
        Self { seed, damages, every: 1, resume_every: 1, steps_max: u64::MAX }
    }

    pub(crate) fn takes(&self, step: u64) -> bool {
        step <= self.steps_max && (step + self.seed).is_multiple_of(self.every.max(1))
    }
}

/// Cuts the power and kills, at every step that the share takes. Gives the reports of power losses and of kills.
///
/// # Errors
/// If the undisturbed run fails: never right.
pub fn power_and_kill(scenario: &dyn Scenario, share: Share) -> Result<[Report; 2], Failure> {
    let start = scenario.start()?;
    let world = World::new(start.len());
    world.load(&start);
    let victim = world.disk(scenario.victim())?;
    let acked = Arc::new(AtomicUsize::new(0));
    // Few at a time: a sample holds several copies of the disk.
    let (send, samples) = sync_channel::<Sample>(16);
    victim.watch_steps(Some(sampler(scenario, &world, share, Arc::clone(&acked), send)));
    let (end, examined) = std::thread::scope(|scope| {
        let examiner = scope.spawn(move || examine(scenario, &samples, share));
        let end = run(scenario, &world, &acked);
        victim.watch_steps(None);
        (end, examiner.join())
    });
    let end = end?;
    let examined = examined.map_err(|_| Failure::unexpected("the examiner panicked"))??;
    let mut power = Report::new(scenario.name(), "power loss");
    let mut kill = Report::new(scenario.name(), "kill");
    power.steps = victim.steps();
    kill.steps = victim.steps();
    judge(scenario, &examined, &end, &mut power, &mut kill);
    Ok([power, kill])
}

/// Takes a sample before every step of the victim. Kills are sampled at every step whatever the share: they are the
/// history that everything else is compared with.
fn sampler(
    scenario: &dyn Scenario,
    world: &World,
    share: Share,
    acked: Arc<AtomicUsize>,
    send: SyncSender<Sample>,
) -> Watcher {
    let victim = scenario.victim();
    let disks: Vec<Disk> = world.machines.iter().map(Mount::disk).collect();
    Box::new(move |step| {
        let takes = share.takes(step.step);
        let seeds = (0..if takes { share.damages } else { 0 })
            .map(|n| share.seed.wrapping_mul(1_000_003).wrapping_add(step.step * 4_096 + n));
        let other = |(i, disk): (usize, &Disk)| {
            if i == victim || !takes { DiskImage::new() } else { disk.snapshot() }
        };
        // A closed channel means that the examiner gave up, and it says why itself.
        let _ = send.send(Sample {
            step: step.step,
            taken: takes,
            acked: acked.load(Ordering::SeqCst),
            killed: step.visible(),
            damaged: seeds.map(|seed| (seed, step.power_loss(seed))).collect(),
            others: disks.iter().enumerate().map(other).collect(),
        });
    })
}

/// Runs everything, undisturbed.
pub(crate) fn run(scenario: &dyn Scenario, world: &World, acked: &AtomicUsize) -> Result<String, Failure> {
    let mut session = scenario.open(&world.machines)?;
    for i in 0..scenario.actions() {
        session.act(i)?;
        acked.store(i + 1, Ordering::SeqCst);
    }
    session.settle()?;
    session.see()
}
