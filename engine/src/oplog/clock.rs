//! Stamping groups by the server's clock (rule 20).

use turnstone_protocol::Hlc;

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
