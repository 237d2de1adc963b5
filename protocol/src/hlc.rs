//! The hybrid logical clock: 48 bits of wall time in milliseconds, 16 bits of counter.
//!
//! Only the server's clock is trusted; a device's wall clock merely suggests. On the wire
//! and in databases that sort text, an HLC is 16 lower-case hex digits, so that text order
//! is clock order.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A point of the hybrid logical clock.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Hlc(pub u64);

impl Hlc {
    /// Before everything.
    pub const ZERO: Self = Self(0);

    /// The first point of a millisecond. Times beyond 48 bits are held at the greatest.
    #[must_use]
    pub const fn at(ms: u64) -> Self {
        const MS_MAX: u64 = (1 << 48) - 1;
        Self(if ms > MS_MAX { MS_MAX << 16 } else { ms << 16 })
    }

    /// The wall-clock part, in milliseconds since 1970.
    #[must_use]
    pub const fn ms(self) -> u64 {
        self.0 >> 16
    }

    /// The next point: when the counter is exhausted it carries into the milliseconds,
    /// so the clock still rises strictly.
    #[must_use]
    pub const fn succ(self) -> Self {
        Self(self.0.saturating_add(1))
    }

    /// The greater of `at(now_ms)` and the point after `last`: strictly rising whatever the wall clock does.
    #[must_use]
    pub fn tick(last: Self, now_ms: u64) -> Self {
        Self::at(now_ms).max(last.succ())
    }

    /// Reads 16 lower-case hex digits.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let ok = text.len() == 16 && text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
        if ok { u64::from_str_radix(text, 16).ok().map(Self) } else { None }
    }
}

impl fmt::Display for Hlc {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

impl fmt::Debug for Hlc {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Serialize for Hlc {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Hlc {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = <std::borrow::Cow<'de, str>>::deserialize(deserializer)?;
        Self::parse(&text).ok_or_else(|| serde::de::Error::custom("an HLC is 16 lower-case hex digits"))
    }
}
