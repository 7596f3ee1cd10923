//! Checks the order of processors: whether what one reads has been written by then.

use crate::attributes::{HOST_IP, POD_IP};
use crate::config::document::Findings;
use crate::guard::Rules;
use crate::interface::Level;
use crate::pipeline::Step;
use crate::processors::k8sattributes::Kubernetes;
use crate::processors::resource::Action;
use crate::signal::Signal;

/// Says where a step reads what only a later one writes, and where nobody writes it.
///
/// `steps`: each with its path, for example `processors.resource/pre`.
pub(crate) fn check_order(steps: &[(&str, Step)], rules: &Rules, signal: Signal, findings: &Findings) {
    for (index, (path, step)) in steps.iter().enumerate() {
        let Step::Resource(actions) = step else {
            continue;
        };
        for (number, action) in actions.iter().enumerate() {
            let Some(attribute) = action.reads() else {
                continue;
            };
            let path = format!("{path}.attributes[{number}].from_attribute");
            let (ahead, behind) = steps.split_at(index);
            let written = is_written(ahead, attribute)
                || actions.iter().take(number).any(|action| action.writes() == Some(attribute));
            if !written && let Some(later) = writers(behind, attribute).next() {
                let message = format!(
                    "`{attribute}` is written by `{}`, which runs after this: processors run in the order of \
                     service.pipelines.{}.processors, so put `{}` ahead",
                    id(later),
                    signal.name(),
                    id(later)
                );
                findings.notice(Level::Warning, "config-order", &path, &message);
            } else if stamps_pod_ip(action) {
                check_stamp(steps, rules, signal, &path, findings);
            }
        }
    }
}

/// DeepFlow's simple configuration: nobody extracts what is to be stamped.
fn check_stamp(steps: &[(&str, Step)], rules: &Rules, signal: Signal, path: &str, findings: &Findings) {
    let mut steps = steps.iter().filter_map(|(_, step)| match step {
        Step::Kubernetes(kubernetes) => Some(kubernetes),
        Step::Resource(_) => None,
    });
    let Some(first) = steps.next() else { return };
    if std::iter::once(first)
        .chain(steps)
        .any(|kubernetes| kubernetes.passthrough || kubernetes.extraction.ip)
    {
        return;
    }
    let why = "no k8sattributes has k8s.pod.ip under extract.metadata";
    if rules.repair_host_ip {
        let message = format!(
            "{why}: a Collector from v0.140.0 on would insert nothing (contrib#43862); the guard stamps it instead"
        );
        findings.notice(Level::Info, "config-pod-ip", path, &message);
    } else {
        let what = match signal {
            Signal::Traces => "nothing is inserted".to_owned(),
            Signal::Metrics | Signal::Logs => format!("nothing is inserted into {}", signal.name()),
        };
        let message = format!("{why}, so that {what} where a resource does not bring it (contrib#43862)");
        findings.notice(Level::Warning, "config-pod-ip", path, &message);
    }
}

fn stamps_pod_ip(action: &Action) -> bool {
    action.reads() == Some(POD_IP) && action.writes() == Some(HOST_IP)
}

/// Paths of the `k8sattributes` steps that write an attribute.
fn writers<'s>(steps: &'s [(&'s str, Step)], attribute: &'s str) -> impl Iterator<Item = &'s str> {
    steps.iter().filter_map(move |(path, step)| match step {
        Step::Kubernetes(kubernetes) if writes(kubernetes, attribute) => Some(*path),
        Step::Kubernetes(_) | Step::Resource(_) => None,
    })
}

/// Whether any step writes an attribute.
fn is_written(steps: &[(&str, Step)], attribute: &str) -> bool {
    writers(steps, attribute).next().is_some()
        || steps.iter().any(|(_, step)| match step {
            Step::Resource(actions) => actions.iter().any(|action| action.writes() == Some(attribute)),
            Step::Kubernetes(_) => false,
        })
}

/// `k8s.pod.ip` counts as written in any case: whoever reads it expects it from there.
fn writes(kubernetes: &Kubernetes, attribute: &str) -> bool {
    attribute == POD_IP || !kubernetes.passthrough && kubernetes.extraction.writes(attribute)
}

fn id(path: &str) -> &str {
    path.strip_prefix("processors.").unwrap_or(path)
}
