//! The page itself: three files, inside the binary.

use std::sync::LazyLock;

use bytes::Bytes;
use http::header::{CACHE_CONTROL, CONTENT_ENCODING, ETAG, IF_NONE_MATCH, VARY};
use http::{HeaderMap, HeaderValue, Response, StatusCode};
use sha2::{Digest, Sha256};

use crate::admin::coded::{compress, takes_gzip};
use crate::admin::response::{Body, with_type};

/// A file of the page.
struct File {
    media: &'static str,
    plain: &'static [u8],
    gzip: Option<Bytes>,
    /// In quotes.
    tag: HeaderValue,
}

/// The file at a path; `None` where the page has none.
pub(super) fn answer(path: &str, headers: &HeaderMap) -> Option<Response<Body>> {
    let file = match path {
        "/" => &*INDEX,
        "/console.js" => &*SCRIPT,
        "/console.css" => &*STYLE,
        _ => return None,
    };
    Some(file.answer(headers))
}

impl File {
    fn new(media: &'static str, plain: &'static [u8]) -> Self {
        let hash: String = Sha256::digest(plain).iter().take(16).map(|byte| format!("{byte:02x}")).collect();
        let tag = HeaderValue::try_from(format!("\"{hash}\"")).unwrap_or(HeaderValue::from_static("\"\""));
        Self { media, plain, gzip: compress(plain), tag }
    }

    fn answer(&self, headers: &HeaderMap) -> Response<Body> {
        let known = headers.get_all(IF_NONE_MATCH).iter().filter_map(|value| value.to_str().ok());
        let mut known = known.flat_map(|value| value.split(',')).map(str::trim);
        let is_known =
            known.any(|known| known.strip_prefix("W/").unwrap_or(known).as_bytes() == self.tag.as_bytes());
        let gzip = self.gzip.as_ref().filter(|_| takes_gzip(headers) && !is_known);
        let body = match gzip {
            _ if is_known => Bytes::new(),
            Some(gzip) => gzip.clone(),
            None => Bytes::from_static(self.plain),
        };
        let status = if is_known { StatusCode::NOT_MODIFIED } else { StatusCode::OK };
        let mut response = with_type(status, body, self.media);
        let headers = response.headers_mut();
        if gzip.is_some() {
            headers.insert(CONTENT_ENCODING, HeaderValue::from_static("gzip"));
        }
        // Weak: it is the same file in either coding (RFC 9110, 8.8.1).
        let weak = HeaderValue::try_from([b"W/", self.tag.as_bytes()].concat());
        headers.insert(ETAG, weak.unwrap_or_else(|_| self.tag.clone()));
        headers.insert(VARY, HeaderValue::from_static("accept-encoding"));
        // Another podstamp may be at the same address tomorrow: its page is asked for each time, and comes only if it is another.
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-cache"));
        response
    }
}

static INDEX: LazyLock<File> = LazyLock::new(|| {
    File::new("text/html; charset=utf-8", include_bytes!("../../../console/dist/index.html"))
});

static SCRIPT: LazyLock<File> = LazyLock::new(|| {
    File::new("text/javascript; charset=utf-8", include_bytes!("../../../console/dist/console.js"))
});

static STYLE: LazyLock<File> = LazyLock::new(|| {
    File::new("text/css; charset=utf-8", include_bytes!("../../../console/dist/console.css"))
});

#[cfg(test)]
mod tests {
    use std::io::Read;

    use http::header::ACCEPT_ENCODING;
    use http_body_util::BodyExt;

    use super::*;

    async fn body(response: Response<Body>) -> Bytes {
        response.into_body().collect().await.unwrap().to_bytes()
    }

    #[tokio::test]
    async fn each_file_comes_once_in_gzip_or_plain() {
        for path in ["/", "/console.js", "/console.css"] {
            let plain = answer(path, &HeaderMap::new()).unwrap();
            assert!(!plain.headers().contains_key(CONTENT_ENCODING));
            let tag = plain.headers()[ETAG].clone();
            let plain = body(plain).await;
            let asked = [(ACCEPT_ENCODING, HeaderValue::from_static("gzip, deflate"))].into_iter().collect();
            let coded = answer(path, &asked).unwrap();
            assert_eq!(coded.headers()[ETAG], tag);
            if coded.headers().contains_key(CONTENT_ENCODING) {
                let mut read = Vec::new();
                flate2::read::GzDecoder::new(&*body(coded).await).read_to_end(&mut read).unwrap();
                assert_eq!(read, plain);
            }
            let again = answer(path, &[(IF_NONE_MATCH, tag)].into_iter().collect()).unwrap();
            assert_eq!(again.status(), 304);
            assert!(body(again).await.is_empty());
        }
        assert!(answer("/console.html", &HeaderMap::new()).is_none());
    }

    #[test]
    fn the_page_loads_nothing_from_anywhere_else() {
        let page = std::str::from_utf8(INDEX.plain).unwrap();
        for attribute in ["src=\"", "href=\""] {
            for value in page.split(attribute).skip(1).filter_map(|rest| rest.split('"').next()) {
                assert!(value.starts_with("data:") || !value.contains("//"), "{value}");
            }
        }
        for part in ["<style", "style=", "onclick", "onload", "<script>"] {
            assert!(!page.contains(part), "the content security policy would not let it: {part}");
        }
        assert!(page.contains("console.js") && page.contains("console.css"));
    }
}
