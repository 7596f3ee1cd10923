//! Noticing that files have changed.

use std::fmt::Display;
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::task::spawn_blocking;
use tokio::time::MissedTickBehavior;

use super::version::FileVersion;

/// Files that belong together, and which of their versions have been loaded.
#[derive(Debug)]
pub(crate) struct FileWatch {
    files: Vec<PathBuf>,
    versions: Mutex<Versions>,
}

/// Versions of all files together.
#[derive(Debug)]
struct Versions {
    /// The versions that were loaded, or found unusable.
    judged: FileVersions,
    /// The versions of the last look.
    seen: FileVersions,
}

/// The version of each file; `None` where it cannot be looked at.
type FileVersions = Vec<Option<FileVersion>>;

impl FileWatch {
    /// Counts the versions that are there now as loaded. To be called ahead of loading: what changes meanwhile is loaded
    /// again.
    pub(crate) fn new(files: Vec<PathBuf>) -> Self {
        let now = versions(&files);
        Self { files, versions: Mutex::new(Versions { judged: now.clone(), seen: now }) }
    }

    /// The files that are watched.
    pub(crate) fn files(&self) -> &[PathBuf] {
        &self.files
    }

    /// Looks at the files once, and calls `load` if they have changed and then stood still: a certificate and its key
    /// change one after the other. `None`: there is nothing new, or the files changed again while they were loaded.
    pub(crate) fn look<T>(&self, load: impl FnOnce() -> T) -> Option<T> {
        let now = versions(&self.files);
        {
            let mut versions = self.versions.lock().unwrap_or_else(PoisonError::into_inner);
            let settled = versions.seen == now;
            versions.seen.clone_from(&now);
            if !settled || versions.judged == now {
                return None;
            }
        }
        let loaded = load();
        if versions(&self.files) != now {
            return None; // The next looks find the change.
        }
        self.versions.lock().unwrap_or_else(PoisonError::into_inner).judged = now;
        Some(loaded)
    }
}

/// Calls `look` once an interval, for ever, away from the async workers. `path` and `what` are for the log.
pub(crate) async fn look_often(
    interval: Duration,
    path: impl Display,
    what: &str,
    look: impl Fn() + Clone + Send + 'static,
) {
    let mut ticks = tokio::time::interval(interval);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        if let Err(error) = spawn_blocking(look.clone()).await {
            tracing::error!(%path, %error, "looking after {what} failed");
        }
    }
}

fn versions(files: &[PathBuf]) -> FileVersions {
    files.iter().map(|file| FileVersion::of(file).ok()).collect()
}
