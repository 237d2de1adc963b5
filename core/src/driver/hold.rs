//! What is left of a server's `Retry-After`, written down so that it outlives the process (rule 20).
//!
//! Kept as milliseconds left, with the reading of the boot clock they were left at: in the same boot that gives what is
//! left exactly, however often and however long no process ran. In another boot, or where the system does not say which
//! boot it is, they count from the opening of the store. While a process waits it writes down what is left again after
//! 1, 2, 4 … s: one that is killed early and often gets there too. The wall clock is never asked.

use turnstone_engine::oplog::Moment;

/// After how long what is left is first written down again, in milliseconds; then after twice as long, and so on.
pub(super) const NOTE_MS_FIRST: u64 = 1_000;

/// The text that is kept.
pub(super) fn write(left_ms: u64, now: Moment) -> String {
    format!("{left_ms} {:032x} {}", u128::from_be_bytes(now.boot_id), now.boot_ms)
}

/// What is left now, in a store that was opened at `opened`.
pub(super) fn left_ms(text: &str, opened: Moment, now: Moment) -> u64 {
    let mut parts = text.split(' ');
    let (Some(left_ms), Some(boot), Some(noted_ms)) = (parts.next(), parts.next(), parts.next()) else { return 0 };
    let (Ok(left_ms), Ok(boot), Ok(noted_ms)) =
        (left_ms.parse::<u64>(), u128::from_str_radix(boot, 16), noted_ms.parse::<u64>())
    else {
        return 0;
    };
    let since_ms = if boot.to_be_bytes() == now.boot_id {
        now.boot_ms.saturating_sub(noted_ms)
    } else {
        now.boot_ms.saturating_sub(opened.boot_ms)
    };
    left_ms.saturating_sub(since_ms)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(boot: u8, boot_ms: u64) -> Moment {
        Moment { wall_ms: 7, boot_id: [boot; 16], boot_ms }
    }

    #[test]
    fn in_one_boot_every_millisecond_counts_and_in_another_those_since_the_store_was_opened() {
        let text = write(60_000, at(1, 5_000));
        assert_eq!(left_ms(&text, at(1, 40_000), at(1, 41_000)), 24_000, "also while no process ran");
        assert_eq!(left_ms(&text, at(1, 70_000), at(1, 70_001)), 0);
        assert_eq!(left_ms(&text, at(1, 0), at(1, 10)), 60_000, "a boot clock that fell back is not believed");
        assert_eq!(left_ms(&text, at(2, 300), at(2, 2_300)), 58_000, "another boot: since the opening");
        for text in ["", "x", "60000", "60000 zz 1", "-1 0 0"] {
            assert_eq!(left_ms(text, at(1, 0), at(1, 0)), 0, "{text}");
        }
    }
}
