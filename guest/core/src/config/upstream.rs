//! `podstamp.upstream`: how the upstream is met, whichever exporter it is.

use super::node::Node;

/// What holds for all upstreams.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Upstream {
    /// Connections at a time to each upstream; 0: any number. None: as its kind of upstream needs it.
    pub connections: Option<u32>,
}

impl Upstream {
    /// Connections for an upstream, 0: any number. `guarded`: deepflow-agent. Its threads change one table without a
    /// lock, so that two requests at a time may end it, and it numbers spans by connection, so that two of them mix up
    /// the metrics of pods (agent/src/integration_collector.rs, `flow_id`).
    pub(crate) fn connections(self, guarded: bool) -> u32 {
        self.connections.unwrap_or(u32::from(guarded))
    }
}

pub(crate) fn read(node: &Node<'_>) -> Upstream {
    let mut section = node.section();
    let upstream = Upstream { connections: section.take("connections").count() };
    section.close();
    upstream
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::findings::Findings;
    use super::*;

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
            let read = read(&Node::root(&document, &findings));
            assert_eq!(read.connections(guarded), expected, "{document}");
        }
        assert_eq!(findings.conclude(), Ok(vec![]));
    }

    #[test]
    fn what_is_no_number_or_no_key_is_a_fault() {
        let findings = Findings::default();
        read(&Node::root(&json!({"connections": "many", "connection": 1}), &findings));
        let paths: Vec<_> = findings.conclude().unwrap_err().into_iter().map(|fault| fault.path).collect();
        assert_eq!(paths, ["connections", "connection"]);
    }
}
