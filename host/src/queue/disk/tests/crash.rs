//! A process that is killed at any moment has written all that it acknowledged.

use std::collections::BTreeSet;
use std::env;
use std::io::{BufRead, BufReader, Write};
use std::process::{Command, Stdio};

use super::*;

const CHILD: &str = "PODSTAMP_TEST_QUEUE";

/// Runs in the child alone: appends and says what is acknowledged, and removes some and says so first.
#[tokio::test]
async fn child_appends_until_it_is_killed() {
    let Some(directory) = env::var_os(CHILD) else { return };
    let disk = Arc::new(open(Path::new(&directory)).disk);
    let from = fastrand::u64(..) << 8;
    let tasks = (0..8).map(|task| {
        let disk = Arc::clone(&disk);
        tokio::spawn(async move {
            for number in from + (task << 32).. {
                let key = disk.append(&entry(number, fastrand::usize(..3_000))).await.unwrap();
                say(&format!("+{number}"));
                if number % 3 == 0 {
                    say(&format!("-{number}"));
                    disk.remove(key);
                }
            }
        })
    });
    for task in tasks.collect::<Vec<_>>() {
        task.await.unwrap();
    }
}

fn say(line: &str) {
    // One write for a line: it is whole, or not there.
    io::stdout().lock().write_all(format!("\n{line}.\n").as_bytes()).unwrap();
}

#[tokio::test]
async fn all_that_was_acknowledged_is_there_after_sigkill() {
    let directory = TempDir::new().unwrap();
    let (mut acknowledged, mut removed) = (BTreeSet::new(), BTreeSet::new());
    for round in 0..8 {
        let mut child = Command::new(env::current_exe().unwrap())
            .args(["--exact", "queue::disk::tests::crash::child_appends_until_it_is_killed", "--nocapture"])
            .env(CHILD, directory.path())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let mut take = |line: String| {
            let Some(line) = line.strip_suffix('.') else { return };
            match line.split_at_checked(1) {
                Some(("+", number)) => drop(acknowledged.insert(number.parse::<u64>().unwrap())),
                Some(("-", number)) => drop(removed.insert(number.parse::<u64>().unwrap())),
                _ => {}
            }
        };
        for _ in 0..200 + 100 * round {
            take(lines.next().unwrap().unwrap());
        }
        child.kill().unwrap();
        child.wait().unwrap();
        lines.map_while(Result::ok).for_each(&mut take);

        let Opened { disk, entries, damage, .. } = open(directory.path());
        assert!(damage.iter().all(|damage| !damage.is_loss()), "{damage:?}");
        let mut found = BTreeSet::new();
        for (key, head) in &entries {
            let body = disk.read(*key).await.unwrap();
            assert_eq!(body.len(), head.length as usize);
            assert!(found.insert(number(&body)), "twice");
        }
        let missing: Vec<_> =
            acknowledged.difference(&removed).filter(|number| !found.contains(number)).collect();
        assert!(missing.is_empty(), "{missing:?}");
        disk.close().await;
    }
    assert!(acknowledged.len() > 200);
}
