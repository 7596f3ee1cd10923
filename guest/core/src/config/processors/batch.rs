//! The `batch` processor.

use crate::config::document::Entry;
use crate::config::exporters::otlphttp::sending_queue::SAME_HEADERS;

/// How small requests are put together. Sizes are spans, data points or log records.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Batching {
    /// The processor's section, for example `processors.batch`.
    pub path: String,
    /// How long a request waits for others, milliseconds; 0: not at all.
    pub timeout: u32,
    /// The size from which a batch leaves at once; 0: whatever its size.
    pub send_batch_size: u32,
    /// The most of one batch; 0: any size.
    pub send_batch_max_size: u32,
}

pub(crate) fn read_batch(entry: &Entry<'_>) -> Batching {
    let mut section = entry.section();
    let most = section.take("send_batch_max_size");
    let batching = Batching {
        path: entry.path().to_owned(),
        timeout: section.take("timeout").duration().unwrap_or(200),
        send_batch_size: section.take("send_batch_size").count().unwrap_or(8_192),
        send_batch_max_size: most.count().unwrap_or_default(),
    };
    section.without_effect(&["metadata_keys"], SAME_HEADERS);
    section.pass(&["metadata_cardinality_limit"]);
    section.close();
    if (1..batching.send_batch_size).contains(&batching.send_batch_max_size) {
        most.fault(format!("is under `send_batch_size`, {}", batching.send_batch_size));
    }
    batching
}
