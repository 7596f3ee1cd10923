//! Whether the server is ready for traffic.

use std::fmt;
use std::sync::OnceLock;

use tokio::sync::watch;

/// The conditions that have to hold before, and while, traffic may come.
pub struct Readiness {
    done: watch::Sender<u8>,
    pods_trouble: OnceLock<Trouble>,
}

/// Says why the pods have not come, where that is known.
type Trouble = Box<dyn Fn() -> Option<&'static str> + Send + Sync>;

impl Default for Readiness {
    fn default() -> Self {
        Self { done: watch::Sender::new(0), pods_trouble: OnceLock::new() }
    }
}

impl fmt::Debug for Readiness {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Readiness").field("done", &self.done).finish_non_exhaustive()
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

    /// What to ask for the reason while the pods are not there. Only the first one counts.
    pub fn ask_for_pods_trouble(&self, trouble: impl Fn() -> Option<&'static str> + Send + Sync + 'static) {
        self.pods_trouble.get_or_init(|| Box::new(trouble));
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

    /// The condition that does not hold, and why where that is known; `None` when traffic may come.
    pub fn missing(&self) -> Option<String> {
        let missing = missing(*self.done.borrow())?;
        let trouble = self.pods_trouble.get().filter(|_| missing == NO_PODS).and_then(|trouble| trouble());
        Some(match trouble {
            Some(trouble) => format!("{missing}: {trouble}; the log says more"),
            None => missing.to_owned(),
        })
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
        Some(NO_PODS)
    } else if done & LISTENING == 0 {
        Some("the listeners are not bound")
    } else {
        None
    }
}

const NO_PODS: &str = "the pod directory is not loaded";

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
        assert!(!readiness.has_pods());
        assert_eq!(readiness.missing().as_deref(), Some("the pod directory is not loaded"));
        readiness.ask_for_pods_trouble(|| Some("nobody answers"));
        let missing = "the pod directory is not loaded: nobody answers; the log says more";
        assert_eq!(readiness.missing().as_deref(), Some(missing));
        readiness.pods_loaded();
        assert!(readiness.has_pods());
        assert_eq!(readiness.missing(), None);
        readiness.draining();
        assert_eq!(readiness.missing().as_deref(), Some("draining"));
    }
}
