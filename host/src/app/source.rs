//! Where the pods of an app come from.

use std::fmt;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use podstamp_core::Directory;
use podstamp_core::config::{self, AuthType, ClientAuth, ClientTls, Config, Fault, Kubernetes, PodsFrom};
use podstamp_core::directory::{Field, Fields, NoPods, Pod};
use podstamp_core::interface::{Level, Notice};
use tokio::runtime::Handle;
use tokio::task::JoinHandle;

use super::Error;
use crate::network::Nodes;
use crate::observe::Notices;
use crate::pods::kubernetes::{self, KubernetesPods, Surroundings};
use crate::pods::remote::{self, RemotePods};
use crate::pods::source::{SourceFailure, SourceStatus};
use crate::pods::{self, Coverage, OwnPlace, PodNodes, PodsFile};
use crate::server::{Instruments, Server, SourceState};
use crate::settings::milliseconds;

/// The pods of an app.
pub(super) enum Source {
    /// None, or a directory that the program brings.
    Other,
    File(Arc<PodsFile>),
    Kubernetes(Arc<KubernetesPods>, Waiting, Begun),
    Podstamp(Arc<RemotePods>, Waiting),
}

/// The task of a source that is followed before the server is there. It ends with this.
#[derive(Debug, Default)]
pub(super) struct Begun(Mutex<Option<JoinHandle<()>>>);

/// How long to wait for the first pods.
#[derive(Clone, Copy, Debug)]
pub(super) struct Waiting {
    /// Whether clients have to wait until they are there, however long that takes.
    makes_clients_wait: bool,
    patience: Duration,
}

/// A directory as the sandbox asks it.
type SharedDirectory = Arc<dyn Directory + Send + Sync>;

/// What is asked for pods.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::large_enum_variant, reason = "a process has one")]
pub enum PodsChoice {
    /// Nobody: no pods are known.
    Nobody,
    /// A file.
    File(PathBuf),
    /// The Kubernetes API.
    Kubernetes(Box<Kubernetes>),
    /// Another podstamp.
    Podstamp {
        /// Its admin listener.
        url: String,
        /// TLS for an https URL.
        tls: Option<ClientTls>,
        /// The credentials to show there.
        auth: Option<ClientAuth>,
    },
}

impl fmt::Display for PodsChoice {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Nobody => formatter.write_str("no pods are known"),
            Self::File(path) => write!(formatter, "pods come from the file {}", path.display()),
            Self::Kubernetes(_) => formatter.write_str("pods come from the Kubernetes API"),
            Self::Podstamp { url, .. } => write!(formatter, "pods come from the podstamp at {url}"),
        }
    }
}

impl Source {
    /// The source that a configuration comes to, with the directory to ask and what the operator should know about it.
    /// `file`: one that goes ahead of the configuration; `own`: a directory that goes ahead of all. A file is read.
    pub(super) fn open(
        config: &Config,
        file: Option<PathBuf>,
        own: Option<SharedDirectory>,
        surroundings: Surroundings,
    ) -> Result<(Self, SharedDirectory, Option<Notice>), Error> {
        if let Some(own) = own {
            let is_named = file.is_some() || config.pods.from.is_some();
            let notice = is_named
                .then(|| config::no_effect("podstamp.pods", "this program has a directory of its own"));
            return Ok((Self::Other, own, notice));
        }
        let (choice, notice) =
            choose_pods(config, file, &surroundings).map_err(|fault| Error::Faults(vec![fault]))?;
        let (source, directory): (_, SharedDirectory) = match choice {
            PodsChoice::Nobody => (Self::Other, Arc::new(NoPods)),
            PodsChoice::File(path) => {
                let file = Arc::new(PodsFile::open(path, file_settings(config))?);
                (Self::File(Arc::clone(&file)), file)
            }
            PodsChoice::Kubernetes(kubernetes) => {
                let coverage = coverage(config, kubernetes.selector.is_all());
                let waiting = Waiting::of(&kubernetes);
                let settings =
                    kubernetes::Settings::new(*kubernetes, surroundings, config.kept_keys(), coverage);
                let pods = Arc::new(KubernetesPods::new(settings));
                (Self::Kubernetes(Arc::clone(&pods), waiting, Begun::default()), pods)
            }
            PodsChoice::Podstamp { url, tls, auth } => {
                let faulty = |fault| Error::Faults(vec![fault]);
                let waiting = Waiting::of(&config.kubernetes().map_err(faulty)?);
                let pods =
                    Arc::new(RemotePods::new(remote_settings(config, url, tls, auth)).map_err(faulty)?);
                (Self::Podstamp(Arc::clone(&pods), waiting), pods)
            }
        };
        Ok((source, directory, notice))
    }

