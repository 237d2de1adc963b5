//! Integers of messages are at most [`WIRE_INTEGER_MAX`]: every reader's numbers carry them exactly, and a sum of two is a
//! number too, whatever a server makes up.

use serde::de::Error;
use serde::{Deserialize, Deserializer};

use crate::limits::WIRE_INTEGER_MAX;

/// Reads an integer of a message.
pub(super) fn read<'de, D: Deserializer<'de>>(from: D) -> Result<u64, D::Error> {
    u64::deserialize(from).and_then(bounded)
}

/// Reads an integer that may be missing.
pub(super) fn read_some<'de, D: Deserializer<'de>>(from: D) -> Result<Option<u64>, D::Error> {
    Option::deserialize(from)?.map(bounded).transpose()
}

fn bounded<E: Error>(number: u64) -> Result<u64, E> {
    if number <= WIRE_INTEGER_MAX { Ok(number) } else { Err(E::custom("an integer beyond 2^53-1")) }
}
