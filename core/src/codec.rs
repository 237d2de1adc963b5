//! Packing bodies, and unpacking them without trusting how large they say they are.

use std::io::{Read, Write};

use bytes::Bytes;
use flate2::read::MultiGzDecoder;

/// How a body is packed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Encoding {
    /// What every Turnstone server speaks.
    Zstd,
    /// What every HTTP stack speaks.
    Gzip,
    /// As it is.
    Identity,
}

/// Bodies up to this many bytes are not worth packing.
pub(crate) const PLAIN_BYTES_MAX: usize = 1_024;
/// The zstd level: 3 packs a push as well as gzip 9, ten times faster.
const ZSTD_LEVEL: i32 = 3;
/// The largest window a frame may ask this client to keep (8 MiB, what RFC 8878 tells every decoder to support).
const ZSTD_WINDOW_LOG_MAX: u32 = 23;

/// Why a body could not be unpacked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Unpack {
    /// It grows beyond what this client accepts.
    TooLarge,
    /// It is cut, damaged, or packed in a way this client did not offer.
    Broken,
}

impl Encoding {
    /// What `Accept-Encoding` offers.
    pub(crate) const ACCEPTED: &'static str = "zstd, gzip";

    /// Its HTTP name; none for plain bodies.
    pub(crate) const fn name(self) -> Option<&'static str> {
        match self {
            Self::Zstd => Some("zstd"),
            Self::Gzip => Some("gzip"),
            Self::Identity => None,
        }
    }

    /// What to try where a server does not speak this one.
    pub(crate) const fn simpler(self) -> Option<Self> {
        match self {
            Self::Zstd => Some(Self::Gzip),
            Self::Gzip => Some(Self::Identity),
            Self::Identity => None,
        }
    }
}

/// Packs a body, if that is worth it. Returns how it was packed.
pub(crate) fn pack(body: &Bytes, encoding: Encoding) -> (Bytes, Encoding) {
    if body.len() <= PLAIN_BYTES_MAX {
        return (body.clone(), Encoding::Identity);
    }
    let packed = match encoding {
        Encoding::Zstd => zstd::bulk::compress(body, ZSTD_LEVEL).ok(),
        Encoding::Gzip => gzip(body).ok(),
        Encoding::Identity => None,
    };
    packed.map_or_else(|| (body.clone(), Encoding::Identity), |packed| (Bytes::from(packed), encoding))
}

/// Tells how large a body is once packed, without keeping it.
pub(crate) struct Packer(Option<zstd::stream::write::Encoder<'static, Count>>, usize);

/// Counts bytes.
struct Count(usize);

impl Packer {
    /// Nothing yet.
    pub(crate) fn new() -> Self {
        Self(zstd::stream::write::Encoder::new(Count(0), ZSTD_LEVEL).ok(), 0)
    }

    /// Adds a part of the body.
    pub(crate) fn add(&mut self, part: &[u8]) {
        self.1 += part.len();
        if self.0.as_mut().is_some_and(|packer| packer.write_all(part).is_err()) {
            self.0 = None;
        }
    }

    /// Bytes of it all: packed, or as it is where it cannot be packed.
    pub(crate) fn bytes(self) -> usize {
        self.0.and_then(|packer| packer.finish().ok()).map_or(self.1, |count| count.0)
    }
}

impl Write for Count {
    fn write(&mut self, part: &[u8]) -> std::io::Result<usize> {
        self.0 += part.len();
        Ok(part.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

fn gzip(body: &[u8]) -> std::io::Result<Vec<u8>> {
    let mut packer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::new(6));
    packer.write_all(body)?;
    packer.finish()
}

/// Unpacks a body packed as `Content-Encoding` says, up to a size.
pub(crate) fn unpack(body: Bytes, encoding: Option<&str>, bytes_max: usize) -> Result<Bytes, Unpack> {
    match encoding.map(str::trim) {
        None | Some("" | "identity") if body.len() > bytes_max => Err(Unpack::TooLarge),
        None | Some("" | "identity") => Ok(body),
        Some(name) if name.eq_ignore_ascii_case("zstd") => {
            let mut expander = zstd::stream::read::Decoder::new(&*body).map_err(|_| Unpack::Broken)?;
            expander.window_log_max(ZSTD_WINDOW_LOG_MAX).map_err(|_| Unpack::Broken)?;
            expand(expander, bytes_max)
        }
        Some(name) if name.eq_ignore_ascii_case("gzip") => expand(MultiGzDecoder::new(&*body), bytes_max),
        Some(_) => Err(Unpack::Broken),
    }
}

fn expand(expander: impl Read, bytes_max: usize) -> Result<Bytes, Unpack> {
    let mut body = Vec::new();
    let limit = u64::try_from(bytes_max).unwrap_or(u64::MAX).saturating_add(1);
    expander.take(limit).read_to_end(&mut body).map_err(|_| Unpack::Broken)?;
    if body.len() > bytes_max {
        return Err(Unpack::TooLarge);
    }
    Ok(Bytes::from(body))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(len: usize) -> Bytes {
        Bytes::from("{\"title\":\"the quick brown fox\"}".repeat(len / 31 + 1))
    }

    #[test]
    fn every_encoding_gives_the_body_back() {
        let body = text(50_000);
        for encoding in [Encoding::Zstd, Encoding::Gzip, Encoding::Identity] {
            let (packed, used) = pack(&body, encoding);
            assert_eq!(used, encoding);
            assert_eq!(unpack(packed, encoding.name(), 60_000), Ok(body.clone()));
        }
        assert_eq!(pack(&text(100), Encoding::Zstd).1, Encoding::Identity, "small bodies travel as they are");
    }

    /// I-58: a small body that expands to gigabytes is refused at once, without holding them.
    #[test]
    fn a_body_that_expands_without_end_is_refused() {
        let zeros = vec![0u8; 256 << 20];
        for encoding in [Encoding::Zstd, Encoding::Gzip] {
            let (bomb, _) = pack(&Bytes::from(zeros.clone()), encoding);
            assert!(bomb.len() < 1 << 20);
            assert_eq!(unpack(bomb, encoding.name(), 1 << 20), Err(Unpack::TooLarge));
        }
    }

    #[test]
    fn a_cut_or_foreign_body_is_broken_never_shorter() {
        let body = text(50_000);
        for encoding in [Encoding::Zstd, Encoding::Gzip] {
            let (packed, _) = pack(&body, encoding);
            let cut = packed.slice(..packed.len() / 2);
            assert_eq!(unpack(cut, encoding.name(), 1 << 20), Err(Unpack::Broken), "{encoding:?}");
        }
        assert_eq!(unpack(body.clone(), Some("br"), 1 << 20), Err(Unpack::Broken));
        assert_eq!(unpack(body, Some("zstd"), 1 << 20), Err(Unpack::Broken));
    }
}
