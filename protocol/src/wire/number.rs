//! Integers of messages are at most [`WIRE_INTEGER_MAX`]: every reader's numbers carry them exactly, and a sum of two is a
//! number too, whatever a server makes up.

use serde::de::Error;
use serde::{Deserialize, Deserializer};

use crate::limits::WIRE_INTEGER_MAX;

/// Reads an integer of a message.
pub(super) fn read<'de, D: Deserializer<'de>>(from: D) -> Result<u64, D::Error> {
    let number = u64::deserialize(from)?;
    if number <= WIRE_INTEGER_MAX { Ok(number) } else { Err(D::Error::custom("an integer beyond 2^53-1")) }
}

/// Reads an integer that may be missing.
pub(super) fn read_some<'de, D: Deserializer<'de>>(from: D) -> Result<Option<u64>, D::Error> {
    let number = Option::<u64>::deserialize(from)?;
    match number {
        Some(number) if number > WIRE_INTEGER_MAX => Err(D::Error::custom("an integer beyond 2^53-1")),
        number => Ok(number),
    }
}
