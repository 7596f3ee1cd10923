//! The conformance cases: each file of `cases/` on each flavour of the filter, the core and the guests alike.
//!
//! A case says what arrives and what has to leave. Add one as a file, once, and it runs on all flavours. What this does
//! not prove: anything about HTTP, or about what deepflow-agent makes of the result (end-to-end tests).

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests say what went wrong by failing, their helpers too"
)]

mod flavour;
mod fuzzed;
mod module;
mod otelwasm;

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use bytes::Bytes;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceResponse;
use podstamp::pods::{self, Coverage, KeptKeys, Keys};
use podstamp::sandbox::{BodyFault, Ended, FilterRunner, ReceivedRequest};
use podstamp_core::interface::{
    self, Attempt, Content, Encoding, Examination, Header, Next, Prepared, Report, Signal, Verdict,
};
use podstamp_test_support::cases::{self, Answer, Case, Conclusion, Forward, Outcome, body};
use prost::Message;
use serde_json::json;

use flavour::{Flavour, Pods, flavours};

/// Alike not only as far as a case looks: verdict, edits, answers and counts, byte for byte.
#[test]
fn every_case_holds_on_every_flavour_and_all_of_them_decide_alike() {
    let cases = cases::all();
    assert!(cases.len() >= 25, "only {} cases were found", cases.len());
    let mut failed = Vec::new();
    for (name, case) in &cases {
        let mut first = None;
        for (flavour, make) in flavours() {
            let decided = catch_unwind(AssertUnwindSafe(|| run(case, make))).ok();
            let alike = decided.is_some() && *first.get_or_insert_with(|| decided.clone()) == decided;
            println!("{flavour}: {name} ... {}", if alike { "ok" } else { "FAILED" });
            if !alike {
                failed.push(format!("{flavour}: {name} ({})", case.why));
            }
        }
    }
    assert!(failed.is_empty(), "{failed:#?}");
}

/// The module for other hosts does not examine.
#[test]
fn an_examination_of_every_case_tells_the_same_natively_and_in_the_component() {
    let options = Examination { payloads: true, resources: 100, spans: 1_000, text: 200 };
    let mut told = 0;
    for (name, case) in cases::all() {
        let examined = flavours().into_iter().take(2).map(|(_, make)| {
            let (filter, incoming) = set_up(&case, make);
            filter.examine(&incoming, options).unwrap()
        });
        let [native, component] = &examined.collect::<Vec<_>>()[..] else { panic!("two flavours") };
        assert_eq!(native, component, "{name}");
        if let Some(forward) = &case.expect.forward
            && let Some(resources) = &forward.resources
            && forward.parts.is_none()
        {
            assert_eq!(native.resources.len(), resources.len(), "{name}");
        }
        assert!(native.fault.is_none() || case.expect.forward.is_none(), "{name}: {:?}", native.fault);
        told += native.resources.len();
    }
    assert!(told >= 25, "{told} resources");
}

/// All that a filter has to say about a case.
#[derive(Clone, Debug, PartialEq)]
struct Decisions {
    request_headers: Vec<String>,
    prepared: Prepared,
    concluded: Vec<Next>,
    diagnosed: Option<BodyFault>,
}

fn set_up(case: &Case, make: Flavour) -> (Box<dyn FilterRunner>, ReceivedRequest) {
    let filter = make(&cases::document(&case.config), pods(case));
    let request = &case.request;
    let named = request.headers.iter().map(|(name, value)| Header::new(name, value));
    let content_type = request.content_type.iter().map(|value| Header::new("content-type", value));
    let forwarded = request.forwarded_for.iter().map(|value| Header::new("x-forwarded-for", value));
    let mut headers: Vec<_> = named.chain(content_type).chain(forwarded).collect();
    headers.retain(|header| filter.request_headers().contains(&header.name));
    let signal = Signal::from(request.signal);
    let incoming = ReceivedRequest {
        signal,
        path: request.path.clone().unwrap_or_else(|| signal.path().to_owned()),
        peer: request.peer.as_ref().map(|peer| peer.parse().unwrap()),
        headers,
        body: Bytes::from(body::encode(request)),
        now: request.now,
        gzip: None,
    };
    (filter, incoming)
}

