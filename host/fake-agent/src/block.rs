//! The block of rows that DeepFlow's server writes at a time.

use std::collections::HashSet;
use std::sync::{Mutex, PoisonError};

use crate::harm::{Harm, MAX_HOURS};
use crate::record::ResourceRecord;

/// The block of rows that the server is filling.
#[derive(Debug, Default)]
pub(crate) struct Block(Mutex<Rows>);

#[derive(Debug, Default)]
struct Rows {
    count: usize,
    hours: HashSet<u64>,
}

impl Block {
    /// Adds a request's rows. A block that is full, or lost, is followed by an empty one.
    pub(crate) fn take(&self, resources: &[ResourceRecord]) -> Option<Harm> {
        let mut rows = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut harm = None;
        for span in resources.iter().flat_map(|resource| &resource.spans) {
            rows.hours.insert(span.end_time_unix_nano / 3_600_000_000_000);
            rows.count += 1;
            if rows.hours.len() > MAX_HOURS {
                harm = Some(Harm::TooManyHours { hours: rows.hours.len() as u64 });
            }
            if rows.count == BLOCK_ROWS {
                *rows = Rows::default();
            }
        }
        if harm.is_some() {
            *rows = Rows::default();
        }
        harm
    }
}

/// Rows that the server writes at a time.
const BLOCK_ROWS: usize = 128_000;
