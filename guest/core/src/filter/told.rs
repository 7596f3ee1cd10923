//! What the operator is told of a batch that the guard had to change.

use std::fmt;
use std::net::IpAddr;

use crate::interface::{Level, Notice};
use crate::trace::Walked;

/// The notices about a batch from `peer`.
pub(super) fn told(walked: &Walked, peer: Option<IpAddr>) -> Vec<Notice> {
    let peer = &Sender(peer);
    let mut notices = walked.times.notices(walked.spans, peer);
    let mut add = |count: usize, level, rule: &str, message: &dyn Fn() -> String| {
        if count > 0 {
            notices.push(Notice { level, key: format!("{rule}:{peer}").into(), message: message() });
        }
    };
    let Walked { spans, peers_renamed, names_cut, parts, .. } = walked;
    // Nobody has done anything wrong: a client of IPv6 calls a pod of IPv4.
    add(*peers_renamed as usize, Level::Info, "peer-family", &|| {
        format!(
            "{peers_renamed} addresses of peers in spans from {peer} got a key with `_` for each dot: their IP version is not \
             app.host.ip's, which would end deepflow-agent or take the pod off the span (podstamp.guard.peer_family)"
        )
    });
    add(*names_cut as usize, Level::Warning, "long-names", &|| {
        format!(
            "{names_cut} names of spans from {peer} were cut to 1 KiB: deepflow-agent copies a name for each attribute, which would \
             take it seconds (podstamp.guard.long_names); correct what makes such names"
        )
    });
    add(parts.len().saturating_sub(1), Level::Info, "several-requests", &|| {
        format!(
            "a batch of {spans} spans from {peer} is {} requests to deepflow-agent: it is too much for one \
             (podstamp.guard.agent_memory, spans_per_request); smaller batches would need no cutting",
            parts.len()
        )
    });
    notices
}

/// Who sent a batch, as a text. It is written only where there is something to tell, which of nearly all batches there is not.
struct Sender(Option<IpAddr>);

impl fmt::Display for Sender {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(address) => address.fmt(formatter),
            None => formatter.write_str("a client"),
        }
    }
}
