//! One exchange with the server: builds the request, and reads the answer into a value or a typed failure.

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};

use bytes::Bytes;
use serde::de::DeserializeOwned;
use turnstone_engine::sync::Failure;
use turnstone_protocol::wire::{HelloAnswer, PREFIX, PRINCIPAL, PullAnswer, PullRequest, PushAnswer};
use turnstone_protocol::{Problem, limits};

use crate::codec::{self, Encoding, Unpack};
use crate::sync::Identity;
use crate::transport::{Method, Request, Response, Transport, TransportError, retry_after};

/// The way to the server, shared by all requests of a store.
pub(super) struct Wire {
    transport: Arc<dyn Transport>,
    /// How request bodies are packed: simpler, once the server said it does not speak the better.
    packing: AtomicU8,
    traffic: Traffic,
}

/// Who asks, and whose database it is for.
#[derive(Clone)]
pub(super) struct Asker {
    pub(super) token: Arc<str>,
    /// As the server named them; none: it has not yet.
    pub(super) principal: Option<Arc<str>>,
}

/// What travelled.
#[derive(Debug, Default)]
struct Traffic {
    requests: AtomicU64,
    bytes_up: AtomicU64,
    bytes_down: AtomicU64,
}

/// A body ready to travel, packed one way; the plain one is kept for servers that do not speak it.
#[derive(Clone)]
pub(super) struct Packed {
    plain: Bytes,
    packed: Bytes,
    encoding: Encoding,
}

impl Wire {
    pub(super) fn new(transport: Arc<dyn Transport>) -> Self {
        Self { transport, packing: AtomicU8::new(0), traffic: Traffic::default() }
    }

    /// Requests made, bytes sent, bytes received since the start.
    pub(super) fn traffic(&self) -> (u64, u64, u64) {
        let load = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        (load(&self.traffic.requests), load(&self.traffic.bytes_up), load(&self.traffic.bytes_down))
    }

    /// Packs a body the way the server is known to speak.
    pub(super) fn pack(&self, plain: Bytes) -> Packed {
        let (packed, encoding) = codec::pack(&plain, self.packing());
        Packed { plain, packed, encoding }
    }

    pub(super) async fn hello(&self, asker: &Asker, identity: Identity) -> Result<HelloAnswer, Failure> {
        let Identity { device, incarnation, .. } = identity;
        let path = format!("{PREFIX}/hello?device={device}&incarnation={incarnation}");
        let answer: HelloAnswer = read(self.exchange(Method::Get, path, asker, None).await?)?;
        // It travels in a header from now on.
        let is_name = |name: &str| {
            (1..=limits::PRINCIPAL_BYTES_MAX).contains(&name.len()) && name.bytes().all(|byte| byte.is_ascii_graphic())
        };
        if answer.principal.as_deref().is_some_and(|name| !is_name(name)) {
            return Err(Failure::NotTurnstone);
        }
        Ok(answer)
    }

    pub(super) async fn push(&self, asker: &Asker, body: &Packed) -> Result<PushAnswer, Failure> {
        read_pushed(self.post(format!("{PREFIX}/push"), asker, body).await?)
    }

    pub(super) async fn pull(&self, asker: &Asker, request: &PullRequest) -> Result<Response, Failure> {
        let plain = serde_json::to_vec(request).map_err(|_| Failure::Broken)?;
        self.post(format!("{PREFIX}/pull"), asker, &self.pack(Bytes::from(plain))).await
    }

    /// Posts a body; where the server does not speak its encoding, again in a simpler one.
    async fn post(&self, path: String, asker: &Asker, body: &Packed) -> Result<Response, Failure> {
        let mut body = body.clone();
        loop {
            let response = self.exchange(Method::Post, path.clone(), asker, Some(&body)).await?;
            match body.encoding.simpler() {
                Some(simpler) if response.status == 415 => {
                    self.packing.store(simpler as u8, Ordering::Relaxed);
                    let (packed, encoding) = codec::pack(&body.plain, simpler);
                    body = Packed { plain: body.plain, packed, encoding };
                }
                _ => return Ok(response),
            }
        }
    }

