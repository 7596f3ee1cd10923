//! Whatever bytes are in the folder: what was not touched comes back, and what was touched does not come back as if it were sound.

use std::collections::{BTreeMap, BTreeSet};

use super::*;

/// What was done to a segment: the ranges of bytes that are not what they were.
type Touched = BTreeMap<PathBuf, Vec<std::ops::Range<u64>>>;

/// A folder with entries in several segments, some of them removed; the last segment has no index, as after a crash.
async fn filled(
    random: &mut fastrand::Rng,
    directory: &Path,
) -> BTreeMap<Key, (PathBuf, std::ops::Range<u64>, Entry)> {
    let disk = open(directory).disk;
    let mut entries = BTreeMap::new();
    for number in 0..random.u64(1..60) {
        let entry = entry(number, random.usize(0..4_000));
        entries.insert(disk.append(&entry).await.unwrap(), entry);
    }
    let removed: Vec<_> = entries.keys().copied().filter(|_| random.u8(..4) == 0).collect();
    for key in removed {
        disk.remove(key);
        entries.remove(&key);
    }
    let places = entries.into_iter().map(|(key, entry)| {
        let (location, _) = disk.shared.state().locate(key.0).unwrap();
        let end = location.offset + (RECORD_HEAD + entry.body.len()) as u64;
        (key, (segment_path(&folder(directory), location.segment), location.offset..end, entry))
    });
    let places = places.collect();
    disk.close().await;
    if random.bool()
        && let Some(last) = segments(directory).last()
    {
        let scanned = scan::scan(&File::open(last).unwrap()).unwrap();
        File::options().write(true).open(last).unwrap().set_len(scanned.end).unwrap();
    }
    places
}

/// Flips bits, cuts, overwrites, lengthens, deletes, or copies.
fn corrupt(random: &mut fastrand::Rng, directory: &Path) -> Touched {
    let mut touched = Touched::new();
    for _ in 0..random.usize(1..5) {
        let files = segments(directory);
        let Some(path) = random.choice(&files) else { break };
        let mut bytes = fs::read(path).unwrap();
        let size = bytes.len() as u64;
        let ranges = touched.entry(path.clone()).or_default();
        let at = random.u64(0..=size);
        let range = at..(at + random.u64(1..9_000)).min(size);
        let slice = range.start as usize..range.end as usize;
        match random.u8(..8) {
            0..3 if at < size => {
                bytes[at as usize] ^= 1 << random.u8(..8);
                ranges.push(at..at + 1);
            }
            3 => {
                bytes[slice].fill(0);
                ranges.push(range);
            }
            4 => {
                bytes[slice].iter_mut().for_each(|byte| *byte = random.u8(..));
                ranges.push(range);
            }
            5 => {
                bytes.truncate(at as usize);
                ranges.push(at..size);
            }
            6 => bytes.extend((0..random.usize(1..5_000)).map(|_| random.u8(..))),
            7 if random.bool() => {
                fs::remove_file(path).unwrap();
                ranges.push(0..size);
                continue;
            }
            _ => {
                let copy = segment_path(&folder(directory), random.u64(..40));
                touched.entry(copy.clone()).or_default().push(0..u64::MAX);
                fs::write(copy, &bytes).unwrap();
                continue;
            }
        }
        fs::write(path, bytes).unwrap();
    }
    touched
}

#[tokio::test]
async fn whatever_is_damaged_all_that_was_not_touched_comes_back() {
    let mut seed = fastrand::u64(..);
    for round in 0..300 {
        seed = seed.wrapping_add(round);
        let told = format!("seed {seed}");
        let mut random = fastrand::Rng::with_seed(seed);
        let directory = TempDir::new().unwrap();
        let written = filled(&mut random, directory.path()).await;
        let touched = corrupt(&mut random, directory.path());

        let Opened { disk, entries, .. } = open(directory.path());
        let mut sound = BTreeSet::new();
        for (key, _) in &entries {
            match disk.read(*key).await {
                Ok(body) => {
                    // Whatever comes back is an entry as it was: one that was removed may be among them.
                    let number = number(&body);
                    assert!(body == entry(number, body.len()).body, "{told}");
                    assert!(written.get(key).is_none_or(|(.., entry)| entry.body == body), "{told}");
                    assert!(sound.insert(*key), "{told}: twice");
                }
                Err(DiskError::Damaged(_)) => {}
                Err(error) => panic!("{told}: {error}"),
            }
        }
        for (key, (path, range, entry)) in &written {
            let touches =
                |touched: &std::ops::Range<u64>| touched.start < range.end && range.start < touched.end;
            // The header and its copies: without all of them nothing in the file can be told from noise.
            let heads = |touched: &std::ops::Range<u64>| touched.start < RECORDS;
            let ranges = touched.get(path).map(Vec::as_slice).unwrap_or_default();
            let may_be_lost = ranges.iter().any(touches)
                || ranges.iter().filter(|range| heads(range)).count() > 0 && {
                    let header_copies = [0, 4096, 8192u64];
                    header_copies
                        .iter()
                        .all(|copy| ranges.iter().any(|range| range.start < copy + 64 && *copy < range.end))
                };
            assert!(
                may_be_lost || sound.contains(key),
                "{told}: entry {} of {}",
                entry.head.spans,
                path.display()
            );
        }
        // It goes on, and the damage is not there any more the second time.
        let added = disk.append(&entry(1_000, 50)).await.unwrap();
        disk.close().await;
        let Opened { disk, entries, damage, .. } = open(directory.path());
        assert!(entries.iter().any(|(key, _)| *key == added), "{told}");
        let again: Vec<_> = damage.iter().filter(|damage| damage.is_loss()).collect();
        assert!(again.is_empty(), "{told}: {again:?}");
        disk.close().await;
    }
}