    /// Begins to follow the Kubernetes API: its list takes as long as what else there is to do before a server can be there.
    pub(super) fn begin(&self) {
        if let (Self::Kubernetes(pods, _, begun), Ok(runtime)) = (self, Handle::try_current()) {
            begun.put(runtime.spawn(Arc::clone(pods).watch(Arc::default())));
        }
    }

    /// Which addresses are on this node, as far as the pods tell; `None` where there are none.
    pub(super) fn nodes(&self) -> Option<Arc<dyn Nodes>> {
        let (pods, status) = match self {
            Self::Other => return None,
            Self::File(file) => (file.pods(), None),
            Self::Kubernetes(pods, ..) => (pods.pods(), Some(Arc::clone(pods.status()))),
            Self::Podstamp(pods, _) => (pods.pods(), Some(Arc::clone(pods.status()))),
        };
        let own = OwnPlace::of_process(&Surroundings::of_process());
        Some(Arc::new(PodNodes::new(pods.clone(), status, own)))
    }

    /// Whether clients have to wait until all pods are known.
    pub(super) fn makes_clients_wait(&self) -> bool {
        match self {
            Self::Other | Self::File(_) => false,
            Self::Kubernetes(_, waiting, _) | Self::Podstamp(_, waiting) => waiting.makes_clients_wait,
        }
    }

    /// Waits until the pods are there. False if they have not come in time.
    pub(super) async fn load(&self) -> bool {
        match self {
            Self::Other | Self::File(_) => true,
            Self::Kubernetes(pods, waiting, _) => {
                waiting.load(pods.status(), Arc::clone(pods).watch(Arc::default())).await
            }
            Self::Podstamp(pods, waiting) => {
                let following = Arc::clone(pods).follow(Arc::default(), Arc::default());
                waiting.load(pods.status(), following).await
            }
        }
    }

    /// Follows the source for as long as the server runs, and tells when its pods are there.
    pub(super) fn accompany(&self, config: &Config, server: &mut Server, instruments: &Instruments) {
        let Instruments { metrics, notices, readiness, listings, .. } = instruments;
        let pipeline = config.traces.pipeline.clone();
        let turns_away = move |pod: &Pod| pipeline.turns_away(pod);
        match self {
            Self::Other => readiness.pods_loaded(),
            Self::File(file) => {
                file.show(metrics);
                listings.show(file.pods().clone(), turns_away);
                let told = Arc::clone(file);
                listings.tell_state(move || state_of_file(&told));
                server.accompany(tokio::spawn(Arc::clone(file).watch()));
                readiness.pods_loaded();
            }
            Self::Kubernetes(pods, waiting, begun) => {
                pods.show(metrics);
                listings.show(pods.pods().clone(), turns_away);
                let status = Arc::clone(pods.status());
                listings.tell_state(move || state_of("the Kubernetes API", &status));
                let watching = begun.take();
                let watch = || tokio::spawn(Arc::clone(pods).watch(Arc::clone(notices)));
                server.accompany(watching.unwrap_or_else(watch));
                server.accompany(waiting.tell_when_loaded(pods.status(), instruments));
            }
            Self::Podstamp(pods, waiting) => {
                pods.pods().show(metrics);
                pods.status().show(metrics);
                listings.show(pods.pods().clone(), turns_away);
                let (url, status) = (format!("the podstamp at {}", pods.url()), Arc::clone(pods.status()));
                listings.tell_state(move || state_of(&url, &status));
                let following = Arc::clone(pods).follow(Arc::clone(metrics), Arc::clone(notices));
                server.accompany(tokio::spawn(following));
                server.accompany(waiting.tell_when_loaded(pods.status(), instruments));
            }
        }
    }
}

