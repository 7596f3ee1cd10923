//! Pods from another podstamp, a central one that knows those of all nodes: `GET /pods` on its admin listener.
//!
//! The first answer has all pods. After that each question waits there until something has changed, and the answer has no
//! more than that. A thousand nodes cost the Kubernetes API one watch, and each of them a connection that is mostly silent.

mod ask;
#[cfg(test)]
mod tests;

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use podstamp_core::config::{ClientAuth, ClientTls, Fault};
use podstamp_core::directory::{Details, Directory, Field, Fields, KeptKeys, Keys, Lookup, Term};
use podstamp_pods::{Coverage, ListingReader, Slot, Table};
use tokio::time::{Instant, sleep, sleep_until};

use super::Pods;
use super::backoff::Backoff;
use super::source::{SourceFailure, SourceStatus};
use crate::observe::{Metrics, Notices};
use ask::{Missing, Way};

/// Which podstamp to ask, and for what.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Its admin listener: `http://` or `https://`, host and port.
    pub url: String,
    /// TLS for an https URL.
    pub tls: Option<ClientTls>,
    /// The credentials to show there.
    pub auth: Option<ClientAuth>,
    /// The parts of pods that lookups need.
    pub fields: Fields,
    /// The labels and annotations that lookups need.
    pub kept_keys: KeptKeys,
    /// Whether its pods are all of the cluster. `None`: as it says itself.
    pub coverage: Option<Coverage>,
}

/// The pods of another podstamp.
pub struct RemotePods {
    settings: Settings,
    pods: Pods,
    status: Arc<SourceStatus>,
    /// `None` once somebody follows.
    way: Mutex<Option<Way>>,
}

impl RemotePods {
    /// No pods yet: [`RemotePods::follow`] gets them. The error is about the files of `tls` and `auth`, which are read.
    pub fn new(settings: Settings) -> Result<Self, Fault> {
        let way = Mutex::new(Some(Way::new(&settings)?));
        let none = Table::new(settings.fields, settings.kept_keys.clone(), Coverage::Part);
        Ok(Self { settings, pods: Pods::new(none), status: Arc::default(), way })
    }

    /// The pods.
    pub fn pods(&self) -> &Pods {
        &self.pods
    }

    /// The podstamp that they come from.
    pub fn url(&self) -> &str {
        &self.settings.url
    }

    /// Whether the pods have come, and how old they are.
    pub fn status(&self) -> &Arc<SourceStatus> {
        &self.status
    }

    /// Gets the pods and follows their changes, for as long as the future is polled. The last pods stay where the other
    /// podstamp is away.
    pub async fn follow(self: Arc<Self>, metrics: Arc<Metrics>, notices: Arc<Notices>) {
        let way = self.way.lock().unwrap_or_else(PoisonError::into_inner).take();
        let Some(way) = way else { return };
        let mut way = way.watch_files(&metrics);
        let mut backoff = Backoff::from(FIRST_WAIT);
        // As the other one has it: what it sends are changes of that.
        let mut known: Option<Table> = None;
        loop {
            let begun = Instant::now();
            match self.ask(&mut way, &mut known, &notices).await {
                Ok(()) => {
                    backoff.reset();
                    // One that answers at once, whatever it is asked for, is not asked without end.
                    sleep_until(begun + BETWEEN_QUESTIONS).await;
                }
                Err(missing) => {
                    self.complain(&missing, &notices);
                    sleep(backoff.next(missing.after, fastrand::f64())).await;
                }
            }
        }
    }

    /// Asks once, and takes what comes. What is known stays where that is at fault, and all pods are asked for next.
    async fn ask(&self, way: &mut Way, known: &mut Option<Table>, notices: &Notices) -> Result<(), Missing> {
        // After a failure the question is answered at once, so that it is known whether the other one is back.
        let wait = if self.status.is_connected() { WAIT } else { Duration::ZERO };
        let since = known.as_ref().map(|known| known.version().to_string()).unwrap_or_default();
        let path = format!("/pods?fields={}&since={since}&wait={}", self.settings.fields, wait.as_secs());
        let text = way.ask(&path, wait).await?;
        let before = known.take().map(|known| self.indexed(known));
        let reading = tokio::task::spawn_blocking(move || read(text, before.as_ref()));
        let read = reading.await.map_err(|error| error.to_string()).and_then(|read| read);
        let (table, changes) = read.map_err(|reason| {
            let reason = format!("what it sends is no list of pods: {reason}");
            Missing::new(SourceFailure::Invalid, reason)
        })?;
        self.status.heard();
        self.take(&table, changes.as_deref(), notices);
        self.status.set_connected(true);
        *known = Some(table);
        Ok(())
    }

