//! `podstamp.proxy_wasm`: settings of the module in Envoy and other proxy-wasm hosts.

use crate::config::document::Entry;

/// Settings of the proxy-wasm module.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProxyWasm {
    /// What becomes of a request.
    pub mode: Mode,
    /// Key of the filter state that holds the address of the direct peer, which nobody can forge.
    pub peer: String,
    /// Where pods come from. `None`: the module knows none.
    pub pods: Option<PodsSource>,
}

/// What becomes of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Mode {
    /// A request goes to the agent, by the route that its new path has.
    Inline,
    /// A request goes on as it came, and a stamped copy goes to the agent.
    Tee {
        /// Name of the agent's cluster.
        cluster: String,
    },
}

/// A podstamp whose admin listener hands out its pods.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PodsSource {
    /// Name of its cluster.
    pub cluster: String,
    /// The `Host` to ask for.
    pub authority: String,
    /// Milliseconds between two questions.
    pub interval: u32,
}

impl Default for ProxyWasm {
    fn default() -> Self {
        Self { mode: Mode::Inline, peer: DEFAULT_PEER.to_owned(), pods: None }
    }
}

pub(crate) fn read_proxy_wasm(entry: &Entry<'_>) -> ProxyWasm {
    let mut section = entry.section();
    let tee = section.take("mode").choice(&[("inline", false), ("tee", true)]).unwrap_or_default();
    let cluster = section.take("cluster");
    let peer = section.take("peer").filled_text().unwrap_or_else(|| DEFAULT_PEER.to_owned());
    let pods = read_pods(&section.take("pods"));
    section.close();
    let mode = match (tee, cluster.filled_text()) {
        (true, Some(cluster)) => Mode::Tee { cluster },
        (true, None) => {
            cluster.fault("is missing: which of the proxy's clusters is deepflow-agent?");
            Mode::Inline
        }
        (false, named) => {
            if named.is_some() {
                cluster
                    .no_effect("a request goes where its route says; `mode: tee` sends copies to a cluster");
            }
            Mode::Inline
        }
    };
    ProxyWasm { mode, peer, pods }
}

fn read_pods(entry: &Entry<'_>) -> Option<PodsSource> {
    let mut section = entry.section();
    let cluster = section.take("cluster");
    let authority = section.take("authority").filled_text().unwrap_or_else(|| DEFAULT_AUTHORITY.to_owned());
    let interval = section.take("interval");
    section.close();
    entry.value()?;
    let period = interval.duration().unwrap_or(DEFAULT_INTERVAL);
    if period < MIN_INTERVAL {
        interval.fault("is under a second, and every worker of the proxy asks that often");
    }
    let Some(cluster) = cluster.filled_text() else {
        cluster.fault("is missing: which of the proxy's clusters is podstamp's admin listener?");
        return None;
    };
    Some(PodsSource { cluster, authority, interval: period })
}

/// The key that the examples set with Envoy's `set_filter_state`.
const DEFAULT_PEER: &str = "podstamp.peer";

const DEFAULT_AUTHORITY: &str = "podstamp";

/// Milliseconds. A pod's spans come seconds after its address at the earliest.
const DEFAULT_INTERVAL: u32 = 10_000;

const MIN_INTERVAL: u32 = 1_000;

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::config::document::Findings;

    fn read_all(document: &Value) -> Result<ProxyWasm, Vec<String>> {
        let findings = Findings::default();
        let read = read_proxy_wasm(&Entry::root(document, &findings));
        match findings.conclude() {
            Ok(_) => Ok(read),
            Err(faults) => Err(faults.into_iter().map(|fault| fault.path).collect()),
        }
    }

    #[test]
    fn without_a_section_requests_are_changed_where_they_are() {
        assert_eq!(read_all(&json!(null)), Ok(ProxyWasm::default()));
        assert_eq!(read_all(&json!({"mode": "inline", "pods": null})), Ok(ProxyWasm::default()));
    }

    #[test]
    fn copies_and_pods_come_by_clusters() {
        let document = json!({
            "mode": "tee", "cluster": "agent", "peer": "my.peer", "pods": {"cluster": "podstamp", "interval": "30s"},
        });
        let pods = PodsSource { cluster: "podstamp".into(), authority: "podstamp".into(), interval: 30_000 };
        let mode = Mode::Tee { cluster: "agent".into() };
        assert_eq!(read_all(&document), Ok(ProxyWasm { mode, peer: "my.peer".into(), pods: Some(pods) }));
    }

    #[test]
    fn what_is_missing_or_too_often_is_a_fault() {
        for (document, expected) in [
            (json!({"mode": "tee"}), vec!["cluster"]),
            (json!({"mode": "both"}), vec!["mode"]),
            (json!({"pods": {}}), vec!["pods.cluster"]),
            (json!({"pods": {"cluster": "a", "interval": "100ms"}}), vec!["pods.interval"]),
            (json!({"pods": {"clutser": "a"}, "modus": 1}), vec!["pods.clutser", "modus", "pods.cluster"]),
        ] {
            let mut expected = expected;
            expected.sort_unstable();
            let mut faults = read_all(&document).unwrap_err();
            faults.sort_unstable();
            assert_eq!(faults, expected, "{document}");
        }
    }
}
