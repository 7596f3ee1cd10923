//! Which parts of a configuration the module carries out, and which the proxy has to.

use podstamp_core::config::{
    self, Compression, Config, DEFAULT_PATIENCE, DEFAULT_TIMEOUT, Exporter, Fault, Mode, Retry,
};
use podstamp_core::interface::{Notice, Signal};

/// Checks that nothing of a configuration would be ignored that must not be. Gives notices of what has no effect.
pub(crate) fn check_support(config: &Config) -> Result<Vec<Notice>, Vec<Fault>> {
    let faults = faults(config);
    if faults.is_empty() { Ok(notices(config)) } else { Err(faults) }
}

fn faults(config: &Config) -> Vec<Fault> {
    let receiver = &config.receiver;
    let http = receiver.http.as_ref().is_some_and(|http| http.auth.is_some());
    let grpc = receiver.grpc.as_ref().is_some_and(|grpc| grpc.auth.is_some());
    let exporter = format!("exporters.{}", config.traces.exporter.id);
    let found = [
        (http || grpc).then(|| {
            let why = "clients are the proxy's to authenticate: use its own filters, such as jwt_authn or ext_authz";
            ("receivers.otlp.protocols".to_owned(), why)
        }),
        config.traces.exporter.auth.is_some().then(|| {
            let why = "credentials are the proxy's to add: use its credential_injector, ahead of the router";
            (format!("{exporter}.auth"), why)
        }),
        (!config.traces.copies.is_empty()).then(|| {
            let why =
                "a proxy sends a request to one upstream: name one exporter; for a second backend use `mode: tee`";
            ("service.pipelines.traces.exporters".to_owned(), why)
        }),
    ];
    let found = found.into_iter().flatten();
    found.map(|(path, message)| Fault { path, message: message.to_owned() }).collect()
}

fn notices(config: &Config) -> Vec<Notice> {
    let receiver = &config.receiver;
    let tls = receiver.http.as_ref().is_some_and(|http| http.tls.is_some())
        || receiver.grpc.as_ref().is_some_and(|grpc| grpc.tls.is_some());
    let cors = receiver.http.as_ref().is_some_and(|http| http.cors.is_some());
    let proxy_protocol = config.proxy_protocol.http || config.proxy_protocol.grpc;
    let found = [
        tls.then(|| {
            ("receivers.otlp.protocols".to_owned(), "TLS is the listener's: see its transport_socket")
        }),
        cors.then(|| ("receivers.otlp.protocols.http.cors".to_owned(), "use the proxy's own cors filter")),
        proxy_protocol.then(|| {
            let why = "use the proxy's own proxy_protocol listener filter";
            ("podstamp.proxy_protocol".to_owned(), why)
        }),
        config.upstream.connections.is_some().then(|| {
            let why = "connections are the cluster's: see its circuit_breakers";
            ("podstamp.upstream.connections".to_owned(), why)
        }),
        (config.upstream.patience != DEFAULT_PATIENCE).then(|| {
            let why =
                "how long a client waits is the route's timeout, and which hosts are away the cluster's outlier_detection";
            ("podstamp.upstream.patience".to_owned(), why)
        }),
        config.strict_ports.then(|| {
            let why = "which protocol comes in where is the proxy's to say, by its listeners";
            ("podstamp.strict_ports".to_owned(), why)
        }),
        config.pods.from.is_some().then(|| {
            ("podstamp.pods".to_owned(), "pods come from a podstamp's admin listener here: see podstamp.proxy_wasm.pods")
        }),
    ];
    let mut found: Vec<_> = found.into_iter().flatten().chain(config.without_effect_elsewhere()).collect();
    for signal in config.signals().filter(|signal| carries(config, *signal)) {
        let exporter = config.carried(signal).map(|carried| &carried.exporter);
        let of_exporter = exporter.into_iter().flat_map(|exporter| of_exporter(config, exporter));
        // Several signals may have the same exporter.
        of_exporter.for_each(|one| {
            if !found.contains(&one) {
                found.push(one)
            }
        });
    }
    let notices = found.into_iter().map(|(path, why)| config::no_effect(&path, why));
    notices.chain(config.signals().filter_map(|signal| passes(config, signal))).collect()
}

/// Parts of an exporter that have no effect, since the cluster or the route has them: their paths, and why.
fn of_exporter(config: &Config, exporter: &Exporter) -> impl Iterator<Item = (String, &'static str)> {
    let path = format!("exporters.{}", exporter.id);
    let attempts = config.proxy_wasm.mode == Mode::Inline && asks_for_attempts(exporter);
    let found = [
        exporter
            .tls
            .is_some()
            .then(|| (format!("{path}.tls"), "TLS is the cluster's: see its transport_socket")),
        attempts.then(|| {
            let why =
                "timeout, retries and the host to send to are the route's (timeout, retry_policy, cluster)";
            (path.clone(), why)
        }),
        (exporter.compression != Compression::None)
            .then(|| (format!("{path}.compression"), "what the module sends is not compressed")),
    ];
    found.into_iter().flatten()
}

/// Whether a signal is stamped here.
pub(crate) fn carries(config: &Config, signal: Signal) -> bool {
    signal == Signal::Traces || config.carried(signal).is_some() && passes(config, signal).is_none()
}

/// The notice of why a signal that has a pipeline passes untouched; `None` where it does not.
fn passes(config: &Config, signal: Signal) -> Option<Notice> {
    let carried = config.carried(signal).filter(|_| signal != Signal::Traces)?;
    let why = if config.proxy_wasm.mode != Mode::Inline {
        "copies are made of traces alone"
    } else if carried.exporter.auth.is_some() {
        "its exporter has credentials, which are the proxy's to add: it passes as it is"
    } else if !carried.copies.is_empty() {
        "a proxy sends a request to one upstream, and it names several: it passes as it is"
    } else {
        return None;
    };
    Some(config::no_effect(&format!("service.pipelines.{}", signal.name()), why))
}

/// Whether an exporter's timeout or retries are others than the defaults.
fn asks_for_attempts(exporter: &Exporter) -> bool {
    exporter.timeout != DEFAULT_TIMEOUT || exporter.retry != Retry::default()
}
