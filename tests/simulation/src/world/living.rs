//! Devices live, die and are looked at.

use super::World;

impl World {
    /// Starts a device that is down. Returns whether it runs.
    pub fn up(&mut self, at: usize) -> bool {
        let now_ms = self.now_ms;
        let device = &mut self.devices[at];
        let was_up = device.store.is_some();
        let runs = device.start(now_ms);
        if runs && !was_up {
            self.waits_again(at);
            if self.devices[at].lives > 1 {
                self.saw("device restarted");
            }
        }
        if runs {
            self.adopt(at);
        } else {
            self.bury(at);
        }
        runs
    }

    /// Lets a device live a moment, and looks at it.
    pub fn touch(&mut self, at: usize) {
        let now_ms = self.now_ms;
        self.now_ms = self.devices[at].live_until(now_ms).max(now_ms);
        self.bury(at);
        if self.devices[at].store.is_some() && !self.devices[at].suspended {
            crate::check::runs(self, at);
            crate::check::continuous(self, at);
        }
    }

    /// If a device's disk died, so did the device.
    pub(super) fn bury(&mut self, at: usize) {
        if !self.devices[at].disk.is_dead() {
            return;
        }
        let power = self.devices[at].crash_power;
        self.saw(if power { "device lost power in a storage step" } else { "device killed in a storage step" });
        let seed = self.dice();
        let now_ms = self.now_ms;
        self.devices[at].kill(power.then_some(seed), now_ms);
    }

    /// Time passes everywhere.
    pub fn pass(&mut self, ms: u64) {
        self.now_ms += ms;
        for at in 0..self.devices.len() {
            if self.devices[at].store.is_some() {
                self.touch(at);
            }
        }
    }

    /// Time passes everywhere, and nobody looks.
    pub fn wait(&mut self, ms: u64) {
        self.now_ms += ms;
        for device in &mut self.devices {
            device.live_until(self.now_ms);
        }
    }
}
