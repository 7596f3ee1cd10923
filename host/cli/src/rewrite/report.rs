//! What `rewrite` tells about its work, on stderr.

use std::io::{self, Write};

use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::trace::v1::ResourceSpans;
use podstamp_core::interface::{Level, Notice, Report, Signal};
use prost::Message;

/// Tells what the configuration gives cause to tell.
pub(super) fn notice(notice: &Notice) {
    let level = match notice.level {
        Level::Info => "note",
        Level::Warning => "warning",
        Level::Error => "error",
    };
    say(&format!("{level}: {}", notice.message));
}

/// Tells that the pods did not come from where they are.
pub(super) fn lacks_pods() {
    say(
        "warning: the pods did not come within `wait_for_metadata_timeout`: none are known; --pods names a file",
    );
}

/// Tells what was met, and of traces where each resource of `body` is now.
pub(super) fn show(signal: Signal, report: &Report, body: &[u8]) {
    match signal {
        Signal::Traces => say(&format!("{} resources, {} spans", report.resources, report.spans)),
        Signal::Metrics | Signal::Logs => {
            say(&format!("{} resources of {}", report.resources, signal.name()))
        }
    }
    let counts = [
        (report.address_kept, "app.host.ip kept"),
        (report.address_pipeline, "app.host.ip from the pipeline"),
        (report.address_pod_ip, "app.host.ip from k8s.pod.ip"),
        (report.address_pod, "app.host.ip from the pod"),
        (report.address_connection, "app.host.ip from the connection"),
        (report.address_unknown, "app.host.ip unknown"),
        (report.address_contradicted, "app.host.ip unknown, since only other pods were found"),
        (report.resources_created, "resources created"),
        (report.addresses_normalised, "app.host.ip made one and canonical"),
        (report.addresses_repaired, "unusable app.host.ip replaced"),
        (report.kinds_cleared, "span kinds cleared"),
        (report.peers_renamed, "peer addresses of another family put under another key"),
        (report.spans_moved, "spans from the future moved back to now"),
        (report.spans_far, "spans that ended far from now"),
        (report.spans_senseless, "spans without an end, or that begin after it"),
        (report.names_cut, "long names of spans cut"),
        (report.texts_mended, "texts that were not UTF-8 mended"),
        (report.requests_split, "requests that are several to the agent"),
    ];
    for (count, what) in counts {
        if count > 0 {
            say(&format!("  {count:>5} {what}"));
        }
    }
    if signal != Signal::Traces {
        return;
    }
    // The guard may pass a body that this crate cannot decode; the list is empty then.
    let request = ExportTraceServiceRequest::decode(body).unwrap_or_default();
    for resource in &request.resource_spans {
        let spans: usize = resource.scope_spans.iter().map(|scope| scope.spans.len()).sum();
        let service = attribute(resource, "service.name").unwrap_or("-");
        let address = attribute(resource, "app.host.ip").unwrap_or("-");
        say(&format!("  {address:<15} {service} ({spans} spans)"));
    }
}

fn attribute<'r>(spans: &'r ResourceSpans, key: &str) -> Option<&'r str> {
    let attributes = &spans.resource.as_ref()?.attributes;
    let value = attributes.iter().find(|attribute| attribute.key == key)?.value.as_ref()?;
    match value.value.as_ref()? {
        Value::StringValue(text) => Some(text),
        _ => None,
    }
}

fn say(line: &str) {
    // Without stderr there is nobody to tell.
    writeln!(io::stderr(), "{line}").unwrap_or_default();
}
