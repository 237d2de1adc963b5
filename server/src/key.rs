//! Secret keys: what signs tokens, and what cursors are sealed with.

use std::fmt;
use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;

/// The fewest bytes of a key (RFC 7518, section 3.2: as many as the hash has).
pub const KEY_BYTES_MIN: usize = 32;

/// A secret of at least [`KEY_BYTES_MIN`] bytes.
#[derive(Clone, PartialEq, Eq)]
pub struct Key(Vec<u8>);

/// A key that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// Too short to be a secret.
    #[error("a key needs at least {KEY_BYTES_MIN} bytes: make one with `head -c 48 /dev/urandom | base64`")]
    TooShort,
    /// The file cannot be read or written.
    #[error("the key file {path}: {source}")]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
}

impl Key {
    /// Takes a key as it is.
    ///
    /// # Errors
    /// [`KeyError::TooShort`].
    pub fn from_bytes(bytes: impl Into<Vec<u8>>) -> Result<Self, KeyError> {
        let bytes = bytes.into();
        if bytes.len() < KEY_BYTES_MIN { Err(KeyError::TooShort) } else { Ok(Self(bytes)) }
    }

    /// Takes a key written as text, without the white space around it.
    ///
    /// # Errors
    /// [`KeyError::TooShort`].
    pub fn from_text(text: &str) -> Result<Self, KeyError> {
        Self::from_bytes(text.trim().as_bytes())
    }

    /// Reads a key from a file of text.
    ///
    /// # Errors
    /// [`KeyError`] if the file cannot be read or is too short.
    pub fn from_file(path: &Path) -> Result<Self, KeyError> {
        let text = fs::read_to_string(path).map_err(|source| KeyError::Io { path: path.to_owned(), source })?;
        Self::from_text(&text)
    }

    /// Reads the key of a development server beside its database (`<database>.key`), or makes it from `random`,
    /// readable by its owner only. Tokens and cursors thus survive a restart.
    ///
    /// # Errors
    /// [`KeyError`] if the file can be neither read nor made.
    pub fn dev(database: &Path, random: [u8; 32]) -> Result<Self, KeyError> {
        let path = beside(database, ".key");
        match fs::read_to_string(&path) {
            Ok(text) => Self::from_text(&text),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                let text = hex(&random);
                write_private(&path, &text).map_err(|source| KeyError::Io { path, source })?;
                Self::from_text(&text)
            }
            Err(source) => Err(KeyError::Io { path, source }),
        }
    }

    /// Derives a key for one purpose, so that no two uses share one.
    #[must_use]
    pub fn derive(&self, purpose: &str) -> [u8; 32] {
        mac(&self.0, purpose.as_bytes())
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        &self.0
    }
}

/// Never shows the secret.
impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Key")
    }
}

/// HMAC-SHA256.
pub(crate) fn mac(key: &[u8], message: &[u8]) -> [u8; 32] {
    Hmac::<Sha256>::new_from_slice(key)
        .map(|mut mac| {
            mac.update(message);
            mac.finalize().into_bytes().into()
        })
        // HMAC takes keys of any length.
        .unwrap_or_default()
}

/// Compares without telling by time where two texts differ.
pub(crate) fn same(a: &[u8], b: &[u8]) -> bool {
    a.len() == b.len() && a.iter().zip(b).fold(0, |seen, (a, b)| seen | (a ^ b)) == 0
}

/// The path of a file that lives beside the database.
pub(crate) fn beside(database: &Path, suffix: &str) -> PathBuf {
    let mut name = database.as_os_str().to_owned();
    name.push(suffix);
    PathBuf::from(name)
}

pub(crate) fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// Writes a file that only its owner can read, durably, and never half of it.
pub(crate) fn write_private(path: &Path, text: &str) -> std::io::Result<()> {
    let draft = beside(path, ".new");
    let mut options = fs::OpenOptions::new();
    options.write(true).create(true).truncate(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(&draft)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()?;
    drop(file);
    fs::rename(&draft, path)?;
    #[cfg(unix)]
    if let Some(folder) = path.parent() {
        let folder = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
        fs::File::open(folder)?.sync_all()?;
    }
    Ok(())
}
