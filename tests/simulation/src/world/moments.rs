//! What goes wrong at the moment at which it matters most: few seeds would come upon it by themselves.

use turnstone::Store;

use super::World;
use crate::action::Action;
use crate::device::Device;
use crate::network::Packet;

/// Storage steps in which a device has done, as a rule, what it does with an answer.
const STEPS_OF_ANSWER: u64 = 24;

impl World {
    pub(super) fn at_a_moment(&mut self, action: &Action) {
        match *action {
            Action::CrashInAnswer { packet, step, power } => {
                let Some((place, at)) = self.packet(packet, |packet| matches!(packet, Packet::Down { .. })) else {
                    return;
                };
                self.saw("device is to die in an answer");
                self.devices[at].crash_power = power;
                let disk = &self.devices[at].disk;
                disk.crash_at(disk.steps() + 1 + u64::from(step) % STEPS_OF_ANSWER);
                self.deliver(place);
            }
            Action::RestoreInPush { device, value } => {
                let of_backed_up = |packet: &Packet| packet.is_push() && self.devices[packet.device()].backup.is_some();
                if let Some((_, at)) = self.packet(u16::from(device), of_backed_up) {
                    self.restore_in_push(at, value);
                }
            }
            Action::LoseVerdicts { packet } => {
                if self.packet(packet, Packet::holds_verdicts).is_none()
                    && let Some((place, _)) = self.packet(packet, Packet::is_push)
                {
                    self.deliver(place);
                }
                let Some((place, at)) = self.packet(packet, Packet::holds_verdicts) else { return };
                self.saw("verdicts lost");
                if let Packet::Down { reply, .. } = self.net.take(place) {
                    self.net.get().lost.push(reply);
                }
                self.ask(u8::try_from(at).unwrap_or(0), |device| _ = device.with(Store::poke));
            }
            _ => {}
        }
    }

    /// A packet of a kind, if there is one: where it is, and whose.
    fn packet(&self, pick: u16, is_meant: impl Fn(&Packet) -> bool) -> Option<(usize, usize)> {
        let network = self.net.get();
        let meant = network.packets.iter().enumerate().filter(|(_, packet)| is_meant(packet));
        let meant: Vec<(usize, usize)> = meant.map(|(place, packet)| (place, packet.device())).collect();
        meant.get(usize::from(pick) % meant.len().max(1)).copied()
    }

    /// The device greets the server, and only then what it had sent arrives.
    fn restore_in_push(&mut self, at: usize, value: i64) {
        let line = self.model.line(at);
        self.restore(at);
        if self.model.line(at) == line || !self.up(at) {
            return;
        }
        self.saw("device restored while a push was under way");
        self.pair_saved(at, value);
        self.ask(u8::try_from(at).unwrap_or(0), Device::ask_sync);
        let late = |packet: &Packet| packet.device() == at && packet.is_push();
        let mut network = self.net.get();
        let (late, others) = std::mem::take(&mut network.packets).into_iter().partition(late);
        network.packets = others;
        network.packets.extend::<Vec<Packet>>(late);
    }
}
