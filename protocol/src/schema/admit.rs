//! How a field takes a value: from the wire, from SQL or from the app.

use super::model::{Field, Kind, Table};
use crate::canonical;
use crate::catalogue::Code;
use crate::limits::VALUE_BYTES_MAX;
use crate::value::{Fields, SAFE_INTEGER_MAX, Value, bytes_from_base64};

/// A value a field does not take. It names the reason and never the value.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{reason}")]
pub struct ValueError {
    /// `invalid_value` or `too_large`.
    pub code: Code,
    /// What is wrong, in a few words.
    pub reason: &'static str,
}

const fn refuse<T>(reason: &'static str) -> Result<T, ValueError> {
    Err(ValueError { code: Code::InvalidValue, reason })
}

impl Field {
    /// Gives a value the field's type, with the default size limit.
    ///
    /// # Errors
    /// [`ValueError`] where the value does not fit.
    pub fn admit(&self, value: Value) -> Result<Value, ValueError> {
        self.admit_within(value, VALUE_BYTES_MAX)
    }

    /// Gives a value the field's type, at most `bytes_max` bytes large.
    ///
    /// Besides values of the type itself it takes their wire forms (base64 text for bytes, a
    /// decimal string for an integer beyond 2^53, any JSON value for json), whole reals for
    /// integers, integers up to 2^53 for reals, and 0 or 1 for booleans. Whatever form a value
    /// came in, it leaves in one.
    ///
    /// # Errors
    /// [`ValueError`] where the value does not fit.
    pub fn admit_within(&self, value: Value, bytes_max: usize) -> Result<Value, ValueError> {
        let value = match (self.kind, value) {
            (Kind::Json, value) => self.admit_json(value)?,
            (_, Value::Null) if self.nullable => Value::Null,
            (_, Value::Null) => return refuse("null in a field that is not nullable"),
            (Kind::Text, value) => admit_text(value)?,
            (Kind::Integer | Kind::Timestamp, value) => admit_integer(&value)?,
            (Kind::Real, value) => admit_real(&value)?,
            (Kind::Boolean, value) => admit_boolean(&value)?,
            (Kind::Bytes, value) => admit_bytes(value)?,
        };
        within(value, bytes_max)
    }

    /// Null and json `null` have one canonical text, so each field keeps only one of them.
    fn admit_json(&self, value: Value) -> Result<Value, ValueError> {
        let text = match value {
            Value::Null => "null".to_owned(),
            Value::Json(text) => match canonical::json_text(&text) {
                Ok(text) => text,
                Err(_) => return refuse("json that is malformed, too deep, or holds NUL or an integer beyond 2^53"),
            },
            Value::Text(text) if text.contains('\0') => return refuse("text with a NUL character"),
            Value::Real(real) if !real.is_finite() => return refuse("a number that is not finite"),
            other => {
                let mut text = String::new();
                canonical::write_value(&mut text, &other);
                text
            }
        };
        Ok(if self.nullable && text == "null" { Value::Null } else { Value::Json(text) })
    }
}

impl Table {
    /// Gives stored fields their types again. Fields this schema does not know, and values it
    /// would not take any more, stay as they are: what was accepted once is never dropped.
    #[must_use]
    pub fn typed(&self, fields: Fields) -> Fields {
        let typed = |(name, value): (String, Value)| {
            let Some(field) = self.field(&name) else { return (name, value) };
            if has_form(field.kind, &value) {
                return (name, value);
            }
            match field.admit_within(value.clone(), usize::MAX) {
                Ok(value) => (name, value),
                Err(_) => (name, value),
            }
        };
        fields.into_iter().map(typed).collect()
    }
}

/// Checks a value of a field the schema does not know: it keeps its wire form.
///
/// # Errors
/// [`ValueError`] for NUL, a number that is not finite, or too many bytes.
pub(crate) fn admit_unknown(value: Value, bytes_max: usize) -> Result<Value, ValueError> {
    let value = match value {
        Value::Text(text) if text.contains('\0') => return refuse("text with a NUL character"),
        Value::Real(real) if !real.is_finite() => return refuse("a number that is not finite"),
        Value::Real(0.0) => Value::Real(0.0),
        Value::Json(text) => match canonical::json_text(&text) {
            Ok(text) => Value::Json(text),
            Err(_) => return refuse("json that is malformed, too deep, or holds NUL or an integer beyond 2^53"),
        },
        value => value,
    };
    within(value, bytes_max)
}

/// Whether a value is in the form of its kind already, so that admitting it could only give or leave it as it is.
fn has_form(kind: Kind, value: &Value) -> bool {
    match (kind, value) {
        (Kind::Text, Value::Text(_))
        | (Kind::Integer | Kind::Timestamp, Value::Int(_))
        | (Kind::Boolean, Value::Bool(_)) => true,
        (Kind::Real, Value::Real(real)) => *real != 0.0,
        _ => false,
    }
}

fn within(value: Value, bytes_max: usize) -> Result<Value, ValueError> {
    if value.byte_len() > bytes_max {
        return Err(ValueError { code: Code::TooLarge, reason: "a value larger than the limit" });
    }
    Ok(value)
}

fn admit_text(value: Value) -> Result<Value, ValueError> {
    match value {
        Value::Text(text) if text.contains('\0') => refuse("text with a NUL character"),
        Value::Text(_) => Ok(value),
        _ => refuse("not text"),
    }
}

/// A string is an integer only in the one form the wire uses for it, so that a field hashes
/// the same where its type is known and where it is not.
fn admit_integer(value: &Value) -> Result<Value, ValueError> {
    let int = match value {
        Value::Real(real) => whole(*real),
        value => value.as_wire_integer(),
    };
    int.map_or_else(|| refuse("not an integer"), |int| Ok(Value::Int(int)))
}

#[allow(clippy::cast_possible_truncation)]
fn whole(real: f64) -> Option<i64> {
    // Both bounds are exact doubles, so the cast below cannot change the number.
    let safe = real.trunc() == real && real.abs() <= 9_007_199_254_740_991.0;
    safe.then_some(real as i64)
}

#[allow(clippy::cast_precision_loss)]
fn admit_real(value: &Value) -> Result<Value, ValueError> {
    match value {
        Value::Real(real) if !real.is_finite() => refuse("a number that is not finite"),
        // Adding zero turns -0.0 into 0.0 and nothing else.
        Value::Real(real) => Ok(Value::Real(real + 0.0)),
        Value::Int(int) if int.unsigned_abs() <= SAFE_INTEGER_MAX.unsigned_abs() => Ok(Value::Real(*int as f64)),
        Value::Int(_) => refuse("an integer beyond 2^53 is not a real"),
        _ => refuse("not a number"),
    }
}

fn admit_boolean(value: &Value) -> Result<Value, ValueError> {
    match value {
        Value::Bool(bool) => Ok(Value::Bool(*bool)),
        Value::Int(0) => Ok(Value::Bool(false)),
        Value::Int(1) => Ok(Value::Bool(true)),
        _ => refuse("not true or false"),
    }
}

fn admit_bytes(value: Value) -> Result<Value, ValueError> {
    match value {
        Value::Bytes(_) => Ok(value),
        Value::Text(text) => match bytes_from_base64(&text) {
            Some(bytes) => Ok(Value::Bytes(bytes)),
            None => refuse("not base64 with padding"),
        },
        _ => refuse("not bytes"),
    }
}
