//! Sends upstream, over kept-alive HTTP/1.1 connections, as often as the filter says.

mod attempt;
mod batch;
mod body;
mod compress;
mod consumer;
mod copies;
mod gather;
mod lane;
mod load;
mod sending;
mod spill;
mod wire;

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use arc_swap::ArcSwapOption;
use bytes::Bytes;
use podstamp_core::config::Fault;
use podstamp_core::interface::{self, Answer, Attempt, Encoding, Mended, Next, Signal};
use tokio::time::{Instant, sleep};

use crate::credentials::Credentials;
use crate::lifecycle::Draining;
use crate::observe::{Metrics, Notices};
use crate::offload::Offload;
use crate::queue;
use crate::sandbox::{Calls, Ended, Failure};
use crate::settings::Upstream;
use crate::tls::{self, Connector};
use batch::BatchPart;
use compress::{Coded, Compressor};
use lane::Lane;
use load::{Load, Most};
use sending::{Head, Sending, UnusableHead, Way};
use spill::{Queueing, Rest};

pub(crate) use batch::Batch;
pub(crate) use copies::{Copies, QUEUE_BYTES};
pub(crate) use lane::{Agent, Lanes, PoolSettings};

/// Sends to one upstream, and asks the filter what the outcome means.
pub(crate) struct Exporter {
    /// The signal that goes there.
    signal: Signal,
    /// The number by which the filter knows the upstream: 0 for the one that answers, n for the nth of the signal's copies.
    number: u32,
    /// Connections at a time; `None`: any number.
    connections: Option<usize>,
    way: Arc<Way>,
    credentials: Option<Credentials>,
    compressor: Compressor,
    latest: ArcSwapOption<Latest>,
    /// `None`: whoever waits is told what the upstream does not take.
    queueing: Option<Queueing>,
    context: ExporterContext,
}

/// Where the latest request went.
struct Latest {
    to: interface::Upstream,
    head: Head,
    lane: Arc<Lane>,
}

/// The result of sending a batch.
pub(crate) enum Sent {
    /// The client's answer.
    Answer(Answer),
    /// The upstream cannot decode the batch, and this body can be prepared in its place.
    Mended(Mended),
    /// What the upstream has not acknowledged is queued.
    Kept,
}

/// Who waits for a batch to be sent.
#[derive(Clone, Copy)]
pub(crate) struct Waiting<'a> {
    /// When the client stops waiting; `None`: as late as the upstream may answer.
    pub(crate) until: Option<Instant>,
    /// Counts the spans that the upstream has acknowledged.
    pub(crate) delivered: &'a AtomicU32,
}

