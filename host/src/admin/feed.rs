//! What has changed since a version: what `GET /pods?since=EPOCH.VERSION&wait=SECONDS` answers.
//!
//! A thousand podstamps may wait for the next change. Changes are released a few times a second at most, so that all who wait
//! get the same text, which is written once.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use podstamp_core::directory::Fields;
use podstamp_pods::{Table, Version, listing};
use tokio::sync::{OnceCell, Semaphore};
use tokio::task::{JoinError, spawn_blocking};
use tokio::time::Instant;

use super::coded::Text;
use crate::pods::Pods;

/// The changes of the pods, for those who follow them.
#[derive(Debug)]
pub(super) struct Feed {
    state: Mutex<State>,
    waiters: Semaphore,
}

#[derive(Debug, Default)]
struct State {
    released: Option<Release>,
    texts: Vec<(Key, Arc<OnceCell<Text>>)>,
}

/// The pods that those who follow them see.
#[derive(Clone, Debug)]
struct Release {
    table: Arc<Table>,
    at: Instant,
}

/// What a text is about: the fields, and since which version; `None`: all pods.
type Key = (Fields, Option<u64>);

/// Why a question is not answered.
#[derive(Debug, thiserror::Error)]
pub(super) enum NoNews {
    /// As many wait as may.
    #[error("too many wait for changes already")]
    Crowded,
    /// Writing the text panicked.
    #[error(transparent)]
    Failed(#[from] JoinError),
}

/// A question for changes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Question {
    /// The parts of pods that are asked for.
    pub(super) fields: Fields,
    /// The version that the client has; `None`: none that could be read.
    pub(super) since: Option<Version>,
    /// How long the client waits for a change.
    pub(super) wait: Duration,
}

impl Default for Feed {
    fn default() -> Self {
        Self { state: Mutex::default(), waiters: Semaphore::new(MAX_WAITERS) }
    }
}

impl Feed {
    /// The answer to a question, once there is a change that the client does not have, its time is over, or `stopping` is.
    pub(super) async fn answer(
        &self,
        pods: &Pods,
        question: Question,
        stopping: impl Future<Output = ()>,
    ) -> Result<Text, NoNews> {
        let released = match question.since {
            Some(known) if !question.wait.is_zero() => {
                let _waiter = self.waiters.try_acquire().map_err(|_| NoNews::Crowded)?;
                let changed = self.changed(pods, known);
                tokio::select! {
                    released = changed => released,
                    () = tokio::time::sleep(question.wait) => self.release(pods),
                    () = stopping => self.release(pods),
                }
            }
            _ => self.release(pods),
        };
        Ok(self.text(pods, released.table, question).await?)
    }

    /// How many wait for a change.
    pub(super) fn followers(&self) -> usize {
        MAX_WAITERS - self.waiters.available_permits()
    }

    /// Waits for a release of another version than `known`.
    async fn changed(&self, pods: &Pods, known: Version) -> Release {
        loop {
            let released = self.release(pods);
            if released.table.version() != known {
                return released;
            }
            pods.changed(known).await;
            tokio::time::sleep_until(released.at + BETWEEN_RELEASES).await;
        }
    }

    /// The release that holds now: the current pods, unless the last release was just before.
    fn release(&self, pods: &Pods) -> Release {
        let mut state = self.lock();
        let now = Instant::now();
        let table = pods.table();
        if let Some(released) = &state.released
            && (now < released.at + BETWEEN_RELEASES || released.table.version() == table.version())
        {
            return released.clone();
        }
        let released = Release { table, at: now };
        *state = State { released: Some(released.clone()), texts: Vec::new() };
        released
    }

    /// The text of a release; of all its pods where nobody knows what has changed since.
    async fn text(&self, pods: &Pods, table: Arc<Table>, question: Question) -> Result<Text, JoinError> {
        let Question { fields, since, .. } = question;
        let changes = since.and_then(|since| Some((since.number, pods.changes(since, table.version())?)));
        // Where more has changed than there is, all of it is the shorter answer.
        let changes = changes.filter(|(_, slots)| slots.len() <= table.len());
        let cell = self.cell(&table, (fields, changes.as_ref().map(|(since, _)| *since)));
        let write = move || match changes {
            Some((since, slots)) => Text::new(listing::write_delta(&table, fields, since, &slots)),
            None => Text::new(listing::write_full(&table, fields)),
        };
        cell.get_or_try_init(|| spawn_blocking(write)).await.cloned()
    }

