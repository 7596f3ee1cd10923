//! OTLP/HTTP through the listener: the agent gets the batch stamped, and the client its answer.

use std::io::Write;
use std::sync::{Arc, Mutex};

use opentelemetry_proto::tonic::collector::trace::v1::{
    ExportTracePartialSuccess, ExportTraceServiceResponse,
};
use podstamp_fake_agent::Builder;
use podstamp_test_support::blocking::http::{Client, PROTOBUF, export, gzipped};
use podstamp_test_support::blocking::http2::Http2;
use podstamp_test_support::blocking::raw::Raw;
use serde_json::json;

use super::setup::{document, filter, typed};
use super::{POD, Setup, stamped};
use crate::checklist::partly;
use crate::encoding::Encoding;
use crate::fake_agent::FakeAgent;

#[test]
fn batches_of_both_encodings_reach_the_agent_stamped() {
    let agent = FakeAgent::with(Builder::keep_bodies);
    let Some(envoy) = Setup::to(&agent).start() else { return };
    let mut client = Client::connect(envoy.address);
    for encoding in Encoding::BOTH {
        let plain = encoding.batch();
        let gzip = gzipped(&mut &*plain);
        for (coding, body) in [(None, &plain), (Some("identity"), &plain), (Some("gzip"), &gzip)] {
            let coding = coding.map(|coding| ("content-encoding", coding));
            let headers: Vec<_> = [encoding.header()].into_iter().chain(coding).collect();
            let answer = client.send("POST", "/v1/traces", &headers, body);
            assert_eq!(encoding.success(&answer), ExportTraceServiceResponse::default(), "{coding:?}");
            let record = agent.records().pop().unwrap();
            assert_eq!((&*record.method, &*record.path), ("POST", "/api/v1/otel/trace"));
            assert_eq!(record.content_type.as_deref(), Some("application/x-protobuf"));
            assert_eq!(agent.messages(), [stamped(&Encoding::Protobuf.batch(), POD)], "{headers:?}");
            agent.agent().forget_records();
        }
    }
}

#[test]
fn clients_of_http_2_are_served_as_well() {
    let agent = FakeAgent::with(Builder::keep_bodies);
    let Some(envoy) = Setup::to(&agent).start() else { return };
    let client = Http2::connect(envoy.address);
    for encoding in Encoding::BOTH {
        let answer = client.send("/v1/traces", &[encoding.header()], vec![&encoding.batch()]);
        assert_eq!(encoding.success(&answer), ExportTraceServiceResponse::default());
        assert_eq!(agent.messages(), [stamped(&Encoding::Protobuf.batch(), POD)]);
        agent.agent().forget_records();
    }
}

#[test]
fn the_answer_is_in_the_clients_encoding_however_little_the_agent_says() {
    const EMPTY: [&str; 2] = ["content-length: 0\r\n\r\n", "transfer-encoding: chunked\r\n\r\n0\r\n\r\n"];
    const OTHER: [&str; 2] =
        ["content-type: text/plain\r\ncontent-length: 2\r\n\r\nok", "content-length: 2\r\n\r\nok"];
    let said = Arc::<Mutex<&str>>::default();
    let upstream = Raw::answering({
        let said = Arc::clone(&said);
        move |stream| {
            let head = format!("HTTP/1.1 200 OK\r\n{}", said.lock().unwrap());
            stream.write_all(head.as_bytes()).unwrap();
        }
    });
    let Some(envoy) = Setup::towards(upstream.address).start() else { return };
    for response in EMPTY.into_iter().chain(OTHER) {
        *said.lock().unwrap() = response;
        let mut client = Client::connect(envoy.address);
        for encoding in [Encoding::Protobuf, Encoding::Json, Encoding::Protobuf] {
            let answer = encoding.send(&mut client, &encoding.batch());
            assert_eq!(encoding.success(&answer), ExportTraceServiceResponse::default(), "{response:?}");
            let body: &[u8] = if encoding == Encoding::Json { b"{}" } else { b"" };
            assert_eq!(answer.body, body, "{response:?}");
        }
    }
    assert_eq!(upstream.requests(), 12);
}

#[test]
fn what_the_agent_did_not_take_reaches_the_client() {
    let agent = FakeAgent::with(|builder| builder.play_always(partly(3, "too old")));
    let Some(envoy) = Setup::to(&agent).start() else { return };
    let mut client = Client::connect(envoy.address);
    for encoding in Encoding::BOTH {
        let answer = encoding.send(&mut client, &encoding.batch());
        let partial = ExportTracePartialSuccess { rejected_spans: 3, error_message: "too old".to_owned() };
        assert_eq!(encoding.success(&answer).partial_success, Some(partial));
    }
}

#[test]
fn an_empty_batch_is_acknowledged_and_not_sent() {
    let agent = FakeAgent::start();
    let Some(envoy) = Setup::to(&agent).start() else { return };
    for (encoding, empty) in [(Encoding::Protobuf, &b""[..]), (Encoding::Json, b"{}")] {
        let answer = encoding.send(&mut Client::connect(envoy.address), empty);
        assert_eq!(encoding.success(&answer), ExportTraceServiceResponse::default());
    }
    // Without a word of a body.
    let mut client = Client::connect(envoy.address);
    client.write(b"POST /v1/traces HTTP/1.1\r\nhost: x\r\ncontent-type: application/x-protobuf\r\n\r\n");
    assert_eq!(client.receive().status, 200);
    // The head may have gone on by the time that the body turns out to be empty.
    let chunked = Client::connect(envoy.address).send_chunked("/v1/traces", &[PROTOBUF], b"");
    assert_eq!(Encoding::Protobuf.success(&chunked), ExportTraceServiceResponse::default());
    assert!(agent.records().iter().all(|record| record.wire_bytes == 0));
}

