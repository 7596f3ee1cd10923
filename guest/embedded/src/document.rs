//! The document of a host that receives and sends by itself: what of it only a server needs may be missing.

use podstamp_core::config::{DEFAULT_DOCUMENT, DEFAULT_URL, Fault, read_json};
use podstamp_core::interface::Signal;
use serde_json::{Map, Value, json};

/// Reads a text, and completes it to a document that a filter can be configured with.
pub(crate) fn read_document(text: &str) -> Result<Value, Vec<Fault>> {
    let text = if text.trim_ascii().is_empty() { "{}" } else { text };
    let document = read_json(text)
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
    let mut order = None;
    if !document.contains_key("processors") && !document.contains_key("service") {
        let mut usual = read_json(DEFAULT_DOCUMENT).unwrap_or_default();
        let mut take = |pointer| usual.pointer_mut(pointer).map(Value::take).unwrap_or_default();
        document.insert("processors".to_owned(), take("/processors"));
        order = Some(take("/service/pipelines/traces/processors"));
    }
    document.entry("receivers").or_insert_with(|| {
        let protocol = json!({"include_metadata": true});
        json!({"otlp": {"protocols": {"grpc": protocol, "http": protocol}}})
    });
    let names = |section: &str| {
        let section = document.get(section).and_then(Value::as_object);
        section.map(|section| section.keys().cloned().collect::<Vec<_>>())
    };
    let (receivers, processors, given) = (names("receivers"), names("processors"), names("exporters"));

    let service = document.entry("service").or_insert_with(|| json!({}));
    let Some(service) = service.as_object_mut() else { return Ok(document) };
    if !service.contains_key("pipelines") {
        let order = match order {
            Some(order) => order,
            None => json!(in_order(&processors.unwrap_or_default())?),
        };
        let pipelines = Signal::ALL.map(|signal| (signal.name().to_owned(), json!({"processors": order})));
        service.insert("pipelines".to_owned(), Value::Object(pipelines.into_iter().collect()));
    }
    let mut exporters = Map::new();
    for signal in Signal::ALL {
        let pipeline = service.get_mut("pipelines").and_then(|pipelines| pipelines.get_mut(signal.name()));
        let Some(pipeline) = pipeline.and_then(Value::as_object_mut) else { continue };
        pipeline.entry("receivers").or_insert_with(|| json!(receivers));
        pipeline.entry("exporters").or_insert_with(|| match (&given, signal) {
            (Some(given), _) => json!(given),
            (None, Signal::Traces) => {
                exporters.insert(AGENT.to_owned(), json!({"traces_endpoint": DEFAULT_URL}));
                json!([AGENT])
            }
            (None, Signal::Metrics | Signal::Logs) => {
                exporters.insert(OTHERS.to_owned(), json!({"endpoint": "http://127.0.0.1:4318"}));
                json!([OTHERS])
            }
        });
    }
    document.entry("exporters").or_insert(Value::Object(exporters));
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
