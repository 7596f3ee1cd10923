//! Bodies that are not empty and yet hold nothing for the upstream. Plain success would hide from a client that it is set up
//! wrongly.

use crate::answer::{PartialSuccess, noted, success};
use crate::interface::{Answer, Encoding, Level, Signal};

/// The answer to such a body. OTLP demands that unknown fields are ignored, and that a warning is a partial success in which
/// nothing is rejected.
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

/// Whether a sound JSON text is an export request that has nothing to send, rather than something else.
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

/// Both spellings of the only field that a signal's export request has, and the name of that message.
fn names(signal: Signal) -> ([&'static str; 2], &'static str) {
    match signal {
        Signal::Traces => (["resourceSpans", "resource_spans"], "ExportTraceServiceRequest"),
        Signal::Metrics => (["resourceMetrics", "resource_metrics"], "ExportMetricsServiceRequest"),
        Signal::Logs => (["resourceLogs", "resource_logs"], "ExportLogsServiceRequest"),
    }
}

/// Bytes of a JSON text that are compared: more than exporters write where they have nothing to send.
const LONGEST: usize = 40;
