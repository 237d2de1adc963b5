//! What goes wrong, and that it ends.

use std::sync::atomic::Ordering;

use turnstone::Conditions;
use turnstone_vfs::Faults;

use super::World;
use crate::action::Action;
use crate::device::EPOCH_MS;
use crate::model::Restored;
use crate::network::Hole;

impl World {
    pub(super) fn fault(&mut self, action: &Action) {
        match *action {
            Action::CrashDevice { device, power } => {
                let at = self.device(device);
                if self.devices[at].store.is_some() {
                    self.saw(if power { "device lost power" } else { "device killed" });
                    let (seed, now_ms) = (self.dice(), self.now_ms);
                    self.devices[at].kill(power.then_some(seed), now_ms);
                }
            }
            Action::CrashDeviceAt { device, step, power } => {
                let at = self.device(device);
                self.devices[at].crash_power = power;
                let disk = &self.devices[at].disk;
                disk.crash_at(disk.steps() + 1 + u64::from(step) % 48);
            }
            Action::CrashServer => {
                self.saw("server killed");
                self.server.disk.revive();
                self.server_ends();
            }
            Action::CrashServerAt { step, power } => {
                self.server_power = power;
                let disk = &self.server.disk;
                disk.crash_at(disk.steps() + 1 + u64::from(step) % 32);
            }
            Action::Clock { device, ms } => {
                let at = self.device(device);
                self.saw("clock jumped");
                self.devices[at].time.wall().jump(EPOCH_MS + self.now_ms, ms);
            }
            Action::ClockRate { device, per_mille } => {
                let at = self.device(device);
                self.saw(if per_mille == 0 { "clock stood still" } else { "clock drifted" });
                self.devices[at].time.wall().go(EPOCH_MS + self.now_ms, per_mille);
            }
            Action::Disk { device, full } => {
                let at = self.device(device);
                let disk = &self.devices[at].disk;
                disk.set_capacity(full.then(|| disk.used() + 2_000));
                self.devices[at].disk_troubled |= full;
                self.saw(if full { "disk filled" } else { "disk freed" });
            }
            Action::DiskError { device, step } => {
                let at = self.device(device);
                (self.devices[at].disk_failed, self.devices[at].disk_troubled) = (true, true);
                let disk = &self.devices[at].disk;
                let io_error_at = Some(disk.steps() + 1 + u64::from(step) % 24);
                disk.set_faults(Faults { io_error_at, ..Faults::default() });
                self.saw("disk error armed");
            }
            Action::Partition { device, cut } => {
                let at = self.device(device);
                self.net.get().cut[at] = cut;
                self.saw(if cut { "network cut" } else { "network healed" });
                if let Some(()) = self.devices[at].with(|store| {
                    if step_hint(self.steps) {
                        store.network_changed(!cut)
                    }
                }) {
                    self.touch(at);
                }
            }
            Action::Hole { device, up, down } => {
                let at = self.device(device);
                self.saw(match (up, down) {
                    (false, false) => "hole in the network closed",
                    (true, true) => "hole in the network",
                    _ => "hole in the network, one way",
                });
                self.net.get().holes.insert(at, Hole { up, down });
            }
            Action::ExpireToken { device } => {
                let at = self.device(device);
                self.saw("token expired");
                let floor = self.devices[at].token.load(Ordering::Relaxed) + 1;
                self.server.token_floor.insert(at, floor);
            }
            Action::Backup { device } => {
                let at = self.device(device);
                if self.may_be_copied(at) {
                    self.saw("device backed up");
                    if self.has_pending(at) {
                        self.saw("device backed up with writes of its own");
                    }
                    let until = self.model.groups.len();
                    let known = Restored { device: at, line: self.model.line(at), until, at: until };
                    let image = self.devices[at].disk.snapshot();
                    self.devices[at].backup = Some((image, known, self.devices[at].stands));
                }
            }
            Action::Restore { device } => {
                let (first, count) = (self.device(device), self.devices.len());
                let backed_up = |at: &usize| self.devices[*at].backup.is_some();
                if let Some(at) = (0..count).map(|step| (first + step) % count).find(backed_up) {
                    self.restore(at);
                }
            }
            Action::Neighbour => {
                self.saw("another tenant wrote");
                let now_ms = self.server_ms();
                if let Err(problem) = self.server.neighbour_writes(now_ms) {
                    self.wrong("I-56", format!("another tenant is refused: {problem}"));
                }
                if self.server.disk.is_dead() {
                    self.server_died(None);
                }
            }
            Action::ServerDisk { full } => {
                let disk = &self.server.disk;
                disk.set_capacity(full.then(|| disk.used() + 2_000));
                self.server_trouble |= full;
                self.saw(if full { "server's disk filled" } else { "server's disk freed" });
            }
            Action::ServerClock { back_ms } => {
                self.set_server_clock(-i64::from(back_ms));
                self.saw("server's clock set back");
            }
            Action::ServerClockAhead { ms } => {
                self.set_server_clock(i64::from(ms));
                self.saw("server's clock set ahead");
            }
            Action::ServerClockRate { per_mille } => {
                self.server_clock.go(self.true_ms(), per_mille);
                self.saw(if per_mille == 0 { "server's clock stood still" } else { "server's clock drifted" });
            }
            Action::ServerDiskError { step } => {
                let disk = &self.server.disk;
                let io_error_at = Some(disk.steps() + 1 + u64::from(step) % 24);
                disk.set_faults(Faults { io_error_at, ..Faults::default() });
                (self.server_trouble, self.server_failed) = (true, true);
                self.saw("server's disk error armed");
            }
            Action::Overload { ms, too_many } => {
                self.saw(if too_many { "server told of too many requests" } else { "server overloaded" });
                let until_ms = self.now_ms + u64::from(ms);
                (self.server.front.overloaded_until_ms, self.server.front.too_many) = (until_ms, too_many);
            }
            Action::Poison { .. } | Action::Heal => self.choke(action),
            _ => {}
        }
    }

