//! Canonical JSON text (RFC 8785): sorted members, ECMAScript numbers, no white space.
//!
//! Two additions, so that no language changes a number silently: digits beyond 2^53 are refused
//! unless they are already the canonical text of their double (such integers travel as strings),
//! and nesting is bounded.

use std::collections::BTreeMap;

use serde_json::Value as Json;

use crate::limits::JSON_DEPTH_MAX;
use crate::op::{Op, OpKind};
use crate::value::{Fields, SAFE_INTEGER_MAX, Value, bytes_to_base64};

/// A JSON value without a canonical text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NotCanonical {
    /// An integer that not every reader would keep.
    #[error("an integer beyond 2^53 inside json: write it as a string")]
    Integer,
    /// Nested deeper than `JSON_DEPTH_MAX`.
    #[error("json nested deeper than {JSON_DEPTH_MAX}")]
    Depth,
    /// Text with a NUL character.
    #[error("json text with a NUL character")]
    Nul,
    /// NaN or an infinity.
    #[error("a number that is not finite")]
    NotFinite,
    /// Not JSON at all.
    #[error("not JSON")]
    Syntax,
}

/// The canonical text of a JSON value.
///
/// # Errors
/// [`NotCanonical`] where there is none.
pub fn json(value: &Json) -> Result<String, NotCanonical> {
    let mut out = String::new();
    write_json(&mut out, value, 0)?;
    Ok(out)
}

/// Reads JSON text and gives its canonical text.
///
/// # Errors
/// [`NotCanonical`] where there is none.
pub fn json_text(text: &str) -> Result<String, NotCanonical> {
    let value: Json = serde_json::from_str(text).map_err(|_| NotCanonical::Syntax)?;
    json(&value)
}

/// Appends the canonical text of a field value.
pub fn write_value(out: &mut String, value: &Value) {
    match value {
        Value::Null => out.push_str("null"),
        Value::Bool(true) => out.push_str("true"),
        Value::Bool(false) => out.push_str("false"),
        Value::Int(int) if int.unsigned_abs() <= SAFE_INTEGER_MAX.unsigned_abs() => push_display(out, int),
        Value::Int(int) => {
            out.push('"');
            push_display(out, int);
            out.push('"');
        }
        Value::Real(real) => write_number(out, *real),
        Value::Text(text) => write_string(out, text),
        Value::Bytes(bytes) => write_string(out, &bytes_to_base64(bytes)),
        Value::Json(text) => out.push_str(text),
    }
}

/// The canonical text of some fields.
#[must_use]
pub fn fields(fields: &Fields) -> String {
    let mut out = String::new();
    write_fields(&mut out, fields);
    out
}

/// Appends an object of field values.
pub fn write_fields(out: &mut String, fields: &Fields) {
    write_members(out, fields, write_value);
}

/// Appends an op: what the payload hash covers.
pub fn write_op(out: &mut String, op: &Op) {
    out.push_str("{\"base\":");
    push_display(out, &op.base);
    out.push_str(",\"id\":");
    write_string(out, &op.id);
    if !op.inc.is_empty() {
        out.push_str(",\"inc\":");
        write_members(out, &op.inc, |out, by| write_value(out, &Value::Int(*by)));
    }
    out.push_str(match op.kind {
        OpKind::Create => ",\"op\":\"create\"",
        OpKind::Update => ",\"op\":\"update\"",
        OpKind::Delete => ",\"op\":\"delete\"",
        OpKind::Undelete => ",\"op\":\"undelete\"",
    });
    if !op.set.is_empty() {
        out.push_str(",\"set\":");
        write_fields(out, &op.set);
    }
    out.push_str(",\"table\":");
    write_string(out, &op.table);
    if !op.was.is_empty() {
        out.push_str(",\"was\":");
        write_fields(out, &op.was);
    }
    if !op.was_hash.is_empty() {
        out.push_str(",\"was_hash\":");
        write_members(out, &op.was_hash, |out, hash| write_string(out, hash));
    }
    out.push('}');
}

fn write_members<T>(out: &mut String, members: &BTreeMap<String, T>, write: impl Fn(&mut String, &T)) {
    let member = |out: &mut String, at: usize, name: &str, value: &T| {
        out.push(if at > 0 { ',' } else { '{' });
        write_string(out, name);
        out.push(':');
        write(out, value);
    };
    if members.is_empty() {
        out.push('{');
    } else if members.keys().all(|name| name.is_ascii()) {
        for (at, (name, value)) in members.iter().enumerate() {
            member(out, at, name, value);
        }
    } else {
        // RFC 8785 sorts by UTF-16 units, which differs from byte order beyond the BMP.
        let mut sorted: Vec<_> = members.iter().collect();
        sorted.sort_by(|(a, _), (b, _)| a.encode_utf16().cmp(b.encode_utf16()));
        for (at, (name, value)) in sorted.into_iter().enumerate() {
            member(out, at, name, value);
        }
    }
    out.push('}');
}

