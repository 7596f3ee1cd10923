//! Calls of the filter: where they run, how long they take, how they fail.

use std::sync::Arc;
use std::time::Instant;

use podstamp_core::exchange::{Attempt, Next, Prepared};
use tokio::sync::Semaphore;
use tokio::task::spawn_blocking;

use crate::filter::{Ended, Failure, Filter, Incoming};
use crate::metrics::{GuestFailure, Metrics};
use crate::notices::Notices;

/// The filter as requests use it.
pub(crate) struct Calls {
    filter: Arc<dyn Filter>,
    large: Semaphore,
    metrics: Arc<Metrics>,
    notices: Arc<Notices>,
}

impl Calls {
    /// `large` is how many calls with large bodies may run at a time.
    pub(crate) fn new(
        filter: Arc<dyn Filter>,
        large: usize,
        metrics: Arc<Metrics>,
        notices: Arc<Notices>,
    ) -> Self {
        Self { filter, large: Semaphore::new(large.max(1)), metrics, notices }
    }

    /// Calls `prepare`. Hands the request back, since its body is what gets sent.
    pub(crate) async fn prepare(&self, incoming: Incoming) -> Result<(Incoming, Prepared), Failure> {
        let size = incoming.body.len();
        self.run(size, move |filter| {
            let prepared = filter.prepare(&incoming)?;
            Ok((incoming, prepared))
        })
        .await
    }

    /// Calls `conclude`.
    pub(crate) async fn conclude(&self, attempt: Attempt, ended: Ended) -> Result<Next, Failure> {
        self.run(ended.body().len(), move |filter| filter.conclude(attempt, &ended)).await
    }

    /// Counts and logs a failure that somebody else found in the filter's answer.
    pub(crate) fn failed(&self, failure: &Failure) {
        let (kind, key) = match failure {
            Failure::Trap(_) => (GuestFailure::Trap, "filter-trap"),
            Failure::Timeout(_) => (GuestFailure::Timeout, "filter-timeout"),
            Failure::MemoryLimit(_) => (GuestFailure::MemoryLimit, "filter-memory-limit"),
            Failure::InvalidAnswer(_) => (GuestFailure::InvalidAnswer, "filter-invalid-answer"),
            Failure::Busy => (GuestFailure::Busy, "filter-busy"),
        };
        self.metrics.failed(kind);
        self.notices.warn(key, || failure.to_string());
    }

    async fn run<T, F>(&self, size: usize, call: F) -> Result<T, Failure>
    where
        T: Send + 'static,
        F: FnOnce(&dyn Filter) -> Result<T, Failure> + Send + 'static,
    {
        let result =
            if size <= INLINE { self.timed(|| call(&*self.filter)) } else { self.offload(call).await };
        if let Err(failure) = &result {
            self.failed(failure);
        }
        result
    }

    /// Off the async workers, which other requests need meanwhile.
    async fn offload<T, F>(&self, call: F) -> Result<T, Failure>
    where
        T: Send + 'static,
        F: FnOnce(&dyn Filter) -> Result<T, Failure> + Send + 'static,
    {
        let _permit = self.large.acquire().await.map_err(|_| Failure::Busy)?;
        let filter = Arc::clone(&self.filter);
        let metrics = Arc::clone(&self.metrics);
        let ran = spawn_blocking(move || {
            let begun = Instant::now();
            let result = call(&*filter);
            metrics.called(begun.elapsed());
            result
        });
        ran.await.unwrap_or_else(|error| Err(Failure::Trap(error.to_string())))
    }

    fn timed<T>(&self, call: impl FnOnce() -> T) -> T {
        let begun = Instant::now();
        let result = call();
        self.metrics.called(begun.elapsed());
        result
    }
}

/// A megabyte takes under a millisecond: less than it costs others to wait for that worker.
const INLINE: usize = 1 << 20;
