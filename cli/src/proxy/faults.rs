//! What can go wrong, how often, and the pure draw that decides it for one exchange.

use std::fmt;
use std::str::FromStr;

/// A probability between 0 and 1.
#[derive(Debug, Clone, Copy, PartialEq, PartialOrd, Default)]
pub struct Rate(f64);

/// A rate that is not a number between 0 and 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a rate is a number between 0 and 1, such as 0.05")]
pub struct RateError;

impl Rate {
    /// Never.
    pub const NEVER: Self = Self(0.0);
    /// Every time.
    pub const ALWAYS: Self = Self(1.0);

    /// Makes a rate.
    ///
    /// # Errors
    /// [`RateError`] outside 0 to 1.
    pub fn new(rate: f64) -> Result<Self, RateError> {
        if (0.0..=1.0).contains(&rate) { Ok(Self(rate)) } else { Err(RateError) }
    }

    /// The rate in percent, for constants in code; more than 100 counts as 100.
    #[must_use]
    pub fn percent(percent: u8) -> Self {
        Self(f64::from(percent.min(100)) / 100.0)
    }

    /// The probability.
    #[must_use]
    pub const fn get(self) -> f64 {
        self.0
    }
}

impl FromStr for Rate {
    type Err = RateError;
    fn from_str(text: &str) -> Result<Self, RateError> {
        text.parse().map_err(|_| RateError).and_then(Self::new)
    }
}

impl fmt::Display for Rate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

/// How often each fault happens, and its bounds.
///
/// All but `delay` exclude each other within one exchange; their rates add up to at most 1.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Faults {
    /// The connection closes before the request reaches the server.
    pub drop: Rate,
    /// The server gets the request twice.
    pub duplicate: Rate,
    /// The server gets the request now, and once more after later ones.
    pub replay_late: Rate,
    /// The exchange waits first; this one combines with the others.
    pub delay: Rate,
    /// The server answers, and the connection closes before the client hears it.
    pub cut_after_commit: Rate,
    /// The connection resets after some bytes of the request or of the answer.
    pub reset_after_bytes: Rate,
    /// Nothing is ever answered; half of the time the server did get the request.
    pub half_open: Rate,
    /// A login page answers with 200 and HTML.
    pub captive: Rate,
    /// A gateway answers 503 with `Retry-After: 1`.
    pub unavailable: Rate,
    /// The longest delay.
    pub delay_ms_max: u64,
    /// The most bytes that pass before a reset.
    pub reset_bytes_max: u64,
    /// How long a half-open exchange stays silent before it closes.
    pub half_open_ms_max: u64,
}

impl Default for Faults {
    fn default() -> Self {
        Self::NONE
    }
}

impl Faults {
    /// A good link.
    pub const NONE: Self = Self {
        drop: Rate::NEVER,
        duplicate: Rate::NEVER,
        replay_late: Rate::NEVER,
        delay: Rate::NEVER,
        cut_after_commit: Rate::NEVER,
        reset_after_bytes: Rate::NEVER,
        half_open: Rate::NEVER,
        captive: Rate::NEVER,
        unavailable: Rate::NEVER,
        delay_ms_max: 50,
        reset_bytes_max: 4096,
        half_open_ms_max: 2_000,
    };

    /// A link on which about every third exchange goes wrong.
    #[must_use]
    pub fn rough() -> Self {
        Self {
            drop: Rate::percent(5),
            duplicate: Rate::percent(5),
            replay_late: Rate::percent(3),
            delay: Rate::percent(20),
            cut_after_commit: Rate::percent(8),
            reset_after_bytes: Rate::percent(8),
            half_open: Rate::percent(1),
            captive: Rate::percent(3),
            ..Self::NONE
        }
    }

    /// Whether the rates that exclude each other add up to at most 1.
    #[must_use]
    pub fn fits(&self) -> bool {
        self.exclusive().iter().map(|(rate, _)| rate.get()).sum::<f64>() <= 1.0 + 1e-9
    }

    /// Decides what happens to exchange number `n`. Pure: the same seed, number and rates give the same plan.
    #[must_use]
    pub fn plan(&self, seed: u64, n: u64) -> Plan {
        // An odd multiplier spreads neighbouring numbers over the seed space.
        let mut rng = fastrand::Rng::with_seed(seed ^ n.wrapping_mul(0x9e37_79b9_7f4a_7c15));
        let delay_ms = if rng.f64() < self.delay.get() { rng.u64(0..=self.delay_ms_max) } else { 0 };
        let mut left = rng.f64();
        for (rate, kind) in self.exclusive() {
            if left < rate.get() {
                return Plan { delay_ms, fate: self.shape(kind, &mut rng) };
            }
            left -= rate.get();
        }
        Plan { delay_ms, fate: Fate::Pass }
    }

