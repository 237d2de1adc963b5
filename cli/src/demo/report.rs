//! What the demo found, as data.

use serde::Serialize;

use super::moments::Moment;
use super::oracle::Findings;
use crate::proxy::Summary;

/// The whole run.
#[derive(Debug, Clone, Serialize)]
pub struct Report {
    /// Where notes and edits come from.
    pub source: String,
    /// What decided the rest.
    pub seed: u64,
    /// Notes at the beginning.
    pub notes_at_start: usize,
    /// Real commits dealt, each a group.
    pub commits: usize,
    /// Seeded edits dealt beside them, each a group.
    pub seeded_edits: usize,
    /// Notes that two devices touched without knowing of each other.
    pub meetings: usize,
    /// Times the devices went online.
    pub sync_passes: usize,
    /// Times the server was killed and started again.
    pub server_crashes: usize,
    /// Times a device was killed in the middle of its writes.
    pub device_crashes: usize,
    /// Each device.
    pub devices: Vec<DeviceReport>,
    /// The server.
    pub server: Hashed,
    /// What went wrong on the links together.
    pub link: Summary,
    /// What the oracle found.
    pub checks: Findings,
    /// Moments worth telling.
    pub moments: Vec<Moment>,
    /// Whether every device and the server have the same state hash.
    pub equal: bool,
    /// Whether everything is as it must be.
    pub ok: bool,
    /// How long it took.
    pub seconds: f64,
}

/// One device.
#[derive(Debug, Clone, Serialize)]
pub struct DeviceReport {
    /// Its name.
    pub name: &'static str,
    /// How wrong its clock was.
    pub clock_offset: &'static str,
    /// Notes on it at the end.
    pub notes: u64,
    /// Groups it wrote, all acknowledged.
    pub groups_written: u64,
    /// Groups the server decided.
    pub groups_pushed: u64,
    /// Rows it fetched.
    pub rows_pulled: u64,
    /// Its groups that were merged with changes they had not seen.
    pub merged: u64,
    /// Overlaps in them that a policy decided.
    pub overlaps: u64,
    /// Changes of it that were refused.
    pub dead_letters: u64,
    /// Groups that still wait.
    pub pending: u64,
    /// Bytes sent.
    pub bytes_up: u64,
    /// Bytes received.
    pub bytes_down: u64,
    /// Attempts its syncs took.
    pub attempts: u32,
    /// Seconds it spent writing and syncing.
    pub seconds: f64,
    /// Its state hash.
    pub state: Hashed,
}

/// A state hash.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Hashed {
    /// The commit it stands for.
    pub at: u64,
    /// How many rows there are.
    pub rows: u64,
    /// The hash, in hex.
    pub hash: String,
}

impl Report {
    /// Why the run is not as it must be, a sentence each.
    #[must_use]
    pub fn problems(&self) -> Vec<String> {
        let mut problems = self.checks.problems.clone();
        if !self.equal {
            problems.push("the state hashes differ".to_owned());
        }
        for device in &self.devices {
            if device.pending > 0 {
                problems.push(format!("{} changes of the {} still wait", device.pending, device.name));
            }
            if device.dead_letters > 0 {
                problems.push(format!("{} changes of the {} were refused", device.dead_letters, device.name));
            }
        }
        problems
    }
}
