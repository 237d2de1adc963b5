//! The breaker: a server that fails again and again is left alone for a while, then asked with one small push.
//!
//! It opens after [`BREAKER_FAILURES_MAX`] server failures or time-outs in a row, of whatever lane; any answer of a
//! working server closes it. Where a push opened it, one pull may still ask: a push that fails for what is in it must
//! not keep what others wrote from coming (C11), and a pull that works closes the breaker.

use fastrand::Rng;

use super::BREAKER_FAILURES_MAX;

/// The first opening lasts at most this long, in milliseconds, and at least half of it.
const OPEN_MS_FIRST: u64 = 10_000;

/// The breaker.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Breaker {
    failures: u32,
    openings: u32,
    state: State,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum State {
    #[default]
    Closed,
    Open {
        until_ms: u64,
        /// Whether one pull may ask all the same.
        pull_may: bool,
    },
    /// One small push may ask; without one, a pull.
    HalfOpen,
}

impl Breaker {
    /// A request of a lane ended in a server failure or a time-out. Says whether the breaker is open now.
    pub(super) fn failed(&mut self, is_push: bool, rng: &mut Rng, now_ms: u64, delay_ms_max: u64) -> bool {
        self.failures = self.failures.saturating_add(1);
        match &mut self.state {
            State::Closed if self.failures < BREAKER_FAILURES_MAX => return false,
            State::Open { pull_may, .. } => *pull_may &= is_push,
            State::Closed | State::HalfOpen => {
                let ceiling_ms = (OPEN_MS_FIRST << self.openings.min(7)).min(delay_ms_max);
                self.openings = self.openings.saturating_add(1);
                // Not less than half: a server in trouble needs the pause.
                let until_ms = now_ms.saturating_add(rng.u64(ceiling_ms / 2..=ceiling_ms));
                self.state = State::Open { until_ms, pull_may: is_push };
            }
        }
        true
    }

    /// A server that works answered.
    pub(super) fn worked(&mut self) {
        *self = Self::default();
    }

    /// Lets one request ask now: time is over, or a person does not want to wait for it.
    pub(super) const fn half_open(&mut self) {
        if matches!(self.state, State::Open { .. }) {
            self.state = State::HalfOpen;
        }
    }

    /// Time passed.
    pub(super) const fn advance(&mut self, now_ms: u64) {
        if let State::Open { until_ms, .. } = self.state
            && until_ms <= now_ms
        {
            self.half_open();
        }
    }

    /// It ends at that time at the latest.
    pub(super) const fn shorten(&mut self, latest_ms: u64) {
        if let State::Open { until_ms, .. } = &mut self.state
            && *until_ms > latest_ms
        {
            *until_ms = latest_ms;
        }
    }

    /// Until when pushes, and pulls if they may not ask either, are held back.
    pub(super) const fn opens_at_ms(&self, is_push: bool) -> Option<u64> {
        match self.state {
            State::Open { until_ms, pull_may } if is_push || !pull_may => Some(until_ms),
            _ => None,
        }
    }

    /// When it changes by itself.
    pub(super) const fn until_ms(&self) -> Option<u64> {
        match self.state {
            State::Open { until_ms, .. } => Some(until_ms),
            State::Closed | State::HalfOpen => None,
        }
    }

    /// Whether the next push must be a small one.
    pub(super) const fn is_half_open(&self) -> bool {
        matches!(self.state, State::HalfOpen)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn opened(is_push: bool) -> (Breaker, Rng, u64) {
        let (mut breaker, mut rng) = (Breaker::default(), Rng::with_seed(1));
        assert!(!breaker.failed(is_push, &mut rng, 0, 60_000));
        assert!(!breaker.failed(is_push, &mut rng, 0, 60_000));
        assert!(breaker.failed(is_push, &mut rng, 0, 60_000));
        let until_ms = breaker.until_ms().unwrap();
        assert!((5_000..=10_000).contains(&until_ms));
        (breaker, rng, until_ms)
    }

    #[test]
    fn three_failures_in_a_row_open_it_and_a_success_between_starts_over() {
        let mut rng = Rng::with_seed(1);
        let mut breaker = Breaker::default();
        for _ in 0..10 {
            assert!(!breaker.failed(true, &mut rng, 0, 60_000));
            assert!(!breaker.failed(false, &mut rng, 0, 60_000));
            breaker.worked();
        }
        assert_eq!(breaker.until_ms(), None);
        opened(true);
    }

    #[test]
    fn one_probe_closes_it_or_opens_it_for_longer() {
        let (mut breaker, mut rng, until_ms) = opened(false);
        breaker.advance(until_ms - 1);
        assert!(!breaker.is_half_open());
        breaker.advance(until_ms);
        assert!(breaker.is_half_open() && breaker.opens_at_ms(true).is_none());
        assert!(breaker.failed(true, &mut rng, until_ms, 60_000), "one failure of the probe is enough");
        let longer_ms = breaker.until_ms().unwrap() - until_ms;
        assert!((10_000..=20_000).contains(&longer_ms));
        breaker.half_open();
        breaker.worked();
        assert_eq!((breaker.until_ms(), breaker.is_half_open()), (None, false));
    }

    #[test]
    fn c11_a_pull_may_ask_once_where_pushes_opened_it() {
        let (mut breaker, mut rng, until_ms) = opened(true);
        assert_eq!((breaker.opens_at_ms(true), breaker.opens_at_ms(false)), (Some(until_ms), None));
        breaker.failed(false, &mut rng, 0, 60_000);
        assert_eq!(breaker.opens_at_ms(false), Some(until_ms), "it asked, and the server failed it too");
    }

    #[test]
    fn openings_grow_to_the_ceiling() {
        let (mut breaker, mut rng, _) = opened(true);
        for _ in 0..10 {
            breaker.half_open();
            breaker.failed(true, &mut rng, 0, 60_000);
        }
        assert!((30_000..=60_000).contains(&breaker.until_ms().unwrap()));
    }
}
