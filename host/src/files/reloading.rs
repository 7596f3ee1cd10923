//! Values that are made of files and follow their changes: certificates, tokens, passwords.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::Duration;

use podstamp_core::config::{Fault, Place, Source};
use tokio::task::AbortHandle;
use tokio::time::MissedTickBehavior;

use super::{FileVersion, bounded};
use crate::observe::{Metrics, Reloaded};

/// A value, and what it is made of. A change that makes no usable value leaves it as it is.
pub(crate) struct Reloading<T> {
    shared: Arc<Shared<T>>,
    following: Option<AbortHandle>,
}

struct Shared<T> {
    /// The section of the configuration.
    path: String,
    files: Vec<PathBuf>,
    interval: Duration,
    make: Box<dyn Fn() -> Result<T, Fault> + Send + Sync>,
    current: RwLock<Arc<T>>,
    versions: Mutex<Versions>,
}

/// Versions of all files together.
struct Versions {
    /// The one that was made into a value or found bad.
    judged: FileVersions,
    /// The one of the last look.
    seen: FileVersions,
}

type FileVersions = Vec<Option<FileVersion>>;

impl<T: Send + Sync + 'static> Reloading<T> {
    /// Makes the value. Blocks while files are read. `path`: the section of the configuration that says how.
    pub(crate) fn new<'s>(
        path: &str,
        sources: impl IntoIterator<Item = &'s Source>,
        interval: Duration,
        make: impl Fn() -> Result<T, Fault> + Send + Sync + 'static,
    ) -> Result<Self, Fault> {
        let files: Vec<_> = sources.into_iter().filter_map(Source::file).map(PathBuf::from).collect();
        // Ahead of reading: what changes meanwhile is read again.
        let stamps = stamps(&files);
        let current = RwLock::new(Arc::new(make()?));
        let versions = Mutex::new(Versions { judged: stamps.clone(), seen: stamps });
        let make = Box::new(make);
        let shared = Shared { path: path.to_owned(), files, interval, make, current, versions };
        Ok(Self { shared: Arc::new(shared), following: None })
    }

    /// The value as it is now.
    pub(crate) fn current(&self) -> Arc<T> {
        Arc::clone(&self.shared.current.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Follows the files from now on, for as long as this is there. Needs a runtime.
    pub(crate) fn watch_files(mut self, metrics: &Arc<Metrics>) -> Self {
        if !self.shared.files.is_empty() && self.following.is_none() {
            let following = Arc::clone(&self.shared).watch_files(Arc::clone(metrics));
            self.following = Some(tokio::spawn(following).abort_handle());
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
        if let Some(following) = &self.following {
            following.abort();
        }
    }
}

impl<T> fmt::Debug for Reloading<T> {
    /// Shows no value: it may be secret.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Shared { path, files, interval, .. } = &*self.shared;
        let mut shown = formatter.debug_struct("Reloading");
        shown.field("path", path).field("files", files).field("interval", interval).finish_non_exhaustive()
    }
}

impl<T: Send + Sync + 'static> Shared<T> {
    async fn watch_files(self: Arc<Self>, metrics: Arc<Metrics>) {
        let mut ticks = tokio::time::interval(self.interval);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            ticks.tick().await;
            let (this, metrics) = (Arc::clone(&self), Arc::clone(&metrics));
            if let Err(error) = tokio::task::spawn_blocking(move || this.look(&metrics)).await {
                tracing::error!(path = self.path, %error, "looking after files failed");
            }
        }
    }

    /// Looks at the files once, and makes the value anew if they have changed and then stood still: a certificate and
    /// its key change one after the other.
    fn look(&self, metrics: &Metrics) {
        let stamps = stamps(&self.files);
        {
            let mut versions = self.versions.lock().unwrap_or_else(PoisonError::into_inner);
            let settled = versions.seen == stamps;
            versions.seen.clone_from(&stamps);
            if !settled || versions.judged == stamps {
                return;
            }
        }
        let made = (self.make)();
        if self::stamps(&self.files) != stamps {
            return; // They changed while they were read: the next looks see to that.
        }
        self.versions.lock().unwrap_or_else(PoisonError::into_inner).judged = stamps;
        match made {
            Ok(value) => {
                *self.current.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(value);
                metrics.reloaded(Reloaded::Loaded);
                tracing::info!("{}: files have changed and were loaded again", self.path);
            }
            Err(fault) => {
                metrics.reloaded(Reloaded::Failed);
                tracing::warn!("files have changed and are of no use, what was loaded before stays: {fault}");
            }
        }
    }
}

fn stamps(files: &[PathBuf]) -> FileVersions {
    files.iter().map(|file| FileVersion::of(file).ok()).collect()
}

/// The text of a source, as bytes. Blocks while a file is read.
pub(crate) fn read_source(source: &Source) -> Result<Vec<u8>, Fault> {
    let name = match &source.place {
        Place::Inline(text) => return Ok(text.expose().as_bytes().to_vec()),
        Place::File(name) => name,
    };
    bounded::read_file(Path::new(name), MAX_BYTES)
        .map_err(|error| fault(source, format!("cannot be read: {error}")))?
        .ok_or_else(|| fault(source, format!("has more than {MAX_BYTES} bytes")))
}

/// What is wrong with a source.
pub(crate) fn fault(source: &Source, message: impl fmt::Display) -> Fault {
    let message = match &source.place {
        Place::Inline(_) => message.to_string(),
        Place::File(name) => format!("{name} {message}"),
    };
    Fault { path: source.path.clone(), message }
}

/// A bundle of all public authorities has a quarter of it.
const MAX_BYTES: u64 = 1 << 20;

#[cfg(test)]
mod tests {
    use super::*;

    fn source(path: &Path) -> Source {
        Source { path: "key_file".to_owned(), place: Place::File(path.to_str().unwrap().to_owned()) }
    }

    fn followed(source: &Source, interval: Duration) -> Result<Reloading<String>, Fault> {
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
        let followed = followed(&source, Duration::from_secs(1)).unwrap();
        let look = || {
            followed.look(&metrics);
            followed.current().to_string()
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
    async fn following_picks_a_change_up() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("file");
        std::fs::write(&file, "one").unwrap();
        let followed =
            followed(&source(&file), Duration::from_millis(5)).unwrap().watch_files(&Arc::default());
        std::fs::write(&file, "second").unwrap();
        let seen = async {
            while *followed.current() != "second" {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        tokio::time::timeout(Duration::from_secs(20), seen).await.unwrap();
    }

    #[test]
    fn a_file_that_cannot_be_read_is_told_with_its_key_and_name() {
        let dir = tempfile::tempdir().unwrap();
        let missing = source(&dir.path().join("missing"));
        let told = followed(&missing, Duration::from_secs(1)).unwrap_err().to_string();
        assert!(told.starts_with("key_file: ") && told.contains("missing cannot be read: No such"), "{told}");
        let large = dir.path().join("large");
        std::fs::File::create(&large).unwrap().set_len(MAX_BYTES + 1).unwrap();
        assert!(read_source(&source(&large)).unwrap_err().message.contains("has more than"));
    }
}
