//! What the operating system does to apps: it takes their files, gives them time, and tells them what it believes.

use turnstone::{Conditions, Store};
use turnstone_engine::scheduler::Network;

use super::World;
use crate::action::Action;

impl World {
    pub(super) fn system(&mut self, action: &Action) {
        match *action {
            Action::Suspend { device } => {
                let at = self.device(device);
                if self.devices[at].store.is_some() && !self.devices[at].suspended {
                    self.saw("app suspended");
                    self.devices[at].suspend();
                    // It goes on with what its file says.
                    if self.devices[at].disk_troubled {
                        self.net.get().forgives(at);
                    }
                    self.bury(at);
                }
            }
            Action::Background { device, ms, bytes } => {
                let (now_ms, groups) = (self.now_ms, self.model.groups.len());
                let at = self.device(device);
                if self.up(at) {
                    self.saw("time given in the background");
                    self.devices[at].give_time(u64::from(ms), bytes.map(u64::from), now_ms, groups);
                    self.touch(at);
                }
            }
            Action::Expire { device } => {
                let now_ms = self.now_ms;
                let at = self.device(device);
                for run in &mut self.devices[at].runs {
                    run.until_ms = run.until_ms.min(now_ms + 1_000);
                }
                self.ask(device, |device| _ = device.with(Store::expire));
            }
            Action::Conditions { device, bits } => {
                self.saw("conditions told");
                self.ask(device, |device| _ = device.with(|store| store.set_conditions(conditions(bits))));
            }
            _ => {}
        }
    }
}

/// Any combination; most often there is a network.
fn conditions(bits: u8) -> Conditions {
    let network = match bits & 7 {
        0 => Network::Offline,
        1 => Network::Roaming,
        2 | 3 => Network::Metered,
        4 => Network::Unknown,
        _ => Network::Unmetered,
    };
    Conditions {
        network,
        validated: bits & 0b1_1000 != 0,
        foreground: bits & 0x20 != 0,
        low_power: bits & 0x40 != 0,
        charging: bits & 0x80 != 0,
    }
}
