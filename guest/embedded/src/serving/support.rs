//! Which parts of a configuration a server carries out, and which its host has to.

use podstamp_core::config::{self, Compression, Config, Exporter, Fault, PodsFrom};
use podstamp_core::interface::Notice;

/// Checks that nothing of a configuration would be ignored that must not be. Gives notices of what has no effect.
pub(super) fn check_support(config: &Config) -> Result<Vec<Notice>, Vec<Fault>> {
    let receiver = &config.receiver;
    let http = receiver.http.as_ref().is_some_and(|http| http.auth.is_some());
    let grpc = receiver.grpc.as_ref().is_some_and(|grpc| grpc.auth.is_some());
    let mut faults = Vec::new();
    let mut refuse = |path: String, why: &str| {
        // Several signals may have the same exporter.
        let fault = Fault { path, message: why.to_owned() };
        if !faults.contains(&fault) {
            faults.push(fault);
        }
    };
    if http || grpc {
        let why = "clients are for what stands ahead of this server to authenticate";
        refuse("receivers.otlp.protocols".to_owned(), why);
    }
    if matches!(config.pods.from, Some(PodsFrom::Podstamp { auth: Some(_), .. })) {
        let why = "credentials are not shown here: have podstamp's admin listener ask for none";
        refuse("podstamp.pods.auth".to_owned(), why);
    }
    for exporter in exporters(config) {
        if exporter.auth.is_some() {
            let why = "credentials are not fetched here: write them as `headers`, with ${env:NAME}";
            refuse(format!("exporters.{}.auth", exporter.id), why);
        }
        for header in &exporter.headers {
            if CONNECTIONS_OWN.contains(&&*header.name.to_ascii_lowercase()) {
                let why = "is the host's to write, since it belongs to the connection";
                refuse(format!("exporters.{}.headers.{}", exporter.id, header.name), why);
            }
        }
    }
    if faults.is_empty() { Ok(notices(config)) } else { Err(faults) }
}

fn notices(config: &Config) -> Vec<Notice> {
    let receiver = &config.receiver;
    let tls = receiver.http.as_ref().is_some_and(|http| http.tls.is_some())
        || receiver.grpc.as_ref().is_some_and(|grpc| grpc.tls.is_some());
    let cors = receiver.http.as_ref().is_some_and(|http| http.cors.is_some());
    let no_pods = matches!(config.pods.from, Some(PodsFrom::File(_) | PodsFrom::Kubernetes));
    let pods_tls = matches!(config.pods.from, Some(PodsFrom::Podstamp { tls: Some(_), .. }));
    let found = [
        (tls, "receivers.otlp.protocols", "TLS is the host's"),
        (cors, "receivers.otlp.protocols.http.cors", "pages in browsers are for what stands ahead to let in"),
        (
            config.proxy_protocol.http || config.proxy_protocol.grpc,
            "podstamp.proxy_protocol",
            "connections are the host's",
        ),
        (config.strict_ports, "podstamp.strict_ports", "ports are the host's"),
        (
            config.upstream.connections.is_some(),
            "podstamp.upstream.connections",
            "connections are the host's, which may limit the requests at a time",
        ),
        (no_pods, "podstamp.pods", "pods come from another podstamp here: `from: http://HOST:8888`"),
        (pods_tls, "podstamp.pods.tls", "which certificates are trusted is the host's to say"),
    ];
    let found = found.into_iter().filter(|(is_set, ..)| *is_set);
    let mut notices: Vec<_> = found.map(|(_, path, why)| config::no_effect(path, why)).collect();
    let elsewhere = config.without_effect_elsewhere();
    notices.extend(elsewhere.iter().map(|(path, why)| config::no_effect(path, why)));
    for exporter in exporters(config) {
        let path = |key: &str| format!("exporters.{}.{key}", exporter.id);
        let tls = exporter
            .tls
            .is_some()
            .then(|| config::no_effect(&path("tls"), "which certificates are trusted is the host's to say"));
        let compression = (exporter.compression != Compression::None)
            .then(|| config::no_effect(&path("compression"), "what is sent from here is not compressed"));
        notices.extend(tls.into_iter().chain(compression));
    }
    let mut told = Vec::new();
    notices.retain(|notice| {
        let is_new = !told.contains(&notice.message);
        told.push(notice.message.clone());
        is_new
    });
    notices
}

/// The exporters of all signals, copies included.
fn exporters(config: &Config) -> impl Iterator<Item = &Exporter> {
    let carried = config.signals().filter_map(|signal| config.carried(signal));
    carried.flat_map(|carried| std::iter::once(&carried.exporter).chain(&carried.copies))
}

/// Headers that hosts refuse, and the whole request with them.
const CONNECTIONS_OWN: [&str; 8] = [
    "connection",
    "host",
    "http2-settings",
    "keep-alive",
    "proxy-authorization",
    "proxy-connection",
    "transfer-encoding",
    "upgrade",
];
