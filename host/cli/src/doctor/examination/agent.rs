//! The checks of deepflow-agent.

use podstamp::pods::kubernetes::Failure;

use super::Examination;
use crate::doctor::agent::answers::{self, Place};
use crate::doctor::agent::locate::{self, Name, Upstream};
use crate::doctor::agent::{self, Agent, endpoints, nodes, port, service, settings};
use crate::doctor::check;
use crate::doctor::finding::{Finding, State};
use crate::doctor::kubernetes::objects::Pod;
use crate::doctor::report::Report;
use crate::doctor::standpoint::Standpoint;

impl Examination<'_> {
    pub(super) async fn agent(&mut self, report: &mut Report<'_>) {
        let wanted = locate::wanted(self.options, &self.upstream);
        let url = self.config().map(|config| config.traces.exporter.url.clone());
        let place = answers::place(self.options, self.standpoint, &self.upstream, url.as_deref(), &wanted);
        // First, since its answer settles what others can only guess.
        let (answers, probed) = answers::check(&place, &self.installation, self.standpoint).await;
        self.takes_traces = answers.state == State::Fine;
        if let (Place::Url { url, .. }, true) = (&place, self.takes_traces) {
            self.agent_url = Some(url.clone());
        }
        self.agent_answered = probed.as_ref().is_some_and(|probed| !probed.is_unreached);
        self.agent_clock = probed.and_then(|probed| probed.dated);
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
        let (finding, settings) = settings::check(api, &agent).await;
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

    fn nodes(&self, agents: Result<&[Pod], &Failure>, is_local: bool) -> Finding {
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
}
