//! What the world remembers of a device, because the device itself may forget it.

use std::sync::{Arc, Mutex, PoisonError};

use turnstone::{RunOutcome, Witness, WitnessError};
use turnstone_engine::oplog::GroupState;
use turnstone_protocol::Gid;

use crate::model::ModelOp;
use crate::work::Work;

/// A write whose fate the app does not know.
#[derive(Clone)]
pub struct Attempt {
    /// The app's key.
    pub write_id: String,
    /// What was to be written.
    pub work: Work,
    /// What it came to when the closure last ran: if a run was saved, it is that one.
    pub ops: Vec<ModelOp>,
    /// Where the device stood.
    pub position: u64,
    /// The life of the process in which an error was returned, if it was that and never anything else.
    pub refused_in: Option<u64>,
    /// Whether the process died in it once, or after it had failed: it may have been saved then, whatever a repetition says.
    pub may_be_saved: bool,
}

impl Attempt {
    /// Something to be written for the first time.
    pub fn new(write_id: String, work: Work, position: u64) -> Self {
        Self { write_id, work, ops: Vec::new(), position, refused_in: None, may_be_saved: false }
    }
}

/// A dead letter that is sent again, until it is known what came of it.
pub struct Retry {
    /// The group it is a letter of.
    pub gid: Gid,
    /// The op of it; none: all of them.
    pub place: Option<usize>,
    /// What the file held before.
    pub before: Vec<(Gid, GroupState)>,
    /// Where the device stood.
    pub position: u64,
    /// Whether the app was told that it worked.
    pub told: bool,
}

/// Time the system gave.
pub struct Run {
    /// What came of it, once something did.
    pub told: Arc<Mutex<Option<RunOutcome>>>,
    /// When it must be over, in world time, as long as its process lives and its file is not taken.
    pub until_ms: u64,
    /// How many groups there were when it began.
    pub groups: usize,
}

/// Something that must show.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Expected {
    /// The field shows this.
    Value(i64),
    /// The row does not show.
    Gone,
}

impl Expected {
    /// Whether a field that shows this is as expected; none: the row does not show.
    pub fn is(self, shown: Option<Option<i64>>) -> bool {
        match self {
            Self::Value(value) => shown == Some(Some(value)),
            Self::Gone => shown.is_none(),
        }
    }
}

/// A text outside of a device's files.
#[derive(Clone, Default)]
pub struct Outside(Arc<Mutex<Option<String>>>);

impl Witness for Outside {
    fn read(&self) -> Result<Option<String>, WitnessError> {
        Ok(self.0.lock().unwrap_or_else(PoisonError::into_inner).clone())
    }

    fn write(&self, token: &str) -> Result<(), WitnessError> {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(token.to_owned());
        Ok(())
    }
}
