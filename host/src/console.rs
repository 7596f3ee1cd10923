//! What the console shows: which service's spans came from which pod, how that was found, and the last traces.
//!
//! Requests pass without waiting for any of it. Of those that a [`Sampler`] picks a copy of the reference to the body is kept, and a
//! thread of its own has the filter examine it once the client has its answer. What that may take of the processor and of
//! memory is bounded, and little while nobody looks.

mod allowance;
mod attention;
mod examiner;
mod sampling;
mod services;
pub(crate) mod told;
mod traces;
mod verdict;

use std::fmt;
use std::net::IpAddr;
use std::sync::mpsc::{SyncSender, sync_channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use podstamp_core::directory::Lookup;
use podstamp_core::interface::{Examination, Examined, Report, Signal};

use crate::pods::explain::Explanation;
use crate::sandbox::{Failure, FilterRunner, ReceivedRequest, clock};
use crate::settings;
use attention::Attention;
use examiner::{Examiner, Sample, Waiting};
use sampling::Sampler;
use services::Services;
use traces::Traces;

pub(crate) use attention::Watch;
pub(crate) use traces::query::TraceQuery;

/// The state of the console, which requests fill and the admin listener shows.
pub(crate) struct Console {
    shared: Arc<Shared>,
    sampler: Arc<Sampler>,
    waiting: Arc<Waiting>,
    samples: SyncSender<Sample>,
    pods: Pods,
}

/// What the examiner writes and others read.
struct Shared {
    settings: settings::Console,
    filter: Arc<dyn FilterRunner>,
    attention: Attention,
    services: Mutex<Services>,
    traces: Mutex<Traces>,
}

/// What is known of pods, for explanations.
pub(crate) struct Pods {
    /// Why an address does or does not lead to a pod; `None` without a table of pods. May go through all pods.
    pub(crate) explain: Box<dyn Fn(IpAddr) -> Option<Explanation> + Send + Sync>,
    /// What an address leads to; `None` without a table of pods.
    pub(crate) find: Box<dyn Fn(IpAddr) -> Option<Lookup> + Send + Sync>,
}

/// A request that is to be examined once its client has the answer.
#[derive(Debug)]
pub(crate) struct Picked {
    sample: Sample,
    samples: SyncSender<Sample>,
}

impl Picked {
    /// Hands the request to the examiner, unless that is busy enough.
    pub(crate) fn examine(self) {
        // A full channel is as good as never having picked it.
        self.samples.try_send(self.sample).ok();
    }
}

impl Console {
    /// A console, with a thread that ends when the console is dropped. The error says why there is no thread.
    pub(crate) fn new(
        settings: settings::Console,
        filter: Arc<dyn FilterRunner>,
        pods: Pods,
    ) -> std::io::Result<Self> {
        let shared = Arc::new(Shared {
            settings,
            filter,
            attention: Attention::default(),
            services: Mutex::default(),
            traces: Mutex::default(),
        });
        let sampler = Arc::<Sampler>::default();
        let (samples, received) = sync_channel(MAX_WAITING);
        Examiner::new(Arc::clone(&shared), sampler.allowance()).start(received)?;
        Ok(Self { shared, sampler, waiting: Arc::default(), samples, pods })
    }

    /// How the console is set.
    pub(crate) fn settings(&self) -> &settings::Console {
        &self.shared.settings
    }

    /// Notes a request that the filter took, and picks it or not. `peer` is whom the request counts for.
    pub(crate) fn pick(&self, peer: IpAddr, request: &ReceivedRequest, report: &Report) -> Option<Picked> {
        if request.signal != Signal::Traces || report.resources == 0 {
            return None;
        }
        let looking = self.shared.attention.is_there();
        let room = self.waiting.reserve(request.body.len(), looking);
        let peer = peer.to_canonical();
        let stake = self.sampler.pick(Instant::now(), peer, report, looking, room.is_some())?;
        // What came compressed is of no use to the examiner.
        let request = ReceivedRequest { gzip: None, ..request.clone() };
        let sample = Sample { request, stake, at: clock::milliseconds(), _room: room? };
        Some(Picked { sample, samples: self.samples.clone() })
    }

    /// Tells the console that somebody looks, for as long as the watch is kept and a moment longer.
    pub(crate) fn watch(self: &Arc<Self>) -> Watch {
        Watch::new(Arc::clone(self), |console| &console.shared.attention)
    }

    /// The services and their pods, those without a pod first.
    pub(crate) fn services(&self) -> told::Services {
        let (requests, spans) = self.sampler.seen();
        let seen = told::Seen { requests, spans, examined: self.sampler.allowance().examined() };
        let mut rows =
            self.shared.services().rows(clock::milliseconds(), &|peer| self.sampler.has_pending(peer));
        rows.iter_mut().for_each(|row| verdict::suspect(row, &self.pods));
        self.shared.services().told(seen, rows)
    }

    /// Why a service's spans are stamped as they are.
    pub(crate) fn service(&self, id: u64) -> Option<told::ServiceExplained> {
        let pending = |peer| self.sampler.has_pending(peer);
        let (mut row, explained) = self.shared.services().explained(id, &pending)?;
        verdict::suspect(&mut row, &self.pods);
        Some(verdict::explain(row, explained, &self.pods))
    }

    /// The traces that a query asks for, the newest first.
    pub(crate) fn traces(&self, query: &TraceQuery) -> told::Traces {
        self.shared.traces().told(query)
    }

    /// One trace.
    pub(crate) fn trace(&self, id: [u8; 16]) -> Option<told::Trace> {
        self.shared.traces().trace(id, self.shared.settings.trace_link.as_deref())
    }

    /// What would become of a request, without sending it or keeping anything of it. Takes the processor meanwhile.
    pub(crate) fn rewrite(&self, request: &ReceivedRequest) -> Result<told::Rewritten, Failure> {
        let options = Examination { payloads: false, resources: PASTED_RESOURCES, spans: 0, text: TEXT };
        let examined = self.shared.filter.examine(request, options)?;
        let Examined { fault, resources, resources_omitted, .. } = examined;
        let resources = verdict::of_request(resources, &self.pods);
        Ok(told::Rewritten::new(fault, resources, resources_omitted))
    }
}

impl Shared {
    fn services(&self) -> MutexGuard<'_, Services> {
        self.services.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn traces(&self) -> MutexGuard<'_, Traces> {
        self.traces.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Console {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Console").field("settings", &self.shared.settings).finish_non_exhaustive()
    }
}

/// Requests that wait for the examiner: enough for those that end at the same time.
const MAX_WAITING: usize = 64;

/// Resources of a pasted request that are told of: more than a person reads.
const PASTED_RESOURCES: u32 = 200;

/// Bytes of a text that are kept. Names that people read are shorter; the longest that Kubernetes has is 253.
const TEXT: u32 = 1_024;
