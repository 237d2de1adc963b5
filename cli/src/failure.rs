//! A command that failed: a stable code, one sentence, and what to do next.

use std::fmt;

use serde::Serialize;
use turnstone::{Error, ErrorClass};
use turnstone_protocol::{Class, Code};

use crate::exit::Exit;

/// Why a command failed. Holds no payload: names of tables, fields, files and options only.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// What the process ends with.
    pub exit: Exit,
    /// The stable code.
    pub code: String,
    /// One sentence for a person.
    pub message: String,
    /// What to do next.
    pub next: String,
}

/// A failure as `--json` prints it.
#[derive(Debug, Serialize)]
struct Shown<'a> {
    code: &'a str,
    exit: u8,
    message: &'a str,
    next: &'a str,
}

impl Failure {
    /// Makes a failure.
    pub fn new(exit: Exit, code: impl Into<String>, message: impl Into<String>, next: impl Into<String>) -> Self {
        Self { exit, code: code.into(), message: message.into(), next: next.into() }
    }

    /// A sentence of the library or the server that says what is wrong, a colon, and what to do.
    pub fn advised(exit: Exit, code: &str, text: &str) -> Self {
        let (message, next) = text.rsplit_once(": ").unwrap_or((
            text,
            match exit {
                Exit::BadInput => "nothing was changed; give another value",
                Exit::Storage => "nothing was changed; check the file and its disk",
                Exit::Offline => "nothing is lost; try again later",
                _ => "try again; if it stays so, report it",
            },
        ));
        Self::new(exit, code, sentence(message), sentence(next))
    }

    /// Something given on the command line or in a file is wrong.
    pub fn bad_input(code: &str, message: impl Into<String>, next: &str) -> Self {
        Self::new(Exit::BadInput, code, message, next)
    }

    /// Options that contradict each other or are missing.
    pub fn usage(message: impl Into<String>, next: &str) -> Self {
        Self::new(Exit::Usage, "usage", message, next)
    }

    /// A thing that is not there.
    pub fn not_found(message: impl Into<String>, next: &str) -> Self {
        Self::new(Exit::NotFound, "not_found", message, next)
    }

    /// A file of the command line that cannot be read or written.
    pub fn file(path: &std::path::Path, error: &std::io::Error) -> Self {
        let shown = path.display();
        if error.kind() == std::io::ErrorKind::NotFound {
            return Self::not_found(format!("There is no file or folder {shown}."), "Check the path.");
        }
        let message = format!("{shown} cannot be used: {error}.");
        Self::new(Exit::BadInput, "file", message, "Check the path and its permissions.")
    }

    /// The failure as one line of JSON.
    #[must_use]
    pub fn to_json(&self) -> serde_json::Value {
        let shown = Shown { code: &self.code, exit: self.exit.number(), message: &self.message, next: &self.next };
        serde_json::json!({ "error": shown })
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} [{}]", self.message, self.code)?;
        if self.next.is_empty() { Ok(()) } else { write!(f, "\n  {}", self.next) }
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        let exit = match (error.code(), error.class()) {
            ("row_missing" | "dead_letter_missing", _) => Exit::NotFound,
            ("row_exists" | "dead_letter_stale", _) => Exit::Conflict,
            ("no_remote", _) => Exit::Usage,
            (_, ErrorClass::InvalidArgument) => Exit::BadInput,
            (_, ErrorClass::AuthRequired) => Exit::NeedsAuth,
            (_, ErrorClass::UpgradeRequired) => Exit::Upgrade,
            ("io" | "busy", _) | (_, ErrorClass::StorageFull | ErrorClass::Corrupt | ErrorClass::Unavailable) => {
                Exit::Storage
            }
            (_, ErrorClass::Retryable) => Exit::Offline,
            _ => Exit::Failure,
        };
        let next = match &error {
            Error::NoRemote => "Give --server or set TURNSTONE_SERVER.",
            Error::Sql { .. } => "Mend the statement.",
            Error::InvalidValue { .. } => "Nothing was changed; give another value.",
            Error::InvalidId { .. } | Error::InvalidWriteId { .. } => "Give another one.",
            Error::InvalidRemote { .. } => "Give another --server, or --allow-plain-http while developing.",
            Error::Schema { .. } | Error::SchemaContradicts { .. } => {
                "Give the schema the database was made with, or one that only adds to it."
            }
            _ => return Self::advised(exit, error.code(), &error.to_string()),
        };
        let code = match &error {
            // What is wrong with the value says more: `invalid_value` or `too_large`.
            Error::InvalidValue { code, .. } => code.as_str(),
            other => other.code(),
        };
        Self::new(exit, code, sentence(&error.to_string()), next)
    }
}

/// Which exit code a code of the protocol's catalogue leads to.
#[must_use]
pub fn exit_of(code: &Code) -> Exit {
    match code.class() {
        Class::Ok => Exit::Ok,
        Class::Retry => Exit::Offline,
        Class::Auth => Exit::NeedsAuth,
        Class::Conflict => Exit::Conflict,
        Class::Upgrade => Exit::Upgrade,
        Class::Gone => Exit::NotFound,
        Class::Fix => Exit::BadInput,
        Class::Reset => Exit::Failure,
    }
}

/// Makes a clause a sentence.
fn sentence(text: &str) -> String {
    let mut chars = text.chars();
    let Some(first) = chars.next() else { return String::new() };
    let end = if text.ends_with(['.', '!', '?']) { "" } else { "." };
    format!("{}{}{end}", first.to_uppercase(), chars.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_of_the_core_become_two_sentences_and_an_exit_code() {
        let failure = Failure::from(Error::UnknownTable { table: "notse".to_owned() });
        assert_eq!(failure.exit, Exit::BadInput);
        assert_eq!(failure.message, "There is no table \"notse\" in the schema.");
        assert_eq!(failure.next, "Check its name, or declare it.");

        assert_eq!(Failure::from(Error::RowMissing { table: "t".to_owned() }).exit, Exit::NotFound);
        assert_eq!(Failure::from(Error::RowExists { table: "t".to_owned() }).exit, Exit::Conflict);
        assert_eq!(Failure::from(Error::NewerDatabase { found: 2, known: 1 }).exit, Exit::Upgrade);
        for error in [Error::NotADatabase, Error::ReadOnly, Error::StorageFull, Error::AlreadyOpen, Error::Busy] {
            assert_eq!(Failure::from(error).exit, Exit::Storage);
        }
    }

    #[test]
    fn json_carries_code_exit_message_and_next() {
        let json = Failure::not_found("There is no such note.", "List them.").to_json();
        assert_eq!(json["error"]["code"], "not_found");
        assert_eq!(json["error"]["exit"], 4);
        assert_eq!(json["error"]["next"], "List them.");
    }
}