    /// The place of a text of the release, whether it is written yet or not.
    fn cell(&self, table: &Arc<Table>, key: Key) -> Arc<OnceCell<Text>> {
        let mut state = self.lock();
        // Another release may have come meanwhile: its texts are others.
        if state.released.as_ref().is_none_or(|released| !Arc::ptr_eq(&released.table, table)) {
            return Arc::default();
        }
        if let Some((_, cell)) = state.texts.iter().find(|(known, _)| *known == key) {
            return Arc::clone(cell);
        }
        if state.texts.len() >= MAX_TEXTS {
            state.texts.remove(0);
        }
        let cell = Arc::default();
        state.texts.push((key, Arc::clone(&cell)));
        cell
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A change goes out at once; one that follows it waits for that long, with all others that come meanwhile. A pod's spans
/// come seconds after its address at the earliest.
const BETWEEN_RELEASES: Duration = Duration::from_millis(500);

/// Each takes a connection and some 20 KiB. Kubernetes is built for 5,000 nodes.
pub(super) const MAX_WAITERS: usize = 8_192;

/// Podstamps with one configuration that follow closely ask for one text.
const MAX_TEXTS: usize = 16;

#[cfg(test)]
mod tests {
    use std::future::pending;

    use podstamp_pods::{Coverage, KeptKeys, PodParts};

    use super::*;

    fn pod(name: &str, last: u8) -> PodParts<'_> {
        let ips = vec![[10, 0, 0, last].into()];
        PodParts { name: name.into(), uid: format!("uid-{name}").into(), ips, ..PodParts::default() }
    }

    fn pods(names: &[&str]) -> Pods {
        let mut table = Table::new(Fields::ALL, KeptKeys::default(), Coverage::Cluster);
        for name in names {
            table.upsert(&pod(name, 1)).unwrap();
        }
        Pods::new(table)
    }

    fn question(since: Option<Version>, seconds: u64) -> Question {
        Question { fields: Fields::NONE, since, wait: Duration::from_secs(seconds) }
    }

    async fn ask(feed: &Feed, pods: &Pods, since: Option<Version>, seconds: u64) -> String {
        let text = feed.answer(pods, question(since, seconds), pending()).await.unwrap();
        String::from_utf8(text.plain.to_vec()).unwrap()
    }

    #[tokio::test]
    async fn who_waits_gets_a_change_and_those_after_it_together() {
        let (feed, pods) = (Arc::new(Feed::default()), pods(&["a", "b"]));
        let first = ask(&feed, &pods, None, 0).await;
        assert!(first.contains("\tfull\t") && first.contains("a\t10.0.0.1"), "{first}");
        let known = pods.table().version();
        let waiting = {
            let (feed, pods) = (Arc::clone(&feed), pods.clone());
            tokio::spawn(async move { ask(&feed, &pods, Some(known), 50).await })
        };
        let changed = Instant::now();
        pods.update(|table| table.upsert(&pod("a", 2)).unwrap());
        let text = waiting.await.unwrap();
        assert!(text.contains("a\t10.0.0.2") && !text.contains("b\t"), "{text}");

        let known = pods.table().version();
        pods.update(|table| table.upsert(&pod("b", 3)).unwrap());
        pods.update(|table| table.upsert(&pod("a", 4)).unwrap());
        let text = ask(&feed, &pods, Some(known), 50).await;
        assert!(text.contains("b\t10.0.0.3") && text.contains("a\t10.0.0.4"), "{text}");
        assert!(changed.elapsed() >= BETWEEN_RELEASES);
    }

    #[tokio::test]
    async fn time_and_the_order_to_stop_end_the_wait_without_a_change() {
        let (feed, pods) = (Feed::default(), pods(&["a"]));
        let known = pods.table().version();
        let begun = Instant::now();
        let text = ask(&feed, &pods, Some(known), 1).await;
        assert!(text.contains("\tdelta ") && text.lines().count() == 1, "{text}");
        assert!(begun.elapsed() >= Duration::from_secs(1));
        let stopping = feed.answer(&pods, question(Some(known), 50), std::future::ready(()));
        let again = feed.answer(&pods, question(Some(known), 0), pending()).await.unwrap();
        assert_eq!(stopping.await.unwrap().plain.as_ptr(), again.plain.as_ptr(), "it is written once");
        assert!(begun.elapsed() < Duration::from_secs(50));
    }

    #[tokio::test]
    async fn who_has_pods_of_another_process_gets_all_at_once() {
        let (feed, pods) = (Feed::default(), pods(&["a"]));
        let version = pods.table().version();
        let begun = Instant::now();
        for unknown in [
            Version { epoch: version.epoch ^ 1, ..version },
            Version { number: version.number + 7, ..version },
        ] {
            assert!(ask(&feed, &pods, Some(unknown), 50).await.contains("\tfull\t"));
        }
        assert!(begun.elapsed() < Duration::from_secs(50));
    }

    #[tokio::test]
    async fn no_more_wait_than_may() {
        let (feed, pods) = (Arc::new(Feed::default()), pods(&["a"]));
        let known = pods.table().version();
        let mut waiting: Vec<_> = (0..MAX_WAITERS).map(|_| feed.waiters.try_acquire().unwrap()).collect();
        let refused = feed.answer(&pods, question(Some(known), 50), pending()).await;
        assert!(matches!(refused, Err(NoNews::Crowded)));
        assert_eq!(feed.followers(), MAX_WAITERS);
        assert!(feed.answer(&pods, question(Some(known), 0), pending()).await.is_ok());
        waiting.pop();
        assert!(feed.answer(&pods, question(Some(known), 1), pending()).await.is_ok());
        drop(waiting);
        assert_eq!(feed.followers(), 0);
    }
}
