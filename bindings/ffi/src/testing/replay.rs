//! Golden vectors and traces, run by the library that an app loads. A case that cannot even be read is a panic, which the
//! fence turns into an error.

use serde_json::Value as Json;
use turnstone_engine::scheduler::Trace;

use super::vectors;
use crate::error::FfiError;
use crate::fence;

/// What a case (`input`) of `protocol/vectors` gives, as JSON: to be compared with its `expect`. `schema` is the one that all cases
/// of the file share.
#[cfg_attr(feature = "testing", uniffi::export)]
pub fn replay_vector(file: String, list: String, schema: Option<String>, input: String) -> Result<String, FfiError> {
    fence::quick("replay_vector", || {
        let case: Json = serde_json::from_str(&input).map_err(unreadable)?;
        Ok(vectors::outcome(&file, &list, schema.as_deref(), &case).to_string())
    })
}

/// A trace of `engine/traces` with what the scheduler decides at each step, as JSON: to be compared with itself.
#[cfg_attr(feature = "testing", uniffi::export)]
pub fn replay_trace(trace: String) -> Result<String, FfiError> {
    fence::quick("replay_trace", || {
        let trace: Trace = serde_json::from_str(&trace).map_err(unreadable)?;
        serde_json::to_string(&trace.replay()).map_err(unreadable)
    })
}

#[allow(clippy::needless_pass_by_value, reason = "it stands in map_err")]
fn unreadable(error: serde_json::Error) -> FfiError {
    FfiError::InvalidArgument { code: "unreadable".to_owned(), text: error.to_string() }
}