impl Begun {
    fn put(&self, task: JoinHandle<()>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(task);
    }

    fn take(&self) -> Option<JoinHandle<()>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

impl Drop for Begun {
    fn drop(&mut self) {
        if let Some(task) = self.take() {
            task.abort();
        }
    }
}

impl Waiting {
    fn of(kubernetes: &Kubernetes) -> Self {
        Self {
            makes_clients_wait: kubernetes.wait_for_metadata,
            patience: milliseconds(kubernetes.wait_for_metadata_timeout),
        }
    }

    /// Waits until the pods are there, which `following` gets. False if they have not come in time.
    async fn load(self, status: &SourceStatus, following: impl Future<Output = ()>) -> bool {
        let loaded = async {
            tokio::select! {
                () = following => (),
                () = status.wait_loaded() => (),
            }
        };
        tokio::time::timeout(self.patience, loaded).await.is_ok()
    }

    /// Tells when the pods have come or, unless clients have to wait for them, when that has taken too long.
    fn tell_when_loaded(self, status: &Arc<SourceStatus>, instruments: &Instruments) -> JoinHandle<()> {
        let (status, readiness) = (Arc::clone(status), Arc::clone(&instruments.readiness));
        let notices = Arc::<Notices>::clone(&instruments.notices);
        let asked = Arc::clone(&status);
        readiness.ask_for_pods_trouble(move || asked.trouble().map(SourceFailure::describe));
        tokio::spawn(async move {
            if tokio::time::timeout(self.patience, status.wait_loaded()).await.is_err() {
                notices.warn("pods-not-loaded", || late(self.patience, self.makes_clients_wait));
                if self.makes_clients_wait {
                    status.wait_loaded().await;
                }
            }
            readiness.pods_loaded();
        })
    }
}

/// How a source of pods that is elsewhere does, for people.
fn state_of(source: &str, status: &SourceStatus) -> SourceState {
    let (trouble, loaded) = (status.trouble(), status.is_loaded());
    let state = match trouble {
        Some(trouble) => trouble.describe(),
        None if loaded => "following",
        None => "loading",
    };
    SourceState {
        known: 0,
        source: source.to_owned(),
        state: state.to_owned(),
        age_seconds: tenths(status.age()),
        healthy: loaded && trouble.is_none(),
    }
}

/// How a pods file does, for people.
fn state_of_file(file: &PodsFile) -> SourceState {
    let healthy = !file.is_failing();
    let state = if healthy { "following" } else { "the file has become unusable: the pods of before stay" };
    SourceState {
        known: 0,
        source: format!("the file {}", file.path().display()),
        state: state.to_owned(),
        age_seconds: tenths(file.age()),
        healthy,
    }
}

fn tenths(time: Duration) -> f64 {
    (time.as_secs_f64() * 10.0).round() / 10.0
}

fn late(patience: Duration, waits: bool) -> String {
    let seconds = patience.as_secs_f32();
    if waits {
        format!(
            "the pods have not come within {seconds} s: clients are told to come again until they are here \
             (`wait_for_metadata`)"
        )
    } else {
        format!(
            "the pods have not come within {seconds} s: clients are served without them until they are here, so that \
             addresses may stay unknown"
        )
    }
}

/// Whom a configuration has asked for pods, and what the operator should know about that. `file`: one that goes ahead of the
/// configuration. An error where its processors do not agree on how to ask.
pub fn choose_pods(
    config: &Config,
    file: Option<PathBuf>,
    surroundings: &Surroundings,
) -> Result<(PodsChoice, Option<Notice>), Fault> {
    let kubernetes = || config.kubernetes().map(|kubernetes| PodsChoice::Kubernetes(Box::new(kubernetes)));
    let choice = match (file, &config.pods.from) {
        (Some(path), _) => PodsChoice::File(path),
        (None, Some(PodsFrom::File(path))) => PodsChoice::File(PathBuf::from(path)),
        (None, Some(PodsFrom::Kubernetes)) => kubernetes()?,
        (None, Some(PodsFrom::Podstamp { url, tls, auth })) => {
            PodsChoice::Podstamp { url: url.clone(), tls: tls.clone(), auth: auth.clone() }
        }
        (None, None) if !config.looks_up_pods() => PodsChoice::Nobody,
        (None, None) => {
            let asked = config.kubernetes()?;
            if asked.auth_type != Some(AuthType::KubeConfig) && !surroundings.are_in_cluster() {
                return Ok((PodsChoice::Nobody, Some(no_pods())));
            }
            PodsChoice::Kubernetes(Box::new(asked))
        }
    };
    Ok((choice, None))
}

fn no_pods() -> Notice {
    Notice {
        level: Level::Info,
        key: "no-pods".into(),
        message: "no pods are known: this process runs in no cluster. Set `auth_type: kubeConfig` in \
                  processors.k8sattributes, or podstamp.pods.file"
            .to_owned(),
    }
}

fn file_settings(config: &Config) -> pods::Settings {
    pods::Settings {
        kept_keys: config.kept_keys(),
        coverage: coverage(config, true),
        ..pods::Settings::default()
    }
}

fn remote_settings(
    config: &Config,
    url: String,
    tls: Option<ClientTls>,
    auth: Option<ClientAuth>,
) -> remote::Settings {
    let of_flag = |covers: bool| if covers { Coverage::Cluster } else { Coverage::Part };
    // People ask for more than rules do, and what pods share costs next to nothing; labels and annotations are another matter.
    let cheap = Fields::ALL.without(Field::Labels).without(Field::Annotations);
    remote::Settings {
        url,
        tls,
        auth,
        fields: config.fields().union(cheap),
        kept_keys: config.kept_keys(),
        coverage: config.pods.covers_cluster.map(of_flag),
    }
}

/// Which pods a table knows. `is_all`: what the source itself says.
fn coverage(config: &Config, is_all: bool) -> Coverage {
    if config.pods.covers_cluster.unwrap_or(is_all) { Coverage::Cluster } else { Coverage::Part }
}

#[cfg(test)]
mod tests {
    use podstamp_core::directory::{Details, Lookup, Term};
    use podstamp_test_support::PATIENCE;
    use podstamp_test_support::kubernetes::ScriptedApi;
    use serde_json::{Value, json};

