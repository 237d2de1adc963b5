//! Whose database it is, as the app says: one account's rows and pending work are never another's (I-48).

use rusqlite::Connection;
use turnstone_protocol::hash::sha256;

use super::meta::{self, Key};
use super::numbers::Numbers;
use crate::error::Error;

/// The longest account, in bytes.
const BYTES_MAX: usize = 255;

/// The account a database is opened for: any text of the app's own, the same for the same person. It is only ever
/// compared, so neither the file nor a log has more of it than a hash.
#[derive(Clone, PartialEq, Eq)]
pub struct Account(String);

impl Account {
    /// Names an account.
    pub fn new(name: impl Into<String>) -> Self {
        Self(name.into())
    }

    fn digest(&self) -> Result<[u8; 32], Error> {
        let reason = match self.0.len() {
            0 => "it is empty",
            1..=BYTES_MAX => return Ok(sha256(self.0.as_bytes())),
            _ => "it has more than 255 bytes",
        };
        Err(Error::InvalidAccount { reason })
    }
}

impl std::fmt::Debug for Account {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Account")
    }
}

/// Refuses a database of another account, without changing it.
///
/// # Errors
/// [`Error::OtherAccount`] with what waits to be sent, or [`Error::InvalidAccount`].
pub(super) fn check(conn: &Connection, account: Option<&Account>, is_new: bool) -> Result<(), Error> {
    let Some(digest) = account.map(Account::digest).transpose()? else { return Ok(()) };
    if is_new {
        return Ok(());
    }
    match meta::read::<Vec<u8>>(conn, Key::Account)? {
        Some(owner) if owner != digest => Err(Error::OtherAccount { pending_groups: pending_groups(conn)? }),
        _ => Ok(()),
    }
}

/// Makes the database that of the account, if it is nobody's yet. What was written before somebody signed in is theirs
/// who signs in first.
pub(super) fn claim(conn: &Connection, account: Option<&Account>) -> Result<(), Error> {
    let Some(digest) = account.map(Account::digest).transpose()? else { return Ok(()) };
    match meta::read::<Vec<u8>>(conn, Key::Account)? {
        Some(_) => Ok(()),
        None => meta::write(conn, Key::Account, Some(digest.as_slice())),
    }
}

fn pending_groups(conn: &Connection) -> Result<u64, Error> {
    let settled = meta::read::<i64>(conn, Key::SettledGroups)?.unwrap_or(0);
    let written = Numbers::read(conn)?.next_grp - 1;
    Ok(u64::try_from(written - settled).unwrap_or(0))
}
