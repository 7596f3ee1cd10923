//! Copies for further exporters. No client waits for them: each exporter has a queue of its own, and a request that does
//! not fit is lost and counted.

use std::sync::Arc;
use std::sync::atomic::AtomicU32;

use podstamp_core::config::Fault;
use podstamp_core::interface::Signal;
use podstamp_core::interface::{self, Mended, Outbound, Report, Verdict};
use tokio::sync::mpsc::{self, Receiver, Sender};
use tokio::sync::{Mutex, OwnedSemaphorePermit, Semaphore};

use super::{Batch, Exporter, ExporterContext, Sent, Waiting};
use crate::lifecycle::Draining;
use crate::observe::{Copied, CopyCounters};
use crate::sandbox::{Failure, ReceivedRequest};
use crate::settings::CopyTarget;

/// The queues of all further exporters.
pub(crate) struct Copies {
    queues: Vec<Queue>,
}

struct Queue {
    jobs: Sender<Job>,
    room: Arc<Semaphore>,
    counters: CopyCounters,
}

/// A queued copy. Dropping it counts what became of it.
struct Job {
    batch: Batch,
    /// The request that the batch was made of.
    incoming: ReceivedRequest,
    to: interface::Upstream,
    counters: CopyCounters,
    /// The outcome of the spans that were not delivered.
    outcome: Copied,
    delivered: AtomicU32,
    _room: OwnedSemaphorePermit,
}

impl Drop for Job {
    fn drop(&mut self) {
        self.counters.add(self.outcome, self.batch.spans, (*self.delivered.get_mut()).into());
    }
}

impl Copies {
    /// Starts the consumers of a signal's copies. Told to stop, they first send what is queued; `queueing` stops what the
    /// upstreams have not taken. The error names a file of a copy that is unusable.
    pub(crate) fn new(
        signal: Signal,
        copies: &[CopyTarget],
        context: &ExporterContext,
        draining: &Draining,
        queueing: &Draining,
    ) -> Result<Self, Fault> {
        let queue = |(number, copy)| Queue::new(signal, number, copy, context, draining, queueing);
        Ok(Self { queues: (1..).zip(copies).map(queue).collect::<Result<_, _>>()? })
    }

    /// Queues `batch`, made of `incoming`, for each of `upstreams`, in the order of the exporters. Never waits.
    pub(crate) fn offer(
        &self,
        batch: &Batch,
        incoming: &ReceivedRequest,
        upstreams: Vec<interface::Upstream>,
    ) {
        for (queue, to) in self.queues.iter().zip(upstreams) {
            let incoming = ReceivedRequest { gzip: None, ..incoming.clone() };
            queue.offer(batch.clone(), incoming, to);
        }
    }
}

impl Queue {
    fn new(
        signal: Signal,
        number: u32,
        copy: &CopyTarget,
        context: &ExporterContext,
        draining: &Draining,
        queueing: &Draining,
    ) -> Result<Self, Fault> {
        let exporter = Exporter::new(signal, number, &copy.upstream, context.clone(), queueing)?;
        let counters = context.metrics.copies(signal, &copy.name);
        let (jobs, queued) = mpsc::channel(LENGTH);
        let queued = Arc::new(Mutex::new(queued));
        for _ in 0..CONSUMERS {
            tokio::spawn(consume(Arc::clone(&exporter), Arc::clone(&queued), draining.clone()));
        }
        Ok(Self { jobs, room: Arc::new(Semaphore::new(ROOM)), counters })
    }

    fn offer(&self, batch: Batch, incoming: ReceivedRequest, to: interface::Upstream) {
        let bytes = batch.original.len() as u64 + batch.pieces.len();
        let blocks = u32::try_from(bytes.div_ceil(BLOCK)).unwrap_or(u32::MAX);
        let spans = batch.spans;
        let Ok(room) = Arc::clone(&self.room).try_acquire_many_owned(blocks) else {
            return self.counters.add(Copied::Dropped, spans, 0);
        };
        let counters = self.counters.clone();
        let (outcome, delivered) = (Copied::Dropped, AtomicU32::new(0));
        let job = Job { batch, incoming, to, counters, outcome, delivered, _room: room };
        // A job that does not fit is dropped here, and counts itself.
        drop(self.jobs.try_send(job));
    }
}

async fn consume(exporter: Arc<Exporter>, queued: Arc<Mutex<Receiver<Job>>>, draining: Draining) {
    while let Some(mut job) = next(&queued, &draining).await {
        tokio::select! {
            biased;
            () = deliver(&exporter, &mut job) => (),
            () = draining.abandoned() => return,
        }
    }
}

/// The next job; `None` once the queue is empty and it is time to stop.
async fn next(queued: &Mutex<Receiver<Job>>, draining: &Draining) -> Option<Job> {
    let mut queued = queued.lock().await;
    tokio::select! {
        biased;
        job = queued.recv() => job,
        () = draining.stopping() => None,
    }
}

async fn deliver(exporter: &Arc<Exporter>, job: &mut Job) {
    job.outcome = Copied::Failed;
    let sent = match send(exporter, job).await {
        Ok(Sent::Mended(mended)) => match mend(exporter, job, mended).await {
            Ok(()) => send(exporter, job).await,
            Err(failure) => Err(failure),
        },
        sent => sent,
    };
    if let Ok(Sent::Kept) = sent {
        job.outcome = Copied::Queued;
    }
    if let Ok(Sent::Answer(answer)) = sent {
        if let Some(mut notice) = answer.notice {
            // A key of its own, and so a rate limit of its own: the same fault of another upstream is another fault.
            notice.key = format!("{}-copy-{}", notice.key, exporter.number).into();
            exporter.context.notices.emit(&notice);
        }
        if answer.status == 200 {
            job.outcome = Copied::Delivered;
        }
    }
}

async fn send(exporter: &Arc<Exporter>, job: &Job) -> Result<Sent, Failure> {
    let waiting = Waiting { until: None, delivered: &job.delivered };
    exporter.send(&job.batch, job.to.clone(), waiting).await
}

/// Prepares `mended`, and puts it in the place of the batch on which the upstream has closed.
async fn mend(exporter: &Exporter, job: &mut Job, mended: Mended) -> Result<(), Failure> {
    let ExporterContext { calls, metrics, .. } = &exporter.context;
    let Mended { body, texts } = mended;
    metrics.met(&Report { texts_mended: texts, ..Report::default() });
    let incoming = ReceivedRequest { body: body.into(), gzip: None, ..job.incoming.clone() };
    let (incoming, prepared) = calls.prepare(job.batch.peer, incoming).await?;
    if let Verdict::Forward(Outbound { content, parts, encoding, .. }) = prepared.verdict {
        let spans = prepared.report.spans;
        job.batch = Batch::new(job.batch.peer, incoming.body, None, content, parts, encoding, spans)
            .map_err(|error| calls.unusable(&error))?;
    }
    Ok(())
}

/// Requests, as in the Collector's `sending_queue`.
const LENGTH: usize = 1000;

/// Requests on their way at a time, and as many connections.
const CONSUMERS: usize = 4;

/// Bytes in a block, by which a queue's room is counted.
const BLOCK: u64 = 1024;

/// Blocks that the bodies in a queue may take.
const ROOM: usize = 64 << 10;

/// Bytes that the bodies in a queue may take.
pub(crate) const QUEUE_BYTES: u64 = ROOM as u64 * BLOCK;
