//! Pods from the Kubernetes API: listed once, then followed.

mod api;
pub mod client;
mod events;
mod failure;
mod follow;
mod keeper;
mod protobuf;
mod requests;
mod surroundings;
#[cfg(test)]
mod tests;
mod token;

use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use podstamp_core::config::Kubernetes;
use podstamp_core::directory::{Details, Directory, Fields, Lookup, Term};

use super::backoff::Backoff;
use super::raw::Metadata;
use super::source::SourceStatus;
use super::{Coverage, KeptKeys, Pods};
use crate::observe::{Metrics, Notices};
use client::Connection;
use follow::Follower;
use keeper::{Keeper, Kept, Outcome};
use requests::Requests;

pub use super::source::SourceFailure;
pub use failure::Failure;
pub use surroundings::Surroundings;

/// How pods are asked for.
#[derive(Clone, Debug)]
pub struct Settings {
    /// How to reach the API, and which pods to ask for.
    pub kubernetes: Kubernetes,
    /// The cluster that this process runs in.
    pub surroundings: Surroundings,
    /// The labels and annotations to keep.
    pub kept_keys: KeptKeys,
    /// Whether the pods that are asked for are all of the cluster.
    pub coverage: Coverage,
    /// The wait after a first failure, from where it grows.
    pub first_wait: Duration,
}

impl Settings {
    /// The settings of a configuration, with the usual waits.
    pub fn new(
        kubernetes: Kubernetes,
        surroundings: Surroundings,
        kept_keys: KeptKeys,
        coverage: Coverage,
    ) -> Self {
        Self { kubernetes, surroundings, kept_keys, coverage, first_wait: FIRST_WAIT }
    }
}

/// The pods of a cluster, or of that part of it that is asked for.
#[derive(Debug)]
pub struct KubernetesPods {
    settings: Settings,
    keeper: Keeper,
    status: Arc<SourceStatus>,
    notices: OnceLock<Arc<Notices>>,
    /// Since when changes do not come.
    away: Mutex<Option<Instant>>,
}

impl KubernetesPods {
    /// Pods that nobody has asked for yet.
    pub fn new(settings: Settings) -> Self {
        let kept = Kept {
            // Filters elsewhere may ask for others than this one does.
            fields: Fields::ALL,
            keys: settings.kept_keys.clone(),
            coverage: settings.coverage,
            grace: Duration::from_millis(u64::from(settings.kubernetes.pod_delete_grace_period)),
        };
        Self {
            settings,
            keeper: Keeper::new(kept),
            status: Arc::default(),
            notices: OnceLock::new(),
            away: Mutex::default(),
        }
    }

    /// The pods.
    pub fn pods(&self) -> &Pods {
        self.keeper.pods()
    }

    /// How the API does.
    pub fn status(&self) -> &Arc<SourceStatus> {
        &self.status
    }

    /// Asks for the pods and follows them, for as long as the future is polled. Whatever goes wrong is told to `notices` and
    /// tried again.
    pub async fn watch(self: Arc<Self>, notices: Arc<Notices>) {
        self.notices.get_or_init(|| notices);
        tokio::join!(self.follow(), self.expire());
    }

    /// Shows how many pods there are, and how it goes, in metrics.
    pub(crate) fn show(self: &Arc<Self>, metrics: &Metrics) {
        self.pods().show(metrics);
        self.status.show(metrics);
        let pods = Arc::clone(self);
        metrics
            .watch("pods_deleted", "Deleted pods that are still found", move || pods.keeper.leaving() as u64);
    }

    async fn follow(&self) {
        let Settings { kubernetes, .. } = &self.settings;
        let requests = Requests::new(kubernetes.selector.clone(), kubernetes.watch_sync_period);
        let mut follower = Follower::new(self, requests);
        let mut backoff = Backoff::from(self.settings.first_wait);
        let mut connection = None;
        loop {
            let followed = self.attempt(&mut follower, &mut connection).await;
            let lasted = follower.lasted() > LASTING;
            if lasted {
                backoff.reset();
            }
            if let Err(failure) = &followed {
                self.status.failed(failure.reason);
                self.away().get_or_insert_with(Instant::now);
                self.complain(failure, connection.as_ref());
                if failure.spoils_client() {
                    connection = None;
                }
            }
            // A watch that the server ended after its time goes on at once.
            if followed.is_err() || !lasted {
                tokio::time::sleep(backoff.next(None, fastrand::f64())).await;
            }
        }
    }

    async fn attempt(
        &self,
        follower: &mut Follower<'_>,
        connection: &mut Option<Connection>,
    ) -> Result<(), Failure> {
        let client = match connection {
            Some(connection) => connection.client.clone(),
            None => {
                let made = self.connect().await?;
                connection.insert(made).client.clone()
            }
        };
        follower.follow(&client).await
    }

