//! The way of one request, over HTTP or gRPC alike: prepare, send, conclude.

use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use podstamp_core::config::Fault;
use podstamp_core::hosting::acknowledged;
use podstamp_core::hosting::outgrown::Outgrown;
use podstamp_core::interface::{Answer, Encoding, Mended, Outbound, Report, Signal, Upstream, Verdict};
use tokio::time::Instant;

use crate::console::Console;
use crate::exporter::{Agent, Batch, Copies, Exporter, ExporterContext, Lanes, PoolSettings, Sent, Waiting};
use crate::lifecycle::Drain;
use crate::network::Network;
use crate::observe::{Fate, LostPeers, Metrics, Notices, Reason};
use crate::offload::{Offload, Threads};
use crate::queue;
use crate::sandbox::{Calls, Failure, FilterRunner, ReceivedRequest};
use crate::settings::Settings;

/// Takes requests to the filter and on to the upstream.
pub(crate) struct Relay {
    calls: Arc<Calls>,
    /// The exporters of each signal, by its number; `None`: the signal is not carried.
    routes: [Option<Route>; 3],
    filter: Arc<dyn FilterRunner>,
    decoding: Threads,
    metrics: Arc<Metrics>,
    notices: Arc<Notices>,
    lost_peers: Arc<LostPeers>,
    console: Option<Arc<Console>>,
    lanes: Arc<Lanes>,
    /// How long a client waits for its answer.
    patience: Duration,
    /// Bytes of the largest body that is sent on.
    body_limit: u64,
}

/// Who is told of requests.
pub(crate) struct Observers {
    pub(crate) metrics: Arc<Metrics>,
    pub(crate) notices: Arc<Notices>,
    pub(crate) lost_peers: Arc<LostPeers>,
    pub(crate) console: Option<Arc<Console>>,
}

/// The exporters of a signal.
struct Route {
    exporter: Arc<Exporter>,
    copies: Copies,
}

/// The filter's answer cannot be carried out.
#[derive(Debug, thiserror::Error)]
enum Unusable {
    #[error("sending {} somewhere", .0.name())]
    NotCarried(Signal),
    #[error("mending what is mended already")]
    MendedTwice,
}

impl Relay {
    /// A relay that carries out what `filter` decides, and the drains that stop first its copies, then its queues. Blocks while it
    /// opens queues on disk. The error is about a file that the settings of an upstream name.
    pub(crate) fn new(
        filter: Arc<dyn FilterRunner>,
        settings: &Settings,
        network: &Network,
        observers: Observers,
    ) -> Result<(Self, [Drain; 2]), Fault> {
        let Observers { metrics, notices, lost_peers, console } = observers;
        let patience = settings.upstream.patience;
        let offload = Arc::new(Offload::new(settings.limits.large_calls));
        let threads = offload.calls.clone();
        let calls = Calls::new(Arc::clone(&filter), threads, Arc::clone(&metrics), Arc::clone(&notices));
        let (calls, decoding) = (Arc::new(calls), offload.decoding.clone());
        let pool = PoolSettings {
            patience,
            max_connection_age: settings.upstream.max_connection_age,
            prefers_local_node: settings.upstream.prefer_local_node,
        };
        let lanes = Arc::new(Lanes::new(pool, network.clone(), Arc::clone(&metrics), Arc::clone(&notices)));
        let body_limit = settings.limits.body as u64;
        let (queueing, of_queues) = Drain::new();
        let context = ExporterContext {
            body_limit,
            calls: Arc::clone(&calls),
            metrics: Arc::clone(&metrics),
            notices: Arc::clone(&notices),
            lanes: Arc::clone(&lanes),
            offload,
        };
        let (copying, draining) = Drain::new();
        let mut routes = [None, None, None];
        for (signal, route) in Signal::ALL.into_iter().zip(&mut routes) {
            if let Some((upstream, copies)) = settings.upstreams(signal) {
                let copies = Copies::new(signal, copies, &context, &draining, &of_queues)?;
                let exporter = Exporter::new(signal, 0, upstream, context.clone(), &of_queues)?;
                *route = Some(Route { exporter, copies });
            }
        }
        queue::tell_of_strangers(settings.queues());
        let relay = Self {
            calls,
            routes,
            filter,
            decoding,
            metrics,
            notices,
            lost_peers,
            console,
            lanes,
            patience,
            body_limit,
        };
        Ok((relay, [copying, queueing]))
    }

    /// Names of the request headers that the filter reads, in lower case.
    pub(crate) fn request_headers(&self) -> &[String] {
        self.filter.request_headers()
    }

