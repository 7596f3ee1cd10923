//! `podstamp.queue`: when a request goes into its exporter's `sending_queue`.

use crate::config::document::Entry;

/// Settings that hold for the queues of all exporters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Queue {
    /// Milliseconds that an upstream has for its answer before a request is queued and its client gets 200.
    pub patience: u32,
}

/// Reads `podstamp.queue`. `longest`: the patience of `podstamp.upstream`, milliseconds; 0: that of an exporter's timeout.
pub(crate) fn read_queue(entry: &Entry<'_>, longest: u32) -> Queue {
    let mut section = entry.section();
    let patience = section.take("patience");
    section.close();
    let stated = patience.duration();
    if stated.is_some_and(|stated| longest > 0 && stated >= longest) {
        patience.fault(format!(
            "has to be under podstamp.upstream.patience, {longest} ms, in which clients get their answers"
        ));
    }
    let default = if longest > 0 { DEFAULT_PATIENCE.min(longest / 2) } else { DEFAULT_PATIENCE };
    Queue { patience: stated.unwrap_or(default) }
}

/// Long enough for an agent under load, and a tenth of what SDKs wait.
const DEFAULT_PATIENCE: u32 = 1_000;
