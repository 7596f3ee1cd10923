//! Sends upstream, over kept-alive HTTP/1.1 connections, as often as the filter says.

mod attempt;
mod batch;
mod body;
mod compress;
mod copies;
mod credentials;
mod gather;

use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::header::CONTENT_ENCODING;
use http::{HeaderMap, HeaderName, HeaderValue, Uri};
use hyper_util::client::legacy::Client;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use podstamp_core::config::Fault;
use podstamp_core::exchange::{self, Answer, Attempt, Header, Mended, Next};

use crate::calls::Calls;
use crate::filter::{Ended, Failure};
use crate::metrics::{Attempted, Metrics};
use crate::notices::Notices;
use crate::settings::Upstream;
use crate::tls::{self, Connector};
use attempt::Sending;
use body::OutboundBody;
use compress::Compressor;
use credentials::Credentials;
use gather::Pieces;

pub(crate) use batch::Batch;
pub(crate) use copies::Copies;

/// Sends to one upstream, and asks the filter what the outcome means.
pub(crate) struct Exporter {
    /// What the filter knows the upstream by.
    number: u32,
    client: Client<Connector, OutboundBody>,
    tls: Option<Arc<tls::Client>>,
    credentials: Option<Credentials>,
    compressor: Compressor,
    instruments: Instruments,
}

/// What came of sending a batch.
pub(crate) enum Sent {
    /// The client's answer.
    Answer(Answer),
    /// The upstream cannot decode it, and this can be prepared in its place.
    Mended(Mended),
}

/// What all exporters share.
#[derive(Clone)]
pub(crate) struct Instruments {
    pub(crate) calls: Arc<Calls>,
    pub(crate) metrics: Arc<Metrics>,
    pub(crate) notices: Arc<Notices>,
    /// Bodies that may be compressed at a time away from the async workers.
    pub(crate) large: usize,
}

impl Exporter {
    /// Loads what `upstream` names, and follows its changes. The error says what of that is of no use. `number`: 0, or
    /// which of the copies this one sends.
    pub(crate) fn new(number: u32, upstream: &Upstream, instruments: Instruments) -> Result<Self, Fault> {
        let metrics = &instruments.metrics;
        let tls = upstream.tls.as_ref().map(tls::Client::new).transpose()?;
        let tls = tls.map(|tls| Arc::new(tls.follow(metrics)));
        let credentials = upstream.auth.as_ref().map(Credentials::new).transpose()?;
        let credentials = credentials.map(|credentials| credentials.follow(metrics));
        let connector = Connector::new(tls.clone(), CONNECT_TIMEOUT);
        let client = Client::builder(TokioExecutor::new())
            .pool_timer(TokioTimer::new())
            .pool_idle_timeout(POOL_IDLE_TIMEOUT)
            .build(connector);
        let compressor = Compressor::new(upstream.compression, instruments.large);
        Ok(Self { number, client, tls, credentials, compressor, instruments })
    }

    /// What is wrong with the files that `upstream` names. Blocks while they are read.
    pub(crate) fn review(upstream: &Upstream) -> Vec<Fault> {
        let tls = upstream.tls.as_ref().and_then(|tls| tls::Client::new(tls).err());
        let credentials = upstream.auth.as_ref().and_then(|auth| Credentials::new(auth).err());
        tls.into_iter().chain(credentials).collect()
    }