    /// What tells how the upstreams do.
    pub(crate) fn tell_agents(&self) -> impl Fn() -> Vec<Agent> + Send + Sync + 'static {
        self.lanes.tell_agents()
    }

    /// The threads that decode bodies.
    pub(crate) fn decoding(&self) -> Threads {
        self.decoding.clone()
    }

    /// The answer to a request, with its notice, once the upstream has acknowledged the request or will not. The filter's
    /// calls count for `peer`. `until`: when the client stops waiting, where it says so.
    pub(crate) async fn handle(
        &self,
        peer: IpAddr,
        incoming: ReceivedRequest,
        until: Option<Instant>,
    ) -> Result<Answer, Failure> {
        let patience = Instant::now() + self.patience;
        let until = until.map_or(patience, |until| until.min(patience));
        let (incoming, prepared) = self.calls.prepare(peer, incoming).await?;
        self.metrics.met(&prepared.report);
        self.lost_peers.note(peer, prepared.report.address_unknown + prepared.report.address_contradicted);
        prepared.notices.iter().for_each(|notice| self.notices.emit(notice));
        let picked =
            self.console.as_ref().and_then(|console| console.pick(peer, &incoming, &prepared.report));
        let signal = incoming.signal;
        let delivered = AtomicU32::new(0);
        let waiting = Waiting { until: Some(until), delivered: &delivered };
        let tally = Tally {
            metrics: &self.metrics,
            signal,
            report: prepared.report,
            fate: Fate::Cancelled,
            delivered: &delivered,
        };
        let answered = match prepared.verdict {
            Verdict::Answer(answer) => Ok(self.own(answer)),
            Verdict::Forward(outbound) => {
                self.forward(peer, incoming, outbound, prepared.report.spans, waiting).await
            }
        };
        tally.end(match &answered {
            Ok(answer) => Fate::of(answer.status),
            Err(_) => Fate::Failed,
        });
        if let Some(picked) = picked {
            picked.examine();
        }
        answered
    }

    /// Counts an answer of the filter that refuses a request.
    fn own(&self, answer: Answer) -> Answer {
        if let Some(reason) = Reason::of(&answer) {
            self.metrics.refused(reason);
        }
        answer
    }

    async fn forward(
        &self,
        peer: IpAddr,
        incoming: ReceivedRequest,
        outbound: Outbound,
        spans: u32,
        waiting: Waiting<'_>,
    ) -> Result<Answer, Failure> {
        let encoding = outbound.encoding;
        let Mended { body, texts } = match self.send(peer, &incoming, outbound, spans, waiting).await? {
            Sent::Answer(answer) => return Ok(answer),
            Sent::Kept => return Ok(acknowledged(incoming.signal, encoding)),
            Sent::Mended(mended) => mended,
        };
        self.metrics.met(&Report { texts_mended: texts, ..Report::default() });
        let mended = ReceivedRequest { body: body.into(), gzip: None, ..incoming };
        let (mended, prepared) = self.calls.prepare(peer, mended).await?;
        let outbound = match prepared.verdict {
            Verdict::Answer(answer) => return Ok(self.own(answer)),
            // The copies have been queued already.
            Verdict::Forward(outbound) => Outbound { copies: Vec::new(), ..outbound },
        };
        match self.send(peer, &mended, outbound, spans, waiting).await? {
            Sent::Answer(answer) => Ok(answer),
            Sent::Kept => Ok(acknowledged(mended.signal, encoding)),
            Sent::Mended(_) => Err(self.calls.unusable(&Unusable::MendedTwice)),
        }
    }

    async fn send(
        &self,
        peer: IpAddr,
        incoming: &ReceivedRequest,
        outbound: Outbound,
        spans: u32,
        waiting: Waiting<'_>,
    ) -> Result<Sent, Failure> {
        let (signal, body, gzip) = (incoming.signal, incoming.body.clone(), incoming.gzip.clone());
        let Outbound { url, headers, timeout, copies, content, parts, encoding } = outbound;
        let Some(route) = self.routes.get(signal as usize).and_then(Option::as_ref) else {
            return Err(self.calls.unusable(&Unusable::NotCarried(signal)));
        };
        let batch = Batch::new(peer, body, gzip, content, parts, encoding, spans)
            .map_err(|error| self.calls.unusable(&error))?;
        if batch.len() > self.body_limit {
            return Ok(Sent::Answer(self.too_large(encoding)));
        }
        if !copies.is_empty() {
            route.copies.offer(&batch, incoming, copies);
        }
        let sent = route.exporter.send(&batch, Upstream { url, headers, timeout }, waiting).await?;
        if let Sent::Answer(answer) = &sent
            && answer.status != 200
        {
            self.metrics.refused(Reason::Upstream);
        }
        Ok(sent)
    }

    /// The answer to a body that was within the limit as it came, and is over it with its addresses.
    fn too_large(&self, encoding: Encoding) -> Answer {
        let outgrown = Outgrown { limit: self.body_limit };
        self.metrics.refused(Reason::TooLarge);
        self.notices.warn("batch-too-large", || format!("{outgrown}; see podstamp.limits.body"));
        outgrown.answer(encoding)
    }
}

/// Counts what became of a request's spans when it is dropped, as it also is where the client goes away.
struct Tally<'a> {
    metrics: &'a Metrics,
    signal: Signal,
    report: Report,
    /// What becomes of the spans that the upstream has not acknowledged.
    fate: Fate,
    /// Spans that the upstream has acknowledged.
    delivered: &'a AtomicU32,
}

impl Tally<'_> {
    fn end(mut self, fate: Fate) {
        self.fate = fate;
    }
}

impl Drop for Tally<'_> {
    fn drop(&mut self) {
        self.metrics.ended(self.signal, self.fate, &self.report, self.delivered.load(Ordering::Relaxed));
    }
}
