//! Bodies that are not empty and have nothing for the upstream in them: a client that is set up wrongly would hear of success.

use crate::answer::{PartialSuccess, noted, success};
use crate::interface::{Answer, Encoding, Level, Signal};

/// OTLP has an unknown field ignored, and a warning told by a partial success in which nothing is rejected.
pub(super) fn unrecognised(signal: Signal, encoding: Encoding) -> Answer {
    let ([list, _], message) = names(signal);
    let text = format!(
        "nothing of this request was sent on: it has no {list}, only fields that OTLP does not have there"
    );
    let advice = match encoding {
        Encoding::Json => "names in OTLP/JSON are those of the specification, in lowerCamelCase".to_owned(),
        Encoding::Protobuf | Encoding::Grpc => format!("the body has to be an {message} in protobuf"),
    };
    let warning = PartialSuccess::warning(format!("{text}; {advice}"));
    let told = format!("{text}; {advice}: correct the client's exporter, or what stands ahead of podstamp");
    noted(success(signal, encoding, Some(warning)), Level::Warning, "unrecognised-batch", told)
}

/// Whether a sound JSON text says that there is nothing to send, rather than something else.
pub(super) fn is_empty(signal: Signal, json: &[u8]) -> bool {
    let compact = json.iter().copied().filter(|byte| !byte.is_ascii_whitespace());
    let compact: Vec<_> = compact.take(LONGEST).collect();
    let Some(members) = compact.strip_prefix(b"{\"") else { return compact == b"{}" };
    let (lists, _) = names(signal);
    lists.iter().any(|list| {
        let value = members.strip_prefix(list.as_bytes());
        value.is_some_and(|value| value == b"\":[]}" || value == b"\":null}")
    })
}

/// The only field of a signal's message, in both of its spellings, and that message.
fn names(signal: Signal) -> ([&'static str; 2], &'static str) {
    match signal {
        Signal::Traces => (["resourceSpans", "resource_spans"], "ExportTraceServiceRequest"),
        Signal::Metrics => (["resourceMetrics", "resource_metrics"], "ExportMetricsServiceRequest"),
        Signal::Logs => (["resourceLogs", "resource_logs"], "ExportLogsServiceRequest"),
    }
}

/// More than what exporters write where they have nothing.
const LONGEST: usize = 40;
