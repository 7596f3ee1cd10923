//! Pods from a file that somebody rewrites now and then: `kubectl get pods -A -o json`, or a mounted ConfigMap.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use podstamp_core::directory::{Details, Directory, Lookup, Term};

use super::{Coverage, KeptKeys, Pods, ReadError, Table, read_pods};
use crate::files::{self, FileWatch, look_often};
use crate::observe::Metrics;

/// How a pods file is read.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The labels and annotations to keep.
    pub kept_keys: KeptKeys,
    /// Whether the file holds all pods of the cluster.
    pub coverage: Coverage,
    /// How often to look whether the file has changed. A change is read once it has stood still for one such time.
    pub interval: Duration,
}

impl Default for Settings {
    fn default() -> Self {
        Self { kept_keys: KeptKeys::default(), coverage: Coverage::default(), interval: DEFAULT_INTERVAL }
    }
}

/// Why a pods file cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PodsFileError {
    /// The file is not there, or may not be opened.
    #[error("pods file {} cannot be opened", path.display())]
    Open {
        /// Its path.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The file is larger than any cluster needs.
    #[error("pods file {} has more than {limit} bytes", path.display())]
    TooLarge {
        /// Its path.
        path: PathBuf,
        /// The limit, bytes.
        limit: u64,
    },
    /// The content cannot be used.
    #[error("pods file {} is not usable", path.display())]
    Invalid {
        /// Its path.
        path: PathBuf,
        /// Why.
        source: ReadError,
    },
}

/// A pods file and the table made of it.
#[derive(Debug)]
pub struct PodsFile {
    path: PathBuf,
    settings: Settings,
    pods: Pods,
    watch: FileWatch,
    loaded: Mutex<SystemTime>,
    counts: Counts,
}

#[derive(Debug, Default)]
struct Counts {
    reloads: AtomicU64,
    failed_reloads: AtomicU64,
    /// Whether the last change could not be used.
    failing: AtomicBool,
}

impl PodsFile {
    /// Loads a file. Blocks while it is read.
    pub fn open(path: impl Into<PathBuf>, settings: Settings) -> Result<Self, PodsFileError> {
        let path = path.into();
        let watch = FileWatch::new(vec![path.clone()]);
        let table = load(&path, &settings)?;
        announce(&path, &table);
        Ok(Self {
            path,
            settings,
            pods: Pods::new(table),
            watch,
            loaded: Mutex::new(SystemTime::now()),
            counts: Counts::default(),
        })
    }

    /// Follows the file's changes, for as long as the future is polled. An unusable version is reported once, and the table
    /// stays.
    pub async fn watch(self: Arc<Self>) {
        let path = self.path.display().to_string();
        look_often(self.settings.interval, path, "the pods file", move || self.poll()).await;
    }

    /// Shows how many pods there are, and how reading them goes, in metrics.
    pub(crate) fn show(self: &Arc<Self>, metrics: &Metrics) {
        self.pods.show(metrics);
        let file = Arc::clone(self);
        metrics.watch_total("pods_reloads", "Changed pods files that were loaded", move || file.reloads());
        let file = Arc::clone(self);
        metrics.watch_total("pods_failed_reloads", "Changed pods files that were of no use", move || {
            file.failed_reloads()
        });
    }

    /// The pods.
    pub fn pods(&self) -> &Pods {
        &self.pods
    }

    /// The current table.
    pub fn table(&self) -> Arc<Table> {
        self.pods.table()
    }

    /// The file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Whether the file's last change could not be used.
    pub fn is_failing(&self) -> bool {
        self.counts.failing.load(Ordering::Relaxed)
    }

    /// How long ago the current table was loaded.
    pub fn age(&self) -> Duration {
        self.loaded().elapsed().unwrap_or_default()
    }

