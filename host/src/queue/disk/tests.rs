//! What the log promises, in folders of its own.

mod corruption;
mod crash;
mod full;

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::time::Duration;

use futures_util::FutureExt;
use podstamp_core::interface::Signal;
use tempfile::TempDir;
use tokio::time::{sleep, timeout};

use super::*;
use crate::queue::entry::Coding;
use format::RECORDS;

const QUEUE: &str = "otlphttp/agent traces";

/// Segments that hold a few entries.
const SMALL: u64 = RECORDS + 10_000;

fn settings(directory: &Path) -> FileStorage {
    FileStorage {
        path: "extensions.file_storage".to_owned(),
        directory: directory.to_str().unwrap().to_owned(),
        create_directory: false,
        directory_permissions: 0o750,
        // A test that starts a process holds all locks for a moment.
        timeout: 30_000,
        fsync: false,
        max_size: 0,
    }
}

fn folder(directory: &Path) -> PathBuf {
    directory.join(folder::folder_name(QUEUE))
}

fn open(directory: &Path) -> Opened {
    Disk::open_with(&settings(directory), QUEUE, SMALL).unwrap()
}

/// An entry whose body tells which one it is.
fn entry(number: u64, length: usize) -> Entry {
    let mut body = number.to_le_bytes().to_vec();
    body.resize(length.max(8), number as u8);
    let head = Head {
        signal: Signal::Traces,
        queued: 1_000 + number,
        spans: number as u32,
        memory: 7,
        coding: Coding::Blocks,
        length: body.len() as u32,
    };
    Entry { head, body: body.into() }
}

fn number(body: &[u8]) -> u64 {
    u64::from_le_bytes(*body.first_chunk().unwrap())
}

fn segments(directory: &Path) -> Vec<PathBuf> {
    let folder = folder(directory);
    folder::list(&folder).unwrap().segments.into_iter().map(|number| segment_path(&folder, number)).collect()
}

/// Waits until `is` holds.
async fn eventually(mut is: impl FnMut() -> bool) {
    let waited = timeout(Duration::from_secs(60), async {
        while !is() {
            sleep(Duration::from_millis(10)).await;
        }
    });
    waited.await.unwrap();
}

async fn append(disk: &Disk, numbers: std::ops::Range<u64>, length: usize) -> Vec<Key> {
    let mut keys = Vec::new();
    for number in numbers {
        keys.push(disk.append(&entry(number, length)).await.unwrap());
    }
    keys
}

#[tokio::test]
async fn what_was_not_removed_comes_back_in_order_after_a_restart() {
    let directory = TempDir::new().unwrap();
    let Opened { disk, entries, damage, foreign } = open(directory.path());
    assert!(entries.is_empty() && damage.is_empty() && foreign.is_empty());
    let keys = append(&disk, 0..50, 1000).await;
    assert!(keys.is_sorted() && segments(directory.path()).len() >= 5);
    for number in (0..50).filter(|number| number % 3 != 0) {
        disk.remove(keys[number]);
    }
    disk.close().await;
    assert!(matches!(disk.append(&entry(1, 1)).await, Err(DiskError::Closed)));

    let Opened { disk, entries, damage, .. } = open(directory.path());
    assert_eq!(damage, []);
    let expected: Vec<_> =
        (0..50).step_by(3).map(|number| (keys[number as usize], entry(number, 1000).head)).collect();
    assert_eq!(entries, expected);
    for (key, head) in entries {
        assert_eq!(disk.read(key).await.unwrap(), entry(head.spans.into(), 1000).body);
        disk.remove(key);
        assert!(matches!(disk.read(key).await, Err(DiskError::Gone)));
    }
    let later = disk.append(&entry(99, 10)).await.unwrap();
    assert!(later > keys[49]);
    disk.remove(later);
    disk.close().await;
    assert_eq!(segments(directory.path()), <[PathBuf; 0]>::default());
    assert_eq!(disk.bytes(), 0);
}

#[tokio::test]
async fn many_that_append_at_a_time_all_find_their_entries() {
    let directory = TempDir::new().unwrap();
    let disk = Arc::new(open(directory.path()).disk);
    let tasks = (0..200).map(|number| {
        let disk = Arc::clone(&disk);
        tokio::spawn(async move {
            let entry = entry(number, number as usize * 37);
            let key = disk.append(&entry).await.unwrap();
            assert_eq!(disk.read(key).await.unwrap(), entry.body);
        })
    });
    for task in tasks.collect::<Vec<_>>() {
        task.await.unwrap();
    }
    disk.close().await;
    let Opened { entries, .. } = open(directory.path());
    let mut numbers: Vec<_> = entries.iter().map(|(_, head)| head.spans).collect();
    numbers.sort_unstable();
    assert_eq!(numbers, (0..200).collect::<Vec<_>>());
}