    async fn exchange(
        &self,
        method: Method,
        path: String,
        asker: &Asker,
        body: Option<&Packed>,
    ) -> Result<Response, Failure> {
        let mut headers = vec![
            ("authorization", format!("Bearer {}", asker.token)),
            ("accept", "application/json".to_owned()),
            ("accept-encoding", Encoding::ACCEPTED.to_owned()),
        ];
        headers.extend(asker.principal.iter().map(|name| (PRINCIPAL, name.to_string())));
        if let Some(body) = body {
            headers.push(("content-type", "application/json".to_owned()));
            headers.extend(body.encoding.name().map(|name| ("content-encoding", name.to_owned())));
        }
        let body = body.map(|body| body.packed.clone()).unwrap_or_default();
        self.traffic.requests.fetch_add(1, Ordering::Relaxed);
        self.traffic.bytes_up.fetch_add(body.len() as u64, Ordering::Relaxed);
        // What stands behind the question mark names the device.
        let asked = path.split('?').next().unwrap_or_default().to_owned();
        let request = Request { method, path, headers, body, answer_bytes_max: limits::ANSWER_EXPANDED_BYTES_MAX };
        let response = self.transport.exchange(request).await.map_err(|error| {
            log::debug!(target: "turnstone", "{asked}: {error}");
            match error {
                TransportError::Offline => Failure::Offline,
                TransportError::Timeout => Failure::Timeout,
                TransportError::Broken => Failure::Broken,
                TransportError::TooLarge => Failure::AnswerTooLarge,
                TransportError::Untrusted => Failure::NotTurnstone,
            }
        })?;
        log::debug!(target: "turnstone", "{asked}: {}", response.status);
        self.traffic.bytes_down.fetch_add(response.body.len() as u64, Ordering::Relaxed);
        Ok(response)
    }

    fn packing(&self) -> Encoding {
        match self.packing.load(Ordering::Relaxed) {
            0 => Encoding::Zstd,
            1 => Encoding::Gzip,
            _ => Encoding::Identity,
        }
    }
}

/// Reads what became of a push. Its verdicts count, whatever the page beside them is.
fn read_pushed(response: Response) -> Result<PushAnswer, Failure> {
    read(response).map(|answer: PushAnswer| PushAnswer { pull: answer.pull.filter(leads_on), ..answer })
}

/// Reads a pull page: apart from the download, so that it can be done elsewhere while the next one travels.
pub(super) fn read_page(response: Response) -> Result<PullAnswer, Failure> {
    read(response).and_then(|page| if leads_on(&page) { Ok(page) } else { Err(Failure::NotTurnstone) })
}

/// Whether a page that promises more brings something: one that does not would be asked for again and again, at once.
fn leads_on(page: &PullAnswer) -> bool {
    !page.more || !page.commits.is_empty()
}

/// Reads an answer. What is not JSON from a Turnstone server is a network fault: nothing is consumed for it (I-17).
fn read<T: DeserializeOwned>(response: Response) -> Result<T, Failure> {
    if response.status != 200 {
        return Err(refusal(&response));
    }
    if !has_type(&response, "application/json") {
        return Err(Failure::NotTurnstone);
    }
    let body = expand(&response)?;
    serde_json::from_slice(&body).map_err(|error| if error.is_eof() { Failure::Broken } else { Failure::NotTurnstone })
}

fn refusal(response: &Response) -> Failure {
    let is_html = has_type(response, "text/html");
    let own_words = matches!(response.status, 401 | 403 | 408 | 413 | 425 | 426 | 429);
    if is_html && (300..500).contains(&response.status) && !own_words {
        // A proxy's page, not the server's word on what was sent.
        return Failure::NotTurnstone;
    }
    let problem: Option<Problem> = expand(response).ok().and_then(|body| serde_json::from_slice(&body).ok());
    if problem.is_none() && has_type(response, "application/problem+json") && !own_words && response.status < 502 {
        // The server's word, and the end of it was lost: its status alone would be taken for a refusal of what was sent.
        return Failure::Broken;
    }
    let retry_after_ms = retry_after::read(response).or(problem.as_ref().and_then(|problem| problem.retry_after_ms));
    Failure::Status {
        status: response.status,
        retry_after_ms,
        expected: problem.as_ref().and_then(|problem| problem.expected),
        code: problem.map(|problem| problem.code),
    }
}

fn expand(response: &Response) -> Result<Bytes, Failure> {
    let encoding = response.header("content-encoding");
    codec::unpack(response.body.clone(), encoding, limits::ANSWER_EXPANDED_BYTES_MAX).map_err(|error| match error {
        Unpack::TooLarge => Failure::AnswerTooLarge,
        Unpack::Broken => Failure::Broken,
    })
}

