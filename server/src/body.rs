//! Bodies: received, expanded and packed, each within bounds that hold before the memory is used.

use std::io::{self, Read};
use std::time::Duration;

use axum::body::Body;
use axum::http::HeaderMap;
use axum::http::header::{ACCEPT_ENCODING, CONTENT_ENCODING, CONTENT_LENGTH};
use flate2::read::MultiGzDecoder;
use futures_util::StreamExt as _;
use turnstone_protocol::{Code, Problem};

use crate::budget::{Budget, Share};
use crate::config::Limits;
use crate::problem::{busy, timed_out};

/// The largest window a zstd frame may ask for: 8 MiB, which every decoder must support (RFC 8878, section 3.1.1.1.2).
const ZSTD_WINDOW_LOG_MAX: u32 = 23;
/// Packs rows of notes 8 % smaller than level 1 for a microsecond a note; level 6 takes twice that again for 4 % more.
const ZSTD_LEVEL: i32 = 3;
/// Answers below this many bytes travel as they are.
const PACK_BYTES_MIN: usize = 200;
/// How much memory is asked for at a time.
const STEP_BYTES: usize = 64 << 10;
/// How much of a body nobody wants is still read, so that the client gets to see the answer.
const DRAIN_BYTES_MAX: usize = 64 << 20;
/// How long that may take.
const DRAIN_MS_MAX: u64 = 5_000;

/// How a body is packed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Packing {
    /// Not at all.
    Identity,
    /// RFC 1952.
    Gzip,
    /// RFC 8878.
    Zstd,
}

impl Packing {
    /// How a request says its body is packed.
    pub(crate) fn of_request(headers: &HeaderMap) -> Result<Self, Problem> {
        let refused = || Problem::new(Code::UnsupportedEncoding, "Send the body as identity, gzip or zstd.");
        let Some(name) = headers.get(CONTENT_ENCODING) else { return Ok(Self::Identity) };
        match name.to_str().map_err(|_| refused())?.trim().to_ascii_lowercase().as_str() {
            "" | "identity" => Ok(Self::Identity),
            "gzip" | "x-gzip" => Ok(Self::Gzip),
            "zstd" => Ok(Self::Zstd),
            _ => Err(refused()),
        }
    }

    /// The packing we like best among those an answer may have.
    pub(crate) fn for_answer(headers: &HeaderMap) -> Self {
        let accepted = headers.get_all(ACCEPT_ENCODING).iter().filter_map(|value| value.to_str().ok());
        let mut best = Self::Identity;
        for item in accepted.flat_map(|value| value.split(',')) {
            let (name, weight) = item.split_once(';').unwrap_or((item, ""));
            let weight = weight.trim().strip_prefix("q=").and_then(|q| q.trim().parse::<f32>().ok());
            if weight == Some(0.0) {
                continue;
            }
            match name.trim().to_ascii_lowercase().as_str() {
                "zstd" | "*" => return Self::Zstd,
                "gzip" | "x-gzip" => best = Self::Gzip,
                _ => {}
            }
        }
        best
    }

    /// Its name as a header value.
    pub(crate) const fn name(self) -> Option<&'static str> {
        match self {
            Self::Identity => None,
            Self::Gzip => Some("gzip"),
            Self::Zstd => Some("zstd"),
        }
    }
}

/// A body as it came, with its share of the memory.
pub(crate) struct Received {
    bytes: Vec<u8>,
    packing: Packing,
    share: Share,
}

/// Reads a body as it travels. One that is refused is still read to a point, so that the answer arrives.
pub(crate) async fn receive(
    headers: &HeaderMap,
    body: Body,
    limits: &Limits,
    budget: &Budget,
) -> Result<Received, Problem> {
    let mut stream = Some(body);
    let in_time = Duration::from_millis(limits.request_ms_max);
    match tokio::time::timeout(in_time, receive_all(headers, &mut stream, limits, budget)).await {
        Ok(Ok(received)) => Ok(received),
        Ok(Err(problem)) => {
            if let Some(rest) = stream {
                drain(rest).await;
            }
            Err(problem)
        }
        Err(_) => Err(timed_out()),
    }
}

/// Reads and forgets what a client still sends, within bounds.
pub(crate) async fn drain(body: Body) {
    let read = async {
        let mut stream = body.into_data_stream();
        let mut read = 0usize;
        while let Some(Ok(chunk)) = stream.next().await {
            read = read.saturating_add(chunk.len());
            if read > DRAIN_BYTES_MAX {
                break;
            }
        }
    };
    // A client that is too slow gets the answer when it looks for it.
    let _ = tokio::time::timeout(Duration::from_millis(DRAIN_MS_MAX), read).await;
}

