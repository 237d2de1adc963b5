//! What becomes of packets: they arrive, or somebody meddles with them.

use bytes::Bytes;
use turnstone::transport::{Response, TransportError};

use super::World;
use crate::action::Action;
use crate::network::{Packet, Reply};

impl World {
    pub(super) fn deliver_one(&mut self, pick: u16) {
        let count = self.net.len();
        if count == 0 {
            return self.pass(20);
        }
        let at = match pick {
            _ if pick / 7 % 4 < u16::from(self.newest_first) => count - 1,
            _ if pick.is_multiple_of(2) => 0,
            _ => usize::from(pick / 2) % count,
        };
        if at > 0 {
            self.saw("packets reordered");
        }
        self.deliver(at);
    }

    /// Delivers a packet.
    pub fn deliver(&mut self, at: usize) {
        let packet = self.net.take(at);
        if self.net.swallows(&packet) {
            return self.swallow(packet);
        }
        match packet {
            Packet::Up { device, line, request, reply, whole } => {
                let path = request.path.len() as u64;
                self.note(path ^ (request.body.len() as u64) << 8 ^ (device as u64) << 40);
                if reply.as_ref().is_none_or(Reply::is_closed) {
                    self.saw("request arrived that nobody waits for");
                }
                self.read_push(device, line, &request);
                if self.readings.is_unseen() && self.server.start() {
                    self.readings.started(self.server.head());
                }
                self.hear_words(&request);
                let clock_ms = self.server_ms();
                self.server_ahead_ms = self.server_ahead_ms.max(clock_ms.saturating_sub(self.true_ms()));
                let answer = self.server.handle(device, &request, clock_ms, self.now_ms);
                match answer {
                    Some(response) => {
                        self.readings.answered(clock_ms, response.status >= 500, self.server.head());
                        if self.tells {
                            let text = String::from_utf8_lossy(&response.body);
                            eprintln!("             device {device} {} -> {} {text}", request.path, response.status);
                        }
                        self.note(u64::from(response.status) ^ (response.body.len() as u64) << 16);
                        if whole {
                            self.read_answer(&response);
                        } else if response.status == 200 {
                            self.wrong("I-12", format!("half of a request was answered: {}", request.path));
                        }
                        // Whoever is refused the greeting sends without it, and does not know the time yet.
                        self.devices[device].dated_ahead |=
                            response.status == 403 && request.path.starts_with("/sync/v1/hello");
                        if let Some(reply) = reply {
                            let history = self.past.present();
                            self.net.put(Packet::Down { device, response, reply, history });
                        }
                    }
                    None => {
                        self.readings.died(clock_ms);
                        self.server_died(reply);
                    }
                }
            }
            Packet::Down { device, response, reply, history } => {
                self.heard_to_wait(device, &response);
                let waited = reply.send(Ok(response));
                self.note(waited.into());
                let before = self.hears_from(device, history);
                if self.devices[device].store.is_some() && !self.devices[device].suspended {
                    self.touch(device);
                    self.heard_from(device, before);
                }
            }
        }
    }

    /// A packet falls into a hole: who waits finds out by waiting.
    fn swallow(&mut self, packet: Packet) {
        let (what, reply) = match packet {
            Packet::Up { reply, .. } => ("request vanished", reply),
            Packet::Down { reply, .. } => ("answer vanished", Some(reply)),
        };
        self.saw(what);
        self.net.get().lost.extend(reply);
    }

    pub(super) fn server_died(&mut self, reply: Option<Reply>) {
        if self.server.disk.is_dead() {
            // Docs/reliability.md, known limit: a commit whose sync failed, the file opened anew, then power loss.
            let power = self.server_power && !self.server_in_doubt;
            self.saw(if power { "server lost power in a request" } else { "server killed in a request" });
            let seed = self.dice();
            if power {
                self.server.disk.reboot(seed);
                self.server_failed = false;
            } else {
                self.server.disk.revive();
            }
        }
        self.server_ends();
        self.net.get().lost.extend(reply);
    }

    /// The server's process ends; the machine goes on.
    pub(super) fn server_ends(&mut self) {
        self.server.stop();
        self.readings.ended();
        self.server_in_doubt = self.server_failed;
    }

    pub(super) fn meddle(&mut self, action: &Action, pick: u16) {
        let count = self.net.len();
        if count == 0 {
            return;
        }
        let at = usize::from(pick) % count;
        let packet = self.net.take(at);
        match (action, packet) {
            (Action::Drop { .. }, Packet::Up { reply, .. }) => {
                self.saw("request lost");
                self.lose(reply, pick);
            }
            (Action::Drop { .. }, Packet::Down { reply, .. }) => {
                self.saw("answer lost after the server's commit");
                self.lose(Some(reply), pick);
            }
            (Action::Duplicate { .. }, Packet::Up { device, line, request, reply, whole }) => {
                self.saw("request doubled");
                self.net.put(Packet::Up { device, line, request: request.clone(), reply, whole });
                self.net.put(Packet::Up { device, line, request, reply: None, whole });
            }
            // The connection broke in the middle of it: what there is of it arrives, and no answer comes back.
            (Action::Truncate { keep, .. }, Packet::Up { device, line, mut request, reply, .. })
                if !request.body.is_empty() =>
            {
                self.saw("request cut");
                request.body.truncate(usize::from(*keep) % request.body.len());
                self.net.put(Packet::Up { device, line, request, reply: None, whole: false });
                if let Some(reply) = reply {
                    let _ = reply.send(Err(TransportError::Broken));
                }
            }
            (Action::Truncate { keep, .. }, Packet::Down { device, mut response, reply, history }) => {
                self.saw("answer cut");
                let len = response.body.len();
                response.body.truncate(usize::from(*keep) % len.max(1));
                self.net.put(Packet::Down { device, response, reply, history });
            }
            (Action::Captive { .. }, Packet::Up { device, reply: Some(reply), .. }) => {
                self.saw("captive portal");
                let history = self.past.present();
                self.net.put(Packet::Down { device, response: portal(), reply, history });
            }
            (_, packet) => self.net.put(packet),
        }
    }

    /// Who waited finds out at once, or by waiting.
    fn lose(&mut self, reply: Option<Reply>, pick: u16) {
        let Some(reply) = reply else { return };
        if pick.is_multiple_of(3) {
            self.net.get().lost.push(reply);
        } else {
            let error = if pick % 3 == 1 { TransportError::Broken } else { TransportError::Offline };
            let _ = reply.send(Err(error));
        }
    }
}

fn portal() -> Response {
    let headers = vec![("content-type".to_owned(), "text/html".to_owned())];
    Response { status: 200, headers, body: Bytes::from_static(b"<html>Welcome to the hotel</html>") }
}
