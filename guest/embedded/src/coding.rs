//! Content codings, undone within a limit.

use std::io::Read;

use flate2::bufread::{DeflateDecoder, MultiGzDecoder, ZlibDecoder};
use podstamp_core::hosting::unreadable::Unreadable;

/// The content coding of a body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Coding {
    /// None.
    Identity,
    /// RFC 1952, of any number of members.
    Gzip,
    /// RFC 1950, or RFC 1951 alone, as some clients have it.
    Deflate,
}

impl Coding {
    /// Reads Content-Encoding, or grpc-encoding.
    pub fn named(value: Option<&[u8]>) -> Result<Self, Unreadable> {
        let value = value.unwrap_or_default().trim_ascii();
        let is = |known: &str| value.eq_ignore_ascii_case(known.as_bytes());
        if value.is_empty() || is("identity") {
            Ok(Self::Identity)
        } else if is("gzip") || is("x-gzip") {
            Ok(Self::Gzip)
        } else if is("deflate") || is("zlib") {
            Ok(Self::Deflate)
        } else {
            Err(Unreadable::UnknownCoding { name: String::from_utf8_lossy(value).into_owned(), known: NAMES })
        }
    }

    /// The body as it was before it was coded, of at most `limit` bytes.
    pub fn decode(self, body: Vec<u8>, limit: usize) -> Result<Vec<u8>, Unreadable> {
        let mut decoded = Vec::new();
        let read = match self {
            Self::Identity => {
                return if body.len() > limit { Err(Unreadable::TooLarge(limit)) } else { Ok(body) };
            }
            Self::Gzip => {
                decoded.reserve_exact(gzip_size(&body, limit));
                decode_into(MultiGzDecoder::new(body.as_slice()), &mut decoded, limit)
            }
            Self::Deflate if is_zlib(&body) => {
                decode_into(ZlibDecoder::new(body.as_slice()), &mut decoded, limit)
            }
            // Some clients take raw deflate for it.
            Self::Deflate => decode_into(DeflateDecoder::new(body.as_slice()), &mut decoded, limit),
        };
        read.map_err(|error| Unreadable::Corrupt { coding: self.name(), reason: error.to_string() })?;
        if decoded.len() > limit { Err(Unreadable::DecodedTooLarge(limit)) } else { Ok(decoded) }
    }

    /// Decodes a gRPC message after a proxy has taken its frame away, and with it the flag that says whether it is
    /// coded. No ExportTraceServiceRequest begins like gzip or zlib: that would be field 3 with wire type 7, or
    /// field 15, and there is neither.
    pub fn decode_unflagged(self, message: Vec<u8>, limit: usize) -> Result<Vec<u8>, Unreadable> {
        let is_coded = match self {
            Self::Identity => false,
            Self::Gzip => message.starts_with(&GZIP),
            Self::Deflate => is_zlib(&message),
        };
        if is_coded { self } else { Self::Identity }.decode(message, limit)
    }

    fn name(self) -> &'static str {
        match self {
            Self::Identity => "identity",
            Self::Gzip => "gzip",
            Self::Deflate => "deflate",
        }
    }
}

/// Reads one byte more than there may be, so that too many are noticed.
fn decode_into(decoder: impl Read, into: &mut Vec<u8>, limit: usize) -> std::io::Result<usize> {
    decoder.take(limit as u64 + 1).read_to_end(into)
}

/// The decoded size that a gzip body claims, as far as gzip can reach it at all.
fn gzip_size(body: &[u8], limit: usize) -> usize {
    let said = body.last_chunk().map_or(0, |size| u32::from_le_bytes(*size)) as usize;
    said.min(limit).min(body.len().saturating_mul(MAX_RATIO)).saturating_add(1)
}

/// Whether a body begins as zlib does (RFC 1950): with the method, and a check over the first two bytes.
fn is_zlib(body: &[u8]) -> bool {
    body.first_chunk().is_some_and(|head| head[0] & 0x0f == 8 && u16::from_be_bytes(*head) % 31 == 0)
}

