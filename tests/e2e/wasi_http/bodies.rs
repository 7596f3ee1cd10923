//! Bodies: coded, in pieces, too large, broken; and requests that are no exports.

use podstamp_fake_agent::Builder;
use podstamp_test_support::blocking::http::{Client, GZIP, PROTOBUF, export, gzipped};
use podstamp_test_support::spans;
use serde_json::json;

use super::{Host, towards};
use crate::encoding::Encoding;
use crate::fake_agent::FakeAgent;

#[test]
fn a_body_arrives_stamped_whatever_its_coding_and_in_however_many_pieces_it_comes() {
    for host in Host::BOTH {
        let agent = FakeAgent::with(Builder::keep_bodies);
        let Some(server) = host.serve(&towards(agent.agent().address())) else { continue };
        let (plain, gzip) = (spans::many(), gzipped(&mut &*spans::many()));
        assert_eq!(export(server.address, &plain).status, 200);
        let stamped = agent.take_message();
        let attributes = &stamped.resource_spans[0].resource.as_ref().unwrap().attributes;
        assert!(attributes.iter().any(|attribute| attribute.key == "app.host.ip"), "{host:?}");
        let mut client = Client::connect(server.address);
        for (headers, body) in [(vec![PROTOBUF], &plain), (vec![PROTOBUF, GZIP], &gzip)] {
            assert_eq!(client.send("POST", "/v1/traces", &headers, body).status, 200);
            assert_eq!(agent.take_message(), stamped, "{host:?} {headers:?}");
            for size in [7, 1000] {
                client.begin_chunked("/v1/traces", &headers);
                body.chunks(size).for_each(|chunk| client.write_chunk(chunk));
                assert_eq!(client.end_chunked(&[]).status, 200, "{}", server.log());
                assert_eq!(agent.take_message(), stamped, "{host:?} {headers:?} in {size}");
            }
        }
    }
}

#[test]
fn large_batches_pass_and_what_agents_take_in_parts_arrives_in_parts() {
    for host in Host::BOTH {
        let agent = FakeAgent::start();
        let mut document = towards(agent.agent().address());
        document["podstamp"]["guard"] = json!({"spans_per_request": 100});
        let Some(server) = host.serve(&document) else { continue };
        assert_eq!(export(server.address, &spans::large(3 << 20, "web-1")).status, 200, "{}", server.log());
        agent.agent().forget_records();
        // 200 resources of one span each.
        assert_eq!(export(server.address, &spans::many()).status, 200, "{}", server.log());
        let spans: Vec<_> = agent.records().iter().map(|record| record.spans().count()).collect();
        assert_eq!(spans, [100, 100], "{host:?}");
    }
}

#[test]
fn what_is_too_large_broken_or_no_export_is_refused_and_the_next_batch_passes() {
    for host in Host::BOTH {
        let agent = FakeAgent::start();
        let mut document = towards(agent.agent().address());
        document["podstamp"]["limits"] = json!({"body": "64KiB"});
        let Some(server) = host.serve(&document) else { continue };
        let post = |path: &str, headers: &[(&str, &str)], body: &[u8]| {
            Client::connect(server.address).send("POST", path, headers, body)
        };
        let large = vec![0; (64 << 10) + 1];
        let bomb = gzipped(&mut &*vec![0; 8 << 20]);
        for encoding in Encoding::BOTH {
            let header = encoding.header();
            for (headers, body, status) in [
                (vec![header], &large, 413),
                (vec![header, GZIP], &bomb, 413),
                (vec![header, GZIP], &b"no gzip".to_vec(), 400),
                (vec![header], &encoding.broken(), 400),
                (vec![header, ("content-encoding", "br")], &encoding.batch(), 415),
            ] {
                let answer = post("/v1/traces", &headers, body);
                assert_eq!(answer.status, status, "{host:?} {headers:?}: {}", answer.message());
                assert_eq!(answer.header("content-type"), Some(header.1));
            }
            let mut client = Client::connect(server.address);
            assert_eq!(client.send_chunked("/v1/traces", &[header], &large).status, 413, "{host:?}");
            encoding.success(&post("/v1/traces", &[header], &encoding.batch()));
        }
        let batch = Encoding::Protobuf.batch();
        assert_eq!(post("/v1/traces", &[("content-type", "text/plain")], &batch).status, 415);
        assert_eq!(post("/v1/spans", &[PROTOBUF], &batch).status, 404);
        assert_eq!(post("/v1/metrics", &[PROTOBUF], &batch).status, 404);
        let answer = Client::connect(server.address).send("GET", "/v1/traces", &[], b"");
        assert_eq!((answer.status, answer.header("allow")), (405, Some("POST")));
        assert_eq!(agent.records().len(), 2, "nothing of that was sent on");
    }
}

/// Neither host has HTTP/2, so that no client of gRPC comes by itself: one does behind a proxy that makes HTTP/1.1 of it.
#[test]
fn grpc_is_told_to_come_by_http() {
    for host in Host::BOTH {
        let agent = FakeAgent::start();
        let Some(server) = host.serve(&towards(agent.agent().address())) else { continue };
        let path = "/opentelemetry.proto.collector.trace.v1.TraceService/Export";
        let headers = [("content-type", "application/grpc"), ("te", "trailers")];
        let answer = Client::connect(server.address).send("POST", path, &headers, b"\0\0\0\0\0");
        assert_eq!((answer.status, answer.header("grpc-status")), (200, Some("12")));
        assert!(answer.header("grpc-message").unwrap().contains("OTLP/HTTP"));
        assert!(answer.body.is_empty() && agent.records().is_empty());
    }
}

#[test]
fn a_client_that_gives_up_or_is_slow_stops_nobody_else() {
    for host in Host::BOTH {
        let agent = FakeAgent::start();
        let mut document = towards(agent.agent().address());
        document["podstamp"]["limits"] = json!({"read_timeout": "500ms"});
        let Some(server) = host.serve(&document) else { continue };
        let mut gone = Client::connect(server.address);
        gone.write(b"POST /v1/traces HTTP/1.1\r\nhost: a\r\ncontent-type: application/x-protobuf\r\ncontent-length: 99\r\n\r\nabc");
        drop(gone);
        let mut slow = Client::connect(server.address);
        slow.write(b"POST /v1/traces HTTP/1.1\r\nhost: a\r\ncontent-type: application/x-protobuf\r\ncontent-length: 99\r\n\r\nabc");
        assert_eq!(slow.receive().status, 408, "{host:?}: {}", server.log());
        assert_eq!(export(server.address, &Encoding::Protobuf.batch()).status, 200, "{host:?}");
    }
}
