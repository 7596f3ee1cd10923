//! Whether the server is ready for traffic.

use tokio::sync::watch;

/// The conditions that have to hold before, and while, traffic may come.
#[derive(Debug)]
pub struct Readiness {
    done: watch::Sender<u8>,
}

impl Default for Readiness {
    fn default() -> Self {
        Self { done: watch::Sender::new(0) }
    }
}

impl Readiness {
    /// The listeners are bound.
    pub fn listening(&self) {
        self.reach(LISTENING);
    }

    /// The pod directory has its first table, or none is wanted.
    pub fn pods_loaded(&self) {
        self.reach(PODS);
    }

    /// The order to stop has come.
    pub fn draining(&self) {
        self.reach(DRAINING);
    }

    /// Whether the pod directory has its first table, or none is wanted.
    pub fn has_pods(&self) -> bool {
        *self.done.borrow() & PODS != 0
    }

    fn reach(&self, state: u8) {
        self.done.send_modify(|done| *done |= state);
    }

    /// The condition that does not hold; `None` when traffic may come.
    pub fn missing(&self) -> Option<&'static str> {
        missing(*self.done.borrow())
    }

    /// Calls `tell` with whether traffic may come: now, and whenever that changes. Ends with the last owner.
    pub(crate) async fn report_changes<F: Future<Output = ()>>(&self, tell: impl Fn(bool) -> F) {
        let mut changes = self.done.subscribe();
        loop {
            let ready = missing(*changes.borrow_and_update()).is_none();
            tell(ready).await;
            if changes.changed().await.is_err() {
                return;
            }
        }
    }
}

fn missing(done: u8) -> Option<&'static str> {
    if done & DRAINING != 0 {
        Some("draining")
    } else if done & PODS == 0 {
        Some("the pod directory is not loaded")
    } else if done & LISTENING == 0 {
        Some("the listeners are not bound")
    } else {
        None
    }
}

const LISTENING: u8 = 1;
const PODS: u8 = 2;
const DRAINING: u8 = 4;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn traffic_may_come_once_all_is_loaded_and_until_draining() {
        let readiness = Readiness::default();
        assert!(readiness.missing().is_some());
        readiness.listening();
        assert!(readiness.missing().is_some() && !readiness.has_pods());
        readiness.pods_loaded();
        assert!(readiness.has_pods());
        assert_eq!(readiness.missing(), None);
        readiness.draining();
        assert_eq!(readiness.missing(), Some("draining"));
    }
}
