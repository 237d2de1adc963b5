//! What stands before the server: it refuses for reasons of its own, whatever the server would say.

use std::collections::BTreeMap;

use bytes::Bytes;
use serde::Deserialize;
use turnstone::transport::{Request, Response};
use turnstone_protocol::{Code, Gid, Problem};

use crate::server::{expand, refusal};

/// How a push is refused that holds a group on which the server chokes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Poison {
    status: u16,
    /// Whether the answer says more than its status.
    told: bool,
}

impl Poison {
    /// One of the kinds there are.
    pub fn of(kind: u8) -> Self {
        Self { status: [400, 413, 500][usize::from(kind) % 3], told: (kind / 3).is_multiple_of(2) }
    }

    fn answer(self) -> Response {
        if !self.told {
            return Response { status: self.status, headers: Vec::new(), body: Bytes::new() };
        }
        let code = match self.status {
            400 => Code::Malformed,
            413 => Code::TooLarge,
            _ => Code::Internal,
        };
        refusal(&Problem::new(code, "This cannot be taken."))
    }
}

/// What stands before the server.
#[derive(Debug, Default)]
pub struct Front {
    /// Refuses work until then.
    pub overloaded_until_ms: u64,
    /// Whether it says then that there were too many requests (429), and not that it cannot work (503).
    pub too_many: bool,
    /// The groups it chokes on.
    pub poisons: BTreeMap<Gid, Poison>,
    /// Whether its last answer was that it choked.
    pub choked: bool,
}

impl Front {
    /// Its answer to what it chokes on. A void that gives such a group up says nothing of what is in it.
    pub fn refuses(&mut self, request: &Request) -> Option<Response> {
        #[derive(Deserialize)]
        struct Push {
            groups: Vec<Entry>,
        }
        #[derive(Deserialize)]
        struct Entry {
            gid: Option<Gid>,
        }
        self.choked = false;
        if self.poisons.is_empty() || request.path != "/sync/v1/push" {
            return None;
        }
        let push: Push = serde_json::from_slice(&expand(request).ok()?).ok()?;
        let poison = push.groups.iter().find_map(|entry| self.poisons.get(&entry.gid?))?;
        self.choked = true;
        Some(poison.answer())
    }

    /// Whether it has time for a request, whatever the server's wall clock reads.
    pub fn has_time(&self, now_ms: u64) -> Result<(), Problem> {
        if now_ms >= self.overloaded_until_ms {
            return Ok(());
        }
        let code = if self.too_many { Code::RateLimited } else { Code::Unavailable };
        let mut problem = Problem::new(code, "The server is busy.");
        problem.retry_after_ms = Some((self.overloaded_until_ms - now_ms).div_ceil(1000) * 1000);
        Err(problem)
    }
}
