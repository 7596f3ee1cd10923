//! What of a configuration nobody would carry out where a host only hands over bodies, and receives and sends by itself.

use podstamp_core::config::{Config, Exporter, Fault};
use podstamp_core::interface::Signal;

/// Checks that nothing would be ignored that users rely on: who may send, what is sent along, and to whom.
pub(crate) fn check_hosted(config: &Config) -> Result<(), Vec<Fault>> {
    let mut faults = Vec::new();
    let mut refuse = |path: String, why: &str| {
        let fault = Fault { path, message: why.to_owned() };
        // Several signals may have the same exporter.
        if !faults.contains(&fault) {
            faults.push(fault);
        }
    };
    let receiver = &config.receiver;
    let http = receiver.http.as_ref().is_some_and(|http| http.auth.is_some());
    let grpc = receiver.grpc.as_ref().is_some_and(|grpc| grpc.auth.is_some());
    if http || grpc {
        refuse("receivers.otlp.protocols".to_owned(), "clients are the host's to authenticate");
    }
    for signal in Signal::ALL {
        let Some(carried) = config.carried(signal) else { continue };
        let Exporter { id, auth, headers, .. } = &carried.exporter;
        if auth.is_some() {
            refuse(format!("exporters.{id}.auth"), "credentials are the host's to add where it sends");
        }
        if !headers.is_empty() {
            refuse(format!("exporters.{id}.headers"), "headers are the host's to add where it sends");
        }
        if !carried.copies.is_empty() {
            let path = format!("service.pipelines.{}.exporters", signal.name());
            refuse(path, "the host sends a batch to one upstream: name one exporter");
        }
    }
    if faults.is_empty() { Ok(()) } else { Err(faults) }
}
