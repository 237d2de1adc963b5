//! Stamping groups by the server's clock (rule 20).

use turnstone_protocol::Hlc;
use turnstone_protocol::plant::{self, Bug};

/// A reading of the device's clocks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Moment {
    /// The wall clock, in milliseconds since 1970. A person may have set it to anything.
    pub wall_ms: u64,
    /// Which boot of the device this is.
    pub boot_id: [u8; 16],
    /// Milliseconds since that boot, counting sleep.
    pub boot_ms: u64,
}

/// What the server's clock said at a reading of the device's boot clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Anchor {
    /// The server's wall clock, in milliseconds since 1970.
    pub server_ms: u64,
    /// The boot in which the answer arrived.
    pub boot_id: [u8; 16],
    /// Milliseconds since that boot when it arrived.
    pub boot_ms: u64,
}

/// Stamps groups in seal order, strictly rising.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stamper {
    /// The last contact with the server, if there was one.
    pub anchor: Option<Anchor>,
    /// The last stamp given.
    pub last: Hlc,
    /// Now.
    pub now: Moment,
}

impl Stamper {
    /// The stamp of a group written at `written`, when the device knew the server's clock to be at least `floor`.
    ///
    /// The same boot as the last contact gives the group's exact age. Otherwise the wall clock is only believed
    /// between `floor` and now: a wrong clock never beats an edit it saw, nor one made after it arrived.
    pub fn stamp(&mut self, written: Moment, floor: Hlc) -> Hlc {
        let now_ms = self.now_ms();
        let ms = match self.anchor {
            _ if plant::on(Bug::DeviceWallClock) => written.wall_ms,
            Some(anchor) if anchor.boot_id == written.boot_id => shift(anchor, written.boot_ms),
            _ => written.wall_ms.clamp(floor.ms().min(now_ms), now_ms),
        };
        self.last = Hlc::at(ms).max(floor.succ()).max(self.last.succ());
        self.last
    }

    /// The best guess of the server's wall clock now.
    fn now_ms(&self) -> u64 {
        match self.anchor {
            Some(anchor) if anchor.boot_id == self.now.boot_id => shift(anchor, self.now.boot_ms),
            Some(anchor) => self.now.wall_ms.max(anchor.server_ms),
            None => self.now.wall_ms,
        }
    }
}

/// The server's wall clock at a reading of the boot clock the anchor was taken with.
fn shift(anchor: Anchor, boot_ms: u64) -> u64 {
    if boot_ms >= anchor.boot_ms {
        anchor.server_ms.saturating_add(boot_ms - anchor.boot_ms)
    } else {
        anchor.server_ms.saturating_sub(anchor.boot_ms - boot_ms)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const YEAR_MS: u64 = 365 * 86_400_000;
    const NOON: u64 = 1_800_000_000_000;

    fn moment(wall_ms: u64, boot: u8, boot_ms: u64) -> Moment {
        Moment { wall_ms, boot_id: [boot; 16], boot_ms }
    }

    fn anchor(server_ms: u64, boot: u8, boot_ms: u64) -> Option<Anchor> {
        Some(Anchor { server_ms, boot_id: [boot; 16], boot_ms })
    }

    /// I-31: whatever the wall clock says, the same boot gives the exact age.
    #[test]
    fn in_the_boot_of_the_last_contact_the_wall_clock_does_not_count() {
        for wall_ms in [0, NOON - 10 * YEAR_MS, NOON + 10 * YEAR_MS, u64::MAX] {
            let now = moment(wall_ms, 1, 9_000);
            let mut stamper = Stamper { anchor: anchor(NOON, 1, 5_000), last: Hlc::ZERO, now };
            assert_eq!(
                stamper.stamp(moment(wall_ms, 1, 2_000), Hlc::ZERO),
                Hlc::at(NOON - 3_000),
                "before the contact"
            );
            assert_eq!(stamper.stamp(moment(wall_ms, 1, 7_000), Hlc::ZERO), Hlc::at(NOON + 2_000), "after it");
        }
    }

    /// I-31: across a reboot the wall clock is believed only between what was seen and now.
    #[test]
    fn across_a_reboot_the_wall_clock_is_held_between_what_was_seen_and_now() {
        let floor = Hlc::at(NOON - 5_000);
        let cases = [
            (NOON - 10 * YEAR_MS, floor.succ(), "an old clock: just after what was seen"),
            (NOON - 1_000, Hlc::at(NOON - 1_000), "a good clock: believed"),
            (NOON + 10 * YEAR_MS, Hlc::at(NOON + 60), "a clock in the future: now"),
        ];
        for (wall_ms, expected, why) in cases {
            let mut stamper = Stamper { anchor: anchor(NOON, 2, 40), last: Hlc::ZERO, now: moment(wall_ms, 2, 100) };
            assert_eq!(stamper.stamp(moment(wall_ms, 1, 7), floor), expected, "{why}");
        }
    }

    /// I-30: an edit made after seeing a value is stamped after it.
    #[test]
    fn a_stamp_is_after_everything_the_writer_had_seen() {
        let floor = Hlc::at(NOON + YEAR_MS);
        let mut stamper = Stamper { anchor: anchor(NOON, 1, 0), last: Hlc::ZERO, now: moment(NOON, 1, 10) };
        assert!(stamper.stamp(moment(NOON, 1, 5), floor) > floor);
        let mut stamper = Stamper { anchor: None, last: Hlc::ZERO, now: moment(0, 1, 10) };
        assert!(stamper.stamp(moment(0, 1, 5), floor) > floor, "and without any contact");
    }

    /// I-30, I-31: stamps rise in local order, whatever the clocks do between two writes.
    #[test]
    fn stamps_rise_strictly_in_local_order() {
        let mut rng = fastrand::Rng::with_seed(7);
        for round in 0..200 {
            let mut stamper = Stamper { anchor: None, last: Hlc::ZERO, now: moment(NOON, 1, 1_000) };
            let mut last = Hlc::ZERO;
            for step in 0..50 {
                if rng.bool() {
                    stamper.anchor = anchor(rng.u64(0..2 * NOON), rng.u8(0..3), rng.u64(0..5_000));
                }
                stamper.now = moment(rng.u64(..), rng.u8(0..3), rng.u64(0..5_000));
                let stamp = stamper.stamp(moment(rng.u64(0..2 * NOON), rng.u8(0..3), rng.u64(0..5_000)), Hlc::ZERO);
                assert!(stamp > last, "round {round}, step {step}");
                last = stamp;
            }
        }
    }
}