#[tokio::test]
async fn an_entry_that_nobody_waits_for_is_removed() {
    let directory = TempDir::new().unwrap();
    let disk = open(directory.path()).disk;
    for _ in 0..20 {
        let entry = entry(1, 3000);
        assert!(disk.append(&entry).now_or_never().is_none());
    }
    disk.close().await;
    assert_eq!(open(directory.path()).entries, []);
}

#[tokio::test]
async fn a_few_old_entries_do_not_keep_the_room_of_many() {
    let directory = TempDir::new().unwrap();
    let disk = open(directory.path()).disk;
    let keys = append(&disk, 0..300, 1000).await;
    let whole = disk.bytes();
    for number in (0..300).filter(|number| number % 40 != 0) {
        disk.remove(keys[number]);
    }
    // Copying starts at twice a segment.
    eventually(|| disk.bytes() < whole / 3).await;
    for number in (0..300).step_by(40) {
        assert_eq!(disk.read(keys[number]).await.unwrap(), entry(number as u64, 1000).body);
    }
    disk.close().await;
    let Opened { entries, damage, .. } = open(directory.path());
    let numbers: Vec<_> = entries.iter().map(|(_, head)| head.spans).collect();
    assert_eq!((numbers, damage), ((0..300).step_by(40).collect(), Vec::new()));
}

#[tokio::test]
async fn a_queue_that_was_emptied_gives_its_room_back_while_it_is_open() {
    let directory = TempDir::new().unwrap();
    let disk = Disk::open(&settings(directory.path()), QUEUE).unwrap().disk;
    let keys = append(&disk, 0..20, 1 << 20).await;
    assert!(disk.bytes() > 20 << 20);
    keys.iter().for_each(|key| disk.remove(*key));
    eventually(|| disk.bytes() == 0).await;
    assert!(segments(directory.path()).is_empty());
    let key = append(&disk, 7..8, 100).await[0];
    assert_eq!(number(&disk.read(key).await.unwrap()), 7);
}

#[tokio::test]
async fn the_second_process_in_a_folder_is_told_who_has_it() {
    let directory = TempDir::new().unwrap();
    let disk = open(directory.path()).disk;
    let hasty = FileStorage { timeout: 0, ..settings(directory.path()) };
    let refused = Disk::open(&hasty, QUEUE).unwrap_err().to_string();
    for part in [folder(directory.path()).to_str().unwrap(), " is in use by process "] {
        assert!(refused.contains(part), "{refused}");
    }
    assert!(refused.contains(&format!("process {}", std::process::id())), "{refused}");
    // Another queue has a folder of its own.
    Disk::open(&settings(directory.path()), "otlphttp/agent logs").unwrap();
    // The one that waits for long enough gets it.
    let waiting = FileStorage { timeout: 60_000, ..settings(directory.path()) };
    let second = spawn_blocking(move || Disk::open(&waiting, QUEUE).map(drop));
    disk.close().await;
    second.await.unwrap().unwrap();
}

#[test]
fn a_folder_that_cannot_be_used_is_told_with_what_to_do() {
    let directory = TempDir::new().unwrap();
    let missing = directory.path().join("a/b");
    let refused = |settings: &FileStorage| {
        // A check says the same, and makes nothing.
        let checked = Disk::check(settings).unwrap_err().to_string();
        assert_eq!(Disk::open(settings, QUEUE).unwrap_err().to_string(), checked);
        checked
    };
    let told = refused(&settings(&missing));
    assert!(told.contains("is not there: create it") && told.contains("create_directory: true"), "{told}");
    let creates = FileStorage { create_directory: true, ..settings(&missing) };
    Disk::check(&creates).unwrap();
    assert!(!missing.exists());
    Disk::open(&creates, QUEUE).unwrap();
    assert_eq!(fs::metadata(&missing).unwrap().permissions().mode() & 0o777, 0o750);

    let file = directory.path().join("file");
    fs::write(&file, "").unwrap();
    for path in [file.clone(), file.join("x")] {
        assert!(refused(&settings(&path)).contains("is not a folder"), "{}", refused(&settings(&path)));
    }
    // Where root may write whatever the permissions say, nothing is refused.
    let closed = directory.path().join("closed");
    fs::create_dir(&closed).unwrap();
    fs::set_permissions(&closed, fs::Permissions::from_mode(0o555)).unwrap();
    if fs::write(closed.join("probe"), "").is_err() {
        assert!(refused(&settings(&closed)).contains("cannot be written"), "{}", refused(&settings(&closed)));
    }
}

