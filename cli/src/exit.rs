//! Exit codes: what a script can tell apart. `docs/cli.md` documents them.

use std::process::ExitCode;

use serde::Serialize;

/// How the command ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Exit {
    /// It did what it was asked to.
    Ok = 0,
    /// It failed in a way none of the other codes names.
    Failure = 1,
    /// The command line itself is wrong.
    Usage = 2,
    /// What it was given is wrong: a value, a schema, SQL, a file to import.
    BadInput = 3,
    /// The row, note, dead letter or file is not there.
    NotFound = 4,
    /// The server cannot be reached now, or asked to come back later. Nothing is lost; try again.
    Offline = 5,
    /// The token is missing, wrong, expired, or does not allow this.
    NeedsAuth = 6,
    /// Something was refused for good, or somebody else was first: dead letters wait, or the row exists already.
    Conflict = 7,
    /// The database cannot be opened or written: not a database, read-only, open elsewhere, disk full.
    Storage = 8,
    /// The database or the server is newer than this command.
    Upgrade = 9,
}

impl Exit {
    /// Every code with its meaning in a few words, in order.
    pub const ALL: [(Self, &'static str); 10] = [
        (Self::Ok, "ok"),
        (Self::Failure, "failure"),
        (Self::Usage, "usage"),
        (Self::BadInput, "bad input"),
        (Self::NotFound, "not found"),
        (Self::Offline, "offline, or retry later"),
        (Self::NeedsAuth, "needs auth"),
        (Self::Conflict, "conflict, or dead letters present"),
        (Self::Storage, "storage"),
        (Self::Upgrade, "upgrade needed"),
    ];

    /// The number the process ends with.
    #[must_use]
    pub const fn number(self) -> u8 {
        self as u8
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit.number())
    }
}
