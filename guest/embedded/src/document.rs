//! The document of a host that receives and sends by itself: what of it only a server needs may be missing.

use podstamp_core::config::{DEFAULT_DOCUMENT, DEFAULT_URL, Fault};
use podstamp_core::interface::Signal;
use serde_json::{Map, Value, json};

/// Reads a text, and completes it to a document that a filter can be configured with.
pub(crate) fn read_document(text: &str) -> Result<Value, Vec<Fault>> {
    let text = if text.trim_ascii().is_empty() { "{}" } else { text };
    let document = serde_json::from_str(text)
        .map_err(|error| vec![Fault { path: String::new(), message: format!("not JSON: {error}") }])?;
    match document {
        Value::Object(document) => complete(document).map(Value::Object),
        // What is wrong with it the filter says.
        other => Ok(other),
    }
}

/// Adds what is missing: a receiver that hands on all headers, an exporter towards deepflow-agent, and for each signal the pipeline
/// through all processors. A section that is not what it should be stays, so that the filter can say so.
fn complete(mut document: Map<String, Value>) -> Result<Map<String, Value>, Vec<Fault>> {
    if !document.contains_key("processors") && !document.contains_key("service") {
        let usual: Map<String, Value> = serde_json::from_str(DEFAULT_DOCUMENT).unwrap_or_default();
        for section in ["processors", "service"] {
            document.extend(usual.get(section).map(|usual| (section.to_owned(), usual.clone())));
        }
        // The exporter of that pipeline is the document's own business.
        if let Some(traces) =
            document.get_mut("service").and_then(|service| service.pointer_mut("/pipelines/traces"))
        {
            traces.as_object_mut().map(|traces| traces.remove("exporters"));
        }
    }
    let has_exporters = document.contains_key("exporters");
    document.entry("receivers").or_insert_with(|| {
        let protocol = json!({"include_metadata": true});
        json!({"otlp": {"protocols": {"grpc": protocol, "http": protocol}}})
    });
    document.entry("exporters").or_insert_with(
        || json!({AGENT: {"traces_endpoint": DEFAULT_URL}, OTHERS: {"endpoint": "http://127.0.0.1:4318"}}),
    );
    let names = |document: &Map<String, Value>, section: &str| {
        let section = document.get(section).and_then(Value::as_object);
        section.map(|section| section.keys().cloned().collect::<Vec<_>>()).unwrap_or_default()
    };
    let (receivers, exporters) = (names(&document, "receivers"), names(&document, "exporters"));
    let all = names(&document, "processors");
    let implied = !document.contains_key("service");
    let service = document.entry("service").or_insert_with(|| json!({}));
    let Some(service) = service.as_object_mut() else { return Ok(document) };
    let signals = implied || !service.contains_key("pipelines");
    let Some(pipelines) = service.entry("pipelines").or_insert_with(|| json!({})).as_object_mut() else {
        return Ok(document);
    };
    for signal in Signal::ALL {
        let name = signal.name();
        if signals {
            let processors = in_order(&all)?;
            pipelines.insert(name.to_owned(), json!({"processors": processors}));
        }
        let Some(pipeline) = pipelines.get_mut(name).and_then(Value::as_object_mut) else { continue };
        pipeline.entry("receivers").or_insert_with(|| json!(receivers));
        pipeline.entry("exporters").or_insert_with(|| match signal {
            _ if has_exporters => json!(exporters),
            Signal::Traces => json!([AGENT]),
            Signal::Metrics | Signal::Logs => json!([OTHERS]),
        });
    }
    Ok(document)
}

/// The processors in the order in which they make sense: what finds the pod comes before what copies its attributes.
fn in_order(names: &[String]) -> Result<Vec<&String>, Vec<Fault>> {
    let kind = |name: &&String| name.split('/').next().unwrap_or_default().to_owned();
    let mut ordered: Vec<_> = names.iter().collect();
    ordered.sort_by_key(|name| kind(name) == "resource");
    for pair in ordered.windows(2) {
        if let [first, second] = pair
            && kind(first) == kind(second)
        {
            return Err(vec![Fault {
                path: "service.pipelines.traces.processors".to_owned(),
                message: format!(
                    "missing: {first:?} and {second:?} are of one type, so say in which order processors run"
                ),
            }]);
        }
    }
    Ok(ordered)
}

/// Names that nobody else takes.
const AGENT: &str = "otlphttp/deepflow-agent";
const OTHERS: &str = "otlphttp/next";
