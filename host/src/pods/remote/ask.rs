//! Questions to another podstamp's admin listener, over a connection that is kept.

use std::fmt;
use std::future::poll_fn;
use std::io::{self, Read};
use std::sync::Arc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use flate2::read::MultiGzDecoder;
use http::header::{ACCEPT_ENCODING, CONTENT_ENCODING, HOST, RETRY_AFTER, USER_AGENT};
use http::{HeaderValue, Request, StatusCode, Uri};
use http_body_util::{BodyExt, Empty};
use hyper::body::Incoming;
use hyper::client::conn::http1::{self, SendRequest};
use podstamp_core::config::Fault;
use tokio::time::timeout;
use tower_service::Service;

use super::Settings;
use crate::credentials::Credentials;
use crate::observe::Metrics;
use crate::pods::source::SourceFailure;
use crate::tls::{self, BoxError, Connector};

/// The way to another podstamp.
pub(super) struct Way {
    uri: Uri,
    host: HeaderValue,
    connector: Connector,
    /// TLS before its files are watched.
    unwatched: Option<tls::Client>,
    tls: Option<Arc<tls::Client>>,
    credentials: Option<Credentials>,
    connection: Option<SendRequest<Empty<Bytes>>>,
}

/// Why there is no answer.
#[derive(Debug)]
pub(super) struct Missing {
    pub(super) kind: SourceFailure,
    /// What is wrong, for people.
    pub(super) reason: String,
    /// How long it asks to wait.
    pub(super) after: Option<Duration>,
}

impl Missing {
    pub(super) fn new(kind: SourceFailure, reason: impl Into<String>) -> Self {
        Self { kind, reason: reason.into(), after: None }
    }
}

impl fmt::Display for Missing {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.reason)
    }
}

impl Way {
    /// A way without a connection yet. The error is about the URL or the files of `tls` and `auth`, which are read.
    pub(super) fn new(settings: &Settings) -> Result<Self, Fault> {
        let fault = |message: String| Fault { path: "podstamp.pods.from".to_owned(), message };
        let uri: Uri = settings.url.parse().map_err(|error| fault(format!("`{}`: {error}", settings.url)))?;
        let authority = uri.authority().ok_or_else(|| fault("has no host".to_owned()))?;
        let host = HeaderValue::try_from(authority.as_str()).map_err(|error| fault(error.to_string()))?;
        let unwatched = settings.tls.as_ref().map(tls::Client::new).transpose()?;
        let credentials = settings.auth.as_ref().map(Credentials::new).transpose()?;
        let connector = Connector::new(None, CONNECT_TIMEOUT);
        Ok(Self { uri, host, connector, unwatched, tls: None, credentials, connection: None })
    }

    /// Watches the files of `tls` and `auth` from now on. Needs a runtime.
    pub(super) fn watch_files(self, metrics: &Arc<Metrics>) -> Self {
        let tls = self.unwatched.map(|tls| Arc::new(tls.watch_files(metrics)));
        let connector = Connector::new(tls.clone(), CONNECT_TIMEOUT);
        let credentials = self.credentials.map(|credentials| credentials.watch_files(metrics));
        Self { unwatched: None, tls, connector, credentials, ..self }
    }

    /// Asks for a path, and gives the body. The other side may take `wait` to answer.
    pub(super) async fn ask(&mut self, path: &str, wait: Duration) -> Result<Vec<u8>, Missing> {
        // A connection that was idle may have been closed meanwhile: that is no failure yet.
        let reused = self.connection.is_some();
        match self.exchange(path, wait).await {
            Err(Broken::Closed(_)) if reused => self.exchange(path, wait).await.map_err(Missing::from),
            exchanged => exchanged.map_err(Missing::from),
        }
    }

