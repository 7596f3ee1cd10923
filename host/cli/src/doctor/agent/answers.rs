//! Whether an agent answers where spans go to, and takes traces.

use super::locate::{Name, Upstream};
use crate::check::probe::{self, Finding as Probing, Probed};
use crate::doctor::Doctor;
use crate::doctor::finding::Finding;
use crate::doctor::kubernetes::installation::Installation;
use crate::doctor::standpoint::Standpoint;

/// Where to ask, and whether the command line names it, so that it has to answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::doctor) enum Place {
    /// To be asked.
    Url { url: String, is_named: bool },
    /// An address of the cluster, which means nothing here: the Service.
    Within(Name, u16),
    /// It is no agent.
    Other(String),
}

/// Where the agent is to be asked from here.
pub(in crate::doctor) fn place(
    options: &Doctor,
    standpoint: Standpoint,
    upstream: &Upstream,
    url: Option<&str>,
    service: &Name,
) -> Place {
    if let Some(url) = &options.agent {
        return Place::Url { url: url.clone(), is_named: true };
    }
    let url = |other: String| url.map_or(other, str::to_owned);
    match upstream {
        Upstream::Other(url) => Place::Other(url.clone()),
        Upstream::Host(target) => {
            Place::Url { url: url(target.authority()), is_named: standpoint != Standpoint::Outside }
        }
        Upstream::Service { name, port } if standpoint == Standpoint::Outside => {
            Place::Within(name.clone(), *port)
        }
        Upstream::Unknown if standpoint == Standpoint::Outside => Place::Within(service.clone(), 80),
        Upstream::Service { name, port } => Place::Url { url: url(name.url(*port)), is_named: true },
        Upstream::Unknown => Place::Url { url: service.url(80), is_named: true },
    }
}

/// Asks the agent.
pub(in crate::doctor) async fn check(
    place: &Place,
    installation: &Installation,
    standpoint: Standpoint,
) -> (Finding, Option<Probed>) {
    match place {
        Place::Other(url) => {
            let why = format!("the configuration sends traces to {url}, which is no deepflow-agent");
            (Finding::skipped(why), None)
        }
        Place::Within(name, port) => (within(name, *port, installation), None),
        Place::Url { url, is_named } => {
            let probed = probe::probe(url).await;
            (judge(&probed, *is_named, standpoint), Some(probed))
        }
    }
}

fn within(name: &Name, port: u16, installation: &Installation) -> Finding {
    let why = format!("Service {name} has an address of the cluster, which this host is not in");
    let finding = Finding::skipped(why)
        .advise("run this again with --agent http://127.0.0.1:38086 while the first of these runs, or run it in podstamp's pod:")
        .command(format!("kubectl -n {} port-forward service/{} 38086:{port}", name.namespace, name.name));
    installation.exec().into_iter().fold(finding, Finding::command)
}

fn judge(probed: &Probed, is_named: bool, standpoint: Standpoint) -> Finding {
    let lines = |wanted: fn(&Probing) -> Option<String>| probed.findings.iter().filter_map(wanted);
    let mut wrong = lines(|finding| match finding {
        Probing::Wrong(line) => Some(line.clone()),
        _ => None,
    });
    let mut fine = lines(|finding| match finding {
        Probing::Fine(line) => Some(line.clone()),
        _ => None,
    });
    match wrong.next() {
        Some(line) if probed.is_unreached && !is_named => Finding::skipped(line),
        Some(line) => {
            let (what, advice) = line.split_once(". ").unwrap_or((&line, WHERE));
            let finding = Finding::failed(what, advice).details(fine);
            let is_disabled = what.contains("throws traces away");
            if is_disabled { finding.see(THROWN_AWAY) } else { finding }
        }
        None => {
            let first = fine.next().unwrap_or_default();
            let finding = Finding::fine(first).details(fine);
            // What `check --agent` says at length is told by the checks of its Service here.
            if standpoint == Standpoint::Alone { finding.detail(TOGETHER) } else { finding }
        }
    }
}

const WHERE: &str =
    "let `traces_endpoint` lead to the agent: http://deepflow-agent.deepflow/api/v1/otel/trace in a cluster";

const TOGETHER: &str =
    "let everything that sends to it go through one podstamp: requests of several senders at once may end it";

const THROWN_AWAY: &str = "docs/troubleshooting.md#the-agent-answers-200-and-keeps-nothing";
