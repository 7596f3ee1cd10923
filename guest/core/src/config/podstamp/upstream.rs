//! `podstamp.upstream`: how the upstream is met, whichever exporter it is.

use crate::config::document::Entry;

/// Settings that hold for all upstreams.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Upstream {
    /// Connections at a time to each upstream; 0: any number. `None`: as the kind of upstream needs it.
    pub connections: Option<u32>,
    /// Milliseconds in which a client gets its answer, whatever the upstream does, and after which an upstream that nobody
    /// reaches is away; 0: as long as the exporter's timeout.
    pub patience: u32,
    /// Milliseconds after which a connection is not used any more, give or take a tenth; 0: never.
    pub max_connection_age: u32,
    /// Whether the upstream on this node goes ahead of the others.
    pub prefer_local_node: bool,
}

impl Default for Upstream {
    fn default() -> Self {
        Self {
            connections: None,
            patience: DEFAULT_PATIENCE,
            max_connection_age: DEFAULT_MAX_CONNECTION_AGE,
            prefer_local_node: false,
        }
    }
}

impl Upstream {
    /// Connections for an upstream, 0: any number. `guarded`: deepflow-agent. Its threads change one table without a
    /// lock, so that two requests at a time may end it, and it numbers spans by connection, so that two of them mix up
    /// the metrics of pods (agent/src/integration_collector.rs, `flow_id`).
    pub(crate) fn connections(self, guarded: bool) -> u32 {
        self.connections.unwrap_or(u32::from(guarded))
    }
}

pub(crate) fn read_upstream(entry: &Entry<'_>) -> Upstream {
    let mut section = entry.section();
    let upstream = Upstream {
        connections: section.take("connections").count(),
        patience: section.take("patience").duration().unwrap_or(DEFAULT_PATIENCE),
        max_connection_age: section
            .take("max_connection_age")
            .duration()
            .unwrap_or(DEFAULT_MAX_CONNECTION_AGE),
        prefer_local_node: section.take("prefer_local_node").flag().unwrap_or_default(),
    };
    section.close();
    upstream
}

/// SDKs wait for 10 s, and an answer after that reaches nobody.
pub const DEFAULT_PATIENCE: u32 = 8_000;

/// A Service's new pods get their share within minutes, and a connection costs a millisecond.
const DEFAULT_MAX_CONNECTION_AGE: u32 = 300_000;

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::config::document::Findings;

    #[test]
    fn an_agent_gets_one_connection_and_others_any_number_unless_told_otherwise() {
        let findings = Findings::default();
        for (document, guarded, expected) in [
            (json!(null), true, 1),
            (json!(null), false, 0),
            (json!({"connections": null}), true, 1),
            (json!({"connections": 0}), true, 0),
            (json!({"connections": 4}), false, 4),
        ] {
            let read = read_upstream(&Entry::root(&document, &findings));
            assert_eq!(read.connections(guarded), expected, "{document}");
        }
        let patience = |document| read_upstream(&Entry::root(&document, &findings)).patience;
        assert_eq!(patience(json!(null)), DEFAULT_PATIENCE);
        assert_eq!(patience(json!({"patience": null})), DEFAULT_PATIENCE);
        assert_eq!(patience(json!({"patience": "0s"})), 0);
        assert_eq!(patience(json!({"patience": "20s"})), 20_000);
        assert_eq!(findings.conclude(), Ok(vec![]));
    }

    #[test]
    fn what_is_no_number_or_no_key_is_a_fault() {
        let findings = Findings::default();
        read_upstream(&Entry::root(
            &json!({"connections": "many", "patience": 8, "connection": 1}),
            &findings,
        ));
        let paths: Vec<_> = findings.conclude().unwrap_err().into_iter().map(|fault| fault.path).collect();
        assert_eq!(paths, ["connections", "patience", "connection"]);
    }
}
