//! The second thread: opens what an accident left, reads it, and drives it on to the end.

use std::sync::mpsc::Receiver;

use turnstone_vfs::{Disk, DiskImage};

use crate::power::Share;
use crate::scenario::{Failure, Scenario, World};

/// One moment of the run.
pub(crate) struct Sample {
    pub(crate) step: u64,
    pub(crate) taken: bool,
    pub(crate) acked: usize,
    pub(crate) killed: DiskImage,
    pub(crate) damaged: Vec<(u64, DiskImage)>,
    pub(crate) others: Vec<DiskImage>,
}

/// What one disk turned out to hold.
pub(crate) struct Found {
    /// The seed of the damage; none for a kill.
    pub(crate) seed: Option<u64>,
    /// The hash of its dump.
    pub(crate) state: Result<u64, Failure>,
    /// What is seen at the end, if it was driven on.
    pub(crate) end: Option<Result<String, Failure>>,
    /// Whether that must be the end of the undisturbed run.
    pub(crate) same_end: bool,
}

/// What a moment of the run turned out to hold.
pub(crate) struct Examined {
    pub(crate) step: u64,
    pub(crate) acked: usize,
    pub(crate) killed: Found,
    pub(crate) damaged: Vec<Found>,
}

impl Examined {
    /// How to name a case of this moment, so that it can be seen again.
    pub(crate) fn case(&self, found: &Found) -> String {
        match found.seed {
            None => format!("kill before step {}", self.step),
            Some(seed) => format!("power loss before step {} (damage {seed})", self.step),
        }
    }
}

pub(crate) fn examine(
    scenario: &dyn Scenario,
    samples: &Receiver<Sample>,
    share: Share,
) -> Result<Vec<Examined>, Failure> {
    let mut examined = Vec::new();
    let mut world: Option<World> = None;
    for sample in samples {
        let world = world.get_or_insert_with(|| World::new(sample.others.len()));
        let killed = look(scenario, world, &sample, None, &sample.killed, sample.taken)?;
        let mut damaged = Vec::new();
        for (seed, image) in &sample.damaged {
            let on = seed.is_multiple_of(share.resume_every.max(1));
            damaged.push(look(scenario, world, &sample, Some(*seed), image, on)?);
        }
        examined.push(Examined { step: sample.step, acked: sample.acked, killed, damaged });
    }
    Ok(examined)
}

fn look(
    scenario: &dyn Scenario,
    world: &World,
    sample: &Sample,
    seed: Option<u64>,
    image: &DiskImage,
    on: bool,
) -> Result<Found, Failure> {
    let mount = world.mount(scenario.victim())?;
    mount.insert(&Disk::from_image(image));
    let state = scenario.dump(mount).map(|text| hash(&text));
    let from = match seed {
        Some(_) if !scenario.repeatable() => scenario.actions(),
        Some(_) if !scenario.durable() => 0,
        _ => sample.acked,
    };
    let end = on.then(|| {
        let victim = scenario.victim();
        let others = sample.others.iter().enumerate();
        world.load(others.map(|(i, other)| if i == victim { image } else { other }));
        drive_on(scenario, world, from)
    });
    Ok(Found { seed, state, end, same_end: seed.is_none() || scenario.repeatable() })
}

/// Opens the world as the accident left it and runs what was not acknowledged, or all of it if that may be lost.
fn drive_on(scenario: &dyn Scenario, world: &World, from: usize) -> Result<String, Failure> {
    let mut session = scenario.open(&world.machines)?;
    for i in from..scenario.actions() {
        session.act(i)?;
    }
    session.settle()?;
    session.see()
}

fn hash(text: &str) -> u64 {
    use std::hash::{DefaultHasher, Hash, Hasher};
    let mut hasher = DefaultHasher::new();
    text.hash(&mut hasher);
    hasher.finish()
}
