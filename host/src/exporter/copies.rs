//! Copies for further exporters. Nobody waits for them: each has a queue of its own, and what does not fit is lost and
//! counted.

use std::sync::Arc;

use podstamp_core::config::Fault;
use podstamp_core::exchange;
use podstamp_core::signal::Signal;
use tokio::sync::mpsc::{self, Receiver, Sender};
use tokio::sync::{Mutex, OwnedSemaphorePermit, Semaphore};

use super::{Batch, Exporter, Instruments, Sent};
use crate::drain::Draining;
use crate::metrics::{Copied, CopyCounters};
use crate::settings::Copy;

/// The queues of all further exporters.
pub(crate) struct Copies {
    queues: Vec<Queue>,
}

struct Queue {
    jobs: Sender<Job>,
    room: Arc<Semaphore>,
    counters: CopyCounters,
}

/// Dropped without having been delivered, it counts as lost.
struct Job {
    batch: Batch,
    to: exchange::Upstream,
    counters: CopyCounters,
    outcome: Copied,
    _room: OwnedSemaphorePermit,
}

impl Drop for Job {
    fn drop(&mut self) {
        self.counters.add(self.outcome, self.batch.spans);
    }
}

impl Copies {
    /// Starts the consumers of a signal's copies, which send what is queued when they are told to stop, and then do. The
    /// error says what of the files that a copy names is of no use.
    pub(crate) fn new(
        signal: Signal,
        copies: &[Copy],
        instruments: &Instruments,
        draining: &Draining,
    ) -> Result<Self, Fault> {
        let queue = |(number, copy)| Queue::new(signal, number, copy, instruments, draining);
        Ok(Self { queues: (1..).zip(copies).map(queue).collect::<Result<_, _>>()? })
    }

    /// Queues `batch` for each of `upstreams`, in the order of the exporters. Never waits.
    pub(crate) fn offer(&self, batch: &Batch, upstreams: Vec<exchange::Upstream>) {
        for (queue, to) in self.queues.iter().zip(upstreams) {
            queue.offer(batch.clone(), to);
        }
    }
}

impl Queue {
    fn new(
        signal: Signal,
        number: u32,
        copy: &Copy,
        instruments: &Instruments,
        draining: &Draining,
    ) -> Result<Self, Fault> {
        let exporter = Arc::new(Exporter::new(signal, number, &copy.upstream, instruments.clone())?);
        let counters = instruments.metrics.copies(signal, &copy.name);
        let (jobs, queued) = mpsc::channel(LENGTH);
        let queued = Arc::new(Mutex::new(queued));
        for _ in 0..CONSUMERS {
            tokio::spawn(consume(Arc::clone(&exporter), Arc::clone(&queued), draining.clone()));
        }
        Ok(Self { jobs, room: Arc::new(Semaphore::new(ROOM)), counters })
    }

    fn offer(&self, batch: Batch, to: exchange::Upstream) {
        let bytes = batch.original.len() as u64 + batch.pieces.len();
        let blocks = u32::try_from(bytes.div_ceil(BLOCK)).unwrap_or(u32::MAX);
        let spans = batch.spans;
        let Ok(room) = Arc::clone(&self.room).try_acquire_many_owned(blocks) else {
            return self.counters.add(Copied::Dropped, spans);
        };
        let counters = self.counters.clone();
        let job = Job { batch, to, counters, outcome: Copied::Dropped, _room: room };
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

/// The next job; none when it is time to stop and there is none.
async fn next(queued: &Mutex<Receiver<Job>>, draining: &Draining) -> Option<Job> {
    let mut queued = queued.lock().await;
    tokio::select! {
        biased;
        job = queued.recv() => job,
        () = draining.stopping() => None,
    }
}

async fn deliver(exporter: &Exporter, job: &mut Job) {
    let to = std::mem::take(&mut job.to);
    job.outcome = Copied::Failed;
    let sent = exporter.send(&job.batch, to).await;
    if let Ok(Sent::Mended(_)) = sent {
        exporter.instruments.notices.warn("copy-not-mended", || {
            "a copy has text that is not UTF-8, on which its upstream closes: podstamp.guard.check: full mends it beforehand".to_owned()
        });
    }
    if let Ok(Sent::Answer(answer)) = sent {
        if let Some(mut notice) = answer.notice {
            // Its own rate limit: the same fault of another upstream is another fault.
            notice.key = format!("{}-copy-{}", notice.key, exporter.number).into();
            exporter.instruments.notices.emit(&notice);
        }
        if answer.status == 200 {
            job.outcome = Copied::Delivered;
        }
    }
}

/// Requests, as in the Collector's `sending_queue`.
const LENGTH: usize = 1000;

/// Requests on their way at a time; as many connections.
const CONSUMERS: usize = 4;

/// Bytes by which room is counted.
const BLOCK: u64 = 1024;

/// Blocks that the bodies in a queue may take: 64 MiB.
const ROOM: usize = 64 << 10;
