//! All checks, in their order. What one finds out goes on to the next; where one failed that others build on, those are
//! skipped and say so.

use podstamp::pods::kubernetes::client;
use podstamp_core::config::{Config, Kubernetes, Selector};

use super::Doctor;
use super::agent::answers::{self, Place};
use super::agent::locate::{self, Name, Upstream};
use super::agent::settings::Settings;
use super::agent::{self, Agent, endpoints, nodes, port, service, settings};
use super::check;
use super::clock;
use super::configuration::{self, Read, Source};
use super::finding::{Finding, State};
use super::kubernetes::installation::Installation;
use super::kubernetes::{Api, api, credentials, permissions, pods};
use super::report::Report;
use super::running::{self, Running};
use super::span::{self, Way};
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
    upstream: Upstream,
    api_clock: Option<Dated>,
    agent_clock: Option<Option<Dated>>,
    agent_url: Option<String>,
    takes_traces: bool,
}

impl<'e> Examination<'e> {
    /// Reads the configuration and meets the API server, in the order in which one leads to the other.
    async fn begin(options: &'e Doctor, process: &'e Process) -> Self {
        let files = (!options.config.is_empty()).then_some(&*options.config);
        let named = files.map(|files| {
            // Where it runs is not known before the kubeconfig that it may name.
            let preliminary = configuration::read_files(files, Standpoint::Outside);
            Standpoint::new(options, process, preliminary.config.as_ref())
        });
        let standpoint = named.unwrap_or_else(|| Standpoint::new(options, process, None));
        let read = files.map(|files| configuration::read_files(files, standpoint));
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
            upstream: Upstream::Unknown,
            api_clock: None,
            agent_clock: None,
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
            // What cannot be found is not named by later checks.
            let namespace = self.namespace();
            self.installation = Installation::find(&api, namespace.as_deref()).await.unwrap_or_default();
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

    fn source(&self) -> Option<Source> {
        // A podstamp whose ConfigMap was read runs in the cluster, wherever this runs.
        let is_in_cluster = self.standpoint == Standpoint::Inside || !self.installation.pods.is_empty();
        self.config().map(|config| configuration::source(config, is_in_cluster))
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

    async fn kubernetes(&self, report: &mut Report<'_>) {
        let rest = [check::CREDENTIALS, check::PERMISSIONS, check::PODS];
        let Some(finding) = &self.api_finding else {
            let is_needed = self.source() == Some(Source::Kubernetes);
            report.add(check::API, no_cluster(is_needed));
            report.skip_all(&rest, check::API);
            return;
        };
        report.add(check::API, finding.clone());
        let Some(finding) = &self.credentials_finding else {
            report.skip_all(&rest, check::API);
            return;
        };
        report.add(check::CREDENTIALS, finding.clone());
        let (Some(api), Some(user)) = (&self.api, &self.user) else {
            report.skip_all(&[check::PERMISSIONS, check::PODS], check::CREDENTIALS);
            return;
        };
        let selector = self.selector();
        let elsewhere = match self.source() {
            Some(Source::File(path)) => Some(format!("the file {path}")),
            Some(Source::Podstamp(url)) => Some(format!("the podstamp at {url}")),
            Some(Source::Nowhere) => Some("nowhere".to_owned()),
            Some(Source::Kubernetes) | None => None,
        };
        if let Some(elsewhere) = elsewhere {
            report
                .add(check::PERMISSIONS, Finding::skipped(format!("not needed: pods come from {elsewhere}")));
        } else {
            let account = self.podstamps_account();
            let namespace = selector.namespace.as_deref();
            report.add(check::PERMISSIONS, permissions::check(api, user, account.as_ref(), namespace).await);
        }
        let node = self.node(api).await;
        report.add(check::PODS, pods::check(api, &selector, node.as_deref()).await);
    }

    /// podstamp's ServiceAccount, where somebody else asks.
    fn podstamps_account(&self) -> Option<super::kubernetes::installation::ServiceAccount> {
        let own = self.config().and_then(|config| config.kubernetes().ok()?.kube_config_path);
        let asks_for_itself = self.standpoint == Standpoint::Inside || own.is_some();
        if asks_for_itself { None } else { self.installation.service_account() }
    }

    fn selector(&self) -> Selector {
        let kubernetes = self.config().and_then(|config| config.kubernetes().ok());
        kubernetes.map(|kubernetes| kubernetes.selector).unwrap_or_default()
    }

    /// The node of the pod that this runs in.
    async fn node(&self, api: &Api) -> Option<String> {
        if self.standpoint != Standpoint::Inside {
            return None;
        }
        let (namespace, name) = (self.process.namespace.as_ref()?, self.process.pod.as_ref()?);
        let path = format!("/api/v1/namespaces/{namespace}/pods/{name}");
        let pod = api.get::<super::kubernetes::objects::Pod>(&path).await.ok()?;
        pod.node().map(str::to_owned)
    }

    async fn agent(&mut self, report: &mut Report<'_>) {
        let wanted = locate::wanted(self.options, &self.upstream);
        let url = self.config().map(|config| config.traces.exporter.url.clone());
        let place = answers::place(self.options, self.standpoint, &self.upstream, url.as_deref(), &wanted);
        // First, since its answer settles what others can only guess.
        let (answers, probed) = answers::check(&place, &self.installation, self.standpoint).await;
        self.takes_traces = answers.state == State::Fine;
        if let (Place::Url { url, .. }, true) = (&place, self.takes_traces) {
            self.agent_url = Some(url.clone());
        }
        self.agent_clock = probed.map(|probed| probed.dated);
        self.in_cluster(&wanted, report).await;
        report.add(check::AGENT, answers);
    }

    /// What the cluster has of the agent.
    async fn in_cluster(&self, wanted: &Name, report: &mut Report<'_>) {
        let by_service =
            [check::AGENT_SETTINGS, check::AGENT_PORT, check::AGENT_ENDPOINTS, check::AGENT_TRAFFIC_POLICY];
        let Some(api) = &self.api else {
            let because_of = if self.credentials_finding.is_some() { check::CREDENTIALS } else { check::API };
            report.skip(check::AGENT_SERVICE, because_of);
            report.skip_all(&by_service, check::AGENT_SERVICE);
            report.skip(check::AGENT_NODES, because_of);
            return;
        };
        let is_named = self.options.agent_service.is_some() || self.options.agent_namespace.is_some();
        if let (Upstream::Other(url), false) = (&self.upstream, is_named) {
            let why = format!("the configuration sends traces to {url}, which is no deepflow-agent");
            report.add(check::AGENT_SERVICE, Finding::skipped(why));
            report.skip_all(&by_service, check::AGENT_SERVICE);
            report.skip(check::AGENT_NODES, check::AGENT_SERVICE);
            return;
        }
        let (finding, agent) = service::find(api, wanted, &self.upstream).await;
        let finding = if finding.state == State::Skipped { self.elsewhere(finding) } else { finding };
        let is_gone = finding.state == State::Failed;
        report.add(check::AGENT_SERVICE, finding);
        let Some(agent) = agent else {
            report.skip_all(&by_service, check::AGENT_SERVICE);
            if is_gone {
                report.skip(check::AGENT_NODES, check::AGENT_SERVICE);
            } else {
                let agents = service::agents(api, None, None).await;
                report.add(check::AGENT_NODES, self.nodes(agents.as_deref(), false));
            }
            return;
        };
        let (finding, settings): (Finding, Settings) = settings::check(api, &agent).await;
        report.add(check::AGENT_SETTINGS, finding);
        report.add(check::AGENT_PORT, port::check(&agent, &self.upstream, &settings, self.takes_traces));
        report.add(check::AGENT_ENDPOINTS, endpoints::check(&agent));
        report.add(check::AGENT_TRAFFIC_POLICY, service::check_traffic_policy(&agent, &self.upstream));
        report.add(check::AGENT_NODES, self.nodes_of(&agent));
    }

    fn nodes_of(&self, agent: &Agent) -> Finding {
        let is_local = agent.service.spec.internal_traffic_policy.as_deref() == Some("Local")
            && !matches!(self.upstream, Upstream::Host(_));
        self.nodes(agent.pods.as_deref(), is_local)
    }

    fn nodes(
        &self,
        agents: Result<&[super::kubernetes::objects::Pod], &podstamp::pods::kubernetes::Failure>,
        is_local: bool,
    ) -> Finding {
        match agents {
            Ok(agents) => nodes::check(agents, &self.installation.nodes(), is_local),
            Err(failure) => agent::unseen("the agent's pods", failure),
        }
    }

    /// What podstamp's ServiceAccount may not see, somebody else may.
    fn elsewhere(&self, finding: Finding) -> Finding {
        if self.standpoint == Standpoint::Inside {
            finding.advise("podstamp may see pods and nothing else, as it should be: run `podstamp doctor` where you have kubectl")
        } else {
            finding
        }
    }

    fn clocks(&self, report: &mut Report<'_>) {
        let is_podstamps = self.standpoint != Standpoint::Outside;
        match (self.api_clock, &self.api) {
            (Some(dated), _) => report.add(check::CLOCK_API, clock::judge(dated, is_podstamps)),
            (None, Some(_)) => report.add(check::CLOCK_API, Finding::skipped("it does not tell the time")),
            (None, None) => report.skip(check::CLOCK_API, check::API),
        }
        match self.agent_clock {
            Some(Some(dated)) => report.add(check::CLOCK_AGENT, clock::judge(dated, is_podstamps)),
            Some(None) => report.add(check::CLOCK_AGENT, Finding::skipped("it does not tell the time")),
            None => report.skip(check::CLOCK_AGENT, check::AGENT),
        }
    }

    async fn running(&self, report: &mut Report<'_>) -> Running {
        let admin = running::admin(self.options.admin.as_deref(), self.config(), self.standpoint);
        running::check(&admin, &self.installation, self.standpoint, report).await
    }

    async fn span(&self, running: Running, report: &mut Report<'_>) {
        if self.options.no_span {
            report.add(check::SPAN, Finding::skipped("none is sent with --no-span"));
            return;
        }
        let through = match running {
            // It may be anywhere, but for its admin listener.
            Running::Ready if self.standpoint != Standpoint::Outside => self.config().map(span::receiver),
            _ => None,
        };
        match (through, &self.agent_url) {
            (Some(Ok(receiver)), _) => report.add(check::SPAN, span::send(&Way::Podstamp(receiver)).await),
            (other, Some(url)) => {
                let sent = match crate::check::probe::read_target(url) {
                    Ok(target) => span::send(&Way::Agent(target)).await,
                    Err(why) => Finding::skipped(why),
                };
                let sent = match other {
                    Some(Err(why)) => sent.detail(format!("not through podstamp: {why}")),
                    _ => sent,
                };
                report.add(check::SPAN, sent);
            }
            (_, None) => report.skip(check::SPAN, check::AGENT),
        }
    }
}

fn no_cluster(is_needed: bool) -> Finding {
    let why = "this process runs in no cluster, and there is no kubeconfig";
    if is_needed {
        Finding::failed(
            format!("{why}, and pods are to come from there"),
            "name a kubeconfig with --kubeconfig",
        )
    } else {
        Finding::skipped(why).advise("name a kubeconfig with --kubeconfig to see a cluster")
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
