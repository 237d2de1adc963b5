//! Who can have known what: the demo's independent account of causality.
//!
//! It knows nothing of stamps, clocks or commits, only who wrote what in which order and who synced when.
//! Syncs of one pass run at the same time, so what they saw of each other is uncertain; everything else is not.

/// The number of a write, in the order they were dealt.
pub type WriteNo = usize;
/// The number of a sync pass, from 1; 0 is before the first.
pub type Pass = usize;

/// Writes and sync passes, in the order they happened.
#[derive(Debug, Clone)]
pub struct Ledger {
    last_pass: Vec<Pass>,
    unpushed: Vec<Vec<WriteNo>>,
    writes: Vec<Record>,
    passes: Pass,
}

#[derive(Debug, Clone, Copy)]
struct Record {
    device: usize,
    /// The last pass its device took part in before it.
    after: Pass,
    /// The pass that carried it to the server.
    pushed: Option<Pass>,
}

impl Ledger {
    /// An empty ledger for so many devices.
    #[must_use]
    pub fn new(devices: usize) -> Self {
        Self { last_pass: vec![0; devices], unpushed: vec![Vec::new(); devices], writes: Vec::new(), passes: 0 }
    }

    /// Records a write.
    pub fn write(&mut self, device: usize) -> WriteNo {
        let after = self.last_pass.get(device).copied().unwrap_or_default();
        self.writes.push(Record { device, after, pushed: None });
        let number = self.writes.len() - 1;
        if let Some(waiting) = self.unpushed.get_mut(device) {
            waiting.push(number);
        }
        number
    }

    /// Records that these devices sync at the same time until each is quiet.
    pub fn sync(&mut self, devices: &[usize]) {
        self.passes += 1;
        for &device in devices {
            if let Some(last) = self.last_pass.get_mut(device) {
                *last = self.passes;
            }
            for number in self.unpushed.get_mut(device).map(std::mem::take).unwrap_or_default() {
                if let Some(write) = self.writes.get_mut(number) {
                    write.pushed = Some(self.passes);
                }
            }
        }
    }

    /// Whether `later`'s writer certainly knew `earlier`.
    #[must_use]
    pub fn saw(&self, later: WriteNo, earlier: WriteNo) -> bool {
        match (self.writes.get(later), self.writes.get(earlier)) {
            (Some(to), Some(from)) if to.device == from.device => earlier < later,
            (Some(to), Some(from)) => from.pushed.is_some_and(|pass| pass < to.after),
            _ => false,
        }
    }

    /// Whether neither writer can have known the other's write.
    #[must_use]
    pub fn apart(&self, a: WriteNo, b: WriteNo) -> bool {
        let blind = |to: &Record, from: &Record| from.pushed.is_none_or(|pass| pass > to.after);
        match (self.writes.get(a), self.writes.get(b)) {
            (Some(a), Some(b)) => a.device != b.device && blind(a, b) && blind(b, a),
            _ => false,
        }
    }

    /// Whether a device certainly knows a write now.
    #[must_use]
    pub fn knows(&self, device: usize, write: WriteNo) -> bool {
        let last = self.last_pass.get(device).copied().unwrap_or_default();
        self.writes.get(write).is_some_and(|w| w.device == device || w.pushed.is_some_and(|pass| pass < last))
    }

    /// The device that made a write.
    #[must_use]
    pub fn device(&self, write: WriteNo) -> Option<usize> {
        self.writes.get(write).map(|write| write.device)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_write_is_known_where_it_was_made_and_after_a_later_pass() {
        let mut ledger = Ledger::new(3);
        let first = ledger.write(0);
        assert!(ledger.knows(0, first) && !ledger.knows(1, first));
        ledger.sync(&[0, 1]);
        assert!(!ledger.knows(1, first), "device 1 synced at the same time: uncertain");
        let second = ledger.write(1);
        assert!(!ledger.saw(second, first) && !ledger.apart(second, first));
        ledger.sync(&[1]);
        let third = ledger.write(1);
        assert!(ledger.saw(third, first));
        let alone = ledger.write(2);
        assert!(ledger.apart(alone, first) && ledger.apart(alone, third));
        assert!(!ledger.apart(third, second), "one device never overlaps with itself");
    }
}
