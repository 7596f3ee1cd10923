//! A disk without room: what was acknowledged is there, removals are written, and appends work again once there is room.

use std::process::Command;

use podstamp_test_support::runtime::skip;

use super::*;

/// A small file system in memory.
struct Small(TempDir);

impl Small {
    /// `None` where this process may not mount one.
    fn new(size: &str) -> Option<Self> {
        let at = TempDir::new().unwrap();
        let options = format!("size={size}");
        let mounted =
            Command::new("mount").args(["-t", "tmpfs", "-o", &options, "tmpfs"]).arg(at.path()).output();
        if mounted.is_ok_and(|output| output.status.success()) {
            return Some(Self(at));
        }
        skip("a full disk", "it takes the right to mount a tmpfs");
        None
    }

    fn path(&self) -> &Path {
        self.0.path()
    }
}

impl Drop for Small {
    fn drop(&mut self) {
        Command::new("umount").arg("-l").arg(self.path()).status().unwrap();
    }
}

#[tokio::test]
async fn a_full_disk_costs_no_entry_and_takes_more_once_there_is_room() {
    let Some(small) = Small::new("600k") else { return };
    let (disk, ballast) = (open(small.path()).disk, small.path().join("ballast"));
    let mut keys = Vec::new();
    let error = loop {
        match disk.append(&entry(keys.len() as u64, 3_000)).await {
            Ok(key) => keys.push(key),
            Err(error) => break error,
        }
    };
    assert!(matches!(error, DiskError::Full { .. }), "{error}");
    assert!(
        error.to_string().starts_with("extensions.file_storage.directory: there is no room left for"),
        "{error}"
    );
    assert!(keys.len() > 50, "{}", keys.len());
    // What is left of the room goes to somebody else.
    let rest = vec![0; 4096];
    let mut file = File::create(&ballast).unwrap();
    while io::Write::write_all(&mut file, &rest).is_ok() {}
    for _ in 0..20 {
        assert!(disk.append(&entry(9_999, 30_000)).await.is_err());
    }
    // Removals need no room: they are there after the process has ended. The first entry of a segment leaves it in place.
    disk.remove(keys[1]);
    disk.remove(keys[20]);
    disk.close().await;

    let Opened { disk, entries, damage, .. } = open(small.path());
    assert!(damage.is_empty(), "{damage:?}");
    let mut expected = keys.clone();
    expected.retain(|key| ![keys[1], keys[20]].contains(key));
    assert_eq!(entries.iter().map(|(key, _)| *key).collect::<Vec<_>>(), expected);
    for (key, head) in &entries {
        assert_eq!(number(&disk.read(*key).await.unwrap()), u64::from(head.spans));
    }
    assert!(matches!(disk.append(&entry(1, 30_000)).await, Err(DiskError::Full { .. })));
    // What is delivered makes room.
    entries[..30].iter().for_each(|(key, _)| disk.remove(*key));
    eventually(|| segments(small.path()).len() < 50).await;
    let mut added = None;
    for _ in 0..6_000 {
        match disk.append(&entry(5_000, 3_000)).await {
            Ok(key) => {
                added = Some(key);
                break;
            }
            Err(_) => sleep(Duration::from_millis(10)).await,
        }
    }
    assert_eq!(number(&disk.read(added.unwrap()).await.unwrap()), 5_000);
    drop(file);
    fs::remove_file(&ballast).unwrap();
    append(&disk, 0..5, 3_000).await;
    disk.close().await;
    assert!(open(small.path()).damage.is_empty());
}