    /// The table that lookups use, which has the indexes that they have asked for, if it is the same.
    fn indexed(&self, known: Table) -> Table {
        let current = self.pods.table();
        if current.version() == known.version() { (*current).clone() } else { known }
    }

    /// Puts pods in place of those before.
    fn take(&self, table: &Table, changes: Option<&[Slot]>, notices: &Notices) {
        let is_first = !self.status.is_loaded();
        let mut shown = table.clone();
        if let Some(coverage) = self.settings.coverage
            && coverage != shown.coverage()
        {
            shown.set_coverage(coverage);
            // Who follows this podstamp must not take it for the other one.
            shown.fork();
        }
        self.pods.adopt(shown, changes);
        if let Some(changes) = changes {
            self.status.changed(changes.len());
            return;
        }
        self.status.loaded();
        let (pods, bytes) = (table.len(), table.memory());
        tracing::info!(url = self.settings.url, pods, bytes, "pods loaded");
        if is_first && pods == 0 {
            tracing::warn!(
                url = self.settings.url,
                "the other podstamp knows no pods: no address will be found"
            );
        }
        if let Some(lacking) = lacking(&self.settings, table) {
            let url = &self.settings.url;
            notices.warn("pods-lack", || {
                format!("the podstamp at {url} does not keep {lacking} of pods, which rules here need: name them in its configuration too")
            });
        }
    }

    fn complain(&self, missing: &Missing, notices: &Notices) {
        let (url, age) = (&self.settings.url, self.status.age().as_secs());
        self.status.failed(missing.kind);
        notices.warn("pods-missing", || match self.status.is_loaded() {
            true => format!(
                "no pods from {url} (podstamp.pods.from): {missing}; the {} pods of {age} s ago stay",
                self.pods.table().len()
            ),
            false => format!("no pods from {url} (podstamp.pods.from): {missing}"),
        });
    }
}

impl Directory for RemotePods {
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

impl std::fmt::Debug for RemotePods {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("RemotePods").field("settings", &self.settings).finish_non_exhaustive()
    }
}

/// The table that a text makes of the one before, and what has changed in it; `None` where the text has all pods.
fn read(text: Vec<u8>, before: Option<&Table>) -> Result<(Table, Option<Vec<Slot>>), String> {
    let reader = match before {
        Some(before) => ListingReader::onto(text, before),
        None => ListingReader::new(text),
    };
    let mut table = reader.finish().map_err(|error| error.to_string())?;
    let changes = table.take_recorded();
    table.record_changes();
    Ok((table, changes))
}

/// What rules here need of pods, and the other podstamp does not keep.
fn lacking(settings: &Settings, table: &Table) -> Option<String> {
    let fields = settings.fields.iter().filter(|field| !table.fields().contains(*field));
    let fields = fields.filter(|field| !matches!(field, Field::Labels | Field::Annotations));
    let mut lacking: Vec<_> = fields.map(|field| field.name().to_owned()).collect();
    let kept = table.kept_keys();
    for (kind, wanted, kept) in [
        ("label", &settings.kept_keys.labels, &kept.labels),
        ("annotation", &settings.kept_keys.annotations, &kept.annotations),
    ] {
        match wanted {
            Keys::None => {}
            Keys::Only(keys) => {
                let missing = keys.iter().filter(|key| !kept.contains(key));
                lacking.extend(missing.map(|key| format!("{kind} {key}")));
            }
            Keys::All if *kept == Keys::All => {}
            Keys::All => lacking.push(format!("all {kind}s")),
        }
    }
    (!lacking.is_empty()).then(|| lacking.join(", "))
}

/// How long a question waits for changes. What is on the way may forget a connection after a minute.
const WAIT: Duration = Duration::from_secs(50);

/// A central podstamp that restarts is back within a second or two.
const FIRST_WAIT: Duration = Duration::from_secs(1);

const BETWEEN_QUESTIONS: Duration = Duration::from_millis(250);
