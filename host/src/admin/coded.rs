//! A text that many ask for, and its gzip.

use std::io::Write;
use std::sync::Arc;

use bytes::Bytes;
use flate2::Compression;
use flate2::write::GzEncoder;
use http::HeaderMap;
use http::header::ACCEPT_ENCODING;
use tokio::sync::OnceCell;
use tokio::task::spawn_blocking;

/// A text, which is compressed once at most.
#[derive(Clone, Debug)]
pub(super) struct Text {
    pub(super) plain: Bytes,
    /// `None`: compressing does not pay.
    gzip: Arc<OnceCell<Option<Bytes>>>,
}

impl Text {
    pub(super) fn new(text: String) -> Self {
        Self { plain: text.into(), gzip: Arc::default() }
    }

    /// The text in gzip, where that is shorter.
    pub(super) async fn gzip(&self) -> Option<Bytes> {
        if self.plain.len() < WORTHWHILE {
            return None;
        }
        let compress = async || {
            let plain = self.plain.clone();
            let compressed = spawn_blocking(move || compress(&plain)).await;
            let compressed =
                compressed.inspect_err(|error| tracing::error!(%error, "compressing pods failed"));
            compressed.ok().flatten()
        };
        self.gzip.get_or_init(compress).await.clone()
    }
}

/// A text in gzip, where that is shorter.
pub(super) fn compress(plain: &[u8]) -> Option<Bytes> {
    let mut encoder = GzEncoder::new(Vec::with_capacity(plain.len() / 4), Compression::fast());
    encoder.write_all(plain).ok()?;
    let compressed = encoder.finish().ok()?;
    (compressed.len() < plain.len()).then(|| compressed.into())
}

/// Whether a client takes gzip (RFC 9110, 12.5.3).
pub(super) fn takes_gzip(headers: &HeaderMap) -> bool {
    let values = headers.get_all(ACCEPT_ENCODING).iter().filter_map(|value| value.to_str().ok());
    let mut codings = values.flat_map(|value| value.split(','));
    codings.any(|coding| {
        let mut parts = coding.split(';').map(str::trim);
        let is_gzip = parts.next().is_some_and(|name| name.eq_ignore_ascii_case("gzip"));
        let refused = parts.any(|part| part.strip_prefix("q=").is_some_and(|q| q.parse() == Ok(0.0)));
        is_gzip && !refused
    })
}

/// Bytes from which on a text does not fit into one packet.
const WORTHWHILE: usize = 1_400;

#[cfg(test)]
mod tests {
    use std::io::Read;

    use http::HeaderValue;

    use super::*;

    #[tokio::test]
    async fn a_text_is_compressed_once_where_that_pays() {
        let text = Text::new("cart-0\t10.244.1.17\n".repeat(1000));
        let (one, other) = (text.gzip().await.unwrap(), text.clone().gzip().await.unwrap());
        assert_eq!(one.as_ptr(), other.as_ptr());
        let mut inflated = Vec::new();
        flate2::read::GzDecoder::new(&*one).read_to_end(&mut inflated).unwrap();
        assert_eq!(inflated, text.plain);
        assert!(one.len() < text.plain.len() / 10);
        assert_eq!(Text::new("short".to_owned()).gzip().await, None);
        let mut state = 1u32;
        let noise = (0..4000).map(|_| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            char::from((state >> 24) as u8 & 0x7f)
        });
        let noise: String = noise.collect();
        let (plain, coded) = (noise.len(), Text::new(noise).gzip().await);
        assert!(coded.is_none_or(|coded| coded.len() < plain));
    }

    #[test]
    fn gzip_is_for_those_who_take_it() {
        for (accepted, expected) in [
            ("gzip", true),
            ("deflate, GZIP;q=0.5", true),
            ("gzip;q=0", false),
            ("gzip; q=0.0", false),
            ("br, identity", false),
        ] {
            let headers = [(ACCEPT_ENCODING, HeaderValue::from_static(accepted))].into_iter().collect();
            assert_eq!(takes_gzip(&headers), expected, "{accepted}");
        }
        assert!(!takes_gzip(&HeaderMap::new()));
    }
}
