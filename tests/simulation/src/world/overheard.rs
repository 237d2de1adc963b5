//! What can be overheard on the network: every request and every answer is looked at.

use std::sync::atomic::Ordering;

use serde_json::value::RawValue;
use turnstone::transport::{Request, Response};
use turnstone_protocol::{Gid, Incarnation};

use super::World;
use crate::server::expand;

impl World {
    /// What was sealed is frozen: a group comes with the same ops for ever, and from one life of a file with the same
    /// clock (rule 12). Two files that both held it before it was sealed each stamp it (decision 0063).
    pub(super) fn read_push(&mut self, device: usize, line: usize, request: &Request) {
        if request.path != "/sync/v1/push" {
            return;
        }
        let Ok(body) = expand(request) else { return };
        let Ok(push) = serde_json::from_slice::<PushBody<'_>>(&body) else { return };
        if self.devices[device].incarnation.replace(push.incarnation).is_some_and(|before| before != push.incarnation) {
            self.saw("new incarnation");
        }
        for group in push.groups {
            let (Some(gid), Some(hlc), Some(ops)) = (group.gid, group.hlc, group.ops) else { continue };
            let Ok(hlc) = u64::from_str_radix(hlc, 16) else { continue };
            let word = ops.get().bytes().fold(0, |word, byte| (word ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3));
            let stamps = self.sent.entry(gid).or_default();
            match stamps.insert((device, line), hlc) {
                Some(before) if before != hlc => {
                    self.wrong("I-11", format!("group {gid} was sent with two clocks"));
                }
                Some(_) => {}
                None => self.check_stamp(device, gid, hlc),
            }
            if self.bodies.insert(gid, word).is_some_and(|before| before != word) {
                self.wrong("I-11", format!("group {gid} was sent with two bodies"));
            }
        }
    }

    /// A device that has heard from the server since it booted knows how old its write is, whatever its wall clock says
    /// (rule 20): no stamp lies in the future, but for the moments by which the devices' own clocks run apart here, and for as
    /// far as the server's own clock was ever ahead.
    fn check_stamp(&mut self, at: usize, gid: Gid, hlc: u64) {
        let Some(group) = self.model.find(gid).map(|write| &self.model.groups[write]) else { return };
        let device = &self.devices[at];
        let since_ms = device.time.booted_ms.load(Ordering::Relaxed);
        // What its copy wrote was written in another boot.
        let is_own = group.device == at;
        let knows =
            is_own && device.anchored_boot == Some(device.time.boot.load(Ordering::Relaxed)) && group.at_ms > since_ms;
        let now_ms = self.true_ms();
        let latest_ms = now_ms + self.server_ahead_ms + 1_000;
        if knows && hlc >> 16 > latest_ms && !device.dated_ahead {
            let ahead_ms = (hlc >> 16) - now_ms;
            return self.wrong("I-31", format!("group {gid} is stamped {ahead_ms} ms after it was sent"));
        }
        // What was stamped before the first contact may be ahead, and what follows it comes after it.
        let ahead = hlc >> 16 > latest_ms;
        self.devices[at].dated_ahead |= ahead;
    }

    /// A device that hears that it is to wait waits from then on, a little longer than it is asked to.
    pub(super) fn heard_to_wait(&mut self, device: usize, response: &Response) {
        if let Some((_, wait_s)) = response.headers.iter().find(|(name, _)| name == "retry-after") {
            let wait_ms = 1_100 * wait_s.parse().unwrap_or(0_u64) + 1_000;
            let longest_ms = &mut self.devices[device].waits_ms;
            *longest_ms = wait_ms.max(*longest_ms);
            self.patient_until_ms = self.patient_until_ms.max(self.now_ms + wait_ms);
        }
    }

    /// A device that lost its power cannot know how long it was off, nor a copy how old it is: it waits again for all it was
    /// asked to wait.
    pub(super) fn waits_again(&mut self, device: usize) {
        let device = &self.devices[device];
        if device.time.boot.load(Ordering::Relaxed) > 1 {
            self.patient_until_ms = self.patient_until_ms.max(self.now_ms + device.waits_ms);
        }
    }

    /// What the server has answered stays answered, and some answers never come where nobody went back in time.
    pub(super) fn read_answer(&mut self, response: &Response) {
        let Some(head) = self.server.head() else { return };
        if head < self.answered_head {
            self.wrong("I-54", format!("the server answered at commit {}, now it has {head}", self.answered_head));
        }
        self.answered_head = head;
        if response.status == 200 {
            return self.read_verdicts(&response.body);
        }
        self.saw("request refused");
        if self.server.front.choked {
            return self.saw("the server choked");
        }
        #[derive(serde::Deserialize)]
        struct Code<'a> {
            code: &'a str,
        }
        let Ok(Code { code }) = serde_json::from_slice(&response.body) else { return };
        // A clone has a witness, and goes on under an identity of its own before it is heard.
        if code == "device_forked" && (0..self.devices.len()).any(|at| self.model.was_put_back(at)) {
            return self.saw("a restored device was told so");
        }
        if code == "unavailable" && self.now_ms >= self.server.front.overloaded_until_ms {
            return if self.server_trouble {
                self.saw("the server said that its disk fails");
            } else {
                self.wrong("I-54", "the server says that it cannot work, and nothing is wrong with it");
            };
        }
        // A server that was put back has another history, and misses seqs.
        let turned = self.past.present() > 0;
        if turned && ["seq_gap", "epoch_changed", "epoch_suspect"].contains(&code) {
            return self.saw("a device was told that the server forgot");
        }
        let never = ["gid_reuse", "seq_gap", "device_forked", "malformed", "internal"];
        if never.contains(&code) || code.starts_with("cursor") || code.starts_with("epoch") {
            self.wrong("I-12", format!("the server answered {code}"));
        }
    }

    /// Counts what is rare in a good answer.
    fn read_verdicts(&mut self, body: &[u8]) {
        let Ok(text) = std::str::from_utf8(body) else { return };
        // Answers are many, and most are not worth a search: their list of verdicts is empty, their pages are wide.
        let has_verdicts = text.get(..80).is_some_and(|start| start.contains("\"verdicts\":[{"));
        for (word, what) in [("\"blocked\"", "group blocked"), ("\"schema_behind\"", "server's schema behind")] {
            if has_verdicts && text.contains(word) {
                self.saw(what);
            }
        }
        if self.server.setup.page_rows_max < 3 && text.contains("\"part\":") {
            self.saw("group in parts");
        }
    }
}

#[derive(serde::Deserialize)]
struct PushBody<'a> {
    incarnation: Incarnation,
    #[serde(borrow)]
    groups: Vec<GroupBody<'a>>,
}

#[derive(serde::Deserialize)]
struct GroupBody<'a> {
    gid: Option<Gid>,
    hlc: Option<&'a str>,
    #[serde(borrow)]
    ops: Option<&'a RawValue>,
}
