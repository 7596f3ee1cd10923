//! Explanations as text, for people.

use std::fmt::{self, Display, Formatter};

use podstamp_pods::PodParts;

use super::{ExplainedPod, Explanation, State};
use crate::observe::LostPeer;

impl Display for Explanation {
    fn fmt(&self, formatter: &mut Formatter<'_>) -> fmt::Result {
        writeln!(formatter, "{}", self.message)?;
        if let Some(advice) = &self.advice {
            writeln!(formatter, "  {advice}")?;
        }
        for pod in &self.pods {
            writeln!(formatter, "  {pod}")?;
        }
        Ok(())
    }
}

impl Display for ExplainedPod {
    fn fmt(&self, formatter: &mut Formatter<'_>) -> fmt::Result {
        write!(formatter, "pod {}/{}", self.namespace, self.name)?;
        for (name, text) in [
            ("uid", &self.uid),
            ("node", &self.node),
            ("deployment", &self.deployment),
            ("phase", &self.phase),
            ("started", &self.started),
        ] {
            if !text.is_empty() {
                write!(formatter, ", {name} {text}")?;
            }
        }
        if !self.ips.is_empty() {
            write!(formatter, ", addresses {}", list(self.ips.iter().map(ToString::to_string)))?;
        }
        self.states.iter().try_for_each(|state| write!(formatter, ", {state}"))
    }
}

impl Display for State {
    fn fmt(&self, formatter: &mut Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::HostNetwork => "on its node's network",
            Self::Ended => "ended",
            Self::Deleted => "deleted",
            Self::Ignored => "ignored by annotation",
            Self::Excluded => "excluded",
            Self::Filtered => "filtered out",
        })
    }
}

/// What came from an address without leading to a pod, as the end of a sentence.
pub(super) fn lost(peer: LostPeer) -> String {
    let requests = match peer.requests {
        1 => "1 request".to_owned(),
        requests => format!("{requests} requests"),
    };
    let minutes = match peer.first.as_secs().div_ceil(60) {
        0 | 1 => "minute".to_owned(),
        minutes => format!("{minutes} minutes"),
    };
    let last = peer.last.as_secs();
    format!("; {requests} came from it in the last {minutes} without leading to a pod, the last {last} s ago")
}

/// A pod as people name it.
pub(super) fn name(pod: &PodParts<'_>) -> String {
    format!("{}/{}", pod.namespace, pod.name)
}

/// Texts with commas between; of many, the first ones.
pub(super) fn list(texts: impl Iterator<Item = String>) -> String {
    let mut texts: Vec<_> = texts.take(MAX_LISTED + 1).collect();
    if texts.len() > MAX_LISTED {
        texts.truncate(MAX_LISTED);
        texts.push("...".to_owned());
    }
    texts.join(", ")
}

/// As many as a sentence bears.
const MAX_LISTED: usize = 5;
