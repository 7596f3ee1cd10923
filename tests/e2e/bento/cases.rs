//! The conformance cases, by way of HTTP through a real Bento: one pipeline, in which each request says which case it is.
//!
//! What a report counts does not show: Bento has no metrics of podstamp's.

use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind};

use podstamp_core::directory::Fields;
use podstamp_core::interface::Signal;
use podstamp_pods::listing;
use podstamp_test_support::blocking::grpc::{Grpc, framed};
use podstamp_test_support::blocking::http::{Client, Response};
use podstamp_test_support::blocking::raw::Raw;
use podstamp_test_support::blocking::status::Status;
use podstamp_test_support::cases::{self, Answer, Case, Outcome, body};
use podstamp_test_support::ports::closed_port;

use super::{Bento, Setup};
use crate::cases::{as_asked, assert_said, assert_sent, pods, success};

#[test]
fn every_case_holds_in_bento_but_for_those_that_it_cannot_have() {
    let cases = cases::all();
    let upstream = Raw::replying(as_asked);
    let Some(bento) = start(&upstream, &cases) else { return };
    let mut wrong = Vec::new();
    for (name, case) in &cases {
        let run = Run { name, case, bento: &bento, upstream: &upstream };
        let holds = catch_unwind(AssertUnwindSafe(|| run.whole())).is_ok();
        let excused = EXCUSED.iter().any(|(excused, _)| excused == name);
        if holds == excused {
            wrong.push(format!(
                "{name} {} ({})",
                if holds { "holds, though excused" } else { "FAILED" },
                case.why
            ));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
    for (excused, _) in EXCUSED {
        assert!(cases.iter().any(|(name, _)| name == excused), "{excused}");
    }
}

/// A case, and where it runs.
struct Run<'a> {
    name: &'a str,
    case: &'a Case,
    bento: &'a Bento,
    upstream: &'a Raw,
}

impl Run<'_> {
    fn whole(&self) {
        let before = self.upstream.requests();
        let response = self.send("status-200");
        let sent = self.upstream.received().split_off(before);
        match (&self.case.expect.forward, &self.case.expect.answer) {
            (Some(forward), None) => {
                let parts = forward.parts.as_ref().map_or(1, Vec::len);
                assert_eq!(sent.len(), parts * (1 + forward.copies.len()));
                let request = &sent[0];
                if let Some(url) = &forward.url {
                    assert_eq!(request.header("x-url"), Some(&**url));
                }
                assert_eq!(request.header("content-type"), Some("application/x-protobuf"));
                assert_eq!(request.body == body::encode(&self.case.request), forward.unchanged, "unchanged");
                if let Some(expected) = &forward.resources {
                    let sent = body::decode(self.signal(), &request.body);
                    assert_sent(&sent, expected);
                }
                check(&response, &success());
                self.case
                    .expect
                    .notices
                    .iter()
                    .for_each(|key| self.bento.wait_for_log(&[&format!("{key}: ")]));
            }
            (None, Some(answer)) => {
                assert!(sent.is_empty(), "{sent:?}");
                self.check(&response, answer);
            }
            other => panic!("{other:?}"),
        }
        for conclusion in &self.case.conclude {
            let outcome = match conclusion.outcome {
                Outcome::Status(status) => format!("status-{status}"),
                Outcome::NotConnected => "not-connected".to_owned(),
                Outcome::Closed => "closed".to_owned(),
                // Another test has a client that does not wait for long; the others are those of a host with lanes.
                Outcome::TimedOut | Outcome::Away | Outcome::Waited | Outcome::Oversized => continue,
            };
            // It is sent once, as one request.
            if conclusion.delivered > 0 {
                continue;
            }
            match &conclusion.answer {
                Some(answer) => self.check(&self.send(&outcome), answer),
                None => assert!(conclusion.retry.is_some() || conclusion.mended.is_some()),
            }
        }
    }

    fn signal(&self) -> Signal {
        self.case.request.signal.into()
    }

    fn send(&self, outcome: &str) -> Response {
        let request = &self.case.request;
        let body = body::encode(request);
        if request.content_type.as_deref().is_some_and(|value| value.starts_with("application/grpc")) {
            drop(Grpc::connect(self.bento.address).call_to(self.signal(), &[], framed(&body)));
        }
        let path = request.path.as_deref().unwrap_or_else(|| self.signal().path());
        let now = request.now.map(|now| now.to_string());
        let mut headers = vec![("x-case", self.name), ("x-outcome", outcome), ("x-path", path)];
        headers.extend(now.iter().map(|now| ("x-now", &**now)));
        headers.extend(request.peer.iter().map(|peer| ("x-peer", &**peer)));
        headers.extend(request.headers.iter().map(|(name, value)| (&**name, &**value)));
        headers.extend(request.forwarded_for.iter().map(|value| ("x-forwarded-for", &**value)));
        headers.extend(request.content_type.iter().map(|value| ("content-type", &**value)));
        Client::connect(self.bento.address).send("POST", "/v1/traces", &headers, &body)
    }

    fn check(&self, response: &Response, expected: &Answer) {
        check(response, expected);
        expected.notice.iter().for_each(|key| self.bento.wait_for_log(&[&format!("{key}: ")]));
    }
}