    use super::*;

    fn config(processor: Value, pods: Value) -> Config {
        let mut document: Value = serde_json::from_str(config::DEFAULT_DOCUMENT).unwrap();
        document["processors"]["k8sattributes"] = processor;
        document["podstamp"]["pods"] = pods;
        config::parse(&document).unwrap()
    }

    fn chosen(processor: Value, pods: Value, in_cluster: bool) -> String {
        let surroundings = Surroundings {
            host: in_cluster.then(|| "10.0.0.1".to_owned()),
            port: in_cluster.then(|| "443".to_owned()),
            ..Surroundings::default()
        };
        match choose_pods(&config(processor, pods), None, &surroundings) {
            Ok((PodsChoice::Nobody, None)) => "nobody".to_owned(),
            Ok((PodsChoice::Nobody, Some(notice))) => format!("nobody, {}", notice.key),
            Ok((PodsChoice::File(path), _)) => format!("file {}", path.display()),
            Ok((PodsChoice::Kubernetes(kubernetes), _)) => format!("kubernetes {:?}", kubernetes.auth_type),
            Ok((PodsChoice::Podstamp { url, .. }, _)) => format!("podstamp {url}"),
            Err(fault) => fault.to_string(),
        }
    }

    #[test]
    fn pods_come_from_where_the_document_says() {
        for in_cluster in [false, true] {
            let from = |pods| chosen(json!({}), pods, in_cluster);
            assert_eq!(from(json!({"file": "/pods.json"})), "file /pods.json");
            assert_eq!(from(json!({"from": "kubernetes"})), "kubernetes Some(ServiceAccount)");
            assert_eq!(
                from(json!({"from": "http://podstamp-pods:8888"})),
                "podstamp http://podstamp-pods:8888"
            );
        }
    }