    /// When the current table was loaded.
    pub fn loaded(&self) -> SystemTime {
        *self.loaded.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How often a changed file was loaded.
    pub fn reloads(&self) -> u64 {
        self.counts.reloads.load(Ordering::Relaxed)
    }

    /// How often a changed file could not be used.
    pub fn failed_reloads(&self) -> u64 {
        self.counts.failed_reloads.load(Ordering::Relaxed)
    }

    /// Looks at the file once, and loads it if it has changed and then stood still. Blocks while it is read.
    fn poll(&self) {
        match self.watch.look(|| load(&self.path, &self.settings)) {
            None => {}
            Some(Ok(table)) => {
                announce(&self.path, &table);
                self.pods.replace(table);
                self.counts.reloads.fetch_add(1, Ordering::Relaxed);
                self.counts.failing.store(false, Ordering::Relaxed);
                *self.loaded.lock().unwrap_or_else(PoisonError::into_inner) = SystemTime::now();
            }
            Some(Err(error)) => {
                self.counts.failed_reloads.fetch_add(1, Ordering::Relaxed);
                self.counts.failing.store(true, Ordering::Relaxed);
                self.complain(&error);
            }
        }
    }

    fn complain(&self, error: &PodsFileError) {
        let reason = match error {
            PodsFileError::Open { source, .. } => source.to_string(),
            PodsFileError::Invalid { source, .. } => source.to_string(),
            PodsFileError::TooLarge { .. } => error.to_string(),
        };
        let age = self.age().as_secs();
        tracing::error!(
            path = %self.path.display(),
            reason,
            "the pods file has changed and is of no use; the {} pods loaded {age} s ago stay",
            self.table().len(),
        );
    }
}

impl Directory for PodsFile {
    fn find(&self, terms: &[Term<'_>], want: Details) -> Lookup {
        self.pods.find(terms, want)
    }

    fn state(&self) -> Option<u64> {
        self.pods.state()
    }

    fn unchanged(&self, since: u64, keys: &[u32]) -> bool {
        self.pods.unchanged(since, keys)
    }
}

fn load(path: &Path, settings: &Settings) -> Result<Table, PodsFileError> {
    let open = |source| PodsFileError::Open { path: path.to_owned(), source };
    let file = files::open_regular(path).map_err(open)?;
    if file.metadata().map_err(open)?.len() > MAX_FILE_BYTES {
        return Err(PodsFileError::TooLarge { path: path.to_owned(), limit: MAX_FILE_BYTES });
    }
    // The file may grow while it is read.
    let input = io::Read::take(file, MAX_FILE_BYTES);
    read_pods(input, settings.kept_keys.clone(), settings.coverage)
        .map_err(|source| PodsFileError::Invalid { path: path.to_owned(), source })
}

fn announce(path: &Path, table: &Table) {
    tracing::info!(path = %path.display(), pods = table.len(), bytes = table.memory(), "pods loaded");
    let skipped = table.skipped();
    if let Some(first) = &skipped.first {
        tracing::warn!(path = %path.display(), "{} pods were skipped, the first: {first}", skipped.pods);
    }
    if table.is_empty() {
        tracing::warn!(path = %path.display(), "the pods file holds no pods: no address will be found");
    }
}

const DEFAULT_INTERVAL: Duration = Duration::from_secs(1);

/// Some 300,000 pods with all that kubectl prints of them. JSON is read as it comes, so that this costs time, not memory.
const MAX_FILE_BYTES: u64 = 2 * 1024 * 1024 * 1024;

#[cfg(test)]
mod tests {
    use super::*;

    struct Dir(tempfile::TempDir);

    impl Dir {
        fn new() -> Self {
            Self(tempfile::tempdir().unwrap())
        }

        fn path(&self) -> PathBuf {
            self.0.path().join("pods.json")
        }

        fn write(&self, text: &str) {
            std::fs::write(self.path(), text).unwrap();
        }

        fn open(&self) -> Result<PodsFile, PodsFileError> {
            PodsFile::open(self.path(), Settings::default())
        }
    }