#[test]
fn the_agents_own_path_is_served_too_and_needs_no_content_type() {
    let agent = FakeAgent::with(Builder::keep_bodies);
    let Some(envoy) = Setup::to(&agent).start() else { return };
    let batch = Encoding::Protobuf.batch();
    let mut client = Client::connect(envoy.address);
    for headers in [&[PROTOBUF][..], &[]] {
        let answer = client.send("POST", "/api/v1/otel/trace", headers, &batch);
        assert_eq!(Encoding::Protobuf.success(&answer), ExportTraceServiceResponse::default());
        assert_eq!(agent.messages(), [stamped(&batch, POD)]);
        agent.agent().forget_records();
    }
}

#[test]
fn a_content_type_that_is_not_otlps_is_refused() {
    let agent = FakeAgent::start();
    let Some(envoy) = Setup::to(&agent).start() else { return };
    let mut client = Client::connect(envoy.address);
    let answer =
        client.send("POST", "/v1/traces", &[("content-type", "text/plain")], &Encoding::Protobuf.batch());
    assert_eq!(answer.status, 415, "{}", answer.message());
    assert_eq!(Encoding::Protobuf.send(&mut client, &Encoding::Protobuf.batch()).status, 200);
    assert_eq!(agent.agent().totals().requests, 1);
}

#[test]
fn the_path_of_the_receiver_is_the_one_that_is_served() {
    let (agent, other) = (FakeAgent::start(), FakeAgent::start());
    let mut document = document("");
    document["receivers"] = json!({"otlp": {"protocols": {"http": {"traces_url_path": "/otlp/in"}}}});
    let setup = Setup { document: Some(document), other: other.agent().address(), ..Setup::to(&agent) };
    let Some(envoy) = setup.start() else { return };
    let mut client = Client::connect(envoy.address);
    for (path, status) in [("/otlp/in", 200), ("/otlp/in?tenant=shop", 200), ("/v1/traces", 404)] {
        let answer = client.send("POST", path, &[PROTOBUF], &Encoding::Protobuf.batch());
        assert_eq!(answer.status, status, "{path}");
    }
    assert_eq!((agent.records().len(), other.records().len()), (2, 1));
    assert!(agent.records().iter().all(|record| record.path == "/api/v1/otel/trace"));
}

#[test]
fn the_exporters_headers_reach_the_agent() {
    let agent = FakeAgent::start();
    let mut document = document("");
    document["exporters"]["otlphttp"]["headers"] =
        json!({"authorization": "Bearer of-the-agent", "x-tenant": "shop"});
    let Some(envoy) = (Setup { document: Some(document), ..Setup::to(&agent) }).start() else { return };
    let headers = [PROTOBUF, ("authorization", "Bearer of-the-client"), ("x-of", "client")];
    let answer =
        Client::connect(envoy.address).send("POST", "/v1/traces", &headers, &Encoding::Protobuf.batch());
    assert_eq!(answer.status, 200);
    let record = agent.records().pop().unwrap();
    assert_eq!(record.header("authorization"), Some("Bearer of-the-agent"));
    assert_eq!(record.header("x-tenant"), Some("shop"));
    assert_eq!(record.header("x-of"), Some("client"));
}

#[test]
fn pages_of_allowed_origins_can_read_every_answer() {
    let agent = FakeAgent::start();
    let mut setup = Setup::to(&agent);
    // Behind the module, since an answer that the module sends in place of the agent's goes past the filters ahead of it.
    setup.behind = vec![filter("cors", typed("filters.http.cors.v3.Cors", json!({})))];
    let page = "https://www.shop.example";
    let policy = json!({"allow_origin_string_match": [{"exact": page}], "allow_methods": "POST"});
    setup.virtual_host = json!({"typed_per_filter_config": {
        "envoy.filters.http.cors": typed("filters.http.cors.v3.CorsPolicy", policy),
    }});
    let Some(envoy) = setup.start() else { return };
    let asked = [("origin", page), ("access-control-request-method", "POST")];
    let preflight = Client::connect(envoy.address).send("OPTIONS", "/v1/traces", &asked, b"");
    assert_eq!(preflight.header("access-control-allow-origin"), Some(page));
    for encoding in Encoding::BOTH {
        for (body, status) in [(encoding.batch(), 200), (encoding.broken(), 400)] {
            let headers = [encoding.header(), ("origin", page)];
            let answer = Client::connect(envoy.address).send("POST", "/v1/traces", &headers, &body);
            assert_eq!(answer.status, status);
            assert_eq!(answer.header("access-control-allow-origin"), Some(page), "{encoding:?}: {status}");
        }
    }
}

#[test]
fn an_envoy_that_has_served_ends_when_it_is_told_to() {
    let agent = FakeAgent::start();
    let Some(mut envoy) = Setup::to(&agent).start() else { return };
    assert_eq!(export(envoy.address, &Encoding::Protobuf.batch()).status, 200);
    assert_eq!(envoy.terminate().code(), Some(0), "{}", envoy.log());
}