async fn receive_all(
    headers: &HeaderMap,
    body: &mut Option<Body>,
    limits: &Limits,
    budget: &Budget,
) -> Result<Received, Problem> {
    let packing = Packing::of_request(headers)?;
    let length = headers.get(CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse::<usize>().ok());
    if length.is_some_and(|length| length > limits.request_packed_bytes_max) {
        return Err(too_large());
    }
    let mut share = budget.share();
    let mut bytes = Vec::new();
    let Some(stream) = body.take() else { return Err(broken()) };
    let mut stream = stream.into_data_stream();
    while let Some(chunk) = stream.next().await {
        let chunk = chunk.map_err(|_| broken())?;
        let whole = bytes.len().saturating_add(chunk.len());
        let refused = if whole > limits.request_packed_bytes_max {
            Some(too_large())
        } else if !reserve(&mut bytes, chunk.len(), &mut share) {
            Some(busy())
        } else {
            None
        };
        if let Some(problem) = refused {
            *body = Some(Body::from_stream(stream));
            return Err(problem);
        }
        bytes.extend_from_slice(&chunk);
    }
    Ok(Received { bytes, packing, share })
}

impl Received {
    /// How many bytes came.
    pub(crate) fn packed_len(&self) -> usize {
        self.bytes.len()
    }

    /// Expands the body. Blocks for as long as that takes.
    pub(crate) fn expand(self, limits: &Limits) -> Result<Expanded, Problem> {
        let Self { bytes, packing, mut share } = self;
        let max = limits.request_expanded_bytes_max;
        let bytes = match packing {
            Packing::Identity if bytes.len() > max => return Err(too_large()),
            Packing::Identity => bytes,
            Packing::Gzip => expand(MultiGzDecoder::new(bytes.as_slice()), max, &mut share)?,
            Packing::Zstd => {
                let mut decoder = zstd::stream::read::Decoder::with_buffer(bytes.as_slice()).map_err(|_| busy())?;
                decoder.window_log_max(ZSTD_WINDOW_LOG_MAX).map_err(|_| busy())?;
                expand(decoder, max, &mut share)?
            }
        };
        Ok(Expanded { bytes, _share: share })
    }
}

/// A body ready to be parsed.
pub(crate) struct Expanded {
    pub(crate) bytes: Vec<u8>,
    _share: Share,
}

fn expand(mut decoder: impl Read, max: usize, share: &mut Share) -> Result<Vec<u8>, Problem> {
    let mut bytes = Vec::new();
    loop {
        if !reserve(&mut bytes, STEP_BYTES, share) {
            return Err(busy());
        }
        let read = (&mut decoder).take(STEP_BYTES as u64).read_to_end(&mut bytes);
        match read {
            Ok(0) => return Ok(bytes),
            Ok(_) if bytes.len() > max => return Err(too_large()),
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::OutOfMemory => return Err(busy()),
            Err(_) => return Err(Problem::new(Code::Malformed, "The body cannot be unpacked.")),
        }
    }
}

/// Makes room for more bytes, if the budget has it. Grows by doubling, as a vector does by itself.
fn reserve(bytes: &mut Vec<u8>, more: usize, share: &mut Share) -> bool {
    let needed = bytes.len().saturating_add(more);
    if needed <= bytes.capacity() {
        return true;
    }
    let grown = needed.max(bytes.capacity().saturating_mul(2)).max(1024);
    // While a vector moves, both its old and its new place are in use.
    if !share.grow(grown - bytes.capacity()) {
        return false;
    }
    bytes.try_reserve_exact(grown - bytes.len()).is_ok()
}

/// What a request body comes to, for the fuzzer: `packing` as the header says it, out come at most `bytes_max`.
pub(crate) fn unpack(bytes: Vec<u8>, packing: &str, bytes_max: usize) -> Result<Vec<u8>, Problem> {
    let packing = match packing {
        "gzip" => Packing::Gzip,
        "zstd" => Packing::Zstd,
        _ => Packing::Identity,
    };
    let limits = Limits { request_expanded_bytes_max: bytes_max, ..Limits::default() };
    let share = Budget::new(limits.bodies_bytes_max).share();
    Received { bytes, packing, share }.expand(&limits).map(|expanded| expanded.bytes)
}

/// Packs an answer.
pub(crate) fn pack(bytes: Vec<u8>, packing: Packing) -> (Vec<u8>, Packing) {
    if bytes.len() < PACK_BYTES_MIN {
        return (bytes, Packing::Identity);
    }
    let packed = match packing {
        Packing::Identity => None,
        Packing::Gzip => {
            let mut packed = Vec::with_capacity(bytes.len() / 3);
            let mut encoder = flate2::read::GzEncoder::new(bytes.as_slice(), flate2::Compression::new(3));
            encoder.read_to_end(&mut packed).ok().map(|_| packed)
        }
        Packing::Zstd => zstd::bulk::compress(&bytes, ZSTD_LEVEL).ok(),
    };
    match packed.filter(|packed| packed.len() < bytes.len()) {
        Some(packed) => (packed, packing),
        None => (bytes, Packing::Identity),
    }
}

