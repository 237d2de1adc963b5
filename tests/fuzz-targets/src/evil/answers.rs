//! What the server answers, by a script of bytes.

use bytes::Bytes as Body;
use turnstone::transport::{MemoryTransport, Request, Response, Transport, TransportError};
use turnstone_protocol::Code;

use super::hostile;
use super::said::Said;
use crate::bytes::Bytes;

/// More answers than this are not given: then nobody answers.
const ANSWERS_MAX: usize = 48;

#[derive(Default)]
pub(super) struct Evil {
    script: Vec<u8>,
    at: usize,
    given: usize,
    /// The last answers, to be given again.
    kept: Vec<Response>,
    pub(super) said: Said,
    /// It has thought better of it, and answers as it should.
    pub(super) repents: bool,
}

impl Evil {
    pub(super) fn new(data: &[u8]) -> Self {
        Self { script: data.to_vec(), ..Self::default() }
    }

    pub(super) fn answer(&mut self, honest: &MemoryTransport, request: Request) -> Result<Response, TransportError> {
        if request.path.starts_with("/sync/v1/hello")
            && let Ok(answer) = ask(honest, request.clone())
        {
            self.said.honest_greeting(&answer);
        }
        if self.repents {
            let answer = ask(honest, request.clone())?;
            self.said.hear(&request, &answer);
            return Ok(answer);
        }
        self.given += 1;
        let script = std::mem::take(&mut self.script);
        let mut bytes = Bytes::new(script.get(self.at..).unwrap_or_default());
        let left = bytes.left();
        let answer = if bytes.is_empty() || self.given > ANSWERS_MAX {
            Err(TransportError::Offline)
        } else {
            self.choose(&mut bytes, honest, request.clone())
        };
        self.at += left - bytes.left();
        self.script = script;
        if let Ok(answer) = &answer {
            self.said.hear(&request, answer);
            self.kept.push(answer.clone());
        }
        answer
    }

    fn choose(
        &mut self,
        bytes: &mut Bytes<'_>,
        honest: &MemoryTransport,
        request: Request,
    ) -> Result<Response, TransportError> {
        match bytes.below(13) {
            0 | 1 => ask(honest, request),
            2 => ask(honest, request).map(|answer| altered(bytes, answer)),
            3 => ask(honest, request).map(|answer| other_number(bytes, answer)),
            4 => {
                let at = bytes.below(self.kept.len().max(1));
                self.kept.get(at).cloned().ok_or(TransportError::Broken)
            }
            5 => {
                let code = &Code::ALL[bytes.below(Code::ALL.len())];
                let status = bytes.one_of(&[400, 401, 403, 404, 409, 410, 413, 415, 426, 429, 500, 503]);
                let problem = format!(
                    r#"{{"type":"about:blank","title":"no","status":{status},"code":"{}","class":"retry"}}"#,
                    code.as_str()
                );
                Ok(response(status, "application/problem+json", None, problem.into_bytes()))
            }
            6 => Err(bytes.one_of(&[TransportError::Timeout, TransportError::Broken, TransportError::TooLarge])),
            7 => {
                // The answer to another question.
                let path = bytes.one_of(&["/sync/v1/hello", "/sync/v1/pull", "/sync/v1/push"]);
                ask(honest, Request { path: path.to_owned(), ..request })
            }
            8 => {
                let status = bytes.one_of(&[200, 200, 204, 206, 301, 400, 409, 410, 500]);
                let kind = bytes.one_of(&["application/json", "application/problem+json", "text/html", ""]);
                let packing = bytes.one_of(&[None, None, Some("zstd"), Some("gzip"), Some("br")]);
                let length = bytes.below(256);
                let body = bytes.take(length).to_vec();
                Ok(response(status, kind, packing, body))
            }
            9 => ask(honest, request).map(|answer| hostile::other_words(bytes, answer)),
            10 => ask(honest, request).map(|answer| hostile::lie(bytes, answer)),
            11 => ask(honest, request).map(|answer| hostile::made_up(bytes, answer)),
            _ => ask(honest, request).map(|answer| hostile::huge(bytes, answer)),
        }
    }
}

fn ask(honest: &MemoryTransport, request: Request) -> Result<Response, TransportError> {
    let mut exchange = honest.exchange(request);
    let mut waits = std::task::Context::from_waker(std::task::Waker::noop());
    match exchange.as_mut().poll(&mut waits) {
        std::task::Poll::Ready(answer) => answer,
        std::task::Poll::Pending => Err(TransportError::Timeout),
    }
}

/// Some bytes of it changed, or its end cut off.
fn altered(bytes: &mut Bytes<'_>, answer: Response) -> Response {
    let mut body = answer.body.to_vec();
    for _ in 0..=bytes.below(4) {
        let at = bytes.place() % body.len().max(1);
        match (bytes.below(4), body.get_mut(at)) {
            (0, Some(_)) => body.truncate(at),
            (_, Some(byte)) => *byte = bytes.byte(),
            _ => {}
        }
    }
    Response { body: Body::from(body), ..answer }
}

/// One number of it is another one.
fn other_number(bytes: &mut Bytes<'_>, answer: Response) -> Response {
    let text = String::from_utf8_lossy(&answer.body).into_owned();
    let is_digit = |at: usize| text.as_bytes().get(at).is_some_and(u8::is_ascii_digit);
    let starts: Vec<usize> = (0..text.len()).filter(|at| is_digit(*at) && (*at == 0 || !is_digit(at - 1))).collect();
    let Some(start) = starts.get(bytes.place() % starts.len().max(1)).copied() else { return answer };
    let end = (start..text.len()).find(|at| !is_digit(*at)).unwrap_or(text.len());
    let numbers = ["0", "1", "2", "7", "9007199254740992", "9223372036854775807", "18446744073709551615", "-1", "1e9"];
    let body = format!("{}{}{}", &text[..start], bytes.one_of(&numbers), &text[end..]);
    Response { body: Body::from(body), ..answer }
}

pub(super) fn response(status: u16, kind: &str, packing: Option<&str>, body: Vec<u8>) -> Response {
    let mut headers = vec![("content-type".to_owned(), kind.to_owned())];
    headers.extend(packing.map(|packing| ("content-encoding".to_owned(), packing.to_owned())));
    Response { status, headers, body: Body::from(body) }
}