#[tokio::test]
async fn a_later_version_is_refused_and_stays_as_it_is() {
    let directory = TempDir::new().unwrap();
    let disk = open(directory.path()).disk;
    append(&disk, 0..1, 10).await;
    disk.close().await;
    let path = segments(directory.path()).remove(0);
    let mut bytes = fs::read(&path).unwrap();
    let header = fields::Writer::default().bytes(&bytes[..16]).u16(9).bytes(&bytes[18..56]).sealed(0);
    bytes[..64].copy_from_slice(&header);
    fs::write(&path, &bytes).unwrap();
    let refused = Disk::open(&settings(directory.path()), QUEUE).unwrap_err();
    assert!(matches!(refused, OpenError::Version { version: 9, .. }), "{refused}");
    assert!(refused.to_string().contains("is of version 9, and this podstamp reads version 1"), "{refused}");
    assert_eq!(fs::read(&path).unwrap(), bytes);
}

#[tokio::test]
async fn files_that_are_not_podstamps_are_named_and_stay() {
    let directory = TempDir::new().unwrap();
    open(directory.path()).disk.close().await;
    let foreign = ["0000000000000001.segment.bak", "exporter_otlphttp__traces", "zz"]
        .map(|name| folder(directory.path()).join(name));
    for path in &foreign {
        fs::write(path, "mine").unwrap();
    }
    // A folder of a segment's name is not one either, and neither is in the way of a new segment.
    let odd = segment_path(&folder(directory.path()), 1);
    fs::create_dir(&odd).unwrap();
    let Opened { disk, foreign: found, damage, .. } = open(directory.path());
    let mut expected = foreign.to_vec();
    expected.push(odd);
    expected.sort();
    assert_eq!((found, damage), (expected, Vec::new()));
    append(&disk, 0..1, 10).await;
    disk.close().await;
    assert_eq!(open(directory.path()).entries.len(), 1);
    assert!(foreign.iter().all(|path| fs::read(path).unwrap() == b"mine"));
}

#[tokio::test]
async fn no_more_bytes_are_written_than_the_configuration_allows() {
    let directory = TempDir::new().unwrap();
    let limited = FileStorage { max_size: 3 << 20, ..settings(directory.path()) };
    let disk = Disk::open(&limited, QUEUE).unwrap().disk;
    let mut keys = Vec::new();
    let refused = loop {
        match disk.append(&entry(keys.len() as u64, 100_000)).await {
            Ok(key) => keys.push(key),
            Err(error) => break error,
        }
    };
    assert!(
        matches!(refused, DiskError::Full { .. }) && refused.to_string().contains("max_size"),
        "{refused}"
    );
    assert!((20..32).contains(&keys.len()) && disk.bytes() <= 3 << 20, "{}", keys.len());
    for key in &keys[..15] {
        disk.remove(*key);
    }
    eventually(|| disk.bytes() < 2 << 20).await;
    disk.append(&entry(0, 100_000)).await.unwrap();
}

#[tokio::test]
async fn queues_that_no_exporter_has_any_more_are_found() {
    let directory = TempDir::new().unwrap();
    let disk = open(directory.path()).disk;
    append(&disk, 0..1, 10).await;
    let empty = Disk::open(&settings(directory.path()), "otlphttp/gone logs").unwrap().disk;
    fs::create_dir(directory.path().join("lost+found")).unwrap();
    fs::write(directory.path().join("exporter_otlphttp__traces"), "a Collector's").unwrap();
    let strangers = |exporters: &[&str]| {
        let exporters: Vec<_> = exporters.iter().map(|exporter| (*exporter).to_owned()).collect();
        Disk::strangers(&settings(directory.path()), &exporters)
    };
    assert_eq!(strangers(&["otlphttp traces"]), [(QUEUE.to_owned(), folder(directory.path()))]);
    assert_eq!(strangers(&[QUEUE]), []);
    disk.close().await;
    empty.close().await;
}
