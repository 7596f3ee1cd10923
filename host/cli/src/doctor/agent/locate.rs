//! Where the agent is: as the configuration sends, as the command line says, or by DeepFlow's labels.

use podstamp_core::config::Config;

use crate::doctor::Doctor;
use crate::exchange::Target;

/// A Service by its names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::doctor) struct Name {
    pub(in crate::doctor) namespace: String,
    pub(in crate::doctor) name: String,
}

impl Name {
    /// Where podstamp sends to it.
    pub(in crate::doctor) fn url(&self, port: u16) -> String {
        let port = if port == 80 { String::new() } else { format!(":{port}") };
        format!("http://{}.{}{port}{}", self.name, self.namespace, podstamp_core::config::AGENT_PATH)
    }
}

impl std::fmt::Display for Name {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "{}/{}", self.namespace, self.name)
    }
}

/// Where the configuration sends traces.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::doctor) enum Upstream {
    /// There is no configuration.
    Unknown,
    /// To a Service of the cluster.
    Service { name: Name, port: u16 },
    /// To a host that is no Service, by an address for example.
    Host(Target),
    /// To something else than a deepflow-agent.
    Other(String),
}

/// Reads the URL that traces go to. `own` is podstamp's namespace, in which a name without one is looked up.
pub(in crate::doctor) fn upstream(config: Option<&Config>, own: Option<&str>) -> Upstream {
    let Some(config) = config else { return Upstream::Unknown };
    let exporter = &config.traces.exporter;
    let Ok(target) = Target::parse(&exporter.url) else {
        return Upstream::Other(exporter.url.clone());
    };
    // With a wrong path it is still meant.
    if !exporter.is_agent && !target.host.contains("deepflow-agent") {
        return Upstream::Other(exporter.url.clone());
    }
    match service(&target.host, own) {
        Some(name) => Upstream::Service { name, port: target.port },
        None => Upstream::Host(target),
    }
}

/// The Service that a host name stands for: `NAME`, `NAME.NAMESPACE`, `NAME.NAMESPACE.svc`, with or without the cluster's
/// domain.
fn service(host: &str, own: Option<&str>) -> Option<Name> {
    let is_address = host.starts_with('[') || host.parse::<std::net::IpAddr>().is_ok();
    if is_address || host == "localhost" {
        return None;
    }
    let mut labels = host.trim_end_matches('.').split('.');
    let name = labels.next().filter(|name| !name.is_empty())?.to_owned();
    match (labels.next(), labels.next()) {
        (None, _) => Some(Name { name, namespace: own?.to_owned() }),
        (Some(namespace), None | Some("svc")) => Some(Name { name, namespace: namespace.to_owned() }),
        // A name of the wider world.
        (Some(_), Some(_)) => None,
    }
}

/// The Service to look for first: the options decide, then the configuration, then DeepFlow's own names.
pub(in crate::doctor) fn wanted(options: &Doctor, upstream: &Upstream) -> Name {
    let configured = match upstream {
        Upstream::Service { name, .. } => Some(name),
        _ => None,
    };
    let text = |option: &Option<String>, configured: Option<&String>, default: &str| {
        option.as_ref().or(configured).cloned().unwrap_or_else(|| default.to_owned())
    };
    Name {
        namespace: text(&options.agent_namespace, configured.map(|name| &name.namespace), "deepflow"),
        name: text(&options.agent_service, configured.map(|name| &name.name), "deepflow-agent"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_name_is_a_service_as_the_cluster_resolves_it() {
        let found = |host| service(host, Some("own")).map(|name| name.to_string());
        for (host, expected) in [
            ("deepflow-agent", Some("own/deepflow-agent")),
            ("deepflow-agent.deepflow", Some("deepflow/deepflow-agent")),
            ("deepflow-agent.deepflow.svc", Some("deepflow/deepflow-agent")),
            ("deepflow-agent.deepflow.svc.cluster.local.", Some("deepflow/deepflow-agent")),
            ("agent.example.com", None),
            ("10.0.0.3", None),
            ("[fd00::1]", None),
            ("localhost", None),
        ] {
            assert_eq!(found(host).as_deref(), expected, "{host}");
        }
        assert_eq!(service("deepflow-agent", None), None);
    }

    #[test]
    fn options_go_ahead_of_the_configuration_and_that_ahead_of_deepflows_names() {
        let configured =
            Upstream::Service { name: Name { namespace: "infra".into(), name: "agent".into() }, port: 80 };
        let option = Doctor { agent_service: Some("other".to_owned()), ..Doctor::default() };
        assert_eq!(wanted(&Doctor::default(), &Upstream::Unknown).to_string(), "deepflow/deepflow-agent");
        assert_eq!(wanted(&Doctor::default(), &configured).to_string(), "infra/agent");
        assert_eq!(wanted(&option, &configured).to_string(), "infra/other");
        assert_eq!(wanted(&option, &configured).url(80), "http://other.infra/api/v1/otel/trace");
        assert_eq!(wanted(&option, &configured).url(81), "http://other.infra:81/api/v1/otel/trace");
    }
}
