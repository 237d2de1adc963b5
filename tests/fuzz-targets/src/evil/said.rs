//! What the server has said of which group: the whole licence a device has to let one go.
//!
//! A verdict that is final, on a group that was in that push; a run of such; a commit of a page that is marked as the
//! device's own and `as_sent`. `acked` is none: it takes a group out of the fold, but not out of the log (rule 11).

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value as Json;
use turnstone::transport::{Request, Response};
use turnstone_protocol::wire::{HelloAnswer, PullAnswer, PullRequest, PushAnswer, PushRequest};
use turnstone_protocol::{Gid, Incarnation, hash, limits};

#[derive(Default)]
pub(super) struct Said {
    /// Which group a device sent with which seq of which life.
    seqs: BTreeMap<(Incarnation, u64), Gid>,
    /// Groups the server decided, if it is to be believed.
    pub(super) decided: BTreeSet<Gid>,
    /// Bytes of all answers, unpacked.
    pub(super) bytes: u64,
    /// Whose database it is, as an honest server greets.
    pub(super) principal: Option<String>,
}

impl Said {
    pub(super) fn hear(&mut self, request: &Request, answer: &Response) {
        let Some(body) = unpack(&answer.headers, &answer.body) else { return };
        self.bytes += body.len() as u64;
        if answer.status != 200 {
            return;
        }
        let names: Vec<(String, String)> =
            request.headers.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect();
        let Some(asked) = unpack(&names, &request.body) else { return };
        if request.path.ends_with("/push") {
            let asked: PushRequest<Json> = serde_json::from_slice(&asked).expect("a device sends what can be read");
            let sent = self.sent(&asked);
            if let Ok(answer) = serde_json::from_slice::<PushAnswer>(&body) {
                self.verdicts(&sent, &answer);
                if let Some(page) = &answer.pull {
                    self.page(asked.incarnation, page);
                }
            }
        } else if request.path.ends_with("/pull") {
            let asked: PullRequest = serde_json::from_slice(&asked).expect("a device sends what can be read");
            if let Ok(page) = serde_json::from_slice::<PullAnswer>(&body) {
                self.page(asked.incarnation, &page);
            }
        }
    }

    /// What an honest server says to a greeting, whatever the device hears.
    pub(super) fn honest_greeting(&mut self, answer: &Response) {
        if let Ok(answer) = serde_json::from_slice::<HelloAnswer>(&answer.body) {
            self.principal = answer.principal;
        }
    }

    /// The groups of a push by seq; of those that are given up only the gid counts.
    fn sent(&mut self, asked: &PushRequest<Json>) -> BTreeMap<u64, Gid> {
        let gid = |entry: &Json| {
            let text = entry.get("gid").or(entry.get("void"))?.as_str()?;
            Some((entry.get("seq")?.as_u64()?, text.parse().ok()?))
        };
        let sent: BTreeMap<u64, Gid> = asked.groups.iter().filter_map(gid).collect();
        self.seqs.extend(sent.iter().map(|(seq, gid)| ((asked.incarnation, *seq), *gid)));
        sent
    }

    fn verdicts(&mut self, sent: &BTreeMap<u64, Gid>, answer: &PushAnswer) {
        for verdict in &answer.verdicts {
            let final_word =
                verdict.verdict.is_terminal() && (!verdict.verdict.is_accepted() || verdict.commit.is_some());
            if final_word && sent.values().any(|gid| *gid == verdict.gid) {
                self.decided.insert(verdict.gid);
            }
        }
        for run in &answer.applied {
            let end = run.seq.saturating_add(run.count);
            self.decided.extend(sent.range(run.seq..end.max(run.seq)).map(|(_, gid)| *gid));
        }
    }

    fn page(&mut self, incarnation: Incarnation, page: &PullAnswer) {
        for commit in page.commits.iter().filter(|commit| commit.as_sent) {
            self.decided.extend(commit.gid);
        }
        for commit in &page.commits {
            let Some(first) = commit.own else { continue };
            let end = first.saturating_add(commit.count.max(1));
            let gids: Vec<Gid> =
                self.seqs.range((incarnation, first)..(incarnation, end)).map(|(_, gid)| *gid).collect();
            let is_meant = match commit.count {
                0 | 1 => commit.as_sent && commit.gid.is_none_or(|gid| gids == [gid]),
                count => gids.len() as u64 == count && commit.gids.as_deref() == Some(&*hash::gids(&gids)),
            };
            if is_meant {
                self.decided.extend(gids);
            }
        }
    }
}

/// The bytes of a body as the device reads them, if it does.
fn unpack(headers: &[(String, String)], body: &[u8]) -> Option<Vec<u8>> {
    use std::io::Read;
    let packing = headers.iter().find(|(name, _)| name.eq_ignore_ascii_case("content-encoding"));
    let mut plain = Vec::new();
    let limit = limits::ANSWER_EXPANDED_BYTES_MAX as u64 + 1;
    match packing.map(|(_, value)| value.as_str()) {
        None | Some("identity") => plain.extend_from_slice(body),
        Some("zstd") => drop(zstd::Decoder::new(body).ok()?.take(limit).read_to_end(&mut plain).ok()?),
        Some("gzip") => drop(flate2::read::MultiGzDecoder::new(body).take(limit).read_to_end(&mut plain).ok()?),
        Some(_) => return None,
    }
    Some(plain)
}
