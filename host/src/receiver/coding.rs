//! Content codings: recognising and decoding them.

mod flate;
mod output;
mod snappy;
#[cfg(test)]
mod tests;
mod zstd;

use bytes::Bytes;
use http::HeaderMap;
use http::header::CONTENT_ENCODING;
use podstamp_core::hosting::unreadable::Unreadable;

use super::refusal::Refusal;
use crate::offload::Threads;
use crate::receiver::admission::Slot;
use output::{Error, Output};

/// The content codings that are known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Coding {
    Identity,
    Gzip,
    Deflate,
    Zlib,
    Zstd,
    Snappy,
    SnappyFramed,
}

impl Coding {
    /// The names of all codings, for people and for Accept-Encoding.
    pub(super) const NAMES: &str = "gzip, deflate, zlib, zstd, snappy, x-snappy-framed, identity";

    /// The coding that a request's headers name.
    pub(super) fn of(headers: &HeaderMap) -> Result<Self, Unreadable> {
        let mut coding = Self::Identity;
        for value in headers.get_all(CONTENT_ENCODING) {
            for name in value.as_bytes().split(|byte| *byte == b',') {
                let named = Self::named(name.trim_ascii()).filter(|named| {
                    // Exporters never put one coding on top of another, and bombs are built that way.
                    *named == Self::Identity || coding == Self::Identity
                });
                match named {
                    None => return Err(Self::unknown(value.as_bytes())),
                    Some(Self::Identity) => (),
                    Some(named) => coding = named,
                }
            }
        }
        Ok(coding)
    }

    /// The coding of that name, in any case; `None` if it is unknown.
    pub(super) fn named(name: &[u8]) -> Option<Self> {
        let known = [
            (&b""[..], Self::Identity),
            (b"identity", Self::Identity),
            (b"gzip", Self::Gzip),
            // RFC 9110, 8.4.1.3: the same as gzip.
            (b"x-gzip", Self::Gzip),
            (b"deflate", Self::Deflate),
            (b"zlib", Self::Zlib),
            (b"zstd", Self::Zstd),
            (b"snappy", Self::Snappy),
            (b"x-snappy-framed", Self::SnappyFramed),
        ];
        known.iter().find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, coding)| *coding)
    }

    /// The error for an unknown name.
    pub(super) fn unknown(name: &[u8]) -> Unreadable {
        Unreadable::UnknownCoding { name: String::from_utf8_lossy(name).into_owned(), known: Self::NAMES }
    }

    fn corrupt(self, reason: String) -> Refusal {
        Unreadable::Corrupt { coding: self.name(), reason }.into()
    }

    fn name(self) -> &'static str {
        match self {
            Self::Identity => "identity",
            Self::Gzip => "gzip",
            Self::Deflate => "deflate",
            Self::Zlib => "zlib",
            Self::Zstd => "zstd",
            Self::Snappy => "snappy",
            Self::SnappyFramed => "x-snappy-framed",
        }
    }

    /// Decodes a body to at most `limit` bytes, for which `slot` holds the room.
    pub(super) async fn decode(
        self,
        body: Bytes,
        limit: usize,
        mut slot: Slot,
        decoder: &Decoder,
    ) -> Result<(Decoded, Slot), Refusal> {
        let Some(decode) = self.decode_function() else {
            return Ok((Decoded { body, gzip: None }, slot));
        };
        let keep = decoder.keep_gzip && self == Self::Gzip;
        let work = move |body: &Bytes, limit, slot: &mut Slot| {
            decode_held(decode, body, limit, slot, keep).map_err(|error| match error {
                Error::TooLarge => Unreadable::DecodedTooLarge(limit).into(),
                Error::NoRoom => Refusal::Full(slot.full()),
                Error::Corrupt(reason) => self.corrupt(reason),
            })
        };
        if body.len() <= INLINE {
            match work(&body, limit.min(INLINE_DECODED), &mut slot) {
                Err(Refusal::Body(Unreadable::DecodedTooLarge(tried))) if tried < limit => (),
                decoded => return Ok((decoded?, slot)),
            }
        }
        // Other threads decode, since other requests need the async workers meanwhile.
        let working = decoder.threads.run((), move || Ok((work(&body, limit, &mut slot)?, slot)));
        working.await.unwrap_or_else(|error| Err(self.corrupt(error.to_string())))
    }

    fn decode_function(self) -> Option<Decode> {
        match self {
            Self::Identity => None,
            Self::Gzip => Some(flate::gzip),
            Self::Deflate => Some(flate::deflate),
            Self::Zlib => Some(flate::zlib),
            Self::Zstd => Some(zstd::zstd),
            Self::Snappy => Some(snappy::snappy),
            Self::SnappyFramed => Some(snappy::framed),
        }
    }
}

/// Decodes a whole body.
type Decode = fn(&[u8], &mut Output<'_>) -> Result<(), Error>;

/// Decodes a body, with `slot` holding the room for the decoded bytes, and for the coded ones only if those are kept.
fn decode_held(
    decode: Decode,
    body: &Bytes,
    limit: usize,
    slot: &mut Slot,
    keep: bool,
) -> Result<Decoded, Error> {
    let mut held = 0;
    let mut hold = |more| {
        let holds = slot.hold(more);
        held += if holds { more } else { 0 };
        holds
    };
    let mut output = Output::new(limit, &mut hold);
    let decoded = decode(body, &mut output);
    let keep = keep && output.members == 1;
    let decoded = decoded.and_then(|()| output.finish());
    match &decoded {
        Ok(_) if keep => (),
        Ok(_) => slot.release(body.len()),
        Err(_) => slot.release(held),
    }
    Ok(Decoded { body: decoded?.into(), gzip: keep.then(|| body.clone()) })
}

/// The means of decoding that all requests share.
#[derive(Debug)]
pub(super) struct Decoder {
    /// The threads that decode large bodies.
    threads: Threads,
    keep_gzip: bool,
}

impl Decoder {
    /// `threads` takes large bodies; `keep_gzip`: whether an upstream can use a gzip member as it came.
    pub(super) fn new(threads: Threads, keep_gzip: bool) -> Self {
        Self { threads, keep_gzip }
    }
}

/// A decoded body.
#[derive(Debug)]
pub(super) struct Decoded {
    pub(super) body: Bytes,
    /// The body as it came, if that was one gzip member and is to be kept.
    pub(super) gzip: Option<Bytes>,
}

/// Compressed bytes that an async worker decodes: some tenths of a millisecond for usual ones, and two where nothing but codes comes, block
/// after block.
const INLINE: usize = 96 << 10;

/// Decoded bytes up to which an async worker decodes a small body, which can be a bomb. A megabyte takes some milliseconds.
const INLINE_DECODED: usize = 1 << 20;
