//! The Collector's components: which ones podstamp has, which ones change nothing here, which ones it lacks.

use super::nearest::hint;

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
    /// It has it.
    Supported,
    /// It goes without it and loses nothing by that; why.
    Inert(&'static str),
    /// It has none, and to leave it out would lose or change data.
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

    /// The role of a component by its id, `type` or `type/name`; else what is wrong with that id.
    pub(crate) fn role(self, id: &str) -> Result<Role, String> {
        let kind = match id.split_once('/') {
            Some((_, "")) => return Err("a component's id is `type` or `type/name`".to_owned()),
            Some((kind, _)) => kind,
            None => id,
        };
        if self.supported().iter().any(|known| same(known, kind)) {
            return Ok(Role::Supported);
        }
        if let Some((_, why)) = self.inert().iter().find(|(known, _)| same(known, kind)) {
            return Ok(Role::Inert(why));
        }
        if self.missing().any(|known| same(known, kind)) {
            return Ok(Role::Missing);
        }
        let inert = self.inert().iter().map(|(known, _)| *known);
        let known = self.supported().iter().copied().chain(inert).chain(self.missing());
        Err(format!(
            "`{kind}` is no type of {} that the Collector or podstamp has{}",
            self.name(),
            hint(kind, known)
        ))
    }

    const fn supported(self) -> &'static [&'static str] {
        match self {
            Self::Receiver => &["otlp"],
            Self::Processor => &["resource", "k8s_attributes"],
            Self::Exporter => &["otlp_http"],
            Self::Extension => &["basic_auth", "bearer_token_auth"],
            Self::Connector => &[],
        }
    }

    const fn inert(self) -> &'static [(&'static str, &'static str)] {
        match self {
            Self::Receiver => &[("nop", "it receives nothing")],
            Self::Processor => &[
                (
                    "batch",
                    "a request is sent on as it came, and acknowledged when the agent has acknowledged it",
                ),
                ("memory_limiter", "podstamp.limits bounds memory and requests in flight"),
                ("group_by_trace", "it changes the order of spans only"),
            ],
            Self::Exporter => &[
                ("debug", "see podstamp's log and metrics"),
                ("logging", "see podstamp's log and metrics"),
                ("nop", "it exports nothing"),
            ],
            Self::Extension => EXTENSIONS,
            Self::Connector => &[],
        }
    }

    fn missing(self) -> impl Iterator<Item = &'static str> {
        let words = match self {
            Self::Receiver => RECEIVERS,
            Self::Processor => PROCESSORS,
            Self::Exporter => EXPORTERS,
            Self::Extension => "",
            Self::Connector => CONNECTORS,
        };
        words.split_ascii_whitespace()
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
const NO_STORAGE: &str = "podstamp keeps nothing: the client repeats what was not acknowledged";
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
    ("file_storage", NO_STORAGE),
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

const PROCESSORS: &str = "\
    attributes cumulative_to_delta datadog_semantics delta_to_cumulative delta_to_rate dns_lookup filter \
    geoip group_by_attrs interval isolation_forest log_dedup log_transform logstransform \
    metrics_generation metrics_transform metric_start_time probabilistic_sampler redaction remote_tap \
    resource_detection routing schema service_graph span span_metrics span_pruning sumologic \
    tail_sampling transform unroll queued_retry";

const EXPORTERS: &str = "\
    alertmanager alibabacloud_logservice awscloudwatchlogs awsemf awskinesis awss3 awsxray azure_blob \
    azure_data_explorer azure_monitor bmchelix carbon cassandra clickhouse coralogix datadog dataset \
    doris elasticsearch faro file googlecloud googlecloudpubsub google_managed_prometheus \
    honeycombmarker influxdb instana jaeger jaeger_thrift kafka loadbalancing logicmonitor logzio loki \
    mezmo opencensus opensearch otelarrow otlp otlp_grpc otlpjson prometheus prometheus_remote_write \
    pulsar rabbitmq sapm sentry signalfx skywalking splunk_hec stef sumologic syslog \
    tencentcloud_logservice tinybird zipkin";

const CONNECTORS: &str = "\
    count datadog exceptions failover forward grafanacloud otlpjson round_robin routing service_graph \
    signal_to_metrics slow_sql span_metrics sum metrics_as_logs";

const RECEIVERS: &str = "\
    active_directory_ds aerospike apache apachespark awscloudwatch awscontainerinsight \
    awsecscontainermetrics awsfirehose awslambda awss3 awsxray azure_blob \
    azure_event_hub azure_monitor bigip carbon chrony cloudflare cloudfoundry collectd couchdb datadog \
    docker_stats elasticsearch envoyals expvar faro file_log file_stats flinkmetrics fluent_forward \
    github gitlab googlecloudmonitoring googlecloudpubsub googlecloudspanner haproxy host_metrics \
    http_check huaweicloudces icmp_check iis influxdb jaeger jmx journald k8s_cluster k8s_events \
    k8sobjects kafka kafka_metrics kubelet_stats libhoney loki memcached mongodb mongodb_atlas mysql \
    named_pipe netflow nginx nsxt ntp opencensus oracledb otelarrow otlpjsonfile podman_stats postgresql \
    pprof prometheus prometheus_remote_write prometheus_simple pulsar purefa purefb rabbitmq \
    receiver_creator redis redfish riak saphana sapm signalfx simple_prometheus skywalking snmp \
    snowflake solace splunk_enterprise splunk_hec sql_query sqlserver ssh_check statsd stef syslog \
    systemd tcp_check tcp_log tls_check udp_log vcenter vcr wavefront webhook_event windows_event_log \
    windows_perf_counters windows_service yang_grpc zipkin zookeeper";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_spellings_of_a_type_are_known() {
        for id in ["k8sattributes", "k8s_attributes", "k8sattributes/2", "resource/pre"] {
            assert_eq!(Kind::Processor.role(id), Ok(Role::Supported), "{id}");
        }
        assert_eq!(Kind::Exporter.role("otlphttp"), Ok(Role::Supported));
        assert_eq!(Kind::Exporter.role("otlp_http/deepflow"), Ok(Role::Supported));
        assert_eq!(Kind::Exporter.role("otlp"), Ok(Role::Missing));
        assert_eq!(Kind::Processor.role("tail_sampling"), Ok(Role::Missing));
        assert!(matches!(Kind::Processor.role("batch"), Ok(Role::Inert(_))));
        assert!(matches!(Kind::Extension.role("memory_ballast"), Ok(Role::Inert(_))));
    }

    #[test]
    fn unknown_types_are_told_with_the_nearest_known_one() {
        let fault = Kind::Processor.role("k8sattribute").unwrap_err();
        assert!(fault.ends_with("did you mean `k8s_attributes`?"), "{fault}");
        assert!(Kind::Receiver.role("otlp/").is_err());
        assert!(Kind::Receiver.role("").is_err());
        assert!(Kind::Receiver.role("/x").is_err());
    }
}