const NAMES: &str = "gzip, deflate, identity";

const GZIP: [u8; 2] = [0x1f, 0x8b];

/// The ratio that deflate reaches at best.
const MAX_RATIO: usize = 1032;

#[cfg(test)]
mod tests {
    use std::io::Write;

    use flate2::Compression;
    use flate2::write::{DeflateEncoder, GzEncoder, ZlibEncoder};

    use podstamp_core::interface::{Encoding, Header};

    use super::*;

    fn gzip(body: &[u8]) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
        encoder.write_all(body).unwrap();
        encoder.finish().unwrap()
    }

    #[test]
    fn codings_are_undone() {
        let body = b"spans, spans and spans".as_slice();
        let mut zlib = ZlibEncoder::new(Vec::new(), Compression::default());
        zlib.write_all(body).unwrap();
        let mut raw = DeflateEncoder::new(Vec::new(), Compression::default());
        raw.write_all(body).unwrap();
        for (coding, coded) in [
            (Coding::Identity, body.to_vec()),
            (Coding::Gzip, gzip(body)),
            (Coding::Gzip, [gzip(&body[..5]), gzip(&body[5..])].concat()),
            (Coding::Deflate, zlib.finish().unwrap()),
            (Coding::Deflate, raw.finish().unwrap()),
        ] {
            assert_eq!(coding.decode(coded, 100).as_deref(), Ok(body), "{coding:?}");
        }
    }

    #[test]
    fn what_grows_over_the_limit_stops_there() {
        let bomb = gzip(&vec![0; 10 << 20]);
        assert_eq!(Coding::Gzip.decode(bomb.clone(), 1000), Err(Unreadable::DecodedTooLarge(1000)));
        assert_eq!(Coding::Gzip.decode(gzip(&[0; 1000]), 1000).map(|body| body.len()), Ok(1000));
        assert_eq!(Coding::Identity.decode(vec![0; 1001], 1000), Err(Unreadable::TooLarge(1000)));
        // A size that is made up costs nothing.
        let mut lie = gzip(b"small");
        let at = lie.len() - 4;
        lie[at..].copy_from_slice(&[0xff; 4]);
        assert!(gzip_size(&lie, 1 << 30) < 64 << 10);
        assert!(matches!(Coding::Gzip.decode(lie, 1 << 30), Err(Unreadable::Corrupt { .. })));
    }

    #[test]
    fn broken_bodies_and_unknown_codings_are_refused() {
        for body in [b"".as_slice(), b"no gzip", &gzip(b"cut off")[..15]] {
            assert!(
                matches!(Coding::Gzip.decode(body.to_vec(), 100), Err(Unreadable::Corrupt { .. })),
                "{body:?}"
            );
        }
        assert_eq!(Coding::named(Some(b" GZIP ")), Ok(Coding::Gzip));
        assert_eq!(Coding::named(None), Ok(Coding::Identity));
        let unknown = Coding::named(Some(b"br")).unwrap_err();
        let answer = unknown.answer(Encoding::Protobuf);
        assert_eq!(answer.status, 415);
        assert!(answer.headers.contains(&Header::new("accept-encoding", NAMES)));
    }

    #[test]
    fn without_the_flag_a_message_is_coded_if_it_looks_so() {
        let message = b"\x0a\x00".to_vec();
        assert_eq!(Coding::Gzip.decode_unflagged(message.clone(), 100), Ok(message.clone()));
        assert_eq!(Coding::Gzip.decode_unflagged(gzip(&message), 100), Ok(message.clone()));
        assert_eq!(Coding::Gzip.decode_unflagged(Vec::new(), 100), Ok(Vec::new()));
        assert_eq!(Coding::Deflate.decode_unflagged(message.clone(), 100), Ok(message));
    }
}
