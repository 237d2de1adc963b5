//! How one field decides between the value it has and the value that arrives.

use std::cmp::Ordering;

use super::stamp::Stamp;
use crate::plant::{self, Bug};
use crate::schema::Policy;
use crate::value::Value;

/// A written value of a field.
pub(super) struct Written<'a> {
    pub(super) value: &'a Value,
    pub(super) stamp: Stamp,
    /// Whether the arriving op's writer had not seen it.
    pub(super) overlap: bool,
}

/// Whether the arriving value takes the place of the one that is there.
///
/// Policies that are not built are refused when a schema is opened; should one arrive here all
/// the same, the stamp decides, which loses nothing that the group log does not keep.
pub(super) fn arriving_wins(policy: Policy, there: &Written<'_>, value: &Value, stamp: Stamp) -> bool {
    let later = stamp > there.stamp || plant::on(Bug::TieByArrival);
    match policy {
        Policy::Server => !there.overlap,
        Policy::Client => true,
        Policy::Max => combine(value, there.value, later, Ordering::Greater),
        Policy::Min => combine(value, there.value, later, Ordering::Less),
        _ => later,
    }
}

/// Max and min combine whether or not the writer saw the other value: only so is the result the
/// same in every order. Of two equal values the later stamp stays, for the same reason. Null is
/// "no value" and loses to any.
fn combine(arriving: &Value, there: &Value, later: bool, wanted: Ordering) -> bool {
    match (arriving.is_null(), there.is_null()) {
        (true, true) => later,
        (true, false) => false,
        (false, true) => true,
        (false, false) => match rank(arriving, there) {
            Ordering::Equal => later,
            order => order == wanted,
        },
    }
}

/// The order of two values of one type; text by its UTF-8 bytes. Values of different types (a
/// field once unknown here) are ordered by type, so that there is an order at all.
fn rank(a: &Value, b: &Value) -> Ordering {
    match (a, b) {
        (Value::Int(a), Value::Int(b)) => a.cmp(b),
        (Value::Real(a), Value::Real(b)) => a.total_cmp(b),
        (Value::Text(a), Value::Text(b)) | (Value::Json(a), Value::Json(b)) => a.cmp(b),
        (Value::Bytes(a), Value::Bytes(b)) => a.cmp(b),
        (Value::Bool(a), Value::Bool(b)) => a.cmp(b),
        (a, b) => kind(a).cmp(&kind(b)),
    }
}

const fn kind(value: &Value) -> u8 {
    match value {
        Value::Null => 0,
        Value::Bool(_) => 1,
        Value::Int(_) => 2,
        Value::Real(_) => 3,
        Value::Text(_) => 4,
        Value::Bytes(_) => 5,
        Value::Json(_) => 6,
    }
}
