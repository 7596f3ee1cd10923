//! The Collector's components: which ones podstamp has, which ones change nothing here, which ones it lacks.

use crate::config::document::{hint, renamed};

/// The kinds of component, each a top-level section.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Receiver,
    Processor,
    Exporter,
    Extension,
    Connector,
}

/// What podstamp makes of a type of component.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Role {
    /// podstamp has it.
    Supported,
    /// podstamp goes without it, and nothing is lost by that; the reason.
    Inert(&'static str),
    /// podstamp lacks it, and leaving it out would lose or change data.
    Missing,
}

impl Kind {
    pub(crate) const ALL: [Self; 5] =
        [Self::Receiver, Self::Processor, Self::Exporter, Self::Extension, Self::Connector];

    /// The top-level section.
    pub(crate) const fn section(self) -> &'static str {
        match self {
            Self::Receiver => "receivers",
            Self::Processor => "processors",
            Self::Exporter => "exporters",
            Self::Extension => "extensions",
            Self::Connector => "connectors",
        }
    }

    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Receiver => "receiver",
            Self::Processor => "processor",
            Self::Exporter => "exporter",
            Self::Extension => "extension",
            Self::Connector => "connector",
        }
    }

    /// The role of a component by its type. What podstamp does not know is missing, whatever the Collector makes of it.
    pub(crate) fn role(self, type_name: &str) -> Role {
        if self.supported().iter().any(|known| same(known, type_name)) {
            return Role::Supported;
        }
        let inert = self.inert().iter().find(|(known, _)| same(known, type_name));
        inert.map_or(Role::Missing, |(_, why)| Role::Inert(why))
    }

    /// The known type that an unknown one may mean: `; did you mean X?`, or nothing.
    pub(crate) fn hint(self, type_name: &str) -> String {
        if let Some(now) = renamed::type_name(type_name) {
            return format!("; the Collector calls it `{now}` now");
        }
        let inert = self.inert().iter().map(|(known, _)| *known);
        hint(type_name, self.supported().iter().copied().chain(inert))
    }

    const fn supported(self) -> &'static [&'static str] {
        match self {
            Self::Receiver => &["otlp"],
            Self::Processor => &["resource", "k8s_attributes", "batch", "memory_limiter"],
            Self::Exporter => &["otlp_http"],
            Self::Extension => &["basic_auth", "bearer_token_auth", "file_storage"],
            Self::Connector => &[],
        }
    }

    const fn inert(self) -> &'static [(&'static str, &'static str)] {
        match self {
            Self::Receiver => &[("nop", "it receives nothing")],
            Self::Processor => &[("group_by_trace", "it changes the order of spans only")],
            Self::Exporter => &[
                ("debug", "see podstamp's log and metrics"),
                ("logging", "see podstamp's log and metrics; the Collector calls it `debug` now"),
                ("nop", "it exports nothing"),
            ],
            Self::Extension => EXTENSIONS,
            Self::Connector => &[],
        }
    }
}

/// The Collector has renamed its types from `k8sattributes` to `k8s_attributes` and so on, and takes both.
pub(crate) fn same(known: &str, found: &str) -> bool {
    let letters = |text: &str| text.replace('_', "");
    letters(known) == letters(found)
}

const NO_AUTHENTICATION: &str =
    "it acts only where a receiver or an exporter refers to it, and podstamp's cannot";
const NO_OBSERVER: &str = "podstamp discovers nothing";
const NO_STORAGE: &str = "podstamp keeps what is queued in file_storage only";
const NO_ENCODING: &str = "podstamp reads OTLP only";

const EXTENSIONS: &[(&str, &str)] = &[
    ("health_check", "set podstamp.admin: it has /healthz and /readyz"),
    ("health_check_v2", "set podstamp.admin: it has /healthz and /readyz"),
    ("zpages", "set podstamp.admin: it has /metrics"),
    ("pprof", "there is no Go program to profile"),
    ("memory_ballast", "there is no garbage collector"),
    ("cgroup_runtime", "there is no garbage collector"),
    ("opamp", "podstamp is not managed remotely"),
    ("remote_tap", "podstamp has no tap"),
    ("db_storage", NO_STORAGE),
    ("redis_storage", NO_STORAGE),
    ("ack", NO_STORAGE),
    ("asap_auth", NO_AUTHENTICATION),
    ("azure_auth", NO_AUTHENTICATION),
    ("google_client_auth", NO_AUTHENTICATION),
    ("headers_setter", NO_AUTHENTICATION),
    ("oauth2_client", NO_AUTHENTICATION),
    ("oidc", NO_AUTHENTICATION),
    ("sigv4_auth", NO_AUTHENTICATION),
    ("awsproxy", "podstamp forwards OTLP only"),
    ("http_forwarder", "podstamp forwards OTLP only"),
    ("jaeger_remote_sampling", "podstamp does not sample"),
    ("cfgarden_observer", NO_OBSERVER),
    ("docker_observer", NO_OBSERVER),
    ("ecs_observer", NO_OBSERVER),
    ("ecs_task_observer", NO_OBSERVER),
    ("host_observer", NO_OBSERVER),
    ("k8s_observer", NO_OBSERVER),
    ("kafka_topics_observer", NO_OBSERVER),
    ("k8s_leader_elector", "every podstamp serves on its own"),
    ("avro_log_encoding", NO_ENCODING),
    ("awscloudwatchmetricstreams_encoding", NO_ENCODING),
    ("jaeger_encoding", NO_ENCODING),
    ("json_log_encoding", NO_ENCODING),
    ("otlp_encoding", NO_ENCODING),
    ("skywalking_encoding", NO_ENCODING),
    ("text_encoding", NO_ENCODING),
    ("zipkin_encoding", NO_ENCODING),
    ("solarwindsapmsettings", "podstamp does not sample"),
    ("sumologic", "podstamp does not speak to it"),
    ("tpm", NO_AUTHENTICATION),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_spellings_of_a_type_are_known() {
        for name in ["k8sattributes", "k8s_attributes", "resource"] {
            assert_eq!(Kind::Processor.role(name), Role::Supported, "{name}");
        }
        assert_eq!(Kind::Exporter.role("otlphttp"), Role::Supported);
        assert_eq!(Kind::Exporter.role("otlp_http"), Role::Supported);
        assert_eq!(Kind::Exporter.role("otlp"), Role::Missing);
        assert_eq!(Kind::Processor.role("tail_sampling"), Role::Missing);
        assert!(matches!(Kind::Processor.role("groupbytrace"), Role::Inert(_)));
        assert!(matches!(Kind::Extension.role("memory_ballast"), Role::Inert(_)));
    }

    #[test]
    fn types_that_podstamp_lacks_are_told_with_the_nearest_one_that_it_has() {
        assert_eq!(Kind::Processor.hint("k8sattribute"), "; did you mean `k8s_attributes`?");
        assert_eq!(Kind::Processor.hint("k8s_tagger"), "; the Collector calls it `k8sattributes` now");
        for (kind, name) in [
            (Kind::Processor, "tail_sampling"),
            (Kind::Processor, "group_by_attrs"),
            (Kind::Exporter, "otlp"),
            (Kind::Exporter, "otlp_grpc"),
            (Kind::Receiver, "jaeger"),
            (Kind::Extension, ""),
        ] {
            assert_eq!(kind.hint(name), "", "{name}");
        }
    }
}
