//! Stopping without losing what is in flight.

use std::time::Duration;

use tokio::sync::watch;
use tokio::time::timeout;

/// The side that says stop.
#[derive(Debug)]
pub(crate) struct Drain {
    phase: watch::Sender<Phase>,
}

impl Drain {
    pub(crate) fn new() -> (Self, Draining) {
        let (sender, receiver) = watch::channel(Phase::Running);
        (Self { phase: sender }, Draining { phase: receiver })
    }

    /// Says stop, and waits until every [`Draining`] is dropped. Those that are left after `within` are told to break off:
    /// true if there were none.
    pub(crate) async fn finish(self, within: Duration) -> bool {
        self.phase.send_replace(Phase::Draining);
        if timeout(within, self.phase.closed()).await.is_ok() {
            return true;
        }
        self.phase.send_replace(Phase::Abandoned);
        // Breaking off takes no more than being scheduled.
        let gone = timeout(BREAK_OFF, self.phase.closed()).await;
        if gone.is_err() {
            tracing::warn!("connections are left that do not break off");
        }
        false
    }
}

/// The side that is told to stop. Its owner drops it when it has finished.
#[derive(Clone, Debug)]
pub(crate) struct Draining {
    phase: watch::Receiver<Phase>,
}

impl Draining {
    /// The next change of phase.
    pub(crate) async fn changed(&mut self) -> Phase {
        match self.phase.changed().await {
            Ok(()) => *self.phase.borrow_and_update(),
            Err(_) => Phase::Abandoned,
        }
    }

    /// Waits until it is time to stop; returns at once where that was said before.
    pub(crate) async fn stopping(&self) {
        self.until(|phase| phase != Phase::Running).await;
    }

    /// Whether it is time to stop.
    pub(crate) fn is_stopping(&self) -> bool {
        *self.phase.borrow() != Phase::Running
    }

    /// Waits until it is time to break off.
    pub(crate) async fn abandoned(&self) {
        self.until(|phase| phase == Phase::Abandoned).await;
    }

    async fn until(&self, is_time: impl Fn(Phase) -> bool) {
        // A clone: what it has seen is still news to `changed`.
        let mut phase = self.phase.clone();
        // An error means that the other side is gone.
        drop(phase.wait_for(|phase| is_time(*phase)).await);
    }
}

/// How far stopping is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Phase {
    /// Nobody has said stop.
    Running,
    /// Take nothing new; finish what is in flight.
    Draining,
    /// Break off.
    Abandoned,
}

const BREAK_OFF: Duration = Duration::from_secs(1);

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn who_waits_to_break_off_still_learns_that_it_is_time_to_stop() {
        let (drain, mut draining) = Drain::new();
        drain.phase.send_replace(Phase::Draining);
        let nothing = timeout(Duration::from_millis(10), draining.abandoned()).await;
        assert!(nothing.is_err(), "it is not time to break off");
        timeout(Duration::from_secs(60), draining.stopping()).await.expect("it is time to stop");
        let next = timeout(Duration::from_secs(60), draining.changed()).await;
        assert_eq!(next.expect("that is news still"), Phase::Draining);
    }
}
