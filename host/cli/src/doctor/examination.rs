//! All checks, in their order. What one finds out goes on to the next; where one failed that others build on, those are
//! skipped and say so.

mod agent;
mod kubernetes;
mod rest;

use podstamp::pods::kubernetes::client;
use podstamp_core::config::{Config, Fault, Kubernetes, Selector};

use super::Doctor;
use super::agent::locate::{self, Upstream};
use super::check;
use super::configuration::{self, Read, Source};
use super::finding::Finding;
use super::kubernetes::installation::Installation;
use super::kubernetes::{Api, api, credentials};
use super::report::Report;
use super::standpoint::{Process, Standpoint, access};
use crate::dated::Dated;

/// Checks everything that can be seen from here.
pub(super) async fn examine(options: &Doctor, process: &Process, report: &mut Report<'_>) {
    let mut examination = Examination::begin(options, process).await;
    examination.configuration(report);
    examination.kubernetes(report).await;
    examination.agent(report).await;
    examination.clocks(report);
    let running = examination.running(report).await;
    examination.span(running, report).await;
}

/// What is known so far.
struct Examination<'e> {
    options: &'e Doctor,
    process: &'e Process,
    standpoint: Standpoint,
    configuration: Read,
    /// What asking the API server first came to. `None`: there is no cluster.
    api_finding: Option<Finding>,
    api: Option<Api>,
    user: Option<credentials::User>,
    credentials_finding: Option<Finding>,
    installation: Installation,
    /// Where it was looked for; `None`: in all namespaces.
    searched: Option<String>,
    /// Why it could not be looked for.
    installed_failure: Option<String>,
    upstream: Upstream,
    api_clock: Option<Dated>,
    agent_clock: Option<Dated>,
    agent_answered: bool,
    /// Where an agent was seen to take traces.
    agent_url: Option<String>,
    takes_traces: bool,
}

impl<'e> Examination<'e> {
    /// Reads the configuration and meets the API server, in the order in which one leads to the other.
    async fn begin(options: &'e Doctor, process: &'e Process) -> Self {
        let files = (!options.config.is_empty()).then(|| configuration::Files::read(&options.config));
        // The document may name a kubeconfig, which decides where this runs.
        let preliminary = files.as_ref().map(|files| files.judge(Standpoint::Outside));
        let config = preliminary.as_ref().and_then(|read| read.config.as_ref());
        let standpoint = Standpoint::new(options, process, config);
        let read = files.map(|files| files.judge(standpoint));
        let mut examination = Examination {
            options,
            process,
            standpoint,
            configuration: Read { finding: Finding::skipped(""), config: None },
            api_finding: None,
            api: None,
            user: None,
            credentials_finding: None,
            installation: Installation::default(),
            searched: None,
            installed_failure: None,
            upstream: Upstream::Unknown,
            api_clock: None,
            agent_clock: None,
            agent_answered: false,
            agent_url: None,
            takes_traces: false,
        };
        let config = read.as_ref().and_then(|read| read.config.clone());
        if standpoint != Standpoint::Alone {
            examination.meet(config.as_ref()).await;
        }
        examination.configuration = match (read, &examination.api, standpoint) {
            (Some(read), ..) => read,
            (None, _, Standpoint::Alone) => configuration::default(standpoint),
            (None, Some(api), _) => configuration::read_config_maps(api, &examination.installation).await,
            (None, None, _) => Read {
                finding: Finding::skipped(
                    "no --config is given, and that of the podstamp in the cluster cannot be read",
                ),
                config: None,
            },
        };
        let own = examination.namespace();
        examination.upstream = locate::upstream(examination.configuration.config.as_ref(), own.as_deref());
        examination
    }

    /// Meets the API server, and looks for podstamp's pods there.
    async fn meet(&mut self, config: Option<&Config>) {
        let configured = config.and_then(|config| config.kubernetes().ok()).unwrap_or_else(unconfigured);
        let access = access(self.options, self.standpoint, configured);
        let connection = client::connect(&access, &self.process.surroundings).await;
        let (finding, reached) = api::reach(connection).await;
        self.api_finding = Some(finding);
        let Some(api::Reached { api, dated }) = reached else { return };
        self.api_clock = dated;
        let (finding, user) = credentials::check(&api, self.standpoint).await;
        self.credentials_finding = Some(finding);
        self.user = user;
        if self.user.is_some() {
            self.searched = self.namespace();
            match Installation::find(&api, self.searched.as_deref()).await {
                Ok(installation) => self.installation = installation,
                Err(failure) => self.installed_failure = Some(failure.message),
            }
            self.api = Some(api);
        }
    }

    /// podstamp's own namespace, as far as it is known.
    fn namespace(&self) -> Option<String> {
        let own = if self.standpoint == Standpoint::Inside { self.process.namespace.clone() } else { None };
        let found = || Some(self.installation.first()?.metadata.namespace.clone());
        self.options.namespace.clone().or(own).or_else(found)
    }

    fn config(&self) -> Option<&Config> {
        self.configuration.config.as_ref()
    }

    fn source(&self) -> Option<Result<Source, Fault>> {
        let mut surroundings = self.process.surroundings.clone();
        // A podstamp whose ConfigMap was read runs in the cluster, wherever this runs.
        if self.options.config.is_empty() && !self.installation.pods.is_empty() {
            surroundings.host = Some("kubernetes.default".to_owned());
        }
        self.config().map(|config| configuration::source(config, &surroundings))
    }

    fn configuration(&self, report: &mut Report<'_>) {
        report.add(check::CONFIGURATION, self.configuration.finding.clone());
        let (Some(config), Some(source)) = (self.config(), self.source()) else {
            report.skip_all(&[check::PIPELINE, check::PODS_SOURCE], check::CONFIGURATION);
            return;
        };
        report.add(check::PIPELINE, configuration::pipeline(config));
        report.add(check::PODS_SOURCE, configuration::check_source(config, &source));
    }
}

/// How podstamp asks where no configuration says how.
fn unconfigured() -> Kubernetes {
    Kubernetes {
        auth_type: None,
        kube_config_path: None,
        context: None,
        selector: Selector::default(),
        wait_for_metadata: false,
        wait_for_metadata_timeout: 0,
        pod_delete_grace_period: 0,
        watch_sync_period: 0,
    }
}