    fn set_server_clock(&mut self, off_ms: i64) {
        self.past.latest_ms = self.past.latest_ms.max(self.server_ms());
        let true_ms = self.true_ms();
        self.server_clock.jump(true_ms, off_ms);
    }

    /// A backup is put back: what the device wrote since is gone, as far as nobody else has it.
    pub(super) fn restore(&mut self, at: usize) {
        if self.devices[at].unsure.is_some() || self.devices[at].retrying.is_some() || self.devices[at].disk.is_dead() {
            return;
        }
        let Some((image, known, stands)) = self.devices[at].backup.clone() else { return };
        self.saw("device restored from a backup");
        let now_ms = self.now_ms;
        let device = &mut self.devices[at];
        device.kill(None, now_ms);
        device.disk.restore(&image);
        device.expected.clear();
        device.shows_pair = false;
        (device.position, device.anchored_boot, device.stands) = (0, None, stands);
        self.begins_anew(at, Restored { at: self.model.groups.len(), ..known });
    }

    /// All faults end: what was dead starts, what was cut is whole.
    pub fn heal(&mut self) {
        let cut = vec![false; self.devices.len()];
        self.net.get().cut = cut;
        self.net.get().holes.clear();
        self.server.front.overloaded_until_ms = 0;
        self.server_clock.go(self.true_ms(), 1_000);
        self.end_choking();
        self.server.shut_out.clear();
        self.server.disk.set_faults(Faults::default());
        self.server.disk.set_capacity(None);
        if self.server.disk.is_dead() {
            self.server.disk.revive();
            self.server.stop();
        }
        if !self.server.start() {
            let why = self.server.failed.clone().unwrap_or_default();
            self.wrong("I-54", format!("the server does not start: {why}"));
        }
        for at in 0..self.devices.len() {
            self.bury(at);
            self.devices[at].disk.set_faults(Faults::default());
            self.devices[at].disk.set_capacity(None);
            if !self.up(at) {
                let why = self.devices[at].failed.as_ref().map(ToString::to_string).unwrap_or_default();
                self.wrong("I-01", format!("device {at} does not start: {why}"));
                continue;
            }
            self.devices[at].drop_older();
            self.devices[at].with(|store| store.set_conditions(Conditions::default()));
            self.let_in(at);
        }
    }

    /// Every app finds out about the write it does not know the fate of. Says whether there was one.
    pub fn ask_after_writes(&mut self) -> bool {
        let mut any = false;
        for at in 0..self.devices.len() {
            let Some(attempt) = self.devices[at].unsure.take() else { continue };
            any = true;
            self.attempt(at, attempt);
            if self.devices[at].unsure.is_some() {
                self.wrong("I-06", format!("device {at}: a write fails although nothing is wrong any more"));
            }
            if !self.adopt(at) {
                self.wrong("I-06", format!("device {at}: its log cannot be read, and nothing is wrong any more"));
            }
        }
        any
    }
}

/// Whether the system tells the app about the network this time; sometimes it does not.
fn step_hint(step: u64) -> bool {
    step.is_multiple_of(2)
}
