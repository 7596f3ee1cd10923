//! A folder of prepared projects: each is made once, and is there whole or not at all.

use std::env;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::time::Duration;

use sha2::{Digest, Sha256};

/// Where prepared projects are kept. It may be deleted at any time.
pub(super) fn folder() -> PathBuf {
    let set = |name| env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    let folder = set("PODSTAMP_CACHE")
        .or_else(|| set("XDG_CACHE_HOME").map(|cache| cache.join("podstamp")))
        .or_else(|| env::home_dir().map(|home| home.join(".cache/podstamp")))
        .unwrap_or_else(|| env::temp_dir().join("podstamp-cache"));
    fs::create_dir_all(&folder).unwrap_or_else(|error| panic!("cannot make {}: {error}", folder.display()));
    folder
}

/// The files that decide what a project is, by name.
pub(super) struct Pinned(Vec<(String, Vec<u8>)>);

impl Pinned {
    /// The files of these names, and those that are given.
    pub(super) fn read(sources: &Path, names: &[&str], given: Vec<(String, Vec<u8>)>) -> Self {
        let read = |name: &&str| {
            let path = sources.join(name);
            let bytes = fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
            ((*name).to_owned(), bytes)
        };
        Self(names.iter().map(read).chain(given).collect())
    }

    pub(super) fn write(&self, folder: &Path) {
        for (name, bytes) in &self.0 {
            let path = folder.join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, bytes).unwrap();
        }
    }

    /// Of the files, the runtimes' versions and the machine's kind; each part counts with its length.
    pub(super) fn hash(&self, runtimes: &str) -> String {
        let machine = [env::consts::OS, env::consts::ARCH, runtimes];
        let files = self.0.iter().flat_map(|(name, bytes)| [name.as_bytes(), bytes]);
        let mut hash = Sha256::new();
        for part in machine.map(str::as_bytes).into_iter().chain(files) {
            hash.update((part.len() as u64).to_be_bytes());
            hash.update(part);
        }
        hash.finalize()[..8].iter().map(|byte| format!("{byte:02x}")).collect()
    }
}

/// Fills `made` unless it is there: in a folder beside it that then takes its name. Whoever comes meanwhile waits, in
/// this process or another.
pub(super) fn make(made: &Path, fill: impl FnOnce(&Path)) {
    let lock = made.with_extension("lock");
    let file = File::create(&lock).unwrap_or_else(|error| panic!("{}: {error}", lock.display()));
    file.lock().unwrap();
    if !made.exists() {
        let half = tempfile::Builder::new().prefix(".half-").tempdir_in(made.parent().unwrap()).unwrap();
        fill(half.path());
        fs::rename(half.keep(), made).unwrap();
    }
}

/// Says that a project was used now.
pub(super) fn mark_used(made: &Path) {
    let path = made.join(USED);
    fs::write(&path, "").unwrap_or_else(|error| panic!("{}: {error}", path.display()));
}

/// Deletes what nobody has used for a day among the folders of a project, whose names begin alike: a project that is made
/// of the tree's own sources gets a new one with each change.
pub(super) fn forget(cache: &Path, prefix: &str) {
    let entries = fs::read_dir(cache).into_iter().flatten().flatten();
    let is_hash = |rest: &str| rest.len() == HASH && rest.bytes().all(|byte| byte.is_ascii_hexdigit());
    for folder in entries.map(|entry| entry.path()).filter(|path| path.is_dir()) {
        let name = folder.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        let used = fs::metadata(folder.join(USED)).or_else(|_| fs::metadata(&folder));
        let used = used.and_then(|file| file.modified()).ok();
        let is_old = used.and_then(|time| time.elapsed().ok()).is_some_and(|time| time > KEPT);
        if name.strip_prefix(prefix).is_some_and(is_hash) && is_old {
            drop(fs::remove_dir_all(&folder));
            drop(fs::remove_file(folder.with_extension("lock")));
        }
    }
}

/// Written each time that a project is used.
const USED: &str = ".used";

const KEPT: Duration = Duration::from_secs(24 * 60 * 60);

/// Digits of [`Pinned::hash`].
const HASH: usize = 16;

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::time::SystemTime;

    use super::*;

    #[test]
    fn a_project_is_made_once_and_is_there_whole_or_not_at_all() {
        let folder = tempfile::TempDir::new().unwrap();
        let made = folder.path().join("project-1");
        let failed = std::panic::catch_unwind(|| {
            make(&made, |half| {
                fs::write(half.join("first"), "").unwrap();
                panic!("the download fails");
            });
        });
        assert!(failed.is_err() && !made.exists());
        let fills = AtomicUsize::new(0);
        std::thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| {
                    make(&made, |half| {
                        fills.fetch_add(1, Ordering::Relaxed);
                        fs::write(half.join("second"), "").unwrap();
                    });
                    assert!(made.join("second").exists());
                });
            }
        });
        assert_eq!(fills.into_inner(), 1);
        assert!(!made.join("first").exists());
        // Nothing else is left but the lock.
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 2);
    }

    #[test]
    fn what_is_pinned_and_what_runs_it_decide_the_name() {
        let pinned = |bytes: &[u8]| Pinned(vec![("lock".to_owned(), bytes.to_vec())]);
        let name = pinned(b"1").hash("3.11");
        assert_eq!(name, pinned(b"1").hash("3.11"));
        assert_ne!(name, pinned(b"2").hash("3.11"));
        assert_ne!(name, pinned(b"1").hash("3.12"));
    }
    #[test]
    fn what_nobody_has_used_for_a_day_goes_and_nothing_else() {
        let cache = tempfile::TempDir::new().unwrap();
        let made = |name: &str, used: Option<SystemTime>| {
            let folder = cache.path().join(name);
            fs::create_dir(&folder).unwrap();
            if let Some(time) = used {
                mark_used(&folder);
                File::options().write(true).open(folder.join(USED)).unwrap().set_modified(time).unwrap();
            }
            folder
        };
        let now = SystemTime::now();
        let old = now - KEPT - Duration::from_secs(60);
        let gone = [made("tool-0123456789abcdef", Some(old))];
        let kept = [
            made("tool-1123456789abcdef", None),
            made("tool-2123456789abcdef", Some(now)),
            made("tool-others-0123456789abcdef", Some(old)),
            made("tool-notes", Some(old)),
            made("other-0123456789abcdef", Some(old)),
        ];
        forget(cache.path(), "tool-");
        assert!(gone.iter().all(|folder| !folder.exists()));
        assert!(kept.iter().all(|folder| folder.exists()));
    }
}
