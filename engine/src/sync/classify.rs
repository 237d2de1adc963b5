//! What an unsuccessful answer means. The code decides where there is one, else the status.

use turnstone_protocol::{Class, Code};

use super::command::Trouble;
use super::event::{Failure, ResetCause};

/// What to do about a failure.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Meaning {
    /// Nothing was reached: try again later, and do not keep a caller waiting.
    Offline,
    /// The way there and back is bad: try again later, with less at a time.
    BadLink,
    /// The answer was too large for us: ask for less.
    AskLess,
    /// The server asks for patience.
    Later { retry_after_ms: Option<u64> },
    /// Get a new token.
    Unauthorized { expired: bool },
    /// Signed in as somebody else than the one whose database this is.
    OtherAccount,
    /// Signed in, but not allowed.
    Forbidden,
    /// The request is too large: send less.
    TooLarge,
    /// The request is wrong: find the part that is.
    Refused(Code),
    /// The server failed: it, or one part of the request.
    ServerFailed(Code),
    /// A seq is missing.
    SeqGap { expected: Option<u64> },
    /// The device was restored or cloned.
    Forked,
    /// Start again from a known point.
    Reset(ResetCause),
    /// The app is too old.
    Upgrade,
    /// The endpoint is not served.
    NotServed,
}

/// Reads a failure.
pub(super) fn meaning(failure: &Failure) -> Meaning {
    let (status, code, retry_after_ms, expected) = match failure {
        Failure::Offline => return Meaning::Offline,
        Failure::Timeout | Failure::Broken | Failure::NotTurnstone => return Meaning::BadLink,
        Failure::AnswerTooLarge => return Meaning::AskLess,
        Failure::Status { status, code, retry_after_ms, expected } => (*status, code, *retry_after_ms, *expected),
    };
    match code {
        Some(Code::SeqGap) => return Meaning::SeqGap { expected },
        Some(Code::DeviceForked) => return Meaning::Forked,
        Some(Code::CursorExpired) => return Meaning::Reset(ResetCause::CursorExpired),
        Some(Code::CursorInvalid) => return Meaning::Reset(ResetCause::CursorInvalid),
        Some(Code::EpochChanged) => return Meaning::Reset(ResetCause::EpochChanged),
        Some(Code::EpochSuspect) => return Meaning::Reset(ResetCause::EpochSuspect),
        Some(Code::UpgradeRequired) => return Meaning::Upgrade,
        Some(Code::OtherAccount) => return Meaning::OtherAccount,
        _ => {}
    }
    let code = code.clone();
    match status {
        401 => Meaning::Unauthorized { expired: code == Some(Code::TokenExpired) },
        403 => Meaning::Forbidden,
        404 | 405 => Meaning::NotServed,
        408 | 425 | 429 | 502..=504 => Meaning::Later { retry_after_ms },
        413 => Meaning::TooLarge,
        415 => Meaning::Later { retry_after_ms },
        426 => Meaning::Upgrade,
        400 | 409 | 410 | 412 | 422 => Meaning::Refused(code.unwrap_or(Code::Malformed)),
        // A proxy that wants a login or a payment says nothing about what was sent.
        300..=499 | 511 => Meaning::BadLink,
        500..=599 => Meaning::ServerFailed(code.unwrap_or(Code::Internal)),
        _ => Meaning::BadLink,
    }
}

/// What a status shows of a failure.
pub(super) fn trouble(failure: &Failure) -> Trouble {
    let plain = |code: &str, class| Trouble { code: code.to_owned(), class };
    match failure {
        Failure::Offline => plain("offline", Class::Retry),
        Failure::Timeout => plain("timeout", Class::Retry),
        Failure::Broken => plain("connection_lost", Class::Retry),
        Failure::NotTurnstone => plain("not_turnstone", Class::Retry),
        Failure::AnswerTooLarge => plain("answer_too_large", Class::Retry),
        Failure::Status { code: Some(code), .. } => plain(code.as_str(), code.class()),
        Failure::Status { status, .. } => {
            let class = match status {
                401 | 403 => Class::Auth,
                426 => Class::Upgrade,
                408 | 425 | 429 | 500..=599 => Class::Retry,
                404 | 405 => Class::Gone,
                _ => Class::Fix,
            };
            plain(&format!("http_{status}"), class)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn status(status: u16, code: Option<Code>) -> Failure {
        Failure::Status { status, code, retry_after_ms: None, expected: Some(4) }
    }

    #[test]
    fn the_code_decides_before_the_status() {
        assert_eq!(meaning(&status(409, Some(Code::SeqGap))), Meaning::SeqGap { expected: Some(4) });
        assert_eq!(meaning(&status(410, Some(Code::CursorExpired))), Meaning::Reset(ResetCause::CursorExpired));
        assert_eq!(meaning(&status(400, Some(Code::CursorInvalid))), Meaning::Reset(ResetCause::CursorInvalid));
        assert_eq!(meaning(&status(400, Some(Code::UpgradeRequired))), Meaning::Upgrade);
        assert_eq!(meaning(&status(409, Some(Code::GidReuse))), Meaning::Refused(Code::GidReuse));
    }

    /// I-17: none of these may consume an op, so none may read as a refusal.
    #[test]
    fn passing_faults_are_never_refusals() {
        for code in [301, 302, 307, 401, 402, 403, 404, 407, 408, 413, 418, 425, 429, 451, 500, 502, 503, 504, 511] {
            assert!(!matches!(meaning(&status(code, None)), Meaning::Refused(_)), "{code}");
        }
        for failure in [Failure::Offline, Failure::Timeout, Failure::Broken, Failure::NotTurnstone] {
            assert!(matches!(meaning(&failure), Meaning::Offline | Meaning::BadLink));
        }
    }

    #[test]
    fn an_expired_token_is_told_from_a_rejected_one() {
        assert_eq!(meaning(&status(401, Some(Code::TokenExpired))), Meaning::Unauthorized { expired: true });
        assert_eq!(meaning(&status(401, None)), Meaning::Unauthorized { expired: false });
    }
}
