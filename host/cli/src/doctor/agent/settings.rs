//! What ConfigMaps say of the agent's integration: its switch and its port, by the keys of before v6.6 and of today.
//!
//! Most of the agent's settings come from DeepFlow's server, where nobody can be asked from here. What a ConfigMap says goes
//! for agents that run by themselves, and for keys that the server does not send.

use std::collections::BTreeSet;

use http::StatusCode;
use podstamp::pods::kubernetes::Failure;
use serde_json::Value;

use super::{Agent, DEFAULT_PORT, unseen};
use crate::doctor::finding::Finding;
use crate::doctor::kubernetes::Api;
use crate::doctor::kubernetes::objects::ConfigMap;

/// What is said of the integration.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(in crate::doctor) struct Settings {
    /// The key that switches the integration, and whether it is on.
    enabled: Option<(&'static str, bool)>,
    /// The key that switches traces off, and whether they are off.
    traces_disabled: Option<(&'static str, bool)>,
    /// Where it listens.
    pub(in crate::doctor) port: Option<u16>,
    /// Whether async-worker-thread-number is 1, so that requests cannot meet.
    single_thread: bool,
}

/// Reads the ConfigMaps that the agents mount.
pub(in crate::doctor) async fn check(api: &Api, agent: &Agent) -> (Finding, Settings) {
    let namespace = &agent.service.metadata.namespace;
    let pods = agent.pods.as_deref().unwrap_or_default();
    let volumes = pods.iter().flat_map(|pod| pod.spec.volumes.iter().flatten());
    let mut names: BTreeSet<_> =
        volumes.filter_map(|volume| Some(volume.config_map.as_ref()?.name.clone())).collect();
    // Kubernetes gives every namespace one of its own, and mounts it in every pod.
    names.remove("kube-root-ca.crt");
    if names.is_empty() {
        names.insert(DEFAULT_NAME.to_owned());
    }
    let mut settings = Settings::default();
    let mut read = Vec::new();
    for name in names {
        match api.get::<ConfigMap>(&format!("/api/v1/namespaces/{namespace}/configmaps/{name}")).await {
            Ok(map) => {
                map.data.iter().flatten().for_each(|(_, text)| settings.add(text));
                read.push(format!("{namespace}/{name}"));
            }
            Err(Failure { status: Some(StatusCode::NOT_FOUND), .. }) => {}
            Err(failure) => return (unseen("the agent's ConfigMap", &failure), settings),
        }
    }
    let place = match read.as_slice() {
        [] => {
            let why = format!("no ConfigMap of the agent's was found in namespace {namespace}");
            return (Finding::skipped(why), settings);
        }
        read => format!("ConfigMap {}", read.join(", ")),
    };
    (settings.judge(&place), settings)
}

impl Settings {
    /// Adds what a text says, if it is YAML at all.
    fn add(&mut self, text: &str) {
        let Ok(root) = serde_saphyr::from_str::<Value>(text) else { return };
        for root in [&root].into_iter().chain(root.get("static_config")).chain(root.get("global")) {
            let switch = |key| Some((key, as_flag(find(root, key)?)?));
            self.enabled = first(self.enabled, ENABLED, switch);
            self.traces_disabled = first(self.traces_disabled, TRACES_DISABLED, switch);
            let port = |key| u16::try_from(find(root, key)?.as_u64()?).ok();
            self.port = first(self.port, PORT, port);
            let threads = SINGLE_THREAD.iter().find_map(|key| find(root, key)?.as_u64());
            self.single_thread |= threads == Some(1);
        }
    }

    fn judge(&self, place: &str) -> Finding {
        if let Some((key, false)) = self.enabled {
            return Finding::failed(
                format!("the integration is switched off by {key} in {place}"),
                format!(
                    "set {key} to {}, here and in the agent group's configuration at DeepFlow's server",
                    on(key)
                ),
            );
        }
        if let Some((key, true)) = self.traces_disabled {
            return Finding::failed(
                format!("traces are switched off by {key} in {place}"),
                format!("set {key} to false and restart the agents: they answer 200 and throw traces away"),
            )
            .see(THROWN_AWAY);
        }
        let port = self.port.unwrap_or(DEFAULT_PORT);
        let said = match (self.enabled, self.port) {
            (None, None) => format!("{place} says nothing of it, so that it is on, at port {port}"),
            _ => format!("on, at port {port}, in {place}"),
        };
        let finding = Finding::fine(said).detail(
            "the agent group's configuration at DeepFlow's server goes ahead of it: `deepflow-ctl agent-group-config list`",
        );
        if self.single_thread {
            finding.detail("async-worker-thread-number is 1: requests of several senders cannot meet")
        } else {
            finding
        }
    }
}

/// What was found before, else what the first of the keys gives that gives anything.
fn first<T>(before: Option<T>, keys: &[&'static str], read: impl Fn(&'static str) -> Option<T>) -> Option<T> {
    before.or_else(|| keys.iter().find_map(|key| read(key)))
}

/// The value at a path of keys.
fn find<'v>(root: &'v Value, path: &str) -> Option<&'v Value> {
    path.split('.').try_fold(root, |value, key| value.get(key)).filter(|value| !value.is_null())
}