    /// Sends `batch` until the filter has an answer for the client.
    pub(crate) async fn send(&self, batch: &Batch, to: exchange::Upstream) -> Result<Sent, Failure> {
        let begun = Instant::now();
        let Instruments { calls, .. } = &self.instruments;
        let exchange::Upstream { url, headers, timeout } = to;
        let pieces = batch.pieces.clone();
        let sending = uri(url).and_then(|uri| Ok(Sending { uri, headers: header_map(headers)?, pieces }));
        let mut sending =
            sending.map_err(Failure::InvalidAnswer).inspect_err(|failure| calls.failed(failure))?;
        if let Some(credentials) = &self.credentials {
            credentials.apply(&mut sending.headers);
        }
        if let Some(gzip) = self.compressor.gzip(&sending.pieces, batch.gzip.clone()).await {
            sending.headers.insert(CONTENT_ENCODING, HeaderValue::from_static("gzip"));
            sending.pieces = Pieces::One(gzip);
        }
        let deadline = begun + Duration::from_millis(timeout.into());
        let (upstream, encoding) = (self.number, batch.encoding);
        let mut number = 1;
        loop {
            let ended = self.attempt(&sending, &batch.original, number, deadline).await;
            let late = matches!(ended, Ended::TimedOut);
            let elapsed = u32::try_from(begun.elapsed().as_millis()).unwrap_or(u32::MAX);
            let attempt = Attempt { upstream, encoding, number, elapsed, random: fastrand::u32(..) };
            match calls.conclude(attempt, ended).await? {
                Next::Answer(answer) => return Ok(Sent::Answer(answer)),
                Next::Mend(mended) => return Ok(Sent::Mended(mended)),
                Next::Retry(_) if late => {
                    let failure = Failure::InvalidAnswer("another attempt after its own timeout".to_owned());
                    calls.failed(&failure);
                    return Err(failure);
                }
                Next::Retry(wait) => tokio::time::sleep(Duration::from_millis(wait.into())).await,
            }
            number += 1;
        }
    }

    async fn attempt(&self, sending: &Sending, original: &Bytes, number: u32, deadline: Instant) -> Ended {
        let begun = Instant::now();
        let Instruments { metrics, notices, .. } = &self.instruments;
        // Copies are counted apart: what they meet is no fault of the upstream that clients wait for.
        let metrics = (self.number == 0).then_some(metrics);
        let remaining = deadline.saturating_duration_since(begun);
        let ended = if remaining.is_zero() {
            Ended::TimedOut
        } else {
            let body = OutboundBody::new(sending.pieces.clone());
            let started = body.started();
            let attempted = attempt::attempt(&self.client, sending, body, remaining).await;
            if started.is_set()
                && let Some(metrics) = metrics
            {
                metrics.sent(sending.pieces.len());
            }
            attempted.unwrap_or_else(|error| {
                tracing::debug!(url = %sending.uri, %error, "an attempt to send broke");
                if error.is_no_http() {
                    let uri = &sending.uri;
                    notices.warn("upstream-no-http", || {
                        format!("{uri} answers something that is no HTTP, perhaps TLS (https://): {error}")
                    });
                }
                error.ended(started.is_set(), original, self.tls.as_deref())
            })
        };
        if let Some(metrics) = metrics {
            metrics.attempted(label(&ended), number, begun.elapsed());
        }
        ended
    }
}

fn label(ended: &Ended) -> Attempted {
    match ended {
        Ended::Response { status, .. } => Attempted::with(*status),
        Ended::NotConnected(_) => Attempted::NotConnected,
        Ended::Closed(_) => Attempted::Closed,
        Ended::TimedOut => Attempted::TimedOut,
        Ended::Oversized => Attempted::Oversized,
    }
}

fn uri(url: String) -> Result<Uri, String> {
    Uri::try_from(url).map_err(|error| format!("its URL: {error}"))
}

/// The headers to send; the length is the connection's own to say.
fn header_map(headers: Vec<Header>) -> Result<HeaderMap, String> {
    let mut map = HeaderMap::with_capacity(headers.len());
    for Header { name, value } in headers {
        let name = HeaderName::try_from(name).map_err(|error| format!("the name of a header: {error}"))?;
        let value = HeaderValue::from_maybe_shared(Bytes::from(value))
            .map_err(|error| format!("the header {name}: {error}"))?;
        if name != http::header::CONTENT_LENGTH {
            map.append(name, value);
        }
    }
    Ok(map)
}

/// A pod on the same network answers in milliseconds; who does not in this time is not there.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// deepflow-agent never closes an idle connection; a Service in between forgets one after some minutes.
const POOL_IDLE_TIMEOUT: Duration = Duration::from_secs(60);