    #[test]
    fn without_a_word_pods_come_from_the_api_where_it_can_be_reached() {
        let unsaid = |processor, in_cluster| chosen(processor, json!({}), in_cluster);
        assert_eq!(unsaid(json!({}), true), "kubernetes Some(ServiceAccount)");
        assert_eq!(unsaid(json!({}), false), "nobody, no-pods");
        assert_eq!(unsaid(json!({"auth_type": "kubeConfig"}), false), "kubernetes Some(KubeConfig)");
        assert_eq!(unsaid(json!({"passthrough": true}), true), "nobody");
    }

    #[test]
    fn a_file_of_the_command_line_goes_ahead() {
        let config = config(json!({"auth_type": "kubeConfig"}), json!({"from": "kubernetes"}));
        let (choice, _) = choose_pods(&config, Some("/other.json".into()), &Surroundings::default()).unwrap();
        assert_eq!(choice, PodsChoice::File("/other.json".into()));
    }

    #[tokio::test]
    async fn the_api_is_followed_from_the_beginning_where_a_program_says_so_and_no_longer_than_it_is_there() {
        let api =
            ScriptedApi::serve(&[json!({"metadata": {"name": "cart-0"}, "status": {"podIP": "10.0.0.1"}})]);
        let kube_config = api.config().display().to_string();
        let processor = json!({"auth_type": "kubeConfig", "kube_config_path": kube_config});
        let config = config(processor, json!({}));
        let open = || Source::open(&config, None, None, Surroundings::default()).unwrap();
        let (source, directory, _) = open();
        source.begin();
        let Source::Kubernetes(pods, ..) = &source else { panic!() };
        let loaded = tokio::time::timeout(PATIENCE, pods.status().wait_loaded()).await;
        assert!(loaded.is_ok());
        let found = directory.find(&[Term::Ip([10, 0, 0, 1].into())], Details::default());
        assert!(matches!(found, Lookup::Found(pod) if pod.name == "cart-0"));
        let Source::Kubernetes(.., begun) = &source else { panic!() };
        let watching = begun.take().unwrap();
        assert!(!watching.is_finished());
        begun.put(watching);
        let watched = Arc::downgrade(pods);
        drop((source, directory));
        let ended = async {
            while watched.strong_count() > 0 {
                tokio::time::sleep(Duration::from_millis(2)).await;
            }
        };
        assert!(tokio::time::timeout(PATIENCE, ended).await.is_ok(), "it is watched still");

        // Whoever does not say so asks nobody.
        let lists = api.lists();
        drop(open());
        assert_eq!(api.lists(), lists);
    }

    #[test]
    fn a_table_covers_the_cluster_unless_a_filter_or_the_document_says_otherwise() {
        let covers = |pods, is_all| coverage(&config(json!({}), pods), is_all) == Coverage::Cluster;
        assert!(covers(json!({}), true) && !covers(json!({}), false));
        assert!(covers(json!({"covers_cluster": true}), false));
        assert!(!covers(json!({"covers_cluster": false}), true));
    }
}
