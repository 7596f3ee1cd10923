//! `podstamp.guard`.

use crate::config::document::Entry;
use crate::guard::Rules;

/// `podstamp.guard`: rules that differ from those that the upstream implies.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Guard {
    enabled: Option<bool>,
    refuse_undecodable: Option<bool>,
    clear_span_kind: Option<bool>,
    require_host_ip: Option<bool>,
    repair_host_ip: Option<bool>,
    mark_unknown: Option<bool>,
    peer_family: Option<bool>,
    future_spans: Option<u32>,
    far_times: Option<bool>,
    long_names: Option<bool>,
    agent_memory: Option<u32>,
    spans_per_request: Option<u32>,
    mend_text: Option<bool>,
    check_full: Option<bool>,
}

impl Guard {
    /// Whether the guard is on for an upstream.
    pub(crate) fn is_on(self, is_agent: bool) -> bool {
        self.enabled.unwrap_or(is_agent)
    }

    /// The rules for metrics and logs, of which deepflow-agent gets nothing.
    pub(crate) fn further_rules(self) -> Rules {
        Rules { check_full: self.check_full.unwrap_or(Rules::OTHER.check_full), ..Rules::OTHER }
    }

    /// The rules for an upstream.
    pub(crate) fn rules(self, is_agent: bool) -> Rules {
        let implied = if self.is_on(is_agent) { Rules::AGENT } else { Rules::OTHER };
        Rules {
            refuse_undecodable: self.refuse_undecodable.unwrap_or(implied.refuse_undecodable),
            clear_span_kind: self.clear_span_kind.unwrap_or(implied.clear_span_kind),
            require_host_ip: self.require_host_ip.unwrap_or(implied.require_host_ip),
            repair_host_ip: self.repair_host_ip.unwrap_or(implied.repair_host_ip),
            mark_unknown: self.mark_unknown.unwrap_or(implied.mark_unknown),
            peer_family: self.peer_family.unwrap_or(implied.peer_family),
            future_spans: self.future_spans.unwrap_or(implied.future_spans),
            far_times: self.far_times.unwrap_or(implied.far_times),
            long_names: self.long_names.unwrap_or(implied.long_names),
            agent_memory: self.agent_memory.unwrap_or(implied.agent_memory),
            spans_per_request: self.spans_per_request.unwrap_or(implied.spans_per_request),
            mend_text: self.mend_text.unwrap_or(implied.mend_text),
            check_full: self.check_full.unwrap_or(implied.check_full),
        }
    }
}

pub(crate) fn read_guard(entry: &Entry<'_>) -> Guard {
    let mut section = entry.section();
    let guard = Guard {
        enabled: section.take("enabled").flag(),
        refuse_undecodable: section.take("refuse_undecodable").flag(),
        clear_span_kind: section.take("clear_span_kind").flag(),
        require_host_ip: section.take("require_host_ip").flag(),
        repair_host_ip: section.take("repair_host_ip").flag(),
        mark_unknown: section.take("mark_unknown").flag(),
        peer_family: section.take("peer_family").flag(),
        future_spans: section.take("future_spans").duration(),
        far_times: section.take("far_times").flag(),
        long_names: section.take("long_names").flag(),
        agent_memory: section.take("agent_memory").size(),
        spans_per_request: section.take("spans_per_request").count(),
        mend_text: section.take("mend_text").flag(),
        check_full: section.take("check").choice(&[("walk", false), ("full", true)]),
    };
    section.close();
    guard
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::config::document::Findings;

    #[test]
    fn the_guard_follows_the_upstream_unless_it_is_told_otherwise() {
        let findings = Findings::default();
        for (document, is_agent, expected) in [
            (json!({}), true, Rules::AGENT),
            (json!({}), false, Rules::OTHER),
            (json!({"enabled": true}), false, Rules::AGENT),
            (json!({"enabled": false}), true, Rules::OTHER),
            (json!({"check": "full"}), true, Rules { check_full: true, ..Rules::AGENT }),
            (
                json!({"enabled": false, "clear_span_kind": true}),
                true,
                Rules { clear_span_kind: true, ..Rules::OTHER },
            ),
            (
                json!({"future_spans": "1m", "agent_memory": "1MiB", "spans_per_request": 0}),
                true,
                Rules { future_spans: 60_000, agent_memory: 1 << 20, spans_per_request: 0, ..Rules::AGENT },
            ),
            (
                json!({"mark_unknown": false, "repair_host_ip": null}),
                true,
                Rules { mark_unknown: false, ..Rules::AGENT },
            ),
        ] {
            let guard = read_guard(&Entry::root(&document, &findings));
            assert_eq!(guard.rules(is_agent), expected, "{document}");
        }
        assert_eq!(findings.conclude(), Ok(vec![]));
    }
}