fn too_large() -> Problem {
    Problem::new(Code::TooLarge, "The body is over the limit: send less at once.")
}

fn broken() -> Problem {
    Problem::new(Code::Malformed, "The body did not arrive whole.")
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    fn received(bytes: Vec<u8>, packing: Packing) -> (Received, Budget) {
        let budget = Budget::new(256 << 20);
        (Received { bytes, packing, share: budget.share() }, budget)
    }

    fn unpacked(bytes: Vec<u8>, packing: Packing, limits: &Limits) -> Result<Vec<u8>, Code> {
        received(bytes, packing).0.expand(limits).map(|expanded| expanded.bytes).map_err(|problem| problem.code)
    }

    #[test]
    fn what_was_packed_comes_back() {
        let text = b"turnstone ".repeat(10_000);
        for packing in [Packing::Identity, Packing::Gzip, Packing::Zstd] {
            let (packed, used) = pack(text.clone(), packing);
            assert_eq!(used, packing);
            assert_eq!(unpacked(packed, packing, &Limits::default()), Ok(text.clone()));
        }
        assert_eq!(pack(b"short".to_vec(), Packing::Zstd).1, Packing::Identity);
    }

    /// I-58: four gigabytes of zeros in a few hundred kilobytes are refused without ever being held.
    #[test]
    fn i_58_a_bomb_is_refused_within_the_bound() {
        let mut zeros = zstd::stream::write::Encoder::new(Vec::new(), 3).unwrap();
        io::copy(&mut io::repeat(0).take(4 << 30), &mut zeros).unwrap();
        let bomb = zeros.finish().unwrap();
        assert!(bomb.len() < 1 << 20);
        let limits = Limits::default();
        let budget = Budget::new(2 * limits.request_expanded_bytes_max);
        let body = Received { bytes: bomb, packing: Packing::Zstd, share: budget.share() };
        assert_eq!(body.expand(&limits).err().unwrap().code, Code::TooLarge);

        let mut gzip = flate2::read::GzEncoder::new(io::repeat(0).take(1 << 30), flate2::Compression::best());
        let mut bomb = Vec::new();
        gzip.read_to_end(&mut bomb).unwrap();
        assert_eq!(unpacked(bomb, Packing::Gzip, &limits), Err(Code::TooLarge));
    }

    /// I-58: a frame may not make the decoder take a huge window.
    #[test]
    fn i_58_a_huge_zstd_window_is_refused() {
        let mut encoder = zstd::stream::write::Encoder::new(Vec::new(), 1).unwrap();
        encoder.window_log(27).unwrap();
        io::copy(&mut io::repeat(0).take(1 << 20), &mut encoder).unwrap();
        assert_eq!(unpacked(encoder.finish().unwrap(), Packing::Zstd, &Limits::default()), Err(Code::Malformed));
    }

    #[test]
    fn a_body_cut_or_altered_is_malformed() {
        let text = b"turnstone ".repeat(10_000);
        for packing in [Packing::Gzip, Packing::Zstd] {
            let (packed, _) = pack(text.clone(), packing);
            let cut = packed[..packed.len() - 9].to_vec();
            assert_eq!(unpacked(cut, packing, &Limits::default()), Err(Code::Malformed));
            assert_eq!(unpacked(text.clone(), packing, &Limits::default()), Err(Code::Malformed));
        }
    }

    #[test]
    fn a_budget_that_is_spent_turns_bodies_away() {
        let (packed, _) = pack(vec![b'x'; 1 << 20], Packing::Zstd);
        let budget = Budget::new(512 << 10);
        let body = Received { bytes: packed, packing: Packing::Zstd, share: budget.share() };
        assert_eq!(body.expand(&Limits::default()).err().unwrap().code, Code::Unavailable);
    }

    #[test]
    fn the_best_packing_a_client_takes_is_chosen() {
        let accept = |value: &'static str| {
            let mut headers = HeaderMap::new();
            headers.insert(ACCEPT_ENCODING, HeaderValue::from_static(value));
            Packing::for_answer(&headers)
        };
        assert_eq!(accept("gzip, deflate, br, zstd"), Packing::Zstd);
        assert_eq!(accept("gzip;q=0.5, zstd;q=0"), Packing::Gzip);
        assert_eq!(accept("identity"), Packing::Identity);
        assert_eq!(Packing::for_answer(&HeaderMap::new()), Packing::Identity);
    }
}