fn has_type(response: &Response, name: &str) -> bool {
    let value = response.header("content-type").unwrap_or_default();
    value.split(';').next().is_some_and(|kind| kind.trim().eq_ignore_ascii_case(name))
}

#[cfg(test)]
mod tests {
    use super::*;
    use turnstone_protocol::Code;

    fn response(status: u16, kind: &str, body: &str) -> Response {
        let headers = vec![("content-type".to_owned(), kind.to_owned())];
        Response { status, headers, body: Bytes::copy_from_slice(body.as_bytes()) }
    }

    /// I-17: a refusal whose end was lost says nothing about what was sent; a bare status does.
    #[test]
    fn a_refusal_that_was_cut_is_a_lost_answer() {
        let whole =
            r#"{"type":"t","title":"A seq is missing.","status":409,"code":"seq_gap","class":"reset","expected":1}"#;
        for keep in [0, 1, whole.len() - 1] {
            let cut = response(409, "application/problem+json", whole.get(..keep).unwrap());
            assert!(matches!(refusal(&cut), Failure::Broken), "{keep} bytes");
        }
        let told = response(409, "application/problem+json", whole);
        assert!(matches!(refusal(&told), Failure::Status { code: Some(Code::SeqGap), expected: Some(1), .. }));
        let bare = Response { status: 400, headers: Vec::new(), body: Bytes::new() };
        assert!(matches!(refusal(&bare), Failure::Status { status: 400, code: None, .. }));
    }

    const PAGE: &str = r#"{"epoch":"00000000000000000000000000000001","commits":[],"cursor":"c","at":0,"more":false,
        "acked":0,"stable":0,"hlc":"0000000000000000","now":1}"#;

    #[test]
    fn a_page_is_read() {
        assert!(read_page(response(200, "application/json; charset=utf-8", PAGE)).is_ok());
    }

    /// I-62: it would be asked for again and again, without a pause between.
    #[test]
    fn a_page_that_promises_more_and_brings_nothing_is_none() {
        let endless = PAGE.replace("false", "true");
        assert_eq!(read_page(response(200, "application/json", &endless)).err(), Some(Failure::NotTurnstone));
        for (page, is_taken) in [(PAGE, true), (endless.as_str(), false)] {
            let pushed = format!(
                r#"{{"epoch":"00000000000000000000000000000001","verdicts":[],"now":1,"hlc":"0000000000000000","stable":0,
                "pull":{page}}}"#
            );
            let answer = read_pushed(response(200, "application/json", &pushed)).unwrap();
            assert_eq!(answer.pull.is_some(), is_taken, "beside verdicts");
        }
    }

    /// I-17: a captive portal answers 200 with HTML; a cut answer is JSON without an end.
    #[test]
    fn what_is_not_an_answer_is_a_network_fault() {
        let html = "<html>Welcome to the hotel</html>";
        assert_eq!(read_page(response(200, "text/html", html)).err(), Some(Failure::NotTurnstone));
        assert_eq!(read_page(response(200, "application/json", html)).err(), Some(Failure::NotTurnstone));
        assert_eq!(read_page(response(200, "application/json", "[1]")).err(), Some(Failure::NotTurnstone));
        assert_eq!(read_page(response(200, "application/json", &PAGE[..40])).err(), Some(Failure::Broken));
        assert_eq!(read_page(response(302, "text/html", html)).err(), Some(Failure::NotTurnstone));
        assert_eq!(read_page(response(400, "text/html", html)).err(), Some(Failure::NotTurnstone));
    }

    #[test]
    fn a_problem_document_gives_its_code_and_its_hints() {
        let mut problem = Problem::new(Code::SeqGap, "A seq is missing.");
        problem.expected = Some(7);
        let text = serde_json::to_string(&problem).unwrap();
        let failure = read_page(response(409, "application/problem+json", &text)).err();
        let expected =
            Failure::Status { status: 409, code: Some(Code::SeqGap), retry_after_ms: None, expected: Some(7) };
        assert_eq!(failure, Some(expected));
    }

    #[test]
    fn a_status_without_a_document_still_says_when_to_come_back() {
        let mut busy = response(503, "text/html", "<html>busy</html>");
        busy.headers.push(("Retry-After".to_owned(), "7".to_owned()));
        let expected = Failure::Status { status: 503, code: None, retry_after_ms: Some(7_000), expected: None };
        assert_eq!(read_page(busy).err(), Some(expected));
    }
}