    const fn exclusive(&self) -> [(Rate, Kind); 8] {
        [
            (self.drop, Kind::Drop),
            (self.duplicate, Kind::Duplicate),
            (self.replay_late, Kind::ReplayLate),
            (self.cut_after_commit, Kind::CutAfterCommit),
            (self.reset_after_bytes, Kind::ResetAfterBytes),
            (self.half_open, Kind::HalfOpen),
            (self.captive, Kind::Captive),
            (self.unavailable, Kind::Unavailable),
        ]
    }

    fn shape(&self, kind: Kind, rng: &mut fastrand::Rng) -> Fate {
        match kind {
            Kind::Drop => Fate::Drop,
            Kind::Duplicate => Fate::Duplicate { racing: rng.bool() },
            Kind::ReplayLate => Fate::ReplayLate,
            Kind::CutAfterCommit => Fate::CutAfterCommit,
            Kind::ResetAfterBytes => Fate::Reset {
                direction: if rng.bool() { Direction::Up } else { Direction::Down },
                after_bytes: rng.u64(0..=self.reset_bytes_max),
            },
            Kind::HalfOpen => Fate::HalfOpen { ms: self.half_open_ms_max, forwarded: rng.bool() },
            Kind::Captive => Fate::Captive,
            Kind::Unavailable => Fate::Unavailable,
        }
    }
}

#[derive(Clone, Copy)]
enum Kind {
    Drop,
    Duplicate,
    ReplayLate,
    CutAfterCommit,
    ResetAfterBytes,
    HalfOpen,
    Captive,
    Unavailable,
}

/// What happens to one exchange.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Plan {
    /// Milliseconds it waits first.
    pub delay_ms: u64,
    /// What happens then.
    pub fate: Fate,
}

/// The fault of one exchange.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    /// None.
    Pass,
    /// Closes before the server sees anything.
    Drop,
    /// Sends the request twice: at once, or the second after the first answer. The client gets the later answer.
    Duplicate {
        /// Whether both run at the same time.
        racing: bool,
    },
    /// Passes, and sends the request again after a later exchange.
    ReplayLate,
    /// Waits for the server's whole answer and closes without passing it on.
    CutAfterCommit,
    /// Passes some bytes in one direction and resets both connections.
    Reset {
        /// The direction that is cut short.
        direction: Direction,
        /// How many bytes pass before.
        after_bytes: u64,
    },
    /// Stays silent, then closes.
    HalfOpen {
        /// For how many milliseconds.
        ms: u64,
        /// Whether the server got the request.
        forwarded: bool,
    },
    /// Answers 200 with HTML.
    Captive,
    /// Answers 503 with `Retry-After`.
    Unavailable,
}

/// A direction of the link.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    /// From the client to the server.
    Up,
    /// From the server to the client.
    Down,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_seed_and_number_give_the_same_plan() {
        let faults = Faults::rough();
        for n in 0..500 {
            assert_eq!(faults.plan(7, n), faults.plan(7, n));
        }
        let first: Vec<Plan> = (0..200).map(|n| faults.plan(1, n)).collect();
        let other: Vec<Plan> = (0..200).map(|n| faults.plan(2, n)).collect();
        assert_ne!(first, other, "another seed is another journey");
    }

    #[test]
    fn rates_hold_over_many_exchanges() {
        let faults = Faults { drop: Rate::percent(20), captive: Rate::percent(10), ..Faults::NONE };
        let fates: Vec<Fate> = (0..20_000).map(|n| faults.plan(3, n).fate).collect();
        let share = |fate: Fate| fates.iter().filter(|f| **f == fate).count() as f64 / 20_000.0;
        assert!((share(Fate::Drop) - 0.20).abs() < 0.02, "{}", share(Fate::Drop));
        assert!((share(Fate::Captive) - 0.10).abs() < 0.02, "{}", share(Fate::Captive));
        assert!((share(Fate::Pass) - 0.70).abs() < 0.02, "{}", share(Fate::Pass));
    }

    #[test]
    fn a_link_that_always_drops_always_drops() {
        let faults = Faults { drop: Rate::ALWAYS, ..Faults::NONE };
        assert!((0..1000).all(|n| faults.plan(9, n).fate == Fate::Drop));
        assert!(faults.fits());
        assert!(!Faults { captive: Rate::percent(1), ..faults }.fits());
    }

    #[test]
    fn a_rate_is_between_nought_and_one() {
        assert_eq!("0.25".parse::<Rate>().map(Rate::get), Ok(0.25));
        for bad in ["1.1", "-0.1", "NaN", "often", ""] {
            assert_eq!(bad.parse::<Rate>(), Err(RateError), "{bad}");
        }
    }
}
