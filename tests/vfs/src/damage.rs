//! What a power loss does to whatever was not synced.
//!
//! A real disk may lose, keep, reorder or tear it. No single recipe finds all bugs (independent coin
//! tosses, for one, hardly ever lose a whole file), so a seed first picks a style, then its details.

use crate::content::{Layer, SECTOR};
use crate::rng::Rng;

/// How un-synced changes come out of a power loss.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Damage {
    /// Nothing that was not synced survives.
    Lost,
    /// Everything survives, synced or not.
    Kept,
    /// The changes up to one step survive, in the order they were made; the last one torn.
    Ordered {
        /// The last step whose change may survive.
        step: u64,
    },
    /// Each sector, size and name on its own: new, older or torn.
    Mixed {
        /// Share of the newest state, in percent.
        new_percent: u8,
        /// Share of torn sectors, in percent.
        torn_percent: u8,
        /// Torn sectors hold garbage where they were being written, not only old and new bytes.
        garbage: bool,
    },
    /// Each file on its own draws one of the others.
    PerFile,
}

impl Damage {
    /// The style that a seed stands for. `oldest..=newest` are the steps still in doubt.
    pub(crate) fn draw(rng: &mut Rng, oldest: u64, newest: u64) -> Self {
        match rng.below(8) {
            0 => Self::Lost,
            1 => Self::Kept,
            2 | 3 => Self::Ordered { step: oldest + rng.below(newest.saturating_sub(oldest) + 1) },
            4 => Self::PerFile,
            _ => Self::Mixed {
                new_percent: [10, 50, 90][rng.below(3) as usize],
                torn_percent: [0, 10, 50][rng.below(3) as usize],
                garbage: rng.chance(50),
            },
        }
    }

    /// The fate of one file under this damage.
    pub(crate) fn of_file(self, power_safe: bool, rng: &mut Rng) -> Fate {
        let damage = match self {
            Self::PerFile => match rng.below(3) {
                0 => Self::Lost,
                1 => Self::Kept,
                _ => Self::Mixed { new_percent: 50, torn_percent: 20, garbage: true },
            },
            other => other,
        };
        Fate { damage, power_safe }
    }
}

/// The fate of one file (or name): a damage that is no longer `PerFile`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Fate {
    damage: Damage,
    /// Bytes next to a write stay whole (SQLite's `POWERSAFE_OVERWRITE`).
    power_safe: bool,
}

impl Fate {
    /// Which of `count + 1` states in a row holds: 0 is the oldest, `count` the newest.
    /// `steps` are those that led from one to the next.
    pub(crate) fn state(&self, steps: &[u64], rng: &mut Rng) -> usize {
        match self.damage {
            Damage::Lost | Damage::PerFile => 0,
            Damage::Kept => steps.len(),
            Damage::Ordered { step } => steps.iter().filter(|&&s| s <= step).count(),
            Damage::Mixed { new_percent, .. } => {
                if rng.chance(new_percent) {
                    steps.len()
                } else {
                    rng.below(steps.len() as u64 + 1) as usize
                }
            }
        }
    }

    pub(crate) fn size(&self, synced: u64, sizes: &[(u64, u64)], now: u64, rng: &mut Rng) -> u64 {
        let Damage::Mixed { new_percent, .. } = self.damage else {
            let steps: Vec<u64> = sizes.iter().map(|s| s.0).collect();
            // sizes[i] is the size that step i ended, so the oldest is the synced one.
            let state = self.state(&steps, rng);
            return sizes.get(state).map_or(now, |s| s.1);
        };
        if sizes.is_empty() || rng.chance(new_percent) {
            return now;
        }
        let (low, high) = sizes.iter().fold((synced.min(now), synced.max(now)), |r, s| (r.0.min(s.1), r.1.max(s.1)));
        match rng.below(3) {
            0 => synced,
            1 => sizes[rng.below(sizes.len() as u64) as usize].1,
            _ => low + rng.below(high - low + 1),
        }
    }

    /// One sector out of its states, newest first.
    pub(crate) fn sector(&self, layers: &[Layer], rng: &mut Rng) -> [u8; SECTOR] {
        let oldest = layers.len() - 1;
        let (index, torn_percent, garbage) = match self.damage {
            Damage::Lost | Damage::PerFile => return layers[oldest].state,
            Damage::Kept => return layers[0].state,
            Damage::Ordered { step } => {
                let index = layers.iter().position(|l| l.step <= step);
                let index = index.unwrap_or(oldest);
                let last_write = layers[index].step == step;
                (index, if last_write { 50 } else { 0 }, false)
            }
            Damage::Mixed { new_percent, torn_percent, garbage } => {
                let newest = rng.chance(new_percent);
                let drawn = rng.below(layers.len() as u64) as usize;
                (if newest { 0 } else { drawn }, torn_percent, garbage)
            }
        };
        if index < oldest && rng.chance(torn_percent) {
            return self.torn(&layers[index], &layers[index + 1], garbage, rng);
        }
        layers[index].state
    }

    /// A sector whose write was under way: part new, part old, perhaps garbage.
    fn torn(&self, new: &Layer, old: &Layer, garbage: bool, rng: &mut Rng) -> [u8; SECTOR] {
        let (lo, hi) = if self.power_safe { (new.lo, new.hi) } else { (0, SECTOR) };
        let mut out = old.state;
        let cut = lo + rng.below((hi - lo + 1) as u64) as usize;
        if rng.chance(50) {
            out[lo..cut].copy_from_slice(&new.state[lo..cut]);
        } else {
            out[cut..hi].copy_from_slice(&new.state[cut..hi]);
        }
        if garbage {
            let from = lo + rng.below((hi - lo + 1) as u64) as usize;
            let to = from + rng.below((hi - from + 1) as u64) as usize;
            rng.fill(&mut out[from..to]);
        }
        out
    }
}
