//! Setting a group aside that must not be sent as it is: too large for this server, or a poison.

use turnstone_engine::oplog::{GroupState, Moment};
use turnstone_protocol::plant::{self, Bug};
use turnstone_protocol::{Code, Gid};

use super::letters::Refusal;
use super::{log, verdicts};
use crate::error::Error;
use crate::storage::SystemTx;

/// Moves a group to the dead letters. If it has a seq, a void gives it up: the seq is used, no hole stops the device
/// (rule 14), and should it have been applied after all, the server says so and the letter is withdrawn.
/// False: there was nothing to set aside.
pub(crate) fn quarantine(sys: &mut SystemTx<'_>, gid: Gid, code: &Code, now: Moment) -> Result<bool, Error> {
    let Some(head) = log::head_by_gid(sys, gid)? else { return Ok(false) };
    let to = match head.state {
        GroupState::New | GroupState::Parked => GroupState::Dead,
        GroupState::Sent if plant::on(Bug::PoisonLeavesHole) => GroupState::Dead,
        GroupState::Sent | GroupState::Unheard => GroupState::Voiding,
        GroupState::Decided | GroupState::Gone | GroupState::Dead | GroupState::Voiding | GroupState::Held => {
            return Ok(false);
        }
    };
    verdicts::refuse(sys, &head, to, Some(&Refusal { code, fields: &[], at_ms: now.wall_ms }))?;
    log::advance_low(sys)?;
    Ok(true)
}
