//! Calls of the filter: where they run, how long they take, how they fail.
//!
//! A call that takes longer than a moment runs off the async workers, which other requests need, and no peer has more of the
//! processors than its share. How long a call will take is estimated from its bytes and the time of its peer's earlier calls.

mod peers;
#[cfg(test)]
mod tests;

use std::error::Error;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use podstamp_core::interface::{Attempt, Next, Prepared};

use super::failure::Consequences;
use super::limits::cpu_time;
use super::{Ended, Failure, FilterRunner, ReceivedRequest};
use crate::observe::{Metrics, Notices};
use crate::offload::Threads;
use peers::Peers;

/// The filter as requests use it.
pub(crate) struct Calls {
    filter: Arc<dyn FilterRunner>,
    /// For costly calls.
    threads: Threads,
    peers: Arc<Peers>,
    metrics: Arc<Metrics>,
    notices: Arc<Notices>,
}

impl Calls {
    /// `threads` takes costly calls, half of them of one peer at most.
    pub(crate) fn new(
        filter: Arc<dyn FilterRunner>,
        threads: Threads,
        metrics: Arc<Metrics>,
        notices: Arc<Notices>,
    ) -> Self {
        let peers = Arc::new(Peers::new(threads.places() / 2));
        Self { filter, threads, peers, metrics, notices }
    }

    /// Calls `prepare`. The call counts for `peer`, which may be another one than the connection's: a trusted proxy forwards for
    /// many. Hands the request back, since its body is sent.
    pub(crate) async fn prepare(
        &self,
        peer: IpAddr,
        incoming: ReceivedRequest,
    ) -> Result<(ReceivedRequest, Prepared), Failure> {
        let size = incoming.body.len();
        self.run(peer, size, move |filter| {
            let prepared = filter.prepare(&incoming)?;
            Ok((incoming, prepared))
        })
        .await
    }

    /// Calls `conclude`, unless its answer is known beforehand. The call counts for `peer`.
    pub(crate) async fn conclude(
        &self,
        peer: IpAddr,
        attempt: Attempt,
        ended: Ended,
    ) -> Result<Next, Failure> {
        if ended.is_plain_success()
            && let Some(answer) = self.filter.acknowledgement(attempt.signal, attempt.encoding)
        {
            return Ok(Next::Answer(answer.clone()));
        }
        self.run(peer, ended.body().len(), move |filter| filter.conclude(attempt, &ended)).await
    }

    /// Counts and logs an answer of the filter that its caller cannot carry out.
    pub(crate) fn unusable(&self, error: &dyn Error) -> Failure {
        let failure = Failure::InvalidAnswer(error.to_string());
        self.failed(&failure);
        failure
    }

    fn failed(&self, failure: &Failure) {
        let Consequences { label, key, .. } = failure.consequences();
        self.metrics.failed(label);
        self.notices.warn(key, || failure.to_string());
    }

    async fn run<T, F>(&self, peer: IpAddr, size: usize, call: F) -> Result<T, Failure>
    where
        T: Send + 'static,
        F: FnOnce(&dyn FilterRunner) -> Result<T, Failure> + Send + 'static,
    {
        let result = if self.is_cheap(peer, size) {
            timed(&self.metrics, &self.peers, peer, size, || call(&*self.filter))
        } else {
            self.offload(peer, size, call).await
        };
        if let Err(failure) = &result {
            self.failed(failure);
        }
        result
    }

    /// Whether a call is so short that handing it to a thread would cost more than the wait for it.
    fn is_cheap(&self, peer: IpAddr, size: usize) -> bool {
        let expected = || self.peers.expected(peer, size);
        size <= SMALL || size <= INLINE && expected().is_some_and(|expected| expected <= MOMENT)
    }

    /// Off the async workers, which other requests need meanwhile.
    async fn offload<T, F>(&self, peer: IpAddr, size: usize, call: F) -> Result<T, Failure>
    where
        T: Send + 'static,
        F: FnOnce(&dyn FilterRunner) -> Result<T, Failure> + Send + 'static,
    {
        let turn = self.peers.turns(peer).acquire_owned().await.map_err(|_| Failure::Busy)?;
        let filter = Arc::clone(&self.filter);
        let (metrics, peers) = (Arc::clone(&self.metrics), Arc::clone(&self.peers));
        // The turn ends after the place is free: the next peer that waits for one comes before this peer's next call.
        let ran = self.threads.run(turn, move || timed(&metrics, &peers, peer, size, || call(&*filter)));
        ran.await.unwrap_or_else(|error| Err(Failure::Trap(error.to_string())))
    }
}

/// Makes a call and measures it. The peer's rate is learnt from the thread's time on the processor, which other threads do
/// not add to; small bodies are always cheap, so that nothing is learnt from them.
fn timed<T>(metrics: &Metrics, peers: &Peers, peer: IpAddr, size: usize, call: impl FnOnce() -> T) -> T {
    let learning = (size > SMALL).then(cpu_time);
    let begun = Instant::now();
    let result = call();
    metrics.called(begun.elapsed());
    if let Some(begun) = learning {
        peers.learn(peer, size, cpu_time().saturating_sub(begun));
    }
    result
}

/// Bytes of a body that takes a few milliseconds at most, whatever it holds.
const SMALL: usize = 32 << 10;

/// Bytes of a body that usually takes under a millisecond. Larger ones are always handed to a thread.
const INLINE: usize = 1 << 20;

/// How long a call may keep an async worker.
const MOMENT: Duration = Duration::from_millis(2);
