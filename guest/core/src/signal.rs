//! The signals of OTLP that have a service of their own.

/// A signal, which is what a request carries.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Signal {
    /// `ExportTraceServiceRequest`.
    #[default]
    Traces,
    /// `ExportMetricsServiceRequest`.
    Metrics,
    /// `ExportLogsServiceRequest`.
    Logs,
}

impl Signal {
    /// All signals.
    pub const ALL: [Self; 3] = [Self::Traces, Self::Metrics, Self::Logs];

    /// The signal's name: `traces`, `metrics` or `logs`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Traces => "traces",
            Self::Metrics => "metrics",
            Self::Logs => "logs",
        }
    }

    /// The path of OTLP/HTTP, from the specification.
    pub const fn path(self) -> &'static str {
        match self {
            Self::Traces => "/v1/traces",
            Self::Metrics => "/v1/metrics",
            Self::Logs => "/v1/logs",
        }
    }

    /// The service of OTLP/gRPC.
    pub const fn grpc_service(self) -> &'static str {
        match self {
            Self::Traces => "opentelemetry.proto.collector.trace.v1.TraceService",
            Self::Metrics => "opentelemetry.proto.collector.metrics.v1.MetricsService",
            Self::Logs => "opentelemetry.proto.collector.logs.v1.LogsService",
        }
    }

    /// Path of the service's only method.
    pub const fn grpc_path(self) -> &'static str {
        match self {
            Self::Traces => "/opentelemetry.proto.collector.trace.v1.TraceService/Export",
            Self::Metrics => "/opentelemetry.proto.collector.metrics.v1.MetricsService/Export",
            Self::Logs => "/opentelemetry.proto.collector.logs.v1.LogsService/Export",
        }
    }

    /// The environment variable by which an SDK is told whether to send the signal.
    pub const fn variable(self) -> &'static str {
        match self {
            Self::Traces => "OTEL_TRACES_EXPORTER",
            Self::Metrics => "OTEL_METRICS_EXPORTER",
            Self::Logs => "OTEL_LOGS_EXPORTER",
        }
    }

    /// The message to a client that sends this signal where it is not carried. `others` says whether another one is, besides
    /// traces.
    pub fn not_carried(self, others: bool) -> String {
        let carries = if others { format!("no {} here", self.name()) } else { "traces only".to_owned() };
        format!("podstamp carries {carries}: set {}=none", self.variable())
    }

    /// The signal whose default path or method is `path`.
    pub fn at(path: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|signal| path == signal.path() || path == signal.grpc_path())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_and_methods_tell_the_signal() {
        for signal in Signal::ALL {
            assert_eq!(Signal::at(signal.path()), Some(signal));
            assert_eq!(Signal::at(signal.grpc_path()), Some(signal));
            assert_eq!(signal.grpc_path(), format!("/{}/Export", signal.grpc_service()));
            assert_eq!(signal.path(), format!("/v1/{}", signal.name()));
        }
        assert_eq!(Signal::at("/v1/profiles"), None);
    }
}
