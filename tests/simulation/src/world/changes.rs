//! What changes around devices: who may sync, which version they are, and who else has their files.

use std::sync::atomic::Ordering;

use turnstone::Error;
use turnstone_engine::sync::Phase;
use turnstone_vfs::Disk;

use super::{World, mount};
use crate::action::{Action, CLONES_MAX};
use crate::app;
use crate::device::{Device, DeviceSetup, Outside};
use crate::model::Restored;
use crate::work::Work;

impl World {
    pub(super) fn change(&mut self, action: &Action) {
        match *action {
            Action::Permission { device, granted: true, .. } => {
                let at = self.device(device);
                self.server.shut_out.remove(&at);
                if self.devices[at].shut_out && self.up(at) {
                    self.saw("device let in again");
                    self.let_in(at);
                    self.touch(at);
                }
            }
            Action::Permission { device, forbidden, .. } => {
                let at = self.device(device);
                self.saw("device shut out");
                self.server.shut_out.insert(at, forbidden);
                self.devices[at].shut_out = true;
            }
            Action::SecondHandle { device, value } => {
                let at = self.device(device);
                if self.up(at) && self.devices[at].unsure.is_none() && self.devices[at].retrying.is_none() {
                    self.open_again(at, value);
                }
            }
            Action::Clone { device } => {
                let at = self.device(device);
                if self.clones < usize::from(CLONES_MAX) && self.up(at) && self.may_be_copied(at) {
                    self.saw("device cloned");
                    if self.has_pending(at) {
                        self.saw("device cloned with writes of its own");
                    }
                    self.clone_of(at);
                }
            }
            Action::Upgrade { device } => {
                let at = self.device(device);
                if self.devices[at].version < app::VERSIONS {
                    self.saw("app upgraded");
                    let now_ms = self.now_ms;
                    self.devices[at].kill(None, now_ms);
                    self.devices[at].version = app::VERSIONS;
                }
            }
            Action::UpgradeServer if self.server.version < app::VERSIONS => {
                self.saw("server upgraded");
                self.server.disk.revive();
                self.server_ends();
                self.server.version = app::VERSIONS;
            }
            _ => {}
        }
    }

    /// The app hears that somebody signed in.
    pub(super) fn let_in(&mut self, at: usize) {
        if !self.devices[at].shut_out {
            return;
        }
        self.devices[at].shut_out = false;
        if matches!(self.devices[at].with(turnstone::Store::status), Some(Ok(status)) if status.phase == Phase::NeedsAuth)
        {
            self.saw("somebody had to sign in");
        }
        self.devices[at].with(turnstone::Store::token_changed);
    }

    /// Whether the world knows what a copy of its files would hold.
    pub(super) fn may_be_copied(&self, at: usize) -> bool {
        let device = &self.devices[at];
        device.store.is_some() && device.unsure.is_none() && device.retrying.is_none() && !device.disk.is_dead()
    }

    /// Whether a device holds writes that nobody has decided.
    pub(super) fn has_pending(&self, at: usize) -> bool {
        let status = self.devices[at].with(turnstone::Store::status);
        matches!(status, Some(Ok(status)) if status.pending_groups > 0)
    }

    /// Two handles on one file: the younger writes, the older is told so and changes nothing (I-42).
    fn open_again(&mut self, at: usize, value: i64) {
        self.devices[at].drop_older();
        // The lease is taken by a first write, not by opening: the older handle has it.
        if !self.pair_saved(at, value) {
            return self.touch(at);
        }
        if !self.devices[at].open_again() {
            return self.bury(at);
        }
        self.saw("file opened a second time");
        if self.pair_saved(at, value + 1)
            && let Some(older) = self.devices[at].older.clone()
        {
            let late =
                self.devices[at].with(|_| older.write(move |tx| Work::Pair { value: -value }.perform(tx).map(drop)));
            match late {
                Some(Err(Error::LeaseLost)) => self.saw("the older handle was turned away"),
                Some(Ok(_)) => self.wrong("I-42", format!("device {at}: two handles write one file")),
                // The disk fails, or is full.
                Some(Err(_)) | None => self.bury(at),
            }
        }
        self.touch(at);
    }

    /// Writes the pair. False: it is not known to be saved.
    pub(super) fn pair_saved(&mut self, at: usize, value: i64) -> bool {
        self.write(at, Work::Pair { value });
        self.devices[at].store.is_some() && self.devices[at].unsure.is_none()
    }

    /// Another life of a device's file begins, and what it knows is what another one knew.
    pub(super) fn begins_anew(&mut self, at: usize, known: Restored) {
        let line = self.model.line(at) + 1;
        self.model.restored.insert((at, line), known);
        self.net.get().lines.insert(at, line);
    }

    /// A device's files go on as another device, and both know what was written until now.
    fn clone_of(&mut self, from: usize) {
        let at = self.devices.len();
        let until = self.model.groups.len();
        let known = Restored { device: from, line: self.model.line(from), until, at: until };
        let (disk, seed) = (Disk::from_image(&self.devices[from].disk.snapshot()), self.dice());
        let setup = DeviceSetup { index: at, vfs: mount(at, &disk, seed), seed, ..self.devices[from].setup.clone() };
        let mut device = Device::new(setup, disk, &self.net, self.server.key());
        device.witness = Some(Outside::default());
        device.version = self.devices[from].version;
        device.stands = self.devices[from].stands;
        device.waits_ms = self.devices[from].waits_ms;
        device.time.boot.store(1_000 * (at as u64 + 1), Ordering::Relaxed);
        device.time.booted_ms.store(self.now_ms, Ordering::Relaxed);
        self.devices.push(device);
        self.net.get().cut.push(false);
        self.begins_anew(at, known);
        self.clones += 1;
    }
}
