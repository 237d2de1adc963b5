//! Groups on which the server chokes: they are found, set aside and told of, and everything else goes on (I-60).

use turnstone_protocol::Gid;

use super::World;
use crate::action::Action;
use crate::front::Poison;

impl World {
    pub(super) fn choke(&mut self, action: &Action) {
        match *action {
            Action::Poison { device, kind } => {
                let at = self.device(device);
                self.devices[at].writes_poison = Some(Poison::of(kind));
            }
            _ if !self.server.front.poisons.is_empty() => {
                self.saw("what the server choked on is taken");
                self.server.front.poisons.clear();
            }
            _ => {}
        }
    }

    /// If the next group of a device was to be a poison, this is it.
    pub(super) fn mark(&mut self, at: usize, gid: Gid) {
        if let Some(poison) = self.devices[at].writes_poison.take() {
            self.saw("poison group written");
            self.server.front.poisons.insert(gid, poison);
            self.poisoned.insert(gid);
        }
    }

    /// No device writes any more of them. Those there are may stay for ever.
    pub(super) fn end_choking(&mut self) {
        for device in &mut self.devices {
            device.writes_poison = None;
        }
        if !self.poison_stays {
            self.server.front.poisons.clear();
        }
    }
}
