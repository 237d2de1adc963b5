//! Another tenant of the same server, who must never see or miss anything because of the first.

use serde_json::value::RawValue;
use turnstone_protocol::wire::PushRequest;
use turnstone_server::service::Principal;

use super::Server;
use crate::app;

impl Server {
    /// Another tenant makes a row; the first one has the id of a row that every family has.
    pub fn neighbour_writes(&mut self, now_ms: u64) -> Result<(), String> {
        if self.disk.is_dead() || !self.start() {
            return Ok(());
        }
        let Some(service) = &self.service else { return Ok(()) };
        let seq = self.neighbours + 1;
        let id = if seq == 1 { app::SETTINGS.to_owned() } else { format!("theirs{seq}") };
        let op = format!(r#"{{"op":"create","table":"notes","id":"{id}","base":0,"set":{{"a":{seq}}}}}"#);
        let life = format!(r#""device":"{:032x}","incarnation":"{:032x}","schema":1"#, 77, 77);
        let group = format!(
            r#"{{"gid":"{:032x}","seq":{seq},"hlc":"{:016x}","schema":1,"ops":[{op}]}}"#,
            u128::from(seq) + 1_000,
            now_ms << 16
        );
        let body = format!(r#"{{{life},"groups":[{group}]}}"#);
        let push: PushRequest<&RawValue> = serde_json::from_str(&body).map_err(|error| error.to_string())?;
        match service.push_text(&neighbour(), &push, now_ms) {
            Ok(answer) if answer.json.contains("\"applied\"") => self.neighbours += 1,
            Ok(answer) => return Err(answer.json),
            // The disk failed on the way: nobody was told anything, and the next one repeats it.
            Err(_) => {}
        }
        Ok(())
    }

    /// What the other tenant would miss, or find too much.
    pub fn neighbour_is_wrong(&self) -> Option<String> {
        let state = self.service.as_ref()?.state_hash(&neighbour()).ok()?;
        let fits = |count| state.rows == count && state.at == count;
        // One may have been stored without an answer.
        let fine = fits(self.neighbours) || fits(self.neighbours + 1);
        (!fine).then(|| format!("another tenant wrote {} rows and has {} at {}", self.neighbours, state.rows, state.at))
    }
}

fn neighbour() -> Principal {
    Principal { tenant: "neighbour".to_owned(), sub: "them".to_owned(), device: None }
}
