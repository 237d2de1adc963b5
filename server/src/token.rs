//! Access tokens: JWT (RFC 7519) signed with HMAC-SHA256 (`HS256`), and nothing else.
//!
//! The claims are `tenant`, `sub`, optionally `device`, and `exp`, which is required. Only the one algorithm exists
//! here, so no header can talk the server into another one.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64URL;
use serde::{Deserialize, Serialize};
use turnstone_protocol::hash::{hex, sha256};
use turnstone_protocol::{Code, DeviceId, Problem};

use crate::key::{Key, mac, same};

/// The longest token read, in bytes.
const TOKEN_BYTES_MAX: usize = 4_096;
/// The longest tenant or subject, in bytes.
const NAME_BYTES_MAX: usize = 255;

/// Who asks, as the token says.
#[derive(Clone, PartialEq, Eq)]
pub struct Principal {
    /// The owner of the history.
    pub tenant: String,
    /// Who acts in it.
    pub sub: String,
    /// The only device the token is good for, if it names one.
    pub device: Option<DeviceId>,
}

impl Principal {
    /// Names the principal to clients: always the same text for the same user of the same tenant, and nobody's name.
    #[must_use]
    pub fn pseudonym(&self) -> String {
        // Neither name holds a control character, so no two pairs make the same text.
        let text = format!("turnstone principal\0{}\0{}", self.tenant, self.sub);
        sha256(text.as_bytes()).first_chunk::<16>().map(|bytes| hex(bytes)).unwrap_or_default()
    }

    /// Refuses a request for a database that is another principal's (I-48). A database that is nobody's yet names none.
    ///
    /// # Errors
    /// A problem `other_account`.
    pub fn owns(&self, named: Option<&[u8]>) -> Result<(), Problem> {
        match named {
            Some(named) if named != self.pseudonym().as_bytes() => {
                Err(Problem::new(Code::OtherAccount, "This token is of another account than the database."))
            }
            _ => Ok(()),
        }
    }
}

/// Shows that somebody is there, never who.
impl std::fmt::Debug for Principal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Principal").finish_non_exhaustive()
    }
}

#[derive(Serialize, Deserialize)]
struct Header {
    alg: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    typ: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    crit: Option<Vec<String>>,
}

#[derive(Serialize, Deserialize)]
struct Claims {
    tenant: String,
    sub: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    device: Option<DeviceId>,
    exp: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    nbf: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    iat: Option<u64>,
}

/// Makes a token that is good for `ttl_s` seconds from `now_ms`.
///
/// # Errors
/// A problem `malformed` if `tenant` or `sub` is empty, too long, or has control characters.
pub fn mint(
    key: &Key,
    tenant: &str,
    sub: &str,
    device: Option<DeviceId>,
    ttl_s: u64,
    now_ms: u64,
) -> Result<String, Problem> {
    if !is_name(tenant) || !is_name(sub) {
        return Err(Problem::new(Code::Malformed, "Tenant and sub need 1 to 255 bytes without control characters."));
    }
    let now_s = now_ms / 1000;
    let header = Header { alg: "HS256".to_owned(), typ: Some("JWT".to_owned()), crit: None };
    let claims = Claims {
        tenant: tenant.to_owned(),
        sub: sub.to_owned(),
        device,
        exp: now_s.saturating_add(ttl_s),
        nbf: None,
        iat: Some(now_s),
    };
    let failed = |_| Problem::new(Code::Internal, "The token cannot be written.");
    let mut token = BASE64URL.encode(serde_json::to_vec(&header).map_err(failed)?);
    token.push('.');
    token.push_str(&BASE64URL.encode(serde_json::to_vec(&claims).map_err(failed)?));
    let signature = BASE64URL.encode(mac(key.bytes(), token.as_bytes()));
    token.push('.');
    token.push_str(&signature);
    Ok(token)
}

/// Reads a token and says who asks.
///
/// # Errors
/// A problem `token_invalid`, or `token_expired` where only the time is wrong.
pub fn verify(keys: &[Key], token: &str, now_ms: u64) -> Result<Principal, Problem> {
    let invalid = || Problem::new(Code::TokenInvalid, "The token is not valid here: sign in again.");
    if token.len() > TOKEN_BYTES_MAX {
        return Err(invalid());
    }
    let (signed, signature) = token.rsplit_once('.').ok_or_else(invalid)?;
    let signature = BASE64URL.decode(signature).map_err(|_| invalid())?;
    if !keys.iter().any(|key| same(&mac(key.bytes(), signed.as_bytes()), &signature)) {
        return Err(invalid());
    }
    let (header, claims) = signed.split_once('.').ok_or_else(invalid)?;
    let header: Header = read_part(header).ok_or_else(invalid)?;
    let claims: Claims = read_part(claims).ok_or_else(invalid)?;
    if header.alg != "HS256" || header.crit.is_some() || !is_name(&claims.tenant) || !is_name(&claims.sub) {
        return Err(invalid());
    }
    let now_s = now_ms / 1000;
    if claims.exp <= now_s {
        return Err(Problem::new(Code::TokenExpired, "The token has expired: get a new one."));
    }
    if claims.nbf.is_some_and(|nbf| nbf > now_s) {
        return Err(invalid());
    }
    Ok(Principal { tenant: claims.tenant, sub: claims.sub, device: claims.device })
}

