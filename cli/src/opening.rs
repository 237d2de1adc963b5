//! Opens what the global options name: the schema, the server, the device's database.

use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::time::Duration;

use turnstone::transport::Timeouts;
use turnstone::{Clock, Durability, Options, Remote, Schema, Store, TokenError, TokenReason};

use crate::failure::Failure;
use crate::global::{DurabilityArg, Global};

/// The schema of `turnstone notes` and of the demo.
pub const NOTES_SCHEMA: &str = include_str!("../schemas/notes.toml");
/// The database where none is named.
const DEFAULT_DB: &str = "turnstone.db";
/// The largest schema document read.
const SCHEMA_BYTES_MAX: u64 = 4 << 20;

/// Which schema a device command opens its database with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SchemaChoice {
    /// What `--schema` names, else what the database was made with, else that of notes.
    Any,
    /// That of notes, always.
    Notes,
}

/// Reads the schema of notes.
///
/// # Errors
/// Never, while the shipped document is right; a test reads it.
pub fn notes_schema() -> Result<Schema, Failure> {
    parse(NOTES_SCHEMA, Path::new("notes.toml"))
}

/// Reads a schema document.
///
/// # Errors
/// A [`Failure`] with line and column.
pub fn read_schema(path: &Path) -> Result<Schema, Failure> {
    let failed = |error: std::io::Error| Failure::file(path, &error);
    if std::fs::metadata(path).map_err(failed)?.len() > SCHEMA_BYTES_MAX {
        return Err(Failure::bad_input(
            "schema_too_large",
            format!("{} is larger than {SCHEMA_BYTES_MAX} bytes.", path.display()),
            "A schema is a small document; check the path.",
        ));
    }
    parse(&std::fs::read_to_string(path).map_err(failed)?, path)
}

fn parse(text: &str, path: &Path) -> Result<Schema, Failure> {
    Schema::parse(text).and_then(|schema| schema.check_supported().map(|()| schema)).map_err(|error| {
        Failure::bad_input(error.code, format!("{}:{error}.", path.display()), "Mend the schema and try again.")
    })
}

impl Global {
    /// The database file.
    #[must_use]
    pub fn db_path(&self) -> PathBuf {
        self.db.clone().unwrap_or_else(|| PathBuf::from(DEFAULT_DB))
    }

    /// The access token, where one was given.
    ///
    /// # Errors
    /// A [`Failure`] if the token file cannot be read.
    pub fn read_token(&self) -> Result<Option<String>, Failure> {
        match &self.token_file {
            Some(path) => {
                let text = std::fs::read_to_string(path).map_err(|error| Failure::file(path, &error))?;
                Ok(Some(text.trim().to_owned()))
            }
            None => Ok(self.token.clone()),
        }
    }

    /// How long to wait for the server.
    #[must_use]
    pub fn timeouts(&self) -> Timeouts {
        let wait = Duration::from_millis(self.timeout_ms.max(1));
        Timeouts { connect: wait.min(Duration::from_secs(10)), read: wait, total: wait.saturating_mul(10) }
    }

    /// The server, where one was given.
    ///
    /// # Errors
    /// A [`Failure`] if there is a server and no token.
    pub fn remote(&self) -> Result<Option<Remote>, Failure> {
        let Some(url) = &self.server else { return Ok(None) };
        let token = self.read_token()?.ok_or_else(|| {
            Failure::new(
                crate::exit::Exit::NeedsAuth,
                "token_missing",
                "There is a server but no token.",
                "Give --token or --token-file, or set TURNSTONE_TOKEN.",
            )
        })?;
        let tokens = FileTokens { file: self.token_file.clone(), last: Mutex::new(token) };
        let remote = Remote::http(url, move |reason| tokens.token(reason)).timeouts(self.timeouts());
        Ok(Some(if self.allow_plain_http { remote.allow_plain_http() } else { remote }))
    }

    /// The clocks, as wrong as they were asked to be.
    #[must_use]
    pub fn clock(&self) -> Clock {
        Clock::system().offset_ms(self.clock_offset.unwrap_or_default().0)
    }

    /// The wall clock of this device in milliseconds since 1970, as wrong as it was asked to be.
    #[must_use]
    pub fn now_ms(&self) -> i64 {
        i64::try_from(self.clock().now().wall_ms).unwrap_or(i64::MAX)
    }

    /// How this device's database is opened.
    ///
    /// # Errors
    /// A [`Failure`] about the schema or the server's address.
    pub fn options(&self, choice: SchemaChoice) -> Result<Options, Failure> {
        let schema = match (choice, &self.schema) {
            (SchemaChoice::Any, Some(path)) => read_schema(path)?,
            (SchemaChoice::Any, None) => stored_schema(&self.db_path())?,
            (SchemaChoice::Notes, _) => notes_schema()?,
        };
        let durability = match self.durability {
            DurabilityArg::Power => Durability::Power,
            DurabilityArg::Process => Durability::Process,
        };
        let options = Options::new(self.db_path(), schema)
            .durability(durability)
            .app_version(concat!("turnstone-cli ", env!("CARGO_PKG_VERSION")))
            .clock(self.clock());
        Ok(match self.remote()? {
            Some(remote) => options.remote(remote),
            None => options,
        })
    }

    /// Opens this device's database, making it if there is none.
    ///
    /// # Errors
    /// A [`Failure`] that says what is wrong with it; it is untouched then.
    pub fn open(&self, choice: SchemaChoice) -> Result<Store, Failure> {
        Ok(Store::open(self.options(choice)?)?)
    }

    /// Opens this device's database, which must be there: reading must not make an empty one.
    ///
    /// # Errors
    /// As [`Global::open`], and a failure where there is none.
    pub fn open_existing(&self, choice: SchemaChoice) -> Result<Store, Failure> {
        let path = self.db_path();
        if path.exists() {
            return self.open(choice);
        }
        let next = "Check --db, or make it: `turnstone notes init`, or write to it with --schema.";
        Err(Failure::new(
            crate::exit::Exit::NotFound,
            "database_missing",
            format!("There is no database {}.", path.display()),
            next,
        ))
    }
}

/// The schema a database was made with, or that of notes.
fn stored_schema(path: &Path) -> Result<Schema, Failure> {
    Store::stored_schema(path)?.map_or_else(notes_schema, Ok)
}

/// Tokens from the command line, or from a file that somebody may renew.
struct FileTokens {
    file: Option<PathBuf>,
    last: Mutex<String>,
}

impl FileTokens {
    fn token(&self, reason: TokenReason) -> Result<String, TokenError> {
        let mut last = self.last.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        if reason == TokenReason::First {
            return Ok(last.clone());
        }
        let file = self.file.as_ref().ok_or(TokenError::SignIn)?;
        let fresh = std::fs::read_to_string(file).map_err(|_| TokenError::Later)?.trim().to_owned();
        if fresh == *last {
            return Err(TokenError::SignIn);
        }
        last.clone_from(&fresh);
        Ok(fresh)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_shipped_schema_is_right() {
        let schema = notes_schema().unwrap();
        let names: Vec<&str> = schema.tables["notes"].fields.iter().map(|field| field.name.as_str()).collect();
        assert_eq!(names, ["title", "tag", "body", "pinned", "views", "updated_at"]);
    }
}