    fn pods(names: &[&str]) -> String {
        let items: Vec<_> =
            names.iter().map(|name| format!(r#"{{"metadata": {{"name": "{name}"}}}}"#)).collect();
        format!(r#"{{"items": [{}], "kind": "List"}}"#, items.join(","))
    }

    fn has(file: &PodsFile, name: &str) -> bool {
        matches!(file.find(&[Term::Name(name)], Details::default()), Lookup::Found(_))
    }

    #[test]
    fn a_changed_file_is_loaded_once_it_stands_still() {
        let dir = Dir::new();
        dir.write(&pods(&["a"]));
        let file = dir.open().unwrap();
        file.poll();
        assert_eq!((has(&file, "a"), file.reloads()), (true, 0), "nothing has changed");

        dir.write(&pods(&["b", "c"]));
        file.poll();
        assert!(has(&file, "a"), "somebody may still be writing");
        file.poll();
        assert!(!has(&file, "a") && has(&file, "b") && has(&file, "c"));
        file.poll();
        assert_eq!((file.reloads(), file.failed_reloads(), file.table().len()), (1, 0, 2));
    }

    #[test]
    fn a_bad_version_keeps_the_old_table_and_counts_once() {
        let dir = Dir::new();
        dir.write(&pods(&["a"]));
        let file = dir.open().unwrap();
        let loaded = file.loaded();
        for (bad, failures) in [("", 1), ("{\"kind\": \"List\", \"items\": [", 2), ("kind: ConfigMap", 3)] {
            dir.write(bad);
            for _ in 0..4 {
                file.poll();
            }
            assert_eq!((has(&file, "a"), file.failed_reloads()), (true, failures), "{bad}");
        }
        std::fs::remove_file(dir.path()).unwrap();
        for _ in 0..4 {
            file.poll();
        }
        assert_eq!((has(&file, "a"), file.failed_reloads(), file.loaded()), (true, 4, loaded));

        dir.write(&pods(&["d"]));
        file.poll();
        file.poll();
        assert_eq!((has(&file, "d"), file.reloads()), (true, 1));
    }

    #[cfg(unix)]
    #[test]
    fn a_swapped_symbolic_link_is_a_change() {
        let dir = Dir::new();
        for (target, name) in [("one", "a"), ("two", "b")] {
            std::fs::write(dir.0.path().join(target), pods(&[name])).unwrap();
        }
        let link = |target| {
            let fresh = dir.0.path().join("fresh");
            std::os::unix::fs::symlink(target, &fresh).unwrap();
            std::fs::rename(fresh, dir.path()).unwrap();
        };
        link("one");
        let file = dir.open().unwrap();
        link("two");
        file.poll();
        file.poll();
        assert!(has(&file, "b"));
    }

    #[tokio::test]
    async fn watching_picks_a_change_up() {
        let dir = Dir::new();
        dir.write(&pods(&["a"]));
        let settings = Settings { interval: Duration::from_millis(5), ..Settings::default() };
        let file = Arc::new(PodsFile::open(dir.path(), settings).unwrap());
        let watch = tokio::spawn(Arc::clone(&file).watch());
        dir.write(&pods(&["b"]));
        let seen = async {
            while !has(&file, "b") {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        tokio::time::timeout(Duration::from_secs(20), seen).await.unwrap();
        watch.abort();
    }

    #[test]
    fn a_file_that_cannot_be_used_at_start_says_why() {
        let dir = Dir::new();
        assert!(matches!(dir.open(), Err(PodsFileError::Open { .. })));
        dir.write("{\n  \"kind\": \"List\",\n  \"items\": [}\n");
        let Err(PodsFileError::Invalid { source, .. }) = dir.open() else { panic!("it opened") };
        let expected =
            "line 3, column 13: expected value; expected is what `kubectl get pods -A -o json` prints";
        assert_eq!(source.to_string(), expected);
        std::fs::File::create(dir.path()).unwrap().set_len(MAX_FILE_BYTES + 1).unwrap();
        assert!(matches!(dir.open(), Err(PodsFileError::TooLarge { .. })));
    }
}
