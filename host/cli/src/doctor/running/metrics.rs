//! What the metrics say of the pods.

use crate::doctor::finding::Finding;

/// Metrics of the pods, as far as they are there.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Metrics {
    /// Pods in the table.
    pods: Option<f64>,
    /// Seconds since their source was heard.
    age: Option<f64>,
    /// 1 where changes come as they happen.
    connected: Option<f64>,
}

impl Metrics {
    /// Reads OpenMetrics text.
    pub(super) fn read(text: &str) -> Self {
        let value = |name: &str| {
            let mut samples = text.lines().filter_map(|line| line.split_once(' '));
            samples.find(|(key, _)| *key == name).and_then(|(_, value)| value.trim().parse().ok())
        };
        Self {
            pods: value("podstamp_pods"),
            age: value("podstamp_pods_age_seconds"),
            connected: value("podstamp_pods_connected"),
        }
    }

    pub(super) fn judge(self) -> Finding {
        let Some(pods) = self.pods else {
            return Finding::warning(
                "that podstamp has none",
                "it stamps what spans say of themselves, and addresses of connections: set podstamp.pods.from",
            );
        };
        let age = self.age.map(|age| format!(", heard from {age:.0} s ago")).unwrap_or_default();
        let summary = format!("{pods:.0} pods{age}");
        match self {
            Self { connected: Some(0.0), .. } => Finding::failed(
                format!("{summary}; its source is away, and the table grows old"),
                "the log says why (`kubernetes-` keys, or those of the other podstamp); the checks of the Kubernetes API show it",
            ),
            Self { age: Some(age), .. } if age > OLD => Finding::warning(
                summary,
                "its source says something at least once a minute: is it overloaded, or the network in between?",
            ),
            _ if pods < 1.0 => Finding::warning(
                summary,
                "no span can be found a pod: see the filter of k8sattributes, and the pods above",
            ),
            _ => Finding::fine(summary),
        }
    }
}

/// Seconds after which a source that is silent is in trouble: an API server sends a bookmark once a minute.
const OLD: f64 = 150.0;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::finding::State;

    #[test]
    fn the_pods_are_judged_by_their_number_and_their_source() {
        for (text, expected, state) in [
            (
                "podstamp_pods 12\npodstamp_pods_age_seconds 3\npodstamp_pods_connected 1\n",
                "12 pods, heard from 3 s ago",
                State::Fine,
            ),
            ("podstamp_pods 12\n# EOF\n", "12 pods", State::Fine),
            ("podstamp_pods 0\n", "0 pods", State::Warning),
            ("podstamp_pods_total 7\n", "that podstamp has none", State::Warning),
            (
                "podstamp_pods 2\npodstamp_pods_age_seconds 400\npodstamp_pods_connected 1",
                "2 pods, heard from 400 s ago",
                State::Warning,
            ),
            (
                "podstamp_pods 2\npodstamp_pods_age_seconds 9\npodstamp_pods_connected 0\n",
                "2 pods, heard from 9 s ago; its source is away, and the table grows old",
                State::Failed,
            ),
        ] {
            let finding = Metrics::read(text).judge();
            assert_eq!((finding.summary.as_str(), finding.state), (expected, state));
        }
    }
}
