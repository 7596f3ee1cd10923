//! Values that are made of files and follow their changes: certificates, tokens, passwords.

use std::fmt;
use std::path::PathBuf;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use podstamp_core::config::{Fault, Source};
use tokio::task::AbortHandle;

use super::watch::{FileWatch, look_often};
use crate::observe::{Metrics, Reloaded};

/// A value that is made of files. Where changed files make no usable value, the last one stays.
pub(crate) struct Reloading<T> {
    shared: Arc<Shared<T>>,
    watching: Option<AbortHandle>,
}

struct Shared<T> {
    /// The section of the configuration that the value is made of.
    path: String,
    watch: FileWatch,
    interval: Duration,
    make: Box<dyn Fn() -> Result<T, Fault> + Send + Sync>,
    current: RwLock<Arc<T>>,
}

impl<T: Send + Sync + 'static> Reloading<T> {
    /// Makes the value with `make`, which reads `sources`. Blocks while files are read. `path` is the section of the
    /// configuration, for the log.
    pub(crate) fn new<'s>(
        path: &str,
        sources: impl IntoIterator<Item = &'s Source>,
        interval: Duration,
        make: impl Fn() -> Result<T, Fault> + Send + Sync + 'static,
    ) -> Result<Self, Fault> {
        let files = sources.into_iter().filter_map(Source::file).map(PathBuf::from).collect();
        let watch = FileWatch::new(files);
        let current = RwLock::new(Arc::new(make()?));
        let shared = Shared { path: path.to_owned(), watch, interval, make: Box::new(make), current };
        Ok(Self { shared: Arc::new(shared), watching: None })
    }

    /// The value as it is now.
    pub(crate) fn current(&self) -> Arc<T> {
        Arc::clone(&self.shared.current.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Watches the files from now on, for as long as this value exists. Needs a runtime.
    pub(crate) fn watch_files(mut self, metrics: &Arc<Metrics>) -> Self {
        if !self.shared.watch.files().is_empty() && self.watching.is_none() {
            let (shared, metrics) = (Arc::clone(&self.shared), Arc::clone(metrics));
            let (interval, path) = (shared.interval, shared.path.clone());
            let watching = look_often(interval, path, "files", move || shared.look(&metrics));
            self.watching = Some(tokio::spawn(watching).abort_handle());
        }
        self
    }

    /// Looks at the files as [`Reloading::watch_files`] does.
    #[cfg(test)]
    pub(crate) fn look(&self, metrics: &Metrics) {
        self.shared.look(metrics);
    }
}

impl<T> Drop for Reloading<T> {
    fn drop(&mut self) {
        if let Some(watching) = &self.watching {
            watching.abort();
        }
    }
}

impl<T> fmt::Debug for Reloading<T> {
    /// Leaves the value out: it may be secret.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Shared { path, watch, interval, .. } = &*self.shared;
        let mut shown = formatter.debug_struct("Reloading");
        shown
            .field("path", path)
            .field("files", &watch.files())
            .field("interval", interval)
            .finish_non_exhaustive()
    }
}

impl<T> Shared<T> {
    /// Looks at the files once, and makes the value anew if they have changed.
    fn look(&self, metrics: &Metrics) {
        match self.watch.look(&self.make) {
            None => {}
            Some(Ok(value)) => {
                *self.current.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(value);
                metrics.reloaded(Reloaded::Loaded);
                tracing::info!("{}: files have changed and were loaded again", self.path);
            }
            Some(Err(fault)) => {
                metrics.reloaded(Reloaded::Failed);
                tracing::warn!("files have changed and are of no use, what was loaded before stays: {fault}");
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use podstamp_core::config::Place;

    use super::super::source::{MAX_BYTES, fault, read_source};
    use super::*;

    fn source(path: &Path) -> Source {
        Source { path: "key_file".to_owned(), place: Place::File(path.to_str().unwrap().to_owned()) }
    }

    fn reloading(source: &Source, interval: Duration) -> Result<Reloading<String>, Fault> {
        let read_again = source.clone();
        Reloading::new("extensions.x", [source], interval, move || {
            let text = String::from_utf8(read_source(&read_again)?).unwrap();
            if text.is_empty() { Err(fault(&read_again, "is empty")) } else { Ok(text) }
        })
    }

    #[test]
    fn a_change_counts_once_it_stands_still_and_a_bad_one_changes_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("file");
        std::fs::write(&file, "one").unwrap();
        let (source, metrics) = (source(&file), Metrics::default());
        let reloading = reloading(&source, Duration::from_secs(1)).unwrap();
        let look = || {
            reloading.look(&metrics);
            reloading.current().to_string()
        };
        assert_eq!(look(), "one");
        std::fs::write(&file, "second").unwrap();
        assert_eq!((look(), look()), ("one".to_owned(), "second".to_owned()));
        for _ in 0..2 {
            std::fs::write(&file, "").unwrap();
            assert_eq!((look(), look(), look()), ("second".into(), "second".into(), "second".into()));
            std::fs::remove_file(&file).unwrap();
            assert_eq!((look(), look()), ("second".into(), "second".into()));
        }
        std::fs::write(&file, "3").unwrap();
        assert_eq!((look(), look(), look()), ("second".into(), "3".into(), "3".into()));
        let shown = metrics.encode().unwrap();
        assert!(shown.contains("podstamp_credential_reloads_total{outcome=\"loaded\"} 2"), "{shown}");
        assert!(shown.contains("podstamp_credential_reloads_total{outcome=\"failed\"} 4"), "{shown}");
    }

    #[tokio::test]
    async fn watching_picks_a_change_up() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("file");
        std::fs::write(&file, "one").unwrap();
        let reloading =
            reloading(&source(&file), Duration::from_millis(5)).unwrap().watch_files(&Arc::default());
        std::fs::write(&file, "second").unwrap();
        let seen = async {
            while *reloading.current() != "second" {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        tokio::time::timeout(Duration::from_secs(20), seen).await.unwrap();
    }

    #[test]
    fn a_file_that_cannot_be_read_is_told_with_its_key_and_name() {
        let dir = tempfile::tempdir().unwrap();
        let missing = source(&dir.path().join("missing"));
        let told = reloading(&missing, Duration::from_secs(1)).unwrap_err().to_string();
        assert!(told.starts_with("key_file: ") && told.contains("missing cannot be read: No such"), "{told}");
        let large = dir.path().join("large");
        std::fs::File::create(&large).unwrap().set_len(MAX_BYTES + 1).unwrap();
        assert!(read_source(&source(&large)).unwrap_err().message.contains("has more than"));
    }
}