    async fn exchange(&mut self, path: &str, wait: Duration) -> Result<Vec<u8>, Broken> {
        let mut sender = match self.connection.take() {
            Some(sender) => sender,
            None => self.connect().await?,
        };
        sender.ready().await.map_err(|error| self.closed(&error))?;
        let mut request = Request::get(path)
            .header(HOST, &self.host)
            .header(ACCEPT_ENCODING, "gzip")
            .header(USER_AGENT, concat!("podstamp/", env!("CARGO_PKG_VERSION")))
            .body(Empty::new())
            .map_err(|error| Broken::new(SourceFailure::Config, error.to_string()))?;
        if let Some(credentials) = &self.credentials {
            credentials.apply(request.headers_mut());
        }
        let patience = wait + ANSWER_TIMEOUT;
        let late =
            |_| Broken::new(SourceFailure::Silent, format!("no answer within {} s", patience.as_secs()));
        let response = timeout(patience, sender.send_request(request)).await.map_err(late)?;
        let (head, body) = response.map_err(|error| self.closed(&error))?.into_parts();
        let limit = if head.status == StatusCode::OK { MAX_BODY } else { MAX_SAID };
        let body = collect(body, limit).await?;
        self.connection = Some(sender);
        if head.status != StatusCode::OK {
            let after = head.headers.get(RETRY_AFTER).and_then(|value| value.to_str().ok()?.parse().ok());
            let said = String::from_utf8_lossy(&body).trim_end().to_owned();
            let reason = format!("it answers {}: {said}", head.status.as_u16());
            let kind = match head.status {
                StatusCode::UNAUTHORIZED => SourceFailure::Unauthorized,
                StatusCode::FORBIDDEN => SourceFailure::Forbidden,
                _ => SourceFailure::Status,
            };
            return Err(Broken::Other(Missing { kind, reason, after: after.map(Duration::from_secs) }));
        }
        let is_gzip = head.headers.get(CONTENT_ENCODING).is_some_and(|coding| coding == "gzip");
        if !is_gzip {
            return Ok(body.into());
        }
        let inflated = tokio::task::spawn_blocking(move || inflate(&body)).await;
        let corrupt =
            |error: String| Broken::new(SourceFailure::Invalid, format!("its gzip is broken: {error}"));
        inflated.map_err(|error| corrupt(error.to_string()))?.map_err(|error| corrupt(error.to_string()))
    }

    async fn connect(&mut self) -> Result<SendRequest<Empty<Bytes>>, Broken> {
        let failed = |error: BoxError| {
            let is_tls = error.downcast_ref::<tls::NoTls>().is_some();
            let kind = if is_tls { SourceFailure::Tls } else { SourceFailure::Unreachable };
            Broken::new(kind, told(&*error))
        };
        poll_fn(|context| self.connector.poll_ready(context)).await.map_err(failed)?;
        let stream = self.connector.call(self.uri.clone()).await.map_err(failed)?;
        let (sender, connection) = http1::handshake(stream).await.map_err(|error| self.closed(&error))?;
        tokio::spawn(async move {
            if let Err(error) = connection.await {
                tracing::debug!(%error, "the connection to the podstamp that gives pods broke");
            }
        });
        Ok(sender)
    }

    fn closed(&self, error: &hyper::Error) -> Broken {
        // TLS may refuse the connection while a request is on its way already.
        match self.tls.as_deref().and_then(|tls| tls::refusal(error, tls.path())) {
            Some(reason) => Broken::new(SourceFailure::Tls, reason),
            None if error.is_parse() => {
                Broken::new(SourceFailure::Invalid, "it speaks something else than HTTP")
            }
            None => Broken::Closed(told(error)),
        }
    }
}

/// How an exchange failed.
enum Broken {
    /// The connection ended before an answer came.
    Closed(String),
    Other(Missing),
}

impl Broken {
    fn new(kind: SourceFailure, reason: impl Into<String>) -> Self {
        Self::Other(Missing::new(kind, reason))
    }
}

impl From<Broken> for Missing {
    fn from(broken: Broken) -> Self {
        match broken {
            Broken::Closed(reason) => {
                let reason = format!("the connection ended without an answer: {reason}");
                Self::new(SourceFailure::Broken, reason)
            }
            Broken::Other(missing) => missing,
        }
    }
}

/// An error with its causes.
fn told(error: &(dyn std::error::Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text.push_str(&format!(": {cause}"));
        source = cause.source();
    }
    text
}

/// Reads a body, each piece of which comes in time.
async fn collect(mut body: Incoming, limit: usize) -> Result<Bytes, Broken> {
    let mut collected = BytesMut::new();
    loop {
        let frame = timeout(ANSWER_TIMEOUT, body.frame()).await.map_err(|_| {
            let reason = format!("its answer stopped for {} s", ANSWER_TIMEOUT.as_secs());
            Broken::new(SourceFailure::Silent, reason)
        })?;
        let Some(frame) = frame else { return Ok(collected.freeze()) };
        let frame = frame.map_err(|error| {
            Broken::new(SourceFailure::Broken, format!("its answer broke off: {}", told(&error)))
        })?;
        let Ok(data) = frame.into_data() else { continue };
        if collected.len() + data.len() > limit {
            let reason = format!("its answer has more than {limit} bytes");
            return Err(Broken::new(SourceFailure::Invalid, reason));
        }
        collected.extend_from_slice(&data);
    }
}

fn inflate(body: &[u8]) -> io::Result<Vec<u8>> {
    let mut inflated = Vec::new();
    MultiGzDecoder::new(body).take(MAX_BODY as u64 + 1).read_to_end(&mut inflated)?;
    if inflated.len() > MAX_BODY {
        return Err(io::Error::other(format!("it has more than {MAX_BODY} bytes")));
    }
    Ok(inflated)
}

const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// A central podstamp writes the text of 100,000 pods in under a second; many may ask at once after it has started.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(30);

/// Some 500,000 pods with their labels.
const MAX_BODY: usize = 512 << 20;

/// Bytes of a refusal.
const MAX_SAID: usize = 4 << 10;