fn read_part<T: for<'de> Deserialize<'de>>(text: &str) -> Option<T> {
    serde_json::from_slice(&BASE64URL.decode(text).ok()?).ok()
}

fn is_name(text: &str) -> bool {
    !text.is_empty() && text.len() <= NAME_BYTES_MAX && !text.chars().any(char::is_control)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW_MS: u64 = 1_700_000_000_000;

    fn key(byte: u8) -> Key {
        Key::from_bytes(vec![byte; 32]).unwrap()
    }

    #[test]
    fn a_minted_token_says_who_asks_until_it_expires() {
        let device = DeviceId::from_random(7);
        let token = mint(&key(1), "acme", "ann", Some(device), 60, NOW_MS).unwrap();
        let who = verify(&[key(2), key(1)], &token, NOW_MS + 59_000).unwrap();
        assert_eq!((who.tenant.as_str(), who.sub.as_str(), who.device), ("acme", "ann", Some(device)));
        assert_eq!(verify(&[key(1)], &token, NOW_MS + 60_000).unwrap_err().code, Code::TokenExpired);
        assert_eq!(verify(&[key(2)], &token, NOW_MS).unwrap_err().code, Code::TokenInvalid);
    }

    /// I-48: the name outlives every token, tells nobody who it is, and is nobody else's.
    #[test]
    fn a_principal_has_one_pseudonym_whatever_the_token() {
        let who = |tenant: &str, sub: &str, device, ttl_s| {
            verify(&[key(1)], &mint(&key(1), tenant, sub, device, ttl_s, NOW_MS).unwrap(), NOW_MS).unwrap()
        };
        let ann = who("acme", "ann", None, 60);
        // Written down: a server that names its principals anew locks every device out of its own data.
        assert_eq!(ann.pseudonym(), "66c96cd46aa9d56005422e77fb49ea19");
        assert_eq!(who("acme", "ann", Some(DeviceId::from_random(7)), 90).pseudonym(), ann.pseudonym());
        for other in [who("acme", "bob", None, 60), who("other", "ann", None, 60), who("acm", "eann", None, 60)] {
            assert_eq!(other.owns(Some(ann.pseudonym().as_bytes())).unwrap_err().code, Code::OtherAccount);
        }
        ann.owns(Some(ann.pseudonym().as_bytes())).unwrap();
        ann.owns(None).unwrap();
        assert!(ann.owns(Some(b"")).is_err());
    }

    #[test]
    fn a_token_altered_anywhere_is_refused() {
        let token = mint(&key(1), "acme", "ann", None, 60, NOW_MS).unwrap();
        for at in 0..token.len() {
            let mut bytes = token.clone().into_bytes();
            bytes[at] = if bytes[at] == b'A' { b'B' } else { b'A' };
            let altered = String::from_utf8(bytes).unwrap();
            // The last letter of a part carries bits that mean nothing; the decoder refuses those as well.
            assert_eq!(verify(&[key(1)], &altered, NOW_MS).unwrap_err().code, Code::TokenInvalid, "at {at}");
        }
        assert_eq!(verify(&[key(1)], "", NOW_MS).unwrap_err().code, Code::TokenInvalid);
    }

    #[test]
    fn only_hs256_exists() {
        for alg in ["none", "HS512", "RS256"] {
            let signed = format!(
                "{}.{}",
                BASE64URL.encode(format!(r#"{{"alg":"{alg}"}}"#)),
                BASE64URL.encode(r#"{"tenant":"a","sub":"b","exp":9999999999}"#)
            );
            let token = format!("{signed}.{}", BASE64URL.encode(mac(key(1).bytes(), signed.as_bytes())));
            assert_eq!(verify(&[key(1)], &token, NOW_MS).unwrap_err().code, Code::TokenInvalid);
            assert!(verify(&[key(1)], &format!("{signed}."), NOW_MS).is_err());
        }
    }

    #[test]
    fn a_token_without_an_end_is_refused() {
        let signed =
            format!("{}.{}", BASE64URL.encode(r#"{"alg":"HS256"}"#), BASE64URL.encode(r#"{"tenant":"a","sub":"b"}"#));
        let token = format!("{signed}.{}", BASE64URL.encode(mac(key(1).bytes(), signed.as_bytes())));
        assert_eq!(verify(&[key(1)], &token, NOW_MS).unwrap_err().code, Code::TokenInvalid);
    }
}
