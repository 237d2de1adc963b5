//! `--clock-offset`: how wrong this device's wall clock is.

use std::fmt;
use std::str::FromStr;

/// Milliseconds added to the wall clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ClockOffset(pub i64);

/// An offset that cannot be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BadOffset;

impl fmt::Display for BadOffset {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an offset is a number and a unit (ms, s, m, h, d, w, y), such as +5y, -3d or 90s")
    }
}

impl std::error::Error for BadOffset {}

impl FromStr for ClockOffset {
    type Err = BadOffset;

    fn from_str(text: &str) -> Result<Self, BadOffset> {
        let at = text.find(|c: char| c.is_ascii_alphabetic()).ok_or(BadOffset)?;
        let (number, unit) = text.split_at_checked(at).ok_or(BadOffset)?;
        let number: i64 = number.parse().map_err(|_| BadOffset)?;
        let unit_ms = match unit {
            "ms" => 1,
            "s" => 1_000,
            "m" => 60_000,
            "h" => 3_600_000,
            "d" => 86_400_000,
            "w" => 7 * 86_400_000,
            "y" => 365 * 86_400_000,
            _ => return Err(BadOffset),
        };
        number.checked_mul(unit_ms).map(Self).ok_or(BadOffset)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn offsets_have_a_sign_and_a_unit() {
        let read = |text: &str| text.parse::<ClockOffset>().map(|offset| offset.0);
        assert_eq!(read("+5y"), Ok(5 * 365 * 86_400_000));
        assert_eq!(read("-3d"), Ok(-3 * 86_400_000));
        assert_eq!(read("90s"), Ok(90_000));
        assert_eq!(read("15ms"), Ok(15));
        for bad in ["", "5", "y", "+y", "5 y", "5yy", "1.5h", "99999999999999y", "é"] {
            assert_eq!(read(bad), Err(BadOffset), "{bad}");
        }
    }
}