#[tokio::test]
async fn damage_is_told_with_its_place_and_kept_aside() {
    let directory = TempDir::new().unwrap();
    let disk = open(directory.path()).disk;
    let keys = append(&disk, 0..4, 1000).await;
    let (location, _) = disk.shared.state().locate(keys[1].0).unwrap();
    disk.close().await;
    let path = segments(directory.path()).remove(0);
    let mut bytes = fs::read(&path).unwrap();
    let (at, end) = (location.offset as usize, location.offset as usize + RECORD_HEAD + 1000);
    bytes[at + 500] ^= 4;
    fs::write(&path, &bytes).unwrap();

    // By the index, damage is found on reading.
    let Opened { disk, entries, damage, .. } = open(directory.path());
    assert_eq!((entries.len(), damage), (4, Vec::new()));
    let error = disk.read(keys[1]).await.unwrap_err();
    let DiskError::Damaged(damage) = &error else { panic!("{error}") };
    assert_eq!((&damage.file, damage.offset, damage.bytes, damage.is_loss()), (&path, at as u64, 1056, true));
    assert_eq!(fs::read(damage.kept.as_ref().unwrap()).unwrap(), bytes[at..end]);
    let text = error.to_string();
    for part in [
        path.to_str().unwrap(),
        "1056 bytes at offset",
        "entries are damaged, and skipped",
        "which may be deleted",
    ] {
        assert!(text.contains(part), "{text}");
    }
    assert!(matches!(disk.read(keys[1]).await, Err(DiskError::Gone)));
    disk.close().await;
    assert_eq!(open(directory.path()).entries.len(), 3);

    // Without an index, on opening.
    let records = scan::scan(&File::open(&path).unwrap()).unwrap().end;
    bytes.truncate(records as usize + 5);
    bytes[at] ^= 1;
    bytes[records as usize..].fill(7);
    fs::write(&path, &bytes).unwrap();
    let Opened { entries, damage, .. } = open(directory.path());
    let told: Vec<_> = damage.iter().map(|damage| (damage.offset, damage.bytes, damage.part)).collect();
    assert_eq!(told, [(at as u64, 1056, Part::Records), (records, 5, Part::Tail)]);
    assert_eq!(entries.len(), 3);
    assert!(damage.iter().all(|damage| damage.kept.is_some()));
}

#[tokio::test]
async fn what_looks_like_an_entry_within_a_body_is_none() {
    let directory = TempDir::new().unwrap();
    let disk = open(directory.path()).disk;
    // A client knows the layout, and no key.
    let forged = RecordHead {
        sequence: 9,
        ordinal: 0,
        head: entry(9, 40).head,
        body: checksum(0, &entry(9, 40).body),
    };
    let mut body = vec![0; 100];
    body.extend(forged.encode(0));
    body.extend(&entry(9, 40).body);
    let head = Head { length: body.len() as u32, ..entry(1, 0).head };
    disk.append(&Entry { head, body: body.into() }).await.unwrap();
    append(&disk, 2..3, 10).await;
    disk.close().await;
    let path = segments(directory.path()).remove(0);
    let mut bytes = fs::read(&path).unwrap();
    let end = scan::scan(&File::open(&path).unwrap()).unwrap().end;
    bytes.truncate(end as usize);
    bytes[RECORDS as usize] ^= 1;
    fs::write(&path, bytes).unwrap();
    let entries = open(directory.path()).entries;
    assert_eq!(entries.iter().map(|(_, head)| head.spans).collect::<Vec<_>>(), [2]);
}
