//! How a source of pods that is elsewhere does: whether it is heard, and how it fails.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use podstamp_core::hosting::labels::Label;
use tokio::sync::watch;

use crate::observe::Metrics;

/// How a source of pods does. Whoever asks the source reports here; readiness and metrics come of it.
#[derive(Debug)]
pub struct SourceStatus {
    /// When the source was heard last; before that, since when it is asked.
    heard: Mutex<Instant>,
    connected: AtomicBool,
    loaded: watch::Sender<bool>,
    relists: AtomicU64,
    changes: AtomicU64,
    failures: [AtomicU64; SourceFailure::NAMES.len()],
    /// The last failure, unless the source was heard since.
    trouble: Mutex<Option<SourceFailure>>,
}

impl Default for SourceStatus {
    fn default() -> Self {
        Self {
            heard: Mutex::new(Instant::now()),
            connected: AtomicBool::default(),
            loaded: watch::Sender::new(false),
            relists: AtomicU64::default(),
            changes: AtomicU64::default(),
            failures: Default::default(),
            trouble: Mutex::default(),
        }
    }
}

impl SourceStatus {
    /// Something came from the source.
    pub fn heard(&self) {
        *self.heard.lock().unwrap_or_else(PoisonError::into_inner) = Instant::now();
        self.set_trouble(None);
    }

    /// Whether changes come from the source as they happen.
    pub fn set_connected(&self, connected: bool) {
        self.connected.store(connected, Ordering::Relaxed);
    }

    /// All pods have come. Counts, if it was not the first time.
    pub fn loaded(&self) {
        self.heard();
        if self.loaded.send_replace(true) {
            self.relists.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Counts pods that were told to have changed.
    pub fn changed(&self, pods: usize) {
        self.changes.fetch_add(pods as u64, Ordering::Relaxed);
    }

    /// Counts a failure. The source is not connected any more.
    pub fn failed(&self, reason: SourceFailure) {
        self.set_connected(false);
        self.set_trouble(Some(reason));
        if let Some(count) = self.failures.get(reason.index()) {
            count.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// How long ago the source was heard.
    pub fn age(&self) -> Duration {
        self.heard.lock().unwrap_or_else(PoisonError::into_inner).elapsed()
    }

    /// Whether changes come from the source as they happen.
    pub fn is_connected(&self) -> bool {
        self.connected.load(Ordering::Relaxed)
    }

    /// Whether all pods have come at least once.
    pub fn is_loaded(&self) -> bool {
        *self.loaded.borrow()
    }

    /// How often all pods came after the first time.
    pub fn relists(&self) -> u64 {
        self.relists.load(Ordering::Relaxed)
    }

    /// How often the source has failed so.
    pub fn failures(&self, reason: SourceFailure) -> u64 {
        self.failures.get(reason.index()).map_or(0, |count| count.load(Ordering::Relaxed))
    }

    /// Why nothing comes from the source; `None` where something does, or nothing is known yet.
    pub fn trouble(&self) -> Option<SourceFailure> {
        *self.trouble.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn set_trouble(&self, trouble: Option<SourceFailure>) {
        *self.trouble.lock().unwrap_or_else(PoisonError::into_inner) = trouble;
    }

    /// Waits until all pods have come.
    pub async fn wait_loaded(&self) {
        // It ends with its sender, which is here.
        drop(self.loaded.subscribe().wait_for(|loaded| *loaded).await);
    }

    /// Shows it all in metrics.
    pub fn show(self: &Arc<Self>, metrics: &Metrics) {
        let status = Arc::clone(self);
        metrics.watch("pods_age_seconds", "Seconds since the source of pods was heard", move || {
            status.age().as_secs()
        });
        let status = Arc::clone(self);
        metrics.watch("pods_loaded", "Whether all pods have come", move || u64::from(status.is_loaded()));
        let status = Arc::clone(self);
        metrics.watch("pods_connected", "Whether changes of pods come as they happen", move || {
            u64::from(status.is_connected())
        });
        let status = Arc::clone(self);
        metrics.watch_total("pods_relists", "Times that all pods came once more", move || status.relists());
        let status = Arc::clone(self);
        metrics.watch_total("pods_changes", "Changes of pods that were told", move || {
            status.changes.load(Ordering::Relaxed)
        });
        let status = Arc::clone(self);
        metrics.watch_totals::<SourceFailure>(
            "pods_source_failures",
            "Failures of the source of pods, by reason",
            move |index| status.failures.get(index).map_or(0, |count| count.load(Ordering::Relaxed)),
        );
    }
}

/// How a source of pods fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SourceFailure {
    /// Nobody can be asked: the kubeconfig, the service account or a file of `tls` is unusable.
    Config,
    /// Nobody answers, or nobody is there.
    Unreachable,
    /// TLS fails.
    Tls,
    /// 401.
    Unauthorized,
    /// 403.
    Forbidden,
    /// What happened since is not known there any more, so that all pods have to come again.
    Expired,
    /// The source has other data than before, so that all pods have to come again.
    OtherData,
    /// The connection was open, and nothing came.
    Silent,
    /// The connection broke.
    Broken,
    /// The answer is not what such a source gives.
    Invalid,
    /// Another HTTP status.
    Status,
}

impl SourceFailure {
    /// The failure in a few words.
    pub fn describe(self) -> &'static str {
        match self {
            Self::Config => {
                "the source of pods cannot be asked, for what is configured or mounted is unusable"
            }
            Self::Unreachable => "the source of pods does not answer",
            Self::Tls => "TLS with the source of pods fails",
            Self::Unauthorized => "the source of pods does not accept the credentials (401)",
            Self::Forbidden => "the source of pods does not allow it (403)",
            Self::Expired => "the source of pods has forgotten what happened since",
            Self::OtherData => "the source of pods has other data than before",
            Self::Silent => "the source of pods is silent",
            Self::Broken => "the connection to the source of pods broke",
            Self::Invalid => "what the source of pods answers are no pods",
            Self::Status => "the source of pods answers with an error",
        }
    }
}

impl Label for SourceFailure {
    const KEY: &'static str = "reason";
    const NAMES: &'static [&'static str] = &[
        "config",
        "unreachable",
        "tls",
        "unauthorized",
        "forbidden",
        "expired",
        "other_data",
        "silent",
        "broken",
        "invalid",
        "status",
    ];

    fn index(self) -> usize {
        self as usize
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_source_is_loaded_once_and_listed_again_after_that() {
        let status = Arc::new(SourceStatus::default());
        assert!(!status.is_loaded() && !status.is_connected());
        let waiting = tokio::spawn({
            let status = Arc::clone(&status);
            async move { status.wait_loaded().await }
        });
        status.set_connected(true);
        status.loaded();
        waiting.await.unwrap();
        assert_eq!((status.is_loaded(), status.relists()), (true, 0));
        status.loaded();
        assert_eq!((status.is_connected(), status.relists()), (true, 1));
        status.failed(SourceFailure::Broken);
        assert_eq!((status.is_connected(), status.failures(SourceFailure::Broken)), (false, 1));
        assert_eq!(status.trouble(), Some(SourceFailure::Broken));
        assert!(status.is_loaded(), "the pods that have come stay");
        status.heard();
        assert_eq!(status.trouble(), None);
        status.wait_loaded().await;
    }
}