fn as_flag(value: &Value) -> Option<bool> {
    value.as_bool().or_else(|| value.as_u64().map(|number| number != 0))
}

fn on(key: &str) -> &'static str {
    if key.starts_with("external") { "1" } else { "true" }
}

const ENABLED: &[&str] = &["inputs.integration.enabled", "external_agent_http_proxy_enabled"];

const PORT: &[&str] = &["inputs.integration.listen_port", "external_agent_http_proxy_port"];

const TRACES_DISABLED: &[&str] =
    &["inputs.integration.feature_control.trace_integration_disabled", "external-trace-integration-disabled"];

const SINGLE_THREAD: &[&str] = &["async-worker-thread-number", "global.tunning.async_worker_thread_number"];

/// What DeepFlow's chart calls it.
const DEFAULT_NAME: &str = "deepflow-agent";

const THROWN_AWAY: &str = "docs/troubleshooting.md#the-agent-answers-200-and-keeps-nothing";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::finding::State;

    fn settings(text: &str) -> Settings {
        let mut settings = Settings::default();
        settings.add(text);
        settings
    }

    #[test]
    fn old_and_new_keys_say_the_same() {
        for text in [
            "external_agent_http_proxy_enabled: 0",
            "external_agent_http_proxy_enabled: false",
            "inputs: {integration: {enabled: false}}",
        ] {
            let finding = settings(text).judge("ConfigMap a/b");
            assert_eq!(finding.state, State::Failed, "{text}");
            assert!(
                finding.summary.starts_with("the integration is switched off by "),
                "{}",
                finding.summary
            );
        }
        for text in [
            "static_config: {external-trace-integration-disabled: true}",
            "external-trace-integration-disabled: true",
            "inputs: {integration: {feature_control: {trace_integration_disabled: true}}}",
        ] {
            let finding = settings(text).judge("ConfigMap a/b");
            assert_eq!((finding.state, finding.see), (State::Failed, Some(THROWN_AWAY)), "{text}");
        }
        for (text, port) in [
            ("external_agent_http_proxy_enabled: 1\nexternal_agent_http_proxy_port: 38087", Some(38087)),
            ("inputs: {integration: {enabled: true, listen_port: 39000}}", Some(39000)),
            ("controller-ips: [deepflow-server]", None),
            ("external_agent_http_proxy_port: 70000", None),
            ("a: [", None),
            ("", None),
        ] {
            let settings = settings(text);
            assert_eq!((settings.port, settings.judge("ConfigMap a/b").state), (port, State::Fine), "{text}");
        }
        assert!(settings("static_config: {async-worker-thread-number: 1}").single_thread);
    }
}
