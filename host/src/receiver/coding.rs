//! Content codings: telling which one a body has, and undoing it.

use bytes::Bytes;
use http::HeaderMap;
use http::header::CONTENT_ENCODING;
use tokio::sync::Semaphore;
use tokio::task::spawn_blocking;

use super::gzip;
use super::refusal::Refusal;
use crate::admission::Slot;

/// The content codings that are known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Coding {
    Identity,
    Gzip,
}

impl Coding {
    /// All of them, for people and for Accept-Encoding.
    pub(super) const NAMES: &str = "gzip, identity";

    /// The coding that a request's headers name.
    pub(super) fn of(headers: &HeaderMap) -> Result<Self, Refusal> {
        let mut coding = Self::Identity;
        for value in headers.get_all(CONTENT_ENCODING) {
            for name in value.as_bytes().split(|byte| *byte == b',') {
                let named = Self::named(name.trim_ascii()).filter(|named| {
                    // One on top of another is nothing that an exporter does, and a way to build bombs.
                    *named == Self::Identity || coding == Self::Identity
                });
                match named {
                    None => {
                        return Err(Refusal::UnknownCoding(
                            String::from_utf8_lossy(value.as_bytes()).into_owned(),
                        ));
                    }
                    Some(Self::Identity) => (),
                    Some(named) => coding = named,
                }
            }
        }
        Ok(coding)
    }

    pub(super) fn named(name: &[u8]) -> Option<Self> {
        // RFC 9110, 8.4.1.3: x-gzip is the same.
        match name {
            [] => Some(Self::Identity),
            name if name.eq_ignore_ascii_case(b"identity") => Some(Self::Identity),
            name if name.eq_ignore_ascii_case(b"gzip") || name.eq_ignore_ascii_case(b"x-gzip") => {
                Some(Self::Gzip)
            }
            _ => None,
        }
    }

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Identity => "identity",
            Self::Gzip => "gzip",
        }
    }

    /// The body without its coding, at most `limit` bytes. `slot` holds the room for it; `large` says how many bodies may
    /// be worked on at a time away from the async workers.
    pub(super) async fn undo(
        self,
        body: Bytes,
        limit: usize,
        mut slot: Slot,
        large: &Semaphore,
    ) -> Result<(Bytes, Slot), Refusal> {
        match self {
            Self::Identity => Ok((body, slot)),
            Self::Gzip if body.len() <= INLINE => {
                match self.inflate(&body, limit.min(INLINE_DECODED), &mut slot) {
                    Err(Refusal::DecodedTooLarge(tried)) if tried < limit => {
                        self.inflate_elsewhere(body, limit, slot, large).await
                    }
                    inflated => Ok((inflated?, slot)),
                }
            }
            Self::Gzip => self.inflate_elsewhere(body, limit, slot, large).await,
        }
    }

    /// Off the async workers, which other requests need meanwhile.
    async fn inflate_elsewhere(
        self,
        body: Bytes,
        limit: usize,
        mut slot: Slot,
        large: &Semaphore,
    ) -> Result<(Bytes, Slot), Refusal> {
        let _permit = large.acquire().await.map_err(|_| Refusal::TooManyRequests)?;
        let inflating = spawn_blocking(move || Ok((self.inflate(&body, limit, &mut slot)?, slot)));
        inflating.await.unwrap_or_else(|error| Err(Refusal::Undecodable(self, error.to_string())))
    }

    /// Holds the room for what comes out, and no longer that for what went in.
    fn inflate(self, body: &[u8], limit: usize, slot: &mut Slot) -> Result<Bytes, Refusal> {
        let mut held = 0;
        let inflated = gzip::inflate(body, limit, |more| {
            let holds = slot.hold(more);
            held += if holds { more } else { 0 };
            holds
        });
        slot.release(if inflated.is_ok() { body.len() } else { held });
        inflated.map(Bytes::from).map_err(|error| match error {
            gzip::Error::TooLarge => Refusal::DecodedTooLarge(limit),
            gzip::Error::NoRoom => Refusal::TooManyBytes,
            gzip::Error::Corrupt(what) => Refusal::Undecodable(self, what),
        })
    }
}

/// Compressed bytes up to which inflating takes about as long as handing it to another thread is worth.
const INLINE: usize = 256 << 10;

/// The same, of what comes out: a small body can be a bomb.
const INLINE_DECODED: usize = 4 << 20;

#[cfg(test)]
mod tests {
    use super::*;

    fn of(values: &[&str]) -> Option<Coding> {
        let headers = values.iter().map(|value| (CONTENT_ENCODING, value.parse().unwrap())).collect();
        Coding::of(&headers).ok()
    }

    #[test]
    fn codings_are_told_by_name_in_any_case() {
        assert_eq!(of(&[]), Some(Coding::Identity));
        assert_eq!(of(&[""]), Some(Coding::Identity));
        assert_eq!(of(&["identity"]), Some(Coding::Identity));
        assert_eq!(of(&["GZip"]), Some(Coding::Gzip));
        assert_eq!(of(&["x-gzip, identity"]), Some(Coding::Gzip));
    }

    #[test]
    fn unknown_codings_and_codings_of_codings_are_refused() {
        assert_eq!(of(&["br"]), None);
        assert_eq!(of(&["gzip, gzip"]), None);
        assert_eq!(of(&["gzip", "gzip"]), None);
    }
}