fn pods(case: &Case) -> Pods {
    let list = case.pods.as_ref().map_or_else(|| json!([]), cases::document);
    let list =
        if list.is_array() { json!({"apiVersion": "v1", "kind": "List", "items": list}) } else { list };
    let keep = KeptKeys { labels: Keys::All, annotations: Keys::All };
    let coverage = if case.pods_are_a_part { Coverage::Part } else { Coverage::Cluster };
    let table = pods::read_pods(list.to_string().as_bytes(), keep, coverage).unwrap();
    assert_eq!(table.skipped().first, None);
    Arc::new(table)
}

fn run(case: &Case, make: Flavour) -> Decisions {
    let (filter, incoming) = set_up(case, make);
    let prepared = filter.prepare(&incoming).unwrap();
    // What a filter keeps of a request changes nothing for the next one.
    assert_eq!(filter.prepare(&incoming).unwrap(), prepared);
    match (&prepared.verdict, &case.expect.forward, &case.expect.answer) {
        (Verdict::Forward(outbound), Some(expected), None) => check_forward(outbound, expected, &incoming),
        (Verdict::Answer(answer), None, Some(expected)) => check_answer(answer, expected),
        (verdict, ..) => panic!("{verdict:?}"),
    }
    assert_eq!(counts(prepared.report), case.expect.report);
    let notices: Vec<_> = prepared.notices.iter().map(|notice| notice.key.to_string()).collect();
    assert_eq!(notices, case.expect.notices);
    let concluded = case.conclude.iter().map(|conclusion| {
        let next = conclude(&*filter, &incoming, &prepared.verdict, conclusion);
        match (&next, &conclusion.answer, conclusion.retry) {
            (Next::Answer(answer), Some(expected), None) => check_answer(answer, expected),
            (Next::Retry(wait), None, Some(expected)) => assert_eq!(*wait, expected),
            (Next::Mend(mended), None, None) => {
                let expected = conclusion.mended.as_deref().map(body::from_hex);
                assert_eq!(Some(&mended.body), expected.as_ref());
            }
            _ => panic!("{next:?}"),
        }
        next
    });
    let concluded = concluded.collect();
    Decisions {
        request_headers: filter.request_headers().to_vec(),
        prepared,
        concluded,
        diagnosed: filter.diagnose(incoming.signal, &incoming.body).unwrap(),
    }
}

fn check_forward(outbound: &interface::Outbound, expected: &Forward, incoming: &ReceivedRequest) {
    let body = &incoming.body;
    if let Some(url) = &expected.url {
        assert_eq!(outbound.url, *url);
    }
    let copies: Vec<_> = outbound.copies.iter().map(|copy| copy.url.clone()).collect();
    assert_eq!(copies, expected.copies);
    let sent = match &outbound.content {
        Content::Unchanged => body.to_vec(),
        Content::Edited(edits) => edits.apply(body).unwrap(),
        Content::Replaced(body) => body.clone(),
    };
    assert_eq!(outbound.content == Content::Unchanged, expected.unchanged, "unchanged");
    assert_eq!(outbound.parts.last().map(|part| part.end as usize), Some(sent.len()), "the last part");
    let parts: Vec<_> = outbound.parts.iter().map(|part| part.spans).collect();
    assert!(expected.parts.as_ref().map_or(parts.len() == 1, |expected| *expected == parts), "{parts:?}");
    if let Some(expected) = &expected.resources {
        let sent = body::decode(incoming.signal, &sent);
        let alike = sent.len() == expected.len()
            && sent.iter().zip(expected).all(|(sent, expected)| sent.is(expected));
        assert!(alike, "{sent:#?}\nexpected {expected:#?}");
    }
}

/// `google.rpc.Status`, without its details.
#[derive(Clone, PartialEq, Message)]
struct Status {
    #[prost(int32, tag = "1")]
    code: i32,
    #[prost(string, tag = "2")]
    message: String,
}

