//! Field values and their JSON form.
//!
//! On the wire a value is plain JSON. Reading it gives an untyped [`Value`]; the field of the
//! schema then admits it ([`crate::schema::Field::admit`]), which turns base64 text into bytes,
//! a long decimal string into an integer, and so on. The canonical text of a value does not
//! depend on its type, so fields a program does not know yet hash the same.

use std::collections::BTreeMap;
use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde::de::{MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::canonical;

/// The largest integer that JSON numbers carry exactly everywhere; beyond it integers travel as strings.
pub const SAFE_INTEGER_MAX: i64 = (1 << 53) - 1;

/// Field name to value, in canonical order.
pub type Fields = BTreeMap<String, Value>;

/// The value of a field.
#[derive(Clone, PartialEq, Default)]
pub enum Value {
    /// No value.
    #[default]
    Null,
    /// `true` or `false`.
    Bool(bool),
    /// A 64-bit integer; also a timestamp, in milliseconds since 1970.
    Int(i64),
    /// A finite number.
    Real(f64),
    /// UTF-8 text without NUL.
    Text(String),
    /// Raw bytes; base64 with padding on the wire.
    Bytes(Vec<u8>),
    /// The canonical text of a JSON value.
    Json(String),
}

impl Value {
    /// Bytes this value occupies, as `VALUE_BYTES_MAX` counts them.
    #[must_use]
    pub fn byte_len(&self) -> usize {
        match self {
            Self::Null | Self::Bool(_) => 1,
            Self::Int(_) | Self::Real(_) => 8,
            Self::Text(text) | Self::Json(text) => text.len(),
            Self::Bytes(bytes) => bytes.len(),
        }
    }

    /// The integer this value is on the wire: a number up to 2^53, or beyond it the string of its digits.
    #[must_use]
    pub fn as_wire_integer(&self) -> Option<i64> {
        match self {
            Self::Int(int) => Some(*int),
            Self::Text(text) => match text.parse::<i64>() {
                Ok(int) if int.unsigned_abs() > SAFE_INTEGER_MAX.unsigned_abs() && int.to_string() == *text => {
                    Some(int)
                }
                _ => None,
            },
            _ => None,
        }
    }

    /// Whether there is no value.
    #[must_use]
    pub const fn is_null(&self) -> bool {
        matches!(self, Self::Null)
    }
}

/// Shows the shape of a value and never its content, so that no log can leak it.
impl fmt::Debug for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Null => f.write_str("Null"),
            Self::Bool(_) => f.write_str("Bool"),
            Self::Int(_) => f.write_str("Int"),
            Self::Real(_) => f.write_str("Real"),
            Self::Text(text) => write!(f, "Text({} B)", text.len()),
            Self::Bytes(bytes) => write!(f, "Bytes({} B)", bytes.len()),
            Self::Json(text) => write!(f, "Json({} B)", text.len()),
        }
    }
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl From<String> for Value {
    fn from(text: String) -> Self {
        Self::Text(text)
    }
}

impl From<i64> for Value {
    fn from(int: i64) -> Self {
        Self::Int(int)
    }
}

impl From<f64> for Value {
    fn from(real: f64) -> Self {
        Self::Real(real)
    }
}

impl From<bool> for Value {
    fn from(bool: bool) -> Self {
        Self::Bool(bool)
    }
}

impl From<Vec<u8>> for Value {
    fn from(bytes: Vec<u8>) -> Self {
        Self::Bytes(bytes)
    }
}

impl<T: Into<Value>> From<Option<T>> for Value {
    fn from(option: Option<T>) -> Self {
        option.map_or(Self::Null, Into::into)
    }
}

impl Serialize for Value {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Null => serializer.serialize_unit(),
            Self::Bool(bool) => serializer.serialize_bool(*bool),
            Self::Int(int) if int.unsigned_abs() <= SAFE_INTEGER_MAX.unsigned_abs() => serializer.serialize_i64(*int),
            Self::Int(int) => serializer.collect_str(int),
            Self::Real(real) => serializer.serialize_f64(*real),
            Self::Text(text) => serializer.serialize_str(text),
            Self::Bytes(bytes) => serializer.serialize_str(&BASE64.encode(bytes)),
            Self::Json(text) => {
                let raw: &serde_json::value::RawValue =
                    serde_json::from_str(text).map_err(serde::ser::Error::custom)?;
                raw.serialize(serializer)
            }
        }
    }
}

impl<'de> Deserialize<'de> for Value {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ValueVisitor)
    }
}

struct ValueVisitor;

impl<'de> Visitor<'de> for ValueVisitor {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, bool: bool) -> Result<Value, E> {
        Ok(Value::Bool(bool))
    }

    fn visit_i64<E: serde::de::Error>(self, int: i64) -> Result<Value, E> {
        if int.unsigned_abs() <= SAFE_INTEGER_MAX.unsigned_abs() {
            return Ok(Value::Int(int));
        }
        canonical::exact_double(&int.to_string()).map(Value::Real).map_err(E::custom)
    }

    fn visit_u64<E: serde::de::Error>(self, int: u64) -> Result<Value, E> {
        match i64::try_from(int) {
            Ok(int) => self.visit_i64(int),
            Err(_) => canonical::exact_double(&int.to_string()).map(Value::Real).map_err(E::custom),
        }
    }

    fn visit_f64<E: serde::de::Error>(self, real: f64) -> Result<Value, E> {
        Ok(Value::Real(real))
    }

    fn visit_str<E>(self, text: &str) -> Result<Value, E> {
        Ok(Value::Text(text.to_owned()))
    }

    fn visit_string<E>(self, text: String) -> Result<Value, E> {
        Ok(Value::Text(text))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, seq: A) -> Result<Value, A::Error> {
        let json = serde_json::Value::deserialize(serde::de::value::SeqAccessDeserializer::new(seq))?;
        canonical::json(&json).map(Value::Json).map_err(serde::de::Error::custom)
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Value, A::Error> {
        let json = serde_json::Value::deserialize(serde::de::value::MapAccessDeserializer::new(map))?;
        canonical::json(&json).map(Value::Json).map_err(serde::de::Error::custom)
    }
}

/// Decodes base64 with padding.
pub(crate) fn bytes_from_base64(text: &str) -> Option<Vec<u8>> {
    BASE64.decode(text).ok()
}

/// Encodes base64 with padding.
pub(crate) fn bytes_to_base64(bytes: &[u8]) -> String {
    BASE64.encode(bytes)
}