    async fn connect(&self) -> Result<Connection, Failure> {
        let Settings { kubernetes, surroundings, .. } = &self.settings;
        let made = client::connect(kubernetes, surroundings).await.map_err(|error| Failure::from(&error))?;
        let Connection { server, identity, plugin, is_insecure, .. } = &made;
        tracing::debug!(server, identity, "asking the Kubernetes API for pods");
        if let Some(plugin) = plugin {
            self.tell("kubernetes-exec", || {
                format!("`{plugin}` was started for credentials, as {identity} says")
            });
        }
        if *is_insecure {
            self.tell("kubernetes-insecure", || {
                format!("the certificate of {server} is not verified: anybody on the way can take its place, and name pods")
            });
        }
        Ok(made)
    }

    /// All pods have come.
    fn loaded(&self) {
        let was_loaded = self.status.is_loaded();
        self.status.loaded();
        let table = self.pods().table();
        if was_loaded {
            tracing::info!(pods = table.len(), "pods listed again");
        } else {
            tracing::info!(pods = table.len(), bytes = table.memory(), "pods loaded from the Kubernetes API");
        }
        if table.is_empty() {
            self.tell("kubernetes-no-pods", || {
                let selector = &self.settings.kubernetes.selector;
                format!("the Kubernetes API has no pods for {}: no address will be found", shown(selector))
            });
        }
    }

    /// Changes come from now on.
    fn connected(&self) {
        self.status.set_connected(true);
        if let Some(away) = self.away().take() {
            tracing::info!(
                "changes of pods come from the Kubernetes API again, after {} s",
                away.elapsed().as_secs()
            );
        }
    }

    fn away(&self) -> MutexGuard<'_, Option<Instant>> {
        self.away.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn complain(&self, failure: &Failure, connection: Option<&Connection>) {
        self.tell(failure::key(failure.reason), || {
            let selector = &self.settings.kubernetes.selector;
            let pods = self.pods().table().len();
            let advice = failure.advice(connection, selector);
            if self.status.is_loaded() {
                let age = self.status.age().as_secs();
                format!("{advice}; the {pods} pods known {age} s ago stay")
            } else {
                format!("{advice}; no pods are known yet")
            }
        });
    }

    fn report(&self, outcome: &Outcome) {
        if let Some(first) = &outcome.first {
            self.tell("kubernetes-pod", || {
                format!("{} pods were left out, the first: {first}", outcome.skipped)
            });
        }
    }

    fn report_unreadable(&self, metadata: &Metadata, why: &str) {
        self.tell("kubernetes-pod", || {
            let text = |part: &Option<String>| part.clone().unwrap_or_default();
            format!("pod {}/{} was left out: {why}", text(&metadata.namespace), text(&metadata.name))
        });
    }

    fn tell(&self, key: &'static str, message: impl FnOnce() -> String) {
        match self.notices.get() {
            Some(notices) => notices.warn(key, message),
            None => tracing::warn!(key, "{}", message()),
        }
    }

    /// Removes pods whose grace is over.
    async fn expire(&self) {
        let grace = Duration::from_millis(u64::from(self.settings.kubernetes.pod_delete_grace_period));
        let mut ticks = tokio::time::interval((grace / 4).clamp(SHORTEST_TICK, LONGEST_TICK));
        loop {
            ticks.tick().await;
            self.keeper.expire(Instant::now());
        }
    }
}

impl Directory for KubernetesPods {
    fn find(&self, terms: &[Term<'_>], want: Details) -> Lookup {
        self.pods().find(terms, want)
    }

    fn state(&self) -> Option<u64> {
        self.pods().state()
    }

    fn unchanged(&self, since: u64, keys: &[u32]) -> bool {
        self.pods().unchanged(since, keys)
    }
}

fn shown(selector: &podstamp_core::config::Selector) -> String {
    let namespace = selector.namespace.as_ref().map(|namespace| format!("namespace {namespace}"));
    let fields = Some(selector.fields.clone()).filter(|text| !text.is_empty());
    let labels = Some(selector.labels.clone()).filter(|text| !text.is_empty());
    let parts: Vec<_> = [namespace, fields, labels].into_iter().flatten().collect();
    if parts.is_empty() { "this cluster".to_owned() } else { parts.join(", ") }
}

/// As in client-go.
const FIRST_WAIT: Duration = Duration::from_millis(800);

/// A watch that ends sooner is not made anew at once.
const LASTING: Duration = Duration::from_secs(1);

const SHORTEST_TICK: Duration = Duration::from_millis(10);

const LONGEST_TICK: Duration = Duration::from_secs(1);
