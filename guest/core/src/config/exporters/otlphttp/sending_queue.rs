//! `sending_queue`.

use crate::config::document::{ENABLED, Entry, Section};
use crate::config::exporters::otlphttp::retry_on_failure::Retry;
use crate::config::extensions::{Extensions, FileStorage};
use crate::interface::Level;

/// The queue of one exporter for what its upstream does not take.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SendingQueue {
    /// Requests that leave the queue at a time.
    pub num_consumers: u32,
    /// The most that it holds, as [`Self::sizer`] counts.
    pub queue_size: u64,
    /// The measure of [`Self::queue_size`].
    pub sizer: Sizer,
    /// Whether a client waits for room, rather than being told that there is none.
    pub block_on_overflow: bool,
    /// Whether a client waits for the outcome of what is queued for it.
    pub wait_for_result: bool,
    /// Where it is kept. `None`: in memory.
    pub storage: Option<FileStorage>,
    /// How much leaves it in one request. `None`: as much as the upstream takes.
    pub batch: Option<QueueBatch>,
}

/// How what is queued is put together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct QueueBatch {
    /// How long to wait for [`Self::min_size`], milliseconds.
    pub flush_timeout: u32,
    /// The least of one request, unless its time is up.
    pub min_size: u64,
    /// The most of one request; 0: any size.
    pub max_size: u64,
    /// The measure of both: [`Sizer::Items`] or [`Sizer::Bytes`].
    pub sizer: Sizer,
}

/// The measure of a queue or a batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sizer {
    /// Requests.
    Requests,
    /// Spans, data points or log records.
    Items,
    /// Bytes.
    Bytes,
}

impl Default for SendingQueue {
    /// As in the Collector's exporterhelper.
    fn default() -> Self {
        Self {
            num_consumers: 10,
            queue_size: 1_000,
            sizer: Sizer::Requests,
            block_on_overflow: false,
            wait_for_result: false,
            storage: None,
            batch: None,
        }
    }
}

/// Reads the queue; as in the Collector, a key without a value has one with its defaults. `None`: there is none.
#[cold]
pub(crate) fn read_queue(
    entry: Entry<'_>,
    retry: &Retry,
    extensions: &Extensions<'_, '_>,
) -> Option<SendingQueue> {
    let entry = entry.unless_disabled();
    if !entry.is_present() {
        return None;
    }
    let mut section = entry.section();
    let _ = section.take(ENABLED).flag();
    let sizer = section.take("sizer");
    let own_sizer = read_sizer(&sizer);
    let (waits, storage) = (section.take("wait_for_result"), section.take("storage"));
    let mut queue = SendingQueue {
        num_consumers: u32::try_from(positive(&mut section, "num_consumers", 10)).unwrap_or(u32::MAX),
        queue_size: positive(&mut section, "queue_size", 1_000),
        sizer: own_sizer.unwrap_or(Sizer::Requests),
        block_on_overflow: section.take("block_on_overflow").flag().unwrap_or_default(),
        wait_for_result: waits.flag().unwrap_or_default(),
        storage: extensions.storage(&storage),
        batch: None,
    };
    if queue.wait_for_result {
        if storage.is_filled() {
            waits.fault("does not go with `storage`: a client is answered once its request is on disk");
        }
        entry.notice(Level::Info, "config-no-queue", "clients wait for results, so that nothing is queued");
    } else if !retry.enabled {
        entry.notice(Level::Warning, "config-no-queue", "nothing is tried again, so that nothing is queued");
    }
    let batch = section.take("batch").unless_disabled();
    section.close();
    if batch.is_present() {
        // Where the queue's own is written, it holds for batches too, unless they have no key at all.
        let inherited = own_sizer.filter(|_| batch.value().is_some()).unwrap_or(Sizer::Items);
        queue.batch = Some(read_batch(&batch, inherited, &queue));
    }
    Some(queue)
}

fn read_batch(entry: &Entry<'_>, inherited: Sizer, queue: &SendingQueue) -> QueueBatch {
    let mut section = entry.section();
    let _ = section.take(ENABLED).flag();
    let [flush_timeout, min_size, max_size, sizer] =
        ["flush_timeout", "min_size", "max_size", "sizer"].map(|key| section.take(key));
    section.without_effect(&["partition"], SAME_HEADERS);
    section.close();
    let batch = QueueBatch {
        flush_timeout: flush_timeout.duration().unwrap_or(200),
        min_size: min_size.number().unwrap_or(8_192),
        max_size: max_size.number().unwrap_or_default(),
        sizer: read_sizer(&sizer).unwrap_or(inherited),
    };
    if batch.sizer == Sizer::Requests {
        sizer.fault("batches are counted in `items` or `bytes`: write one of them");
    } else if batch.sizer == queue.sizer && batch.min_size > queue.queue_size {
        min_size.fault(format!("{} is over `queue_size`, {}", batch.min_size, queue.queue_size));
    }
    if batch.flush_timeout == 0 {
        flush_timeout.fault(ZERO);
    }
    if batch.max_size > 0 && batch.max_size < batch.min_size {
        max_size.fault(format!("{} is under `min_size`, {}", batch.max_size, batch.min_size));
    }
    batch
}

fn read_sizer(entry: &Entry<'_>) -> Option<Sizer> {
    // The Collector's print-config writes `{}`.
    entry.filled()?;
    entry.choice(&[("requests", Sizer::Requests), ("items", Sizer::Items), ("bytes", Sizer::Bytes)])
}

fn positive(section: &mut Section<'_>, key: &'static str, default: u64) -> u64 {
    let entry = section.take(key);
    let number = entry.number().unwrap_or(default);
    if number == 0 {
        entry.fault(ZERO);
    }
    number
}

/// Why it makes no difference which client a request came from.
pub(crate) const SAME_HEADERS: &str = "all requests of an exporter go with the same headers";

const ZERO: &str = "is 0: it has to be over that";