/// The filter's answer leaves nothing that could be sent.
#[derive(Debug, thiserror::Error)]
enum Unusable {
    #[error(transparent)]
    Head(#[from] UnusableHead),
    #[error("a body without parts")]
    NoParts,
    #[error("another attempt after its own timeout")]
    LateRetry,
}

/// When the first attempt of all began, when the last one has to end, and until when the client waits.
#[derive(Clone, Copy)]
struct Times {
    begun: Instant,
    deadline: Instant,
    until: Instant,
}

/// The parts of the server that all exporters share.
#[derive(Clone)]
pub(crate) struct ExporterContext {
    pub(crate) calls: Arc<Calls>,
    pub(crate) metrics: Arc<Metrics>,
    pub(crate) notices: Arc<Notices>,
    pub(crate) lanes: Arc<Lanes>,
    pub(crate) offload: Arc<Offload>,
    /// Bytes of the largest body, before compression.
    pub(crate) body_limit: u64,
}

impl Exporter {
    /// Loads the files that `upstream` names and watches them, and opens its queue, which is sent until `draining`; the error
    /// names a file that is unusable. `number` is 0, or n for the nth of the signal's copies.
    pub(crate) fn new(
        signal: Signal,
        number: u32,
        upstream: &Upstream,
        context: ExporterContext,
        draining: &Draining,
    ) -> Result<Arc<Self>, Fault> {
        let metrics = &context.metrics;
        let tls = upstream.tls.as_ref().map(tls::Client::new).transpose()?;
        let tls = tls.map(|tls| Arc::new(tls.watch_files(metrics)));
        let credentials = upstream.auth.as_ref().map(Credentials::new).transpose()?;
        let credentials = credentials.map(|credentials| credentials.watch_files(metrics));
        let connector = Connector::new(tls.clone(), CONNECT_TIMEOUT);
        // Copies wait for nobody, and nobody waits for them: what is in their queues goes together where it has to wait.
        let batch = upstream.batch.filter(|_| number == 0);
        let spans = [upstream.spans_per_request, batch.map_or(0, |batch| batch.max_size)];
        let spans = spans.into_iter().filter(|spans| *spans > 0).min().unwrap_or_default();
        let most = Most::new(spans, upstream.agent_memory);
        let way = Arc::new(Way { connector, tls, most, has_client: number == 0, batch });
        let Offload { encoding, encoding_copies, .. } = &*context.offload;
        let threads = if number == 0 { encoding } else { encoding_copies };
        let compressor = Compressor::new(upstream.compression, threads.clone());
        let connections = upstream.connections;
        let merges = connections.is_some();
        let queueing =
            upstream.queue().map(|queue| Queueing::open(signal, queue, merges, &context)).transpose()?;
        let latest = ArcSwapOption::empty();
        let exporter =
            Self { signal, number, connections, way, credentials, compressor, latest, queueing, context };
        let exporter = Arc::new(exporter);
        exporter.start_consumers(draining);
        Ok(exporter)
    }

    /// The faults of the files and of the folder that `upstream` names. Blocks while they are read.
    pub(crate) fn check_files(upstream: &Upstream) -> Vec<Fault> {
        let tls = upstream.tls.as_ref().and_then(|tls| tls::Client::new(tls).err());
        let credentials = upstream.auth.as_ref().and_then(|auth| Credentials::new(auth).err());
        let folder = upstream.queue().and_then(|queue| queue::check(&queue.sending));
        tls.into_iter().chain(credentials).chain(folder).collect()
    }

    /// Sends `batch` until the filter has an answer for the client: its parts one after the other, each until it is
    /// acknowledged. The first part that is not decides: the upstream then has the parts ahead of it, and a client that
    /// is told to come again sends those a second time.
    pub(crate) async fn send(
        self: &Arc<Self>,
        batch: &Batch,
        to: interface::Upstream,
        waiting: Waiting<'_>,
    ) -> Result<Sent, Failure> {
        let begun = Instant::now();
        let deadline = begun + Duration::from_millis(to.timeout.into());
        let until = waiting.until.map_or(deadline, |until| until.min(deadline));
        let times = Times { begun, deadline, until };
        let head = self.head(to).map_err(|error| self.unusable(error.into()))?;
        let mut number = 0;
        loop {
            let Some(part) = batch.part(number) else {
                return Err(self.unusable(Unusable::NoParts));
            };
            let spans = part.spans;
            let sending = Arc::new(self.sending(batch, part, &head).await);
            let delivered = waiting.delivered.load(Ordering::Relaxed);
            let sent = match &self.queueing {
                None => self.send_part(&sending, batch, times, delivered).await?,
                Some(queueing) => {
                    let (sending, head, is_awaited) = (&sending, &head, waiting.until.is_some());
                    let rest = Rest { batch, sending, head, number, delivered, times, is_awaited };
                    self.send_or_keep(queueing, rest).await?
                }
            };
            number += 1;
            if !matches!(&sent, Sent::Answer(answer) if answer.status == 200) {
                return Ok(sent);
            }
            waiting.delivered.fetch_add(spans, Ordering::Relaxed);
            if number == batch.parts() {
                return Ok(sent);
            }
        }
    }

