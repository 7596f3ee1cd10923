//! Where an exporter sends, for people.

use std::fmt;

use podstamp_core::config::{Exporter, FileStorage, Sizer};

/// Shows an exporter's URL, and what becomes of what that does not take.
pub(crate) struct Destination<'a>(pub(crate) &'a Exporter);

impl fmt::Display for Destination<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Exporter { url, queue, retry, .. } = self.0;
        formatter.write_str(url)?;
        let Some(queue) = queue.as_ref().filter(|queue| retry.enabled && !queue.wait_for_result) else {
            return Ok(());
        };
        let unit = match queue.sizer {
            Sizer::Requests => "requests",
            Sizer::Items => "spans",
            Sizer::Bytes => "bytes",
        };
        write!(formatter, "; up to {} {unit} that are not taken there are queued ", queue.queue_size)?;
        match &queue.storage {
            None => formatter.write_str("in memory"),
            Some(FileStorage { directory, .. }) => write!(formatter, "in {directory}"),
        }?;
        match retry.max_elapsed_time {
            0 => formatter.write_str(" until they are"),
            time => write!(formatter, " for {} s", time / 1000),
        }
    }
}
