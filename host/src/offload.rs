//! Threads for work that takes longer than a moment: async workers, which other requests need meanwhile, hand it over.
//!
//! Each kind of work has the same number of places and a queue of its own, so that bodies which wait to be decompressed
//! hold up no call of the filter, and copies no answer. The number leaves a processor to the async workers.

use std::sync::Arc;

use tokio::sync::Semaphore;
use tokio::task::{JoinError, spawn_blocking};

/// The threads of a server, by the kind of work.
#[derive(Debug)]
pub(crate) struct Offload {
    /// Calls of the filter.
    pub(crate) calls: Threads,
    /// Content codings of bodies that come in.
    pub(crate) decoding: Threads,
    /// Content codings of bodies that go to an upstream whose answer a client waits for.
    pub(crate) encoding: Threads,
    /// Content codings of copies.
    pub(crate) encoding_copies: Threads,
}

impl Offload {
    /// `places` is how much work of a kind may run at a time.
    pub(crate) fn new(places: usize) -> Self {
        let threads = || Threads::new(places);
        Self { calls: threads(), decoding: threads(), encoding: threads(), encoding_copies: threads() }
    }
}

/// Places for one kind of work. Clones share them.
#[derive(Clone, Debug)]
pub(crate) struct Threads {
    places: usize,
    free: Arc<Semaphore>,
}

impl Threads {
    /// At least one place.
    pub(crate) fn new(places: usize) -> Self {
        let places = places.max(1);
        Self { places, free: Arc::new(Semaphore::new(places)) }
    }

    /// How much work may run at a time.
    pub(crate) fn places(&self) -> usize {
        self.places
    }

    /// Waits for a place and does `work` there. Place and `held` are given back when the work has ended, also where nobody
    /// waits for it any more: the place first, so that who waits for one comes before who waits for `held`. The error: the
    /// work panicked, or the runtime ended.
    pub(crate) async fn run<T, W>(&self, held: impl Send + 'static, work: W) -> Result<T, JoinError>
    where
        T: Send + 'static,
        W: FnOnce() -> T + Send + 'static,
    {
        // Nobody closes the semaphore, so that there is a place in any case.
        let place = Arc::clone(&self.free).acquire_owned().await;
        spawn_blocking(move || {
            let _given_back = (place, held);
            work()
        })
        .await
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::channel;

    use super::*;

    #[tokio::test]
    async fn work_that_nobody_waits_for_any_more_keeps_its_place_until_it_ends() {
        let threads = Threads::new(0);
        let ((begun, begins), (end, ends)) = (channel(), channel());
        let first = {
            let threads = threads.clone();
            tokio::spawn(async move {
                let work = move || {
                    begun.send(()).unwrap();
                    ends.recv().unwrap();
                };
                threads.run((), work).await
            })
        };
        spawn_blocking(move || begins.recv().unwrap()).await.unwrap();
        first.abort();
        assert!(first.await.unwrap_err().is_cancelled());
        assert_eq!((threads.places(), threads.free.available_permits()), (1, 0));
        end.send(()).unwrap();
        assert_eq!(threads.run((), || 7).await.unwrap(), 7);
    }
}
