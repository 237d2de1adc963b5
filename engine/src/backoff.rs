//! How long to wait before trying again: full jitter over 1, 2, 4 … 60 s, in the background on to 15 min.
//!
//! Full jitter (a uniform draw between nothing and the ceiling) spreads a fleet of phones
//! whose server came back over the whole window; equal steps would bring them back together.
//! Source: "Exponential Backoff And Jitter", AWS Architecture Blog, 2015.

use fastrand::Rng;

/// The ceiling of the first wait, in milliseconds.
pub const DELAY_MS_FIRST: u64 = 1_000;
/// The ceiling of every later wait while a person looks on, in milliseconds.
pub const DELAY_MS_MAX: u64 = 60_000;
/// The ceiling of every later wait in the background, in milliseconds.
pub const DELAY_MS_MAX_BACKGROUND: u64 = 900_000;
/// No wait is shorter, in milliseconds: a draw of nothing would be a busy loop.
pub const DELAY_MS_MIN: u64 = 50;

/// Counts attempts in a row that failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Backoff {
    failures: u32,
}

impl Backoff {
    /// Starts without failures.
    #[must_use]
    pub const fn new() -> Self {
        Self { failures: 0 }
    }

    /// How many attempts in a row failed.
    #[must_use]
    pub const fn failures(self) -> u32 {
        self.failures
    }

    /// An attempt succeeded: the next failure starts at the first step again.
    pub const fn succeeded(&mut self) {
        self.failures = 0;
    }

    /// An attempt failed: draws how long to wait, at most `delay_ms_max` milliseconds.
    pub fn failed(&mut self, rng: &mut Rng, delay_ms_max: u64) -> u64 {
        let ceiling = ceiling_ms(self.failures, delay_ms_max);
        self.failures = self.failures.saturating_add(1);
        rng.u64(DELAY_MS_MIN..=ceiling)
    }
}

/// The ceiling of the wait after `failures` earlier failures in a row, in milliseconds.
#[must_use]
pub const fn ceiling_ms(failures: u32, delay_ms_max: u64) -> u64 {
    let doublings = if failures > 20 { 20 } else { failures };
    let ceiling = DELAY_MS_FIRST << doublings;
    if ceiling > delay_ms_max { delay_ms_max } else { ceiling }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ceilings_double_to_a_minute_and_stay_there() {
        let steps: Vec<u64> = (0..9).map(|failures| ceiling_ms(failures, DELAY_MS_MAX)).collect();
        assert_eq!(steps, [1_000, 2_000, 4_000, 8_000, 16_000, 32_000, 60_000, 60_000, 60_000]);
        assert_eq!(ceiling_ms(u32::MAX, DELAY_MS_MAX), 60_000);
    }

    #[test]
    fn in_the_background_they_go_on_to_a_quarter_of_an_hour() {
        let steps: Vec<u64> = (6..12).map(|failures| ceiling_ms(failures, DELAY_MS_MAX_BACKGROUND)).collect();
        assert_eq!(steps, [64_000, 128_000, 256_000, 512_000, 900_000, 900_000]);
        assert_eq!(ceiling_ms(u32::MAX, DELAY_MS_MAX_BACKGROUND), 900_000);
    }

    #[test]
    fn waits_stay_under_their_ceiling_and_use_the_whole_range() {
        let mut rng = Rng::with_seed(7);
        let mut below_half = 0;
        for _ in 0..1_000 {
            let wait = Backoff { failures: 5 }.failed(&mut rng, DELAY_MS_MAX);
            assert!((DELAY_MS_MIN..=32_000).contains(&wait));
            below_half += u32::from(wait < 16_000);
        }
        assert!((400..600).contains(&below_half), "full jitter is uniform, {below_half} of 1000 below half");
    }

    #[test]
    fn success_starts_again_at_the_first_step() {
        let mut rng = Rng::with_seed(7);
        let mut backoff = Backoff::default();
        for _ in 0..10 {
            backoff.failed(&mut rng, DELAY_MS_MAX);
        }
        backoff.succeeded();
        assert!(backoff.failed(&mut rng, DELAY_MS_MAX) <= DELAY_MS_FIRST);
    }

    #[test]
    fn one_seed_gives_one_sequence() {
        let draw = |seed| {
            let (mut rng, mut backoff) = (Rng::with_seed(seed), Backoff::default());
            (0..20).map(|_| backoff.failed(&mut rng, DELAY_MS_MAX)).collect::<Vec<_>>()
        };
        assert_eq!(draw(3), draw(3));
        assert_ne!(draw(3), draw(4));
    }
}
