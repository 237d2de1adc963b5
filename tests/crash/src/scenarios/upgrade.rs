//! A server database of the first released version, with its rows and groups, is opened by the server of today: it
//! is brought to the newest version, and pushed to. Whatever the accident (I-44, I-45), it ends as an undisturbed run ends.

use serde_json::json;
use serde_json::value::RawValue;
use turnstone_protocol::wire::PushRequest;
use turnstone_protocol::{DeviceId, Gid, Hlc, Incarnation};
use turnstone_server::{Principal, Service};
use turnstone_vfs::{DiskImage, Mount};

use super::client::NOW_MS;
use super::server::{self, PATH};
use crate::dump;
use crate::scenario::{Failure, Scenario, Session};

const OLD: &[u8] = include_bytes!("../../../../core/tests/fixtures/client1-server1/server.db");
const WITNESS: &str = include_str!("../../../../core/tests/fixtures/client1-server1/server.db.epoch");
const SCHEMA: &str = include_str!("../../../../core/tests/fixtures/client1-server1/schema.toml");

/// Action 0 opens it, the others push.
const ACTIONS: usize = 4;

/// An old database that is opened.
#[derive(Debug, Clone)]
pub struct Upgrade {
    /// Varies sizes.
    pub seed: u64,
}

impl Scenario for Upgrade {
    fn name(&self) -> &'static str {
        "upgrade, server"
    }

    fn start(&self) -> Result<Vec<DiskImage>, Failure> {
        let mut image = DiskImage::new();
        image.insert(PATH, OLD.to_vec());
        Ok(vec![image])
    }

    fn outlives_sync_errors(&self) -> bool {
        false
    }

    fn actions(&self) -> usize {
        ACTIONS
    }

    /// Opening is several transactions. As in the loop over migrations, what is seen is the file.
    fn atomic(&self, _i: usize) -> bool {
        false
    }

    /// Opens nothing: opening is what is tested.
    fn open<'a>(&self, machines: &'a [Mount]) -> Result<Box<dyn Session + 'a>, Failure> {
        let machine = machines.first().ok_or_else(|| Failure::unexpected("no machine"))?;
        Ok(Box::new(Running { machine, seed: self.seed, service: None }))
    }

    fn dump(&self, victim: &Mount) -> Result<String, Failure> {
        dump::dump(victim, PATH, &[])
    }
}

struct Running<'a> {
    machine: &'a Mount,
    seed: u64,
    service: Option<Service>,
}

impl Session for Running<'_> {
    fn act(&mut self, i: usize) -> Result<(), Failure> {
        let service = match self.service.take() {
            Some(service) => service,
            None => server::open_as(self.machine, SCHEMA, WITNESS)?,
        };
        let service = self.service.insert(service);
        if i == 0 { Ok(()) } else { push(service, i, self.seed) }
    }

    fn see(&mut self) -> Result<String, Failure> {
        dump::image(&self.machine.disk().snapshot(), PATH, &[], None)
    }
}

/// A new row, and an edit of one that an old server kept.
fn push(service: &Service, i: usize, seed: u64) -> Result<(), Failure> {
    let now_ms = NOW_MS + i as u64 * 1_000;
    let body = "b".repeat((seed as usize * 7 + i * 13) % 40 * 200);
    let group = json!({
        "gid": Gid::from_random(1_000 + i as u128), "seq": i, "hlc": Hlc::at(now_ms), "schema": 1,
        "ops": [
            {"op": "create", "table": "notes", "id": format!("new{i}"), "set": {"title": "new", "body": body}},
            {"op": "update", "table": "notes", "id": "counted", "base": 1, "inc": {"views": i}},
        ],
    });
    let request = PushRequest {
        device: DeviceId::from_random(77),
        incarnation: Incarnation::from_random(77),
        schema: 1,
        groups: vec![RawValue::from_string(group.to_string()).map_err(Failure::unexpected)?],
        runs: false,
        pull: None,
    };
    let who = Principal { tenant: "tenant".to_owned(), sub: "somebody".to_owned(), device: None };
    let answer = service.push(&who, request, now_ms).map_err(server::problem)?;
    match answer.verdicts.as_slice() {
        [verdict] if verdict.verdict.is_accepted() => Ok(()),
        other => Err(Failure::unexpected(format!("not accepted: {other:?}"))),
    }
}
