//! What the writer remembers between transactions, and where new ids come from.

use std::sync::LazyLock;

use rusqlite::Connection;
use turnstone_engine::oplog::{Moment, seen_of};
use uuid::Uuid;

use super::meta::Key;
use crate::error::Error;

/// Values of the database that every write needs. Read again whenever they may have changed (rule 23).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Numbers {
    /// The number the next op gets.
    pub(crate) next_op: i64,
    /// The number the next group gets.
    pub(crate) next_grp: i64,
    /// The commit this device has pulled up to: the base of new rows.
    pub(crate) applied_n: u64,
    /// The greatest HLC the server confirmed (bits of a u64): the floor of new groups.
    pub(crate) server_hlc: i64,
    /// Whether a row may be in `_ts_absent`.
    pub(crate) absent: bool,
}

impl Numbers {
    /// What the writer of an op has seen of a row whose base has version `v`.
    pub(crate) const fn seen(&self, v: i64) -> u64 {
        seen_of(v.cast_unsigned(), self.applied_n)
    }

    /// Reads them. A few look-ups, whatever the size of the log (W7).
    pub(crate) fn read(conn: &Connection) -> Result<Self, Error> {
        let mut found = conn.prepare_cached(&NUMBERS)?;
        Ok(found.query_row([], |row| {
            let number = |at| row.get::<_, Option<i64>>(at).map(Option::unwrap_or_default);
            Ok(Self {
                next_op: number(0)? + 1,
                next_grp: number(1)? + 1,
                absent: row.get(2)?,
                applied_n: number(3)?.cast_unsigned(),
                server_hlc: number(4)?,
            })
        })?)
    }
}

static NUMBERS: LazyLock<String> = LazyLock::new(|| {
    format!(
        "SELECT (SELECT op FROM _ts_ops ORDER BY op DESC LIMIT 1), (SELECT grp FROM _ts_ops ORDER BY op DESC LIMIT 1), \
         EXISTS (SELECT 1 FROM _ts_absent), (SELECT value FROM _ts_meta WHERE key = '{}'), \
         (SELECT value FROM _ts_meta WHERE key = '{}')",
        Key::AppliedN.as_str(),
        Key::ServerHlc.as_str()
    )
});

/// Mints row ids: UUIDv7 whose 12 bits beside the time count up within a millisecond, so that the ids of one
/// device sort in the order they were made and land at the end of the index (RFC 9562, 6.2, method 1).
#[derive(Debug, Default)]
pub(crate) struct RowIds {
    ms: u64,
    count: u16,
}

impl RowIds {
    /// The next id. `random` fills the bits that nothing else does.
    pub(crate) fn mint(&mut self, now: Moment, random: u128) -> Uuid {
        const COUNT_MAX: u16 = 0x0fff;
        let bytes = random.to_be_bytes();
        let [_, _, _, _, _, _, a, b, c, d, e, f, g, h, high, low] = bytes;
        if now.wall_ms > self.ms {
            self.ms = now.wall_ms;
            // Starts low, so that there is room to count.
            self.count = u16::from_be_bytes([high, low]) & 0x03ff;
        } else if self.count == COUNT_MAX {
            self.ms += 1;
            self.count = 0;
        } else {
            self.count += 1;
        }
        let [count_high, count_low] = self.count.to_be_bytes();
        uuid::Builder::from_unix_timestamp_millis(self.ms, &[count_high, count_low, a, b, c, d, e, f, g, h]).into_uuid()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_rise_within_a_millisecond_and_when_the_clock_falls_back() {
        let mut ids = RowIds::default();
        let mut rng = fastrand::Rng::with_seed(1);
        let mut last = String::new();
        for step in 0..10_000u64 {
            let wall_ms = if step < 9_000 { 5 } else { 1 };
            let id = ids.mint(Moment { wall_ms, ..Moment::default() }, rng.u128(..));
            assert_eq!(id.get_version_num(), 7);
            let text = id.to_string();
            assert!(text > last, "{text} after {last}");
            last = text;
        }
    }
}
