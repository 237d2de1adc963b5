//! One run: a seed, its actions, what came of them.

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};

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
    /// A hash of everything that happened.
    pub trace: u64,
    /// How often each kind of thing happened.
    pub counters: BTreeMap<&'static str, u64>,
}

/// Runs a seed.
pub fn seed(seed: u64, steps: usize) -> Outcome {
    let swarm = Swarm::draw(seed);
    let actions = action::draw(seed, steps, &swarm);
    actions_of(seed, &swarm, &actions)
}

/// Runs a list of actions in the world of a seed.
pub fn actions_of(seed: u64, swarm: &Swarm, actions: &[Action]) -> Outcome {
    live(World::new(seed, swarm), actions)
}

/// The same, looking at everything after every step.
pub fn looked_at(seed: u64, swarm: &Swarm, actions: &[Action]) -> Outcome {
    let mut world = World::new(seed, swarm);
    world.looks_hard = true;
    live(world, actions)
}

/// Runs a list of actions and tells on standard error what happens.
pub fn tell(seed: u64, swarm: &Swarm, actions: &[Action]) -> Outcome {
    let mut world = World::new(seed, swarm);
    (world.tells, world.looks_hard) = (true, true);
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
    for device in &world.devices {
        let word = device.disk.trace_hash();
        world.trace = world.trace.rotate_left(7) ^ word;
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

/// Shortens a failing run to what still breaks the same promise.
pub fn shrink(seed: u64, steps: usize, tries: usize) -> (Swarm, Vec<Action>, Outcome) {
    let swarm = Swarm::draw(seed);
    let actions = action::draw(seed, steps, &swarm);
    let first = looked_at(seed, &swarm, &actions);
    let Some(promise) = first.violations.first().map(|violation| violation.invariant) else {
        return (swarm, actions, first);
    };
    let fails = |actions: &[Action]| {
        looked_at(seed, &swarm, actions).violations.iter().any(|violation| violation.invariant == promise)
    };
    let short = shrink::shrink(&actions, tries, fails);
    let outcome = looked_at(seed, &swarm, &short);
    (swarm, short, outcome)
}
