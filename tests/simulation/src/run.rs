//! One run: a seed, its actions, what came of them.

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};

use serde::{Deserialize, Serialize};

use crate::action::{self, Action};
use crate::model::Violation;
use crate::shrink;
use crate::swarm::Swarm;
use crate::{check, world::World};

/// What came of a run.
#[derive(Debug, Clone)]
pub struct Outcome {
    /// What did not hold; empty if all is well.
    pub violations: Vec<Violation>,
    /// A hash of everything that happened: every packet's path and length, every step of every disk; and, where that was
    /// asked for, what was on them at the end.
    pub trace: u64,
    /// How often each kind of thing happened.
    pub counters: BTreeMap<&'static str, u64>,
}

/// How often everything is looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Look {
    /// After every step.
    #[default]
    Hard,
    /// As in the search.
    Sampled,
}

/// Runs a seed.
pub fn seed(seed: u64, steps: usize) -> Outcome {
    let swarm = Swarm::draw(seed);
    let actions = action::draw(seed, steps, &swarm);
    actions_of(seed, &swarm, &actions)
}

/// Runs a seed, to compare it with another run: its trace has all bytes on all disks in it.
pub fn exactly(seed: u64, steps: usize) -> Outcome {
    let swarm = Swarm::draw(seed);
    let mut world = World::new(seed, &swarm);
    world.is_exact = true;
    live(world, &action::draw(seed, steps, &swarm))
}

/// Runs a list of actions in the world of a seed.
pub fn actions_of(seed: u64, swarm: &Swarm, actions: &[Action]) -> Outcome {
    live(World::new(seed, swarm), actions)
}

/// The same, looking at everything after every step where `looks` says so.
pub fn looked_at(seed: u64, swarm: &Swarm, actions: &[Action], looks: Look) -> Outcome {
    let mut world = World::new(seed, swarm);
    world.looks_hard = looks == Look::Hard;
    live(world, actions)
}

/// Runs a list of actions and tells on standard error what happens.
pub fn tell(seed: u64, swarm: &Swarm, actions: &[Action], looks: Look) -> Outcome {
    let mut world = World::new(seed, swarm);
    (world.tells, world.looks_hard) = (true, looks == Look::Hard);
    live(world, actions)
}

fn live(mut world: World, actions: &[Action]) -> Outcome {
    let lived = catch_unwind(AssertUnwindSafe(|| {
        for action in actions {
            world.step(action);
            if !world.violations.is_empty() {
                return;
            }
        }
        check::conclude(&mut world);
    }));
    if lived.is_err() {
        world.wrong("I-63", "something panicked");
    }
    for disk in world.devices.iter().map(|device| &device.disk).chain([&world.server.disk]) {
        let held = if world.is_exact { disk.snapshot().hash() } else { 0 };
        world.trace = world.trace.rotate_left(7) ^ disk.trace_hash() ^ held.rotate_left(32);
    }
    // What closing would still write is nobody's any more.
    for device in &mut world.devices {
        device.kill(None, world.now_ms);
    }
    Outcome {
        violations: std::mem::take(&mut world.violations),
        trace: world.trace,
        counters: std::mem::take(&mut world.counters),
    }
}

/// A failing run, made short.
#[derive(Debug)]
pub struct Short {
    /// The weather of its seed.
    pub swarm: Swarm,
    /// What is enough.
    pub actions: Vec<Action>,
    /// How closely it must be looked at to be seen.
    pub looks: Look,
    /// What it breaks.
    pub outcome: Outcome,
}

/// Shortens a failing run to what still breaks the same promise. Looking at everything shows it earlier, as a rule; but
/// looking touches the devices, and what that hides is shortened as it was found. `None`: it does not fail again.
pub fn shrink(seed: u64, steps: usize, tries: usize) -> Option<Short> {
    let swarm = Swarm::draw(seed);
    let actions = action::draw(seed, steps, &swarm);
    let breaks = |actions: &[Action], looks| looked_at(seed, &swarm, actions, looks);
    let (looks, promise) = [Look::Hard, Look::Sampled].into_iter().find_map(|looks| {
        let promise = breaks(&actions, looks).violations.first()?.invariant;
        Some((looks, promise))
    })?;
    let fails = |actions: &[Action]| breaks(actions, looks).violations.iter().any(|seen| seen.invariant == promise);
    let actions = shrink::shrink(&actions, tries, fails);
    let outcome = breaks(&actions, looks);
    Some(Short { swarm, actions, looks, outcome })
}
