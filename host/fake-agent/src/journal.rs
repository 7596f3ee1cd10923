//! The requests so far: in memory, counted, and in a file.

use std::collections::VecDeque;
use std::fs::File;
use std::io::{self, Write};
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::watch;
use tracing::warn;

use crate::record::{Outcome, Record};

/// How many requests an agent has seen since it started, whether it still keeps their records or not.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Totals {
    /// Requests of any kind.
    pub requests: u64,
    /// Spans that were imported.
    pub spans: u64,
    /// Requests that a real agent would not have survived.
    pub aborts: u64,
    /// Spans that were imported and are not among the agent's metrics.
    pub uncounted: u64,
}

/// Records of requests, the oldest first.
#[derive(Debug)]
pub(crate) struct Journal {
    max_records: usize,
    kept: Mutex<Kept>,
    file: Option<Mutex<File>>,
    totals: watch::Sender<Totals>,
}

#[derive(Debug, Default)]
struct Kept {
    records: VecDeque<Arc<Record>>,
    spans: usize,
}

impl Journal {
    /// A journal that keeps the latest `max_records` in memory, and appends every record to the file.
    pub(crate) fn open(max_records: usize, path: Option<&Path>) -> io::Result<Self> {
        let file = path.map(|path| File::options().create(true).append(true).open(path)).transpose()?;
        Ok(Self {
            max_records,
            kept: Mutex::default(),
            file: file.map(Mutex::new),
            totals: watch::Sender::new(Totals::default()),
        })
    }

    /// Adds a record. Whoever waits for totals finds it in [`Journal::records`].
    pub(crate) fn add(&self, record: Record) {
        if let Some(file) = &self.file {
            let line = format!("{}\n", record.to_json());
            let written = file.lock().unwrap_or_else(PoisonError::into_inner).write_all(line.as_bytes());
            if let Err(error) = written {
                warn!(%error, "a record is missing in the file");
            }
        }
        let spans = record.spans().count();
        let uncounted = record.spans().filter(|span| !span.counted).count();
        let aborted = matches!(record.outcome, Outcome::Aborted(_));
        self.kept.lock().unwrap_or_else(PoisonError::into_inner).push(record, spans, self.max_records);
        self.totals.send_modify(|totals| {
            totals.requests += 1;
            totals.spans += spans as u64;
            totals.aborts += u64::from(aborted);
            totals.uncounted += uncounted as u64;
        });
    }

    pub(crate) fn records(&self) -> Vec<Arc<Record>> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner).records.iter().cloned().collect()
    }

    pub(crate) fn forget(&self) {
        *self.kept.lock().unwrap_or_else(PoisonError::into_inner) = Kept::default();
    }

    pub(crate) fn totals(&self) -> Totals {
        *self.totals.borrow()
    }

    /// Returns once the totals meet the condition.
    pub(crate) async fn wait_for(&self, reached: impl FnMut(&Totals) -> bool) -> Totals {
        match self.totals.subscribe().wait_for(reached).await {
            Ok(totals) => *totals,
            // Waiting fails only without a sender, and `self` holds it.
            Err(_) => self.totals(),
        }
    }
}

impl Kept {
    fn push(&mut self, record: Record, spans: usize, max_records: usize) {
        self.records.push_back(Arc::new(record));
        self.spans += spans;
        while self.records.len() > max_records || self.spans > MAX_KEPT_SPANS {
            let Some(oldest) = self.records.pop_front() else { break };
            self.spans -= oldest.spans().count();
        }
    }
}

/// Records that are kept by default: enough for any test, and some tens of megabytes in a demo that runs for days.
pub const DEFAULT_KEPT_RECORDS: usize = 10_000;

/// Spans that the records kept may have together, at about 300 bytes each; beyond that, the oldest records go.
pub const MAX_KEPT_SPANS: usize = 200_000;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tests::record_of;

    #[test]
    fn the_oldest_records_go_first_and_the_totals_stay() {
        let journal = Journal::open(2, None).unwrap();
        for spans in [1, 2, 3] {
            journal.add(record_of(spans));
        }
        let kept: Vec<_> = journal.records().iter().map(|record| record.spans().count()).collect();
        assert_eq!(kept, [2, 3]);
        assert_eq!(journal.totals(), Totals { requests: 3, spans: 6, aborts: 0, uncounted: 6 });
    }

    #[test]
    fn many_spans_push_records_out_too() {
        let journal = Journal::open(10, None).unwrap();
        for spans in [1, MAX_KEPT_SPANS, 5] {
            journal.add(record_of(spans));
        }
        let kept: Vec<_> = journal.records().iter().map(|record| record.spans().count()).collect();
        assert_eq!(kept, [5]);
    }
}