fn check_answer(answer: &interface::Answer, expected: &Answer) {
    assert_eq!(answer.status, expected.status);
    let header = |name: &str| {
        let header = answer.headers.iter().find(|header| header.name == name)?;
        Some(String::from_utf8_lossy(&header.value).into_owned())
    };
    let Status { code, message } = match header("content-type").as_deref() {
        _ if answer.status == 200 => Status {
            code: header("grpc-status").map_or(0, |code| code.parse().unwrap()),
            message: warning(answer),
        },
        Some("application/json") => {
            let body: serde_json::Value = serde_json::from_slice(&answer.body).unwrap();
            let code = body["code"].as_i64().unwrap_or_default() as i32;
            Status { code, message: body["message"].as_str().unwrap_or_default().to_owned() }
        }
        Some("application/grpc") => Status {
            code: header("grpc-status").unwrap().parse().unwrap(),
            message: header("grpc-message").unwrap_or_default(),
        },
        _ => Status::decode(&answer.body[..]).unwrap(),
    };
    assert_eq!(expected.code.unwrap_or(code), code);
    for part in &expected.contains {
        assert!(message.contains(part), "{part:?} in {message:?}");
    }
    assert_eq!(answer.notice.as_ref().map(|notice| notice.key.to_string()), expected.notice);
    for (name, value) in &expected.headers {
        assert_eq!(header(name).as_ref(), Some(value), "{name}");
    }
}

/// The warning of a success, which is OTLP's partial success.
fn warning(answer: &interface::Answer) -> String {
    let json = answer.headers.iter().any(|header| header.value == b"application/json");
    if json {
        let body: serde_json::Value = serde_json::from_slice(&answer.body).unwrap();
        return body["partialSuccess"]["errorMessage"].as_str().unwrap_or_default().to_owned();
    }
    let response = ExportTraceServiceResponse::decode(&answer.body[..]).unwrap();
    response.partial_success.map(|partial| partial.error_message).unwrap_or_default()
}

fn conclude(
    filter: &dyn FilterRunner,
    incoming: &ReceivedRequest,
    verdict: &Verdict,
    conclusion: &Conclusion,
) -> Next {
    let encoding = match verdict {
        Verdict::Forward(outbound) => outbound.encoding,
        Verdict::Answer(_) => Encoding::Protobuf,
    };
    let signal = incoming.signal;
    let attempt = Attempt {
        signal,
        upstream: 0,
        encoding,
        number: 1,
        elapsed: 10,
        patience: 8_000,
        delivered: conclusion.delivered,
        random: u32::MAX / 2,
    };
    let ended = match conclusion.outcome {
        Outcome::Status(status) => Ended::Response { status, headers: vec![], body: Bytes::new() },
        Outcome::NotConnected => Ended::NotConnected("connection refused".to_owned()),
        Outcome::Away => Ended::Away { reason: "connection refused".to_owned(), after: 2_500 },
        Outcome::Waited => Ended::Waited,
        Outcome::Closed => Ended::Closed(incoming.body.clone()),
        Outcome::TimedOut => Ended::TimedOut,
        Outcome::Oversized => Ended::Oversized,
    };
    filter.conclude(attempt, &ended).unwrap()
}

/// The counts that are not 0.
fn counts(report: Report) -> BTreeMap<String, u32> {
    let Report {
        resources,
        spans,
        address_kept,
        address_pipeline,
        address_pod_ip,
        address_pod,
        address_connection,
        address_unknown,
        address_contradicted,
        refused,
        kinds_cleared,
        resources_created,
        addresses_normalised,
        addresses_repaired,
        peers_renamed,
        spans_moved,
        spans_far,
        spans_senseless,
        names_cut,
        texts_mended,
        requests_split,
    } = report;
    let all = [
        ("resources", resources),
        ("spans", spans),
        ("address_kept", address_kept),
        ("address_pipeline", address_pipeline),
        ("address_pod_ip", address_pod_ip),
        ("address_pod", address_pod),
        ("address_connection", address_connection),
        ("address_unknown", address_unknown),
        ("address_contradicted", address_contradicted),
        ("refused", refused),
        ("kinds_cleared", kinds_cleared),
        ("resources_created", resources_created),
        ("addresses_normalised", addresses_normalised),
        ("addresses_repaired", addresses_repaired),
        ("peers_renamed", peers_renamed),
        ("spans_moved", spans_moved),
        ("spans_far", spans_far),
        ("spans_senseless", spans_senseless),
        ("names_cut", names_cut),
        ("texts_mended", texts_mended),
        ("requests_split", requests_split),
    ];
    all.into_iter().filter(|(_, count)| *count > 0).map(|(name, count)| (name.to_owned(), count)).collect()
}