fn check(response: &Response, expected: &Answer) {
    assert_eq!(response.status, expected.status, "{response:?}");
    let (code, message) = if response.status == 200 {
        (0, response.warning())
    } else {
        let Status { code, message, .. } = Status::of(response);
        (code, message)
    };
    assert_said(response, (code, &message), expected);
}

/// Bento with the example's pipeline, in which a request's headers say what a case brings with it.
fn start(upstream: &Raw, cases: &[(String, Case)]) -> Option<Bento> {
    let names = cases.iter().flat_map(|(_, case)| case.request.headers.keys());
    let mut keys = String::from(
        "\"podstamp_peer\": metadata(\"X-Peer\").or(\"\"), \"case_outcome\": metadata(\"X-Outcome\"), \
         \"podstamp_header_x-forwarded-for\": metadata(\"X-Forwarded-For\").or(\"\"),",
    );
    for name in std::collections::BTreeSet::from_iter(names) {
        keys += &format!(" \"podstamp_header_{name}\": metadata(\"{}\").or(\"\"),", canonical(name));
    }
    let file = |kind: &str| format!("file(path: metadata(\"X-Case\") + \".{kind}\", no_cache: true)");
    let setup = Setup::to(&upstream.url())
        .change("file(\"podstamp.json\")", file("json"))
        .change("cache_get(\"podstamp_pods\", \"text\").catch(\"\")", file("pods"))
        .change("cache_get(\"podstamp_pods\", \"version\").catch(\"\")", "metadata(\"X-Case\")")
        .change("timestamp_unix_nano()", "metadata(\"X-Now\").or(\"\")")
        .change("\"podstamp_path\": \"/v1/traces\",", format!("\"podstamp_path\": metadata(\"X-Path\"), {keys}"))
        .change(
            "url: ${! @podstamp_url }",
            format!(
                "url: '${{! if @case_outcome == \"not-connected\" {{ \"http://{}\" }} else {{ \"{}\" }} }}'",
                closed_port(),
                upstream.url(),
            ),
        )
        .change(
            "Content-Type: application/x-protobuf",
            "Content-Type: application/x-protobuf\n                  X-Url: ${! @podstamp_url }\n                  \
             X-Outcome: ${! @case_outcome }",
        );
    let bento = setup.start()?;
    for (name, case) in cases {
        let write = |kind: &str, text: String| {
            fs::write(bento.folder.path().join(format!("{name}.{kind}")), text).unwrap();
        };
        write("json", cases::document(&case.config).to_string());
        write("pods", listing::write_full(&pods(case), Fields::ALL));
    }
    Some(bento)
}

/// As Go writes a header's name.
fn canonical(name: &str) -> String {
    let words = name.split('-').map(|word| word[..1].to_uppercase() + &word[1..]);
    words.collect::<Vec<_>>().join("-")
}

/// The cases that this host cannot have, each with the reason. The test fails where one of them holds.
const EXCUSED: &[(&str, &str)] = &[
    ("fault_a_cut_off_grpc_message_is_an_invalid_argument", GRPC),
    ("grpc_batch_is_stamped_and_answered_with_a_grpc_status", GRPC),
    ("grpc_batch_of_logs_is_stamped_and_answered_with_a_grpc_status", GRPC),
    ("grpc_empty_message_is_acknowledged_and_not_sent", GRPC),
    ("grpc_message_of_unknown_fields_only_is_never_a_silent_success", GRPC),
    ("guard_sends_many_spans_in_several_requests", "a message stays one message"),
    ("several_exporters_get_the_same", "the pipeline has one `http`, and so they are a fault"),
];

const GRPC: &str = "the input `http_server` speaks HTTP/1.1";
