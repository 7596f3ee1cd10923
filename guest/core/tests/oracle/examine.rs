//! What an examination tells, against what is sent as prost decodes it, and against the counts of `prepare`.

use std::net::IpAddr;

use opentelemetry_proto::tonic::common::v1::KeyValue;
use opentelemetry_proto::tonic::common::v1::any_value::Value as Any;
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, Span};
use podstamp_core::Filter;
use podstamp_core::config::DEFAULT_DOCUMENT;
use podstamp_core::interface::{
    AddressSource, Examination, Examined, ExaminedResource, ExaminedSpan, Header, Report, Request, Signal,
};
use proptest::prelude::*;

use crate::filter::{Cluster, prepare, sent, surroundings};
use crate::model::known;
use crate::{config, decode, entropy, generator};

const ALL: Examination = Examination { payloads: true, resources: 1000, spans: 1000, text: 1 << 16 };

fn examine(body: &[u8], peer: Option<IpAddr>, cluster: &Cluster, options: &Examination) -> Examined {
    let filter = Filter::configure(&serde_json::from_str(DEFAULT_DOCUMENT).unwrap()).unwrap();
    let headers = [Header::new("content-type", "application/x-protobuf")];
    let request =
        Request { signal: Signal::Traces, path: "/v1/traces", peer, headers: &headers, body, now: None };
    filter.examine(&request, options, cluster)
}

/// The text of the first attribute with that key, where it is one.
fn text(attributes: &[KeyValue], key: &str) -> Option<String> {
    match attributes.iter().find(|attribute| attribute.key == key).map(known)? {
        Some(Any::StringValue(text)) => Some(text),
        _ => None,
    }
}

fn judge_resource(
    told: &ExaminedResource,
    sent: &ResourceSpans,
    before: &ResourceSpans,
) -> Result<(), TestCaseError> {
    let attributes = |spans: &ResourceSpans| spans.resource.clone().unwrap_or_default().attributes;
    let (before, after) = (attributes(before), attributes(sent));
    prop_assert_eq!(&told.address, &text(&after, "app.host.ip"));
    for (told, key) in [
        (&told.service, "service.name"),
        (&told.service_namespace, "service.namespace"),
        (&told.service_instance, "service.instance.id"),
    ] {
        if let Some(text) = text(&after, key) {
            prop_assert_eq!(told, &text);
        }
    }
    // A change says what is there before and after, and what has no change is as it was.
    let values = |attributes: &[KeyValue], key: &str| -> Vec<Option<Any>> {
        attributes.iter().filter(|attribute| attribute.key == key).map(known).collect()
    };
    for attribute in before.iter().chain(&after) {
        let (was, is) = (values(&before, &attribute.key), values(&after, &attribute.key));
        let change = told.changes.iter().find(|change| change.key == attribute.key);
        prop_assert_eq!(change.is_some(), format!("{was:?}") != format!("{is:?}"), "{}", attribute.key);
        let Some(change) = change else { continue };
        prop_assert_eq!((change.before.is_some(), change.after.is_some()), (!was.is_empty(), !is.is_empty()));
        if let [Some(Any::StringValue(text))] = &is[..] {
            prop_assert_eq!(change.after.as_deref(), Some(text.as_str()));
        }
    }
    let spans: Vec<_> = sent.scope_spans.iter().flat_map(|scope| &scope.spans).collect();
    prop_assert_eq!(told.spans_total as usize, spans.len());
    prop_assert_eq!(told.spans.len(), spans.len());
    told.spans.iter().zip(spans).try_for_each(|(told, sent)| judge_span(told, sent))
}

fn judge_span(told: &ExaminedSpan, sent: &Span) -> Result<(), TestCaseError> {
    let id = |id: &[u8]| id[..id.len().min(32)].to_vec();
    prop_assert_eq!(&told.trace_id, &id(&sent.trace_id));
    prop_assert_eq!(&told.span_id, &id(&sent.span_id));
    prop_assert_eq!(&told.parent_span_id, &id(&sent.parent_span_id));
    prop_assert_eq!(&told.name, &sent.name);
    prop_assert_eq!(told.kind, sent.kind as u32);
    prop_assert_eq!((told.start, told.end), (sent.start_time_unix_nano, sent.end_time_unix_nano));
    let status = sent.status.clone().unwrap_or_default();
    prop_assert_eq!((told.error, &told.status_message), (status.code == 2, &status.message));
    prop_assert_eq!(told.attributes.len(), sent.attributes.len());
    for (told, sent) in told.attributes.iter().zip(&sent.attributes) {
        prop_assert_eq!(&told.key, &sent.key);
        if let Some(Any::StringValue(text)) = known(sent) {
            prop_assert_eq!(&told.value, &text);
        }
    }
    Ok(())
}

/// How many resources each way to find an address has, in the order of the report.
fn counts(examined: &Examined) -> [u32; 7] {
    use AddressSource::{Connection, Contradicted, Kept, Pipeline, Pod, PodIp, Unknown};
    [Kept, Pipeline, PodIp, Pod, Connection, Unknown, Contradicted]
        .map(|source| examined.resources.iter().filter(|resource| resource.found == source).count() as u32)
}

fn reported(report: Report) -> [u32; 7] {
    [
        report.address_kept,
        report.address_pipeline,
        report.address_pod_ip,
        report.address_pod,
        report.address_connection,
        report.address_unknown,
        report.address_contradicted,
    ]
}

proptest! {
    #![proptest_config(config(3000))]

    #[test]
    fn what_is_told_is_what_is_sent(bytes in entropy(700), around in entropy(4)) {
        let body = generator::request(&bytes);
        let (peer, cluster) = surroundings(&around);
        let examined = examine(&body, peer, &cluster, &ALL);
        let prepared = prepare(&body, peer, &cluster);
        prop_assert_eq!((examined.resources_omitted, examined.spans_omitted, &examined.fault), (0, 0, &None));
        prop_assert_eq!(counts(&examined), reported(prepared.report));
        let Some(out) = sent(prepared, &body) else {
            prop_assert_eq!(examined.resources.len(), 0);
            return Ok(());
        };
        let (before, after) = (decode(&body).resource_spans, decode(&out).resource_spans);
        prop_assert_eq!(examined.resources.len(), after.len());
        for ((told, sent), before) in examined.resources.iter().zip(&after).zip(&before) {
            judge_resource(told, sent, before)?;
        }
    }

    /// Whatever the limits, what is told is the beginning of what is told without them, and the rest is counted.
    #[test]
    fn limits_leave_out_the_end(bytes in entropy(700), resources in 0_u32..4, spans in 0_u32..6) {
        let body = generator::request(&bytes);
        let (peer, cluster) = surroundings(&[]);
        let all = examine(&body, peer, &cluster, &ALL);
        let some = examine(&body, peer, &cluster, &Examination { resources, spans, ..ALL });
        prop_assert_eq!(some.resources.len() as u32, resources.min(all.resources.len() as u32));
        prop_assert_eq!(some.resources.len() + some.resources_omitted as usize, all.resources.len());
        let told = |examined: &Examined| -> Vec<_> {
            examined.resources.iter().flat_map(|resource| resource.spans.clone()).collect()
        };
        prop_assert!(told(&all).starts_with(&told(&some)));
        prop_assert_eq!(told(&some).len() + some.spans_omitted as usize, told(&all).len());
        for (some, all) in some.resources.iter().zip(&all.resources) {
            let strip = |resource: &ExaminedResource| ExaminedResource { spans: vec![], ..resource.clone() };
            prop_assert_eq!(strip(some), strip(all));
        }
    }
}
