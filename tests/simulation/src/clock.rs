//! Wall clocks that are wrong: they jump, run slow or fast, and stand still.

/// A wall clock. It is right until somebody meddles with it.
#[derive(Debug, Clone, Copy)]
pub struct WallClock {
    /// True time when somebody last did, in milliseconds.
    since_ms: u64,
    /// What it read then.
    read_ms: u64,
    /// How many of its milliseconds pass in a second.
    per_mille: u16,
}

impl Default for WallClock {
    fn default() -> Self {
        Self { since_ms: 0, read_ms: 0, per_mille: 1_000 }
    }
}

impl WallClock {
    /// What it reads at a true time.
    pub fn reads(&self, now_ms: u64) -> u64 {
        let passed = u128::from(now_ms.saturating_sub(self.since_ms)) * u128::from(self.per_mille) / 1_000;
        self.read_ms.saturating_add(u64::try_from(passed).unwrap_or(u64::MAX))
    }

    /// It jumps to so much from the true time.
    pub fn jump(&mut self, now_ms: u64, off_ms: i64) {
        (self.since_ms, self.read_ms) = (now_ms, now_ms.saturating_add_signed(off_ms));
    }

    /// It goes at another rate from now on.
    pub fn go(&mut self, now_ms: u64, per_mille: u16) {
        *self = Self { since_ms: now_ms, read_ms: self.reads(now_ms), per_mille };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_jumps_and_goes_on_at_its_rate() {
        let mut clock = WallClock::default();
        assert_eq!(clock.reads(5_000), 5_000);
        clock.jump(10_000, -3_000);
        assert_eq!(clock.reads(11_000), 8_000);
        clock.go(11_000, 500);
        assert_eq!(clock.reads(13_000), 9_000);
        clock.go(13_000, 0);
        assert_eq!((clock.reads(13_000), clock.reads(99_000)), (9_000, 9_000), "it stands still");
        clock.jump(100_000, 0);
        assert_eq!(clock.reads(101_000), 100_000, "and still does after it was set");
    }
}
