//! The server is copied, and put back: its history goes on from there another way (I-40, I-62).

use std::collections::BTreeSet;

use serde_json::value::RawValue;
use turnstone::transport::Request;
use turnstone_protocol::Gid;

use super::World;
use crate::action::Action;
use crate::past::{Copy, Word};
use crate::server::expand;

impl World {
    pub(super) fn history_turns(&mut self, action: &Action) {
        match *action {
            Action::BackUpServer => self.back_up_server(),
            Action::RestoreServer { older, told } => self.restore_server(older, told),
            _ => {}
        }
    }

    /// A copy of its files in a quiet moment, as `docs/server.md` asks for. A server whose disk has failed may hold what
    /// it told nobody.
    fn back_up_server(&mut self) {
        if self.server_failed || self.readings.is_unseen() || !self.server.is_up() {
            return;
        }
        if let Some(copy) = self.server.copy() {
            self.saw("server backed up");
            self.past.keep(copy);
        }
    }

    /// A copy is put back. `told`: the server is started with a new epoch, as it should be.
    fn restore_server(&mut self, older: bool, told: bool) {
        if self.readings.is_unseen() || !self.server.is_up() {
            return;
        }
        let latest_ms = self.past.latest_ms.max(self.server_ms());
        let stable = self.server.stable(latest_ms);
        let (Ok(ended), Ok(decided)) = (self.server.history(), self.server.decided()) else { return };
        let Some(Copy { image, head, neighbours }) = self.past.take(older) else { return };
        let epoch = self.server.epoch();
        self.saw(if told { "server restored from a backup" } else { "server restored, and nobody told" });
        if self.past.present() > 0 {
            self.saw("server restored again");
        }
        self.server.put_back(&image, neighbours, told);
        let find = |gid| self.model.find(gid);
        self.past.turn(head, stable, &ended.commits, find);
        if !told {
            self.past.hide();
        }
        let kept: BTreeSet<Gid> = self.server.decided().unwrap_or_default();
        let refused = ended.refused.iter().map(|refused| refused.gid);
        self.past.unrefuse(refused.filter(|gid| !kept.contains(gid)));
        self.past.undo(decided.into_iter().filter(|gid| !kept.contains(gid)));
        self.readings.turn(head);
        self.answered_head = head;
        (self.server_failed, self.server_in_doubt) = (false, false);
        if told && self.server.start() && self.server.epoch() == epoch {
            self.wrong("I-40", "the server was restored with a new epoch and has its old one");
        }
    }

    /// Notes what the groups of a push say they had seen, as far as the server has still to decide them.
    pub(super) fn hear_words(&mut self, request: &Request) {
        if !self.past_matters || request.path != "/sync/v1/push" || !self.server.start() {
            return;
        }
        let Ok(body) = expand(request) else { return };
        let Ok(push) = serde_json::from_slice::<Push<'_>>(&body) else { return };
        for Group { gid, ops, after } in push.groups {
            let (Some(gid), Some(ops)) = (gid, ops) else { continue };
            let Ok(ops) = serde_json::from_str::<Vec<Op>>(ops.get()) else { continue };
            if self.server.decided_at(gid).is_none() {
                self.past.hear(gid, Word { bases: ops.into_iter().map(|op| op.base).collect(), after });
            }
        }
    }

    /// Whether a device that stands at `position` now may have stood further before: a history has ended since it last
    /// went back, and it goes back to the beginning.
    pub fn may_turn(&mut self, at: usize, position: u64) -> bool {
        let present = self.past.present();
        let stands = &mut self.devices[at].stands;
        let may = position == 0 && stands.turned < present;
        if may {
            stands.turned = present;
            self.saw("device began again with another history");
        }
        may
    }

    /// Whether a device that stands at `position` stands in the present history. What was of both counts as of this one.
    pub fn stands_here(&mut self, at: usize, position: u64) -> bool {
        let history = &mut self.devices[at].stands.history;
        if self.past.is_of_present(*history, position) {
            *history = self.past.present();
        }
        *history == self.past.present()
    }

    /// A device hears what was said in a history that may have ended, and may move on in it. Gives where it stood.
    pub(super) fn hears_from(&mut self, at: usize, history: usize) -> (usize, u64) {
        let device = &mut self.devices[at];
        let before = (device.stands.history, device.position);
        device.stands.history = history.min(before.0);
        before
    }

    /// It did not move, as far as can be seen: a device that died in it may have.
    pub(super) fn heard_from(&mut self, at: usize, before: (usize, u64)) {
        let device = &mut self.devices[at];
        if device.store.is_some() && device.position == before.1 {
            device.stands.history = device.stands.history.max(before.0);
        }
    }

    /// Whether a row was written in a history that has ended: what the server forgot of it may not have come back yet.
    pub fn may_be_forgotten(&self, row: (&str, &str)) -> bool {
        let writes_it = |write: usize| self.model.groups[write].ops.iter().any(|op| (op.table, op.id.as_str()) == row);
        self.past.undone().any(|gid| self.model.find(gid).is_none_or(writes_it))
    }
}

#[derive(serde::Deserialize)]
struct Push<'a> {
    #[serde(borrow)]
    groups: Vec<Group<'a>>,
}

#[derive(serde::Deserialize)]
struct Group<'a> {
    gid: Option<Gid>,
    #[serde(borrow)]
    ops: Option<&'a RawValue>,
    #[serde(default)]
    after: Vec<Gid>,
}

#[derive(serde::Deserialize)]
struct Op {
    #[serde(default)]
    base: u64,
}