/// Appends a JSON string.
pub fn write_string(out: &mut String, text: &str) {
    out.reserve(text.len() + 2);
    out.push('"');
    let mut rest = text;
    loop {
        let (clean, dirty) = rest.split_at_checked(clean_bytes(rest.as_bytes())).unwrap_or((rest, ""));
        out.push_str(clean);
        let Some(byte) = dirty.bytes().next() else { break };
        match byte {
            b'"' => out.push_str("\\\""),
            b'\\' => out.push_str("\\\\"),
            0x08 => out.push_str("\\b"),
            0x09 => out.push_str("\\t"),
            0x0a => out.push_str("\\n"),
            0x0c => out.push_str("\\f"),
            0x0d => out.push_str("\\r"),
            _ => {
                out.push_str("\\u00");
                for digit in [byte >> 4, byte & 15] {
                    out.push(char::from_digit(u32::from(digit), 16).unwrap_or('0'));
                }
            }
        }
        rest = dirty.get(1..).unwrap_or_default();
    }
    out.push('"');
}

/// How many bytes at the front need no escape. Eight at a time: text is most of what is hashed, stored and sent, and
/// byte by byte this was a tenth of a push.
fn clean_bytes(bytes: &[u8]) -> usize {
    const ONES: u64 = u64::from_ne_bytes([1; 8]);
    const HIGH: u64 = ONES << 7;
    // A byte of `word - n` borrows its high bit exactly where it was smaller, up to the first that was.
    let below = |word: u64, n: u64| word.wrapping_sub(ONES * n) & !word & HIGH;
    let equal = |word: u64, byte: u8| below(word ^ (ONES * u64::from(byte)), 1);
    let mut chunks = bytes.chunks_exact(8);
    let mut clean = 0;
    for chunk in &mut chunks {
        let word = u64::from_le_bytes(chunk.try_into().unwrap_or_default());
        let dirty = below(word, 0x20) | equal(word, b'"') | equal(word, b'\\');
        if dirty != 0 {
            return clean + (dirty.trailing_zeros() / 8) as usize;
        }
        clean += 8;
    }
    let needs_escape = |byte: &u8| *byte < 0x20 || matches!(byte, b'"' | b'\\');
    clean + chunks.remainder().iter().position(needs_escape).unwrap_or(chunks.remainder().len())
}

fn write_json(out: &mut String, value: &Json, depth: usize) -> Result<(), NotCanonical> {
    match value {
        // A list or an object opens a level; what it holds may be at the last one.
        Json::Array(_) | Json::Object(_) if depth >= JSON_DEPTH_MAX => return Err(NotCanonical::Depth),
        Json::Null => out.push_str("null"),
        Json::Bool(true) => out.push_str("true"),
        Json::Bool(false) => out.push_str("false"),
        Json::Number(number) => match (number.as_i64(), number.as_u64(), number.as_f64()) {
            (Some(int), _, _) if int.unsigned_abs() <= SAFE_INTEGER_MAX.unsigned_abs() => push_display(out, &int),
            (Some(_), _, _) | (_, Some(_), _) => write_number(out, exact_double(&number.to_string())?),
            (_, _, Some(real)) if real.is_finite() => write_number(out, real),
            _ => return Err(NotCanonical::NotFinite),
        },
        Json::String(text) => {
            if text.contains('\0') {
                return Err(NotCanonical::Nul);
            }
            write_string(out, text);
        }
        Json::Array(items) => {
            out.push('[');
            for (at, item) in items.iter().enumerate() {
                if at > 0 {
                    out.push(',');
                }
                write_json(out, item, depth + 1)?;
            }
            out.push(']');
        }
        Json::Object(members) => {
            let mut keys: Vec<&String> = members.keys().collect();
            keys.sort_by(|a, b| a.encode_utf16().cmp(b.encode_utf16()));
            out.push('{');
            for (at, key) in keys.into_iter().enumerate() {
                if key.contains('\0') {
                    return Err(NotCanonical::Nul);
                }
                if at > 0 {
                    out.push(',');
                }
                write_string(out, key);
                out.push(':');
                if let Some(member) = members.get(key) {
                    write_json(out, member, depth + 1)?;
                }
            }
            out.push('}');
        }
    }
    Ok(())
}

/// The double whose canonical text is exactly these digits.
pub(crate) fn exact_double(digits: &str) -> Result<f64, NotCanonical> {
    let real: f64 = digits.parse().map_err(|_| NotCanonical::Integer)?;
    let mut text = String::new();
    write_number(&mut text, real);
    if text == digits { Ok(real) } else { Err(NotCanonical::Integer) }
}

fn write_number(out: &mut String, real: f64) {
    let real = if real == 0.0 { 0.0 } else { real };
    let mut buffer = ryu_js::Buffer::new();
    out.push_str(buffer.format(real));
}

fn push_display(out: &mut String, value: &impl std::fmt::Display) {
    use std::fmt::Write as _;
    // Writing to a String cannot fail.
    let _ = write!(out, "{value}");
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Text is scanned eight bytes at a time: every byte that needs an escape, and its neighbours that do not, are
    /// found at every place of a word and behind the last one.
    #[test]
    fn a_string_is_escaped_wherever_it_needs_it() {
        for odd in ["\0", "\u{1}", "\u{8}", "\n", "\u{1f}", " ", "!", "\"", "#", "[", "\\", "]", "\u{7f}", "é", "🦀"]
        {
            for before in 0..20 {
                for after in 0..20 {
                    let text = format!("{}{odd}{}{odd}", "a".repeat(before), "b".repeat(after));
                    let mut out = String::new();
                    write_string(&mut out, &text);
                    assert_eq!(out, serde_json::to_string(&text).unwrap());
                }
            }
        }
    }
}
