//! Requests unpacked, and refusals.

use turnstone::transport::{Request, Response};
use turnstone_protocol::{Code, DeviceId, Incarnation, Problem};

/// Whose greeting it is.
pub(super) fn life(path: &str) -> Option<(DeviceId, Incarnation)> {
    let query = path.split_once('?')?.1;
    let part = |name: &str| query.split('&').find_map(|pair| pair.strip_prefix(name));
    let parse = |text: &str| serde_json::from_value(serde_json::Value::String(text.to_owned())).ok();
    let device = serde_json::from_value(serde_json::Value::String(part("device=")?.to_owned())).ok()?;
    Some((device, parse(part("incarnation=")?)?))
}

/// The body of a request, unpacked.
pub fn expand(request: &Request) -> Result<Vec<u8>, Problem> {
    let packed = request.headers.iter().find(|(name, _)| *name == "content-encoding");
    match packed.map(|(_, name)| name.as_str()) {
        None => Ok(request.body.to_vec()),
        Some("zstd") => zstd::stream::decode_all(&*request.body)
            .map_err(|_| Problem::new(Code::Malformed, "The body does not unpack.")),
        Some(_) => {
            let mut problem = Problem::new(Code::Malformed, "Send zstd or nothing.");
            problem.status = 415;
            Err(problem)
        }
    }
}

/// The answer that says no.
pub(crate) fn refusal(problem: &Problem) -> Response {
    let mut headers = vec![("content-type".to_owned(), "application/problem+json".to_owned())];
    headers.extend(problem.retry_after_ms.map(|ms| ("retry-after".to_owned(), ms.div_ceil(1000).to_string())));
    Response { status: problem.status, headers, body: serde_json::to_vec(problem).unwrap_or_default().into() }
}
