//! Small numbers in the database for the words of the protocol, and SQLite's errors for ours.

use rusqlite::ffi;
use turnstone_protocol::wire::{Cause, Outcome};

use crate::storage::StorageError;

const OUTCOMES: [(i64, Outcome); 11] = [
    (1, Outcome::Applied),
    (2, Outcome::Merged),
    (3, Outcome::Conflict),
    (4, Outcome::Rejected),
    (5, Outcome::Blocked),
    (6, Outcome::Retry),
    (7, Outcome::NeedBase),
    (8, Outcome::SchemaBehind),
    (9, Outcome::OpExpired),
    (10, Outcome::Voided),
    (11, Outcome::Replaced),
];

const CAUSES: [(i64, Cause); 4] =
    [(1, Cause::Deleted), (2, Cause::MovedOut), (3, Cause::Revoked), (4, Cause::MergedInto)];

pub(super) fn outcome_code(outcome: Outcome) -> i64 {
    OUTCOMES.iter().find(|(_, known)| *known == outcome).map_or(0, |(code, _)| *code)
}

pub(super) fn outcome(code: i64) -> Result<Outcome, StorageError> {
    OUTCOMES
        .iter()
        .find(|(known, _)| *known == code)
        .map(|(_, outcome)| *outcome)
        .ok_or(StorageError::BadRecord("outcome"))
}

pub(super) fn cause_code(cause: Cause) -> i64 {
    CAUSES.iter().find(|(_, known)| *known == cause).map_or(0, |(code, _)| *code)
}

pub(super) fn cause(code: i64) -> Result<Cause, StorageError> {
    CAUSES.iter().find(|(known, _)| *known == code).map(|(_, cause)| *cause).ok_or(StorageError::BadRecord("cause"))
}

/// Commit numbers and seqs are far below 2^63; anything else is a damaged record.
pub(super) fn unsigned(int: i64) -> Result<u64, StorageError> {
    u64::try_from(int).map_err(|_| StorageError::BadRecord("number"))
}

/// See [`unsigned`].
pub(super) fn signed(int: u64) -> Result<i64, StorageError> {
    i64::try_from(int).map_err(|_| StorageError::BadRecord("number"))
}

impl From<rusqlite::Error> for StorageError {
    fn from(error: rusqlite::Error) -> Self {
        let Some(failure) = error.sqlite_error() else {
            return match error {
                rusqlite::Error::QueryReturnedNoRows => Self::BadRecord("row"),
                _ => Self::BadRecord("column"),
            };
        };
        match failure.extended_code & 0xff {
            ffi::SQLITE_BUSY | ffi::SQLITE_LOCKED => Self::Busy,
            ffi::SQLITE_FULL => Self::Full,
            ffi::SQLITE_READONLY | ffi::SQLITE_PERM => Self::ReadOnly,
            ffi::SQLITE_IOERR | ffi::SQLITE_CANTOPEN => Self::Io(failure.extended_code),
            ffi::SQLITE_CORRUPT => Self::Corrupt,
            ffi::SQLITE_NOTADB => Self::NotOurs,
            _ => Self::Other(failure.extended_code),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_word_has_its_number_and_back() {
        for (code, word) in OUTCOMES {
            assert_eq!(outcome_code(word), code);
            assert_eq!(outcome(code).unwrap(), word);
        }
        for (code, word) in CAUSES {
            assert_eq!(cause_code(word), code);
            assert_eq!(cause(code).unwrap(), word);
        }
        assert!(outcome(0).is_err());
    }
}
