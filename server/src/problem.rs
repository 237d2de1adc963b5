//! Problem documents (RFC 9457) as HTTP answers.

use axum::http::header::{CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE};
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use turnstone_protocol::{Class, Code, Problem};

/// A problem on its way to a client.
pub(crate) struct Refused(pub(crate) Problem);

/// The code of a refused request, for the log.
#[derive(Clone)]
pub(crate) struct RefusedCode(pub(crate) Code);

impl From<Problem> for Refused {
    fn from(problem: Problem) -> Self {
        Self(problem)
    }
}

impl IntoResponse for Refused {
    fn into_response(self) -> Response {
        let Self(problem) = self;
        let status = StatusCode::from_u16(problem.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        // A problem document always has a JSON form.
        let body = serde_json::to_vec(&problem).unwrap_or_default();
        let mut response = (status, body).into_response();
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        if let Some(ms) = problem.retry_after_ms {
            headers.insert(RETRY_AFTER, HeaderValue::from(ms.div_ceil(1000).max(1)));
        }
        if problem.class == Class::Auth && status == StatusCode::UNAUTHORIZED {
            headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer realm=\"turnstone\""));
        }
        response.extensions_mut().insert(RefusedCode(problem.code));
        response
    }
}

/// The answer to a request that came while the server had no room for it.
pub(crate) fn busy() -> Problem {
    let mut problem = Problem::new(Code::Unavailable, "The server is busy: try again in a moment.");
    problem.retry_after_ms = Some(1_000);
    problem
}

/// The answer to a request that did not arrive in time.
pub(crate) fn timed_out() -> Problem {
    let mut problem = Problem::new(Code::Unavailable, "The request did not arrive in time: try again.");
    problem.status = StatusCode::REQUEST_TIMEOUT.as_u16();
    problem.retry_after_ms = Some(1_000);
    problem
}
