//! A request as it goes upstream, the same in every attempt.

use std::sync::Arc;

use bytes::Bytes;
use http::header::{CONTENT_ENCODING, HOST, InvalidHeaderName, InvalidHeaderValue};
use http::uri::InvalidUri;
use http::{HeaderMap, HeaderName, HeaderValue, Uri};
use podstamp_core::interface::{Header, Upstream};

use super::compress::Coded;
use super::load::{Load, Most};
use crate::settings::Batch;
use crate::tls::{self, Connector};

/// A request to send.
pub(super) struct Sending {
    /// Number of the exporter that sends it.
    pub(super) exporter: u32,
    pub(super) uri: Uri,
    /// The part of the URI that goes into the request line.
    pub(super) target: Uri,
    pub(super) headers: Arc<HeaderMap>,
    pub(super) body: Coded,
    pub(super) load: Load,
    /// The body as the client sent it.
    pub(super) original: Bytes,
    /// Whether the request comes out of a queue, so that no client waits for it.
    pub(super) is_drained: bool,
    pub(super) way: Arc<Way>,
}

/// How an exporter connects.
pub(super) struct Way {
    pub(super) connector: Connector,
    pub(super) tls: Option<Arc<tls::Client>>,
    /// The most that goes in one request.
    pub(super) most: Most,
    /// Whether clients wait for the answer, as they do not for a copy's.
    pub(super) has_client: bool,
    /// How small requests are put together.
    pub(super) batch: Option<Batch>,
}

/// The URL and the headers of a request. Cloning it copies none of them.
#[derive(Clone)]
pub(super) struct Head {
    pub(super) uri: Uri,
    target: Uri,
    pub(super) headers: Arc<HeaderMap>,
}

/// No request can be made of what the filter says of an upstream.
#[derive(Debug, thiserror::Error)]
pub(super) enum UnusableHead {
    #[error("its URL: {0}")]
    Url(InvalidUri),
    #[error("its URL has no host")]
    NoHost,
    #[error("its host: {0}")]
    Host(InvalidHeaderValue),
    #[error("the name of a header: {0}")]
    HeaderName(InvalidHeaderName),
    #[error("the header {name}: {error}")]
    HeaderValue { name: HeaderName, error: InvalidHeaderValue },
}

impl Head {
    /// Takes the URL and the headers of `upstream`, and adds `Host` where it is not among them.
    pub(super) fn new(upstream: &Upstream) -> Result<Self, UnusableHead> {
        let Upstream { url, headers, .. } = upstream;
        let uri = Uri::try_from(url).map_err(UnusableHead::Url)?;
        let host = uri.host().ok_or(UnusableHead::NoHost)?;
        let host = match uri.port() {
            Some(port) => HeaderValue::try_from(format!("{host}:{port}")),
            None => HeaderValue::try_from(host),
        };
        let host = host.map_err(UnusableHead::Host)?;
        let mut headers = header_map(headers)?;
        headers.entry(HOST).or_insert(host);
        Ok(Self { target: origin_form(&uri), uri, headers: Arc::new(headers) })
    }
}

impl Sending {
    pub(super) fn new(
        exporter: u32,
        head: Head,
        body: Coded,
        load: Load,
        original: Bytes,
        way: Arc<Way>,
    ) -> Self {
        let Head { uri, target, mut headers } = head;
        if body.is_gzip() {
            Arc::make_mut(&mut headers).insert(CONTENT_ENCODING, HeaderValue::from_static("gzip"));
        }
        Self { exporter, target, uri, headers, body, load, original, is_drained: false, way }
    }

    pub(super) fn is_https(&self) -> bool {
        self.uri.scheme_str() == Some("https")
    }

    /// What connects to where it goes: `None` in the clear, else the exporter, since each has a TLS of its own.
    pub(super) fn kind(&self) -> Option<u32> {
        self.is_https().then_some(self.exporter)
    }

    /// Whether a client waits for the answer, as none does for a copy's.
    pub(super) fn has_client(&self) -> bool {
        self.way.has_client
    }

    /// Whether the bodies of both may go in one request.
    pub(super) fn joins(&self, other: &Self) -> bool {
        let is_same = || Arc::ptr_eq(&self.headers, &other.headers) || self.headers == other.headers;
        self.exporter == other.exporter && self.uri == other.uri && is_same()
    }
}

/// The headers to send, but for the length, which the connection writes itself.
fn header_map(headers: &[Header]) -> Result<HeaderMap, UnusableHead> {
    let mut map = HeaderMap::with_capacity(headers.len() + 2);
    for Header { name, value } in headers {
        let name = HeaderName::try_from(name).map_err(UnusableHead::HeaderName)?;
        let value = HeaderValue::from_bytes(value)
            .map_err(|error| UnusableHead::HeaderValue { name: name.clone(), error })?;
        if name != http::header::CONTENT_LENGTH {
            map.append(name, value);
        }
    }
    Ok(map)
}

/// Path and query, as the request line to an origin server has them (RFC 9112, section 3.2.1).
fn origin_form(uri: &Uri) -> Uri {
    let target = uri.path_and_query().cloned();
    target.map(Uri::from).unwrap_or_default()
}
