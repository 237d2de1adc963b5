//! 128-bit identities, written as 32 lower-case hex digits.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// An id that is not 32 lower-case hex digits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("an id is 32 lower-case hex digits")]
pub struct BadId;

macro_rules! id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
        pub struct $name(pub [u8; 16]);

        impl $name {
            /// Makes an id whose first 48 bits are a time in milliseconds and whose other
            /// bits are `random` (UUIDv7 layout), so that indexes on it grow at one end.
            #[must_use]
            pub fn from_parts(ms: u64, random: u128) -> Self {
                let bytes = random.to_be_bytes();
                let mut tail = [0u8; 10];
                tail.copy_from_slice(bytes.get(6..16).unwrap_or(&[0; 10]));
                Self(*uuid::Builder::from_unix_timestamp_millis(ms, &tail).as_uuid().as_bytes())
            }

            /// Makes an id from 128 random bits.
            #[must_use]
            pub const fn from_random(random: u128) -> Self {
                Self(random.to_be_bytes())
            }

            /// Reads 32 lower-case hex digits.
            ///
            /// # Errors
            /// [`BadId`] for anything else.
            pub fn parse(text: &str) -> Result<Self, BadId> {
                parse_hex(text).map(Self)
            }

            /// The 16 bytes.
            #[must_use]
            pub const fn as_bytes(&self) -> &[u8; 16] {
                &self.0
            }

            /// Reads an id from exactly 16 bytes, as databases store it.
            ///
            /// # Errors
            /// [`BadId`] for another length.
            pub fn from_slice(bytes: &[u8]) -> Result<Self, BadId> {
                <[u8; 16]>::try_from(bytes).map(Self).map_err(|_| BadId)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{:032x}", u128::from_be_bytes(self.0))
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(self, f)
            }
        }

        impl std::str::FromStr for $name {
            type Err = BadId;
            fn from_str(text: &str) -> Result<Self, BadId> {
                Self::parse(text)
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = <std::borrow::Cow<'de, str>>::deserialize(deserializer)?;
                Self::parse(&text).map_err(serde::de::Error::custom)
            }
        }
    };
}

id!(
    /// The idempotency key of a group: one local transaction, everywhere and for ever.
    Gid
);
id!(
    /// An installation of an app.
    DeviceId
);
id!(
    /// One continuous life of a device. A restored or cloned phone takes a new one.
    Incarnation
);
id!(
    /// The identity of a server's history.
    Epoch
);

fn parse_hex(text: &str) -> Result<[u8; 16], BadId> {
    let bytes = text.as_bytes();
    if bytes.len() != 32 || bytes.iter().any(|b| !matches!(b, b'0'..=b'9' | b'a'..=b'f')) {
        return Err(BadId);
    }
    u128::from_str_radix(text, 16).map(u128::to_be_bytes).map_err(|_| BadId)
}