    /// Sends one part. `delivered`: spans of the batch that the upstream has already.
    async fn send_part(
        &self,
        sending: &Arc<Sending>,
        batch: &Batch,
        times: Times,
        delivered: u32,
    ) -> Result<Sent, Failure> {
        let ExporterContext { calls, metrics, .. } = &self.context;
        let Times { deadline, until, .. } = times;
        let Batch { peer, encoding, .. } = *batch;
        let lane = self.lane(sending);
        let mut number = 1;
        loop {
            let ended = lane.send(sending, deadline, until).await;
            let late = matches!(ended, Ended::TimedOut | Ended::Waited);
            let is_away = matches!(ended, Ended::Away { .. });
            let attempt = self.attempt(encoding, number, times, delivered);
            match calls.conclude(peer, attempt, ended).await? {
                Next::Answer(answer) => return Ok(Sent::Answer(answer)),
                Next::Mend(mended) => return Ok(Sent::Mended(mended)),
                Next::Retry(_) if late => {
                    return Err(self.unusable(Unusable::LateRetry));
                }
                // The filter knows that the upstream is away, and asks to wait all the same.
                Next::Retry(wait) if is_away => sleep(Duration::from_millis(wait.into())).await,
                Next::Retry(wait) => lane.pause(sending, Duration::from_millis(wait.into())).await,
            }
            number += 1;
            if self.number == 0 {
                metrics.retried();
            }
        }
    }

    /// Where a request stands whose attempt of that number has ended.
    fn attempt(&self, encoding: Encoding, number: u32, times: Times, delivered: u32) -> Attempt {
        let Times { begun, until, .. } = times;
        Attempt {
            signal: self.signal,
            upstream: self.number,
            encoding,
            number,
            elapsed: milliseconds(begun.elapsed()),
            patience: milliseconds(until.saturating_duration_since(begun)),
            delivered,
            random: fastrand::u32(..),
        }
    }

    /// What a request to `to` begins with. It is the same from one request to the next, as long as the filter says the same.
    fn head(&self, to: interface::Upstream) -> Result<Head, UnusableHead> {
        if let Some(latest) = &*self.latest.load()
            && latest.to == to
        {
            return Ok(latest.head.clone());
        }
        let head = Head::new(&to)?;
        let lane = self.context.lanes.lane(&head.uri, self.connections);
        self.latest.store(Some(Arc::new(Latest { to, head: head.clone(), lane })));
        Ok(head)
    }

    fn lane(&self, sending: &Sending) -> Arc<Lane> {
        if let Some(latest) = &*self.latest.load()
            && latest.head.uri == sending.uri
        {
            return Arc::clone(&latest.lane);
        }
        self.context.lanes.lane(&sending.uri, self.connections)
    }

    async fn sending(&self, batch: &Batch, part: BatchPart, head: &Head) -> Sending {
        let BatchPart { pieces, received, spans, memory } = part;
        let load = Load::new(pieces.len(), spans, memory);
        let body = self.compressor.code(pieces, received).await;
        self.request(head, body, load, batch.original.clone())
    }

    /// A request with the exporter's credentials. `original`: the body as a client sent it.
    fn request(&self, head: &Head, body: Coded, load: Load, original: Bytes) -> Sending {
        let mut head = head.clone();
        if let Some(credentials) = &self.credentials {
            credentials.apply(Arc::make_mut(&mut head.headers));
        }
        // Only requests of the same exporter are merged.
        let exporter = 3 * self.number + self.signal as u32;
        Sending::new(exporter, head, body, load, original, Arc::clone(&self.way))
    }

    fn unusable(&self, error: Unusable) -> Failure {
        self.context.calls.unusable(&error)
    }
}

fn milliseconds(time: Duration) -> u32 {
    u32::try_from(time.as_millis()).unwrap_or(u32::MAX)
}

/// A pod on the same network takes a connection in milliseconds; one that does not within this time is not there.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
