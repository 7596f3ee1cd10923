//! Servers of OTLP/HTTP.

use std::io::{Read, Write};

use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceResponse;
use podstamp_fake_agent::{Latch, Script};
use podstamp_test_support::blocking::http::{Client, JSON, PROTOBUF, Response, export, gzipped};
use podstamp_test_support::blocking::raw::Raw;
use podstamp_test_support::blocking::status::Status;
use podstamp_test_support::ports::absent_agent;
use podstamp_test_support::spans;

use super::{partly, status, throttled};
use crate::encoding::Encoding;
use crate::fake_agent::FakeAgent;
use crate::served::Setup;

#[test]
fn s1_one_port_takes_posts_of_both_encodings_at_the_default_path_or_another() {
    let agent = FakeAgent::start();
    for path in ["/v1/traces", "/otlp/in"] {
        let mut setup = Setup::load_balancer(&agent.url());
        if path != "/v1/traces" {
            setup.http = format!("        traces_url_path: {path}");
        }
        let served = setup.serve();
        let mut client = Client::connect(served.address);
        for encoding in [Encoding::Protobuf, Encoding::Json, Encoding::Protobuf] {
            let answer = client.send("POST", path, &[encoding.header()], &encoding.batch());
            assert_eq!(answer.status, 200, "{encoding:?} at {path}: {}", answer.message());
        }
    }
    assert_eq!(agent.agent().totals().spans, 6);
}

#[test]
fn s2_bodies_come_as_they_are_or_with_gzip() {
    let agent = FakeAgent::start();
    let served = Setup::load_balancer(&agent.url()).serve();
    let mut client = Client::connect(served.address);
    for encoding in Encoding::BOTH {
        let plain = encoding.batch();
        let gzip = gzipped(&mut &*plain);
        for (headers, body) in [
            (&[][..], &plain),
            (&[("content-encoding", "identity")], &plain),
            (&[("content-encoding", "gzip")], &gzip),
        ] {
            let headers = [&[encoding.header()], headers].concat();
            let answer = client.send("POST", "/v1/traces", &headers, body);
            assert_eq!(answer.status, 200, "{headers:?}: {}", answer.message());
        }
    }
    assert_eq!(agent.agent().totals().spans, 6);
}

#[test]
fn s3_the_response_has_the_content_type_of_the_request() {
    let agent = FakeAgent::start();
    let served = Setup::load_balancer(&agent.url()).serve();
    let mut client = Client::connect(served.address);
    for (content_type, encoding, body) in [
        ("application/x-protobuf", Encoding::Protobuf, &b""[..]),
        ("application/json", Encoding::Json, b"{}"),
        ("application/json; charset=utf-8", Encoding::Json, b"{}"),
        ("Application/JSON", Encoding::Json, b"{}"),
    ] {
        let headers = [("content-type", content_type)];
        let answer = client.send("POST", "/v1/traces", &headers, &encoding.batch());
        assert_eq!(answer.header("content-type"), Some(encoding.header().1), "{content_type}");
        assert_eq!(answer.body, body, "{content_type}");
        let refused = client.send("POST", "/v1/traces", &headers, &encoding.broken());
        assert_eq!(refused.header("content-type"), Some(encoding.header().1), "{content_type}");
    }
}

#[test]
fn s4_full_success_is_200_without_partial_success() {
    // An upstream that sets it, and says nothing in it, has taken everything as well.
    for script in [Script::Import, partly(0, "")] {
        let agent = FakeAgent::with(|builder| builder.play_always(script));
        let served = Setup::load_balancer(&agent.url()).serve();
        let mut client = Client::connect(served.address);
        for encoding in Encoding::BOTH {
            let answer = encoding.send(&mut client, &encoding.batch());
            assert_eq!(encoding.success(&answer), ExportTraceServiceResponse { partial_success: None });
        }
    }
}

#[test]
fn s5_what_the_upstream_did_not_take_or_warns_of_reaches_the_client() {
    for (rejected, message) in [(3, "too old"), (0, "use another endpoint"), (i64::MAX, "grün")] {
        let agent = FakeAgent::with(|builder| builder.play_always(partly(rejected, message)));
        let served = Setup::load_balancer(&agent.url()).serve();
        let mut client = Client::connect(served.address);
        for encoding in Encoding::BOTH {
            let answer = encoding.send(&mut client, &encoding.batch());
            let partial = encoding.success(&answer).partial_success.unwrap();
            assert_eq!((partial.rejected_spans, &*partial.error_message), (rejected, message));
        }
        assert_eq!(agent.records().len(), 2, "it is not sent again");
    }
}

#[test]
fn s6_an_empty_request_succeeds() {
    let agent = FakeAgent::start();
    let served = Setup::load_balancer(&agent.url()).serve();
    let mut client = Client::connect(served.address);
    for (encoding, empty) in [
        (Encoding::Protobuf, &b""[..]),
        (Encoding::Json, b"{}"),
        (Encoding::Json, br#"{"resourceSpans": []}"#),
    ] {
        let answer = encoding.send(&mut client, empty);
        assert_eq!(encoding.success(&answer), ExportTraceServiceResponse::default());
    }
    assert_eq!(agent.records(), []);
}

#[test]
fn s7_what_the_receiver_refuses_is_answered_with_a_status_in_the_encoding_of_the_request() {
    let agent = FakeAgent::start();
    let serve =
        |limit: &str| Setup::load_balancer(&agent.url()).own(&format!("  limits:\n    {limit}\n")).serve();
    let (served, impatient) = (serve("body: 64KiB"), serve("read_timeout: 300ms"));
    for encoding in Encoding::BOTH {
        let ask = |method: &str, path: &str, headers: &[(&str, &str)], body: &[u8]| {
            let headers = [&[encoding.header()], headers].concat();
            Client::connect(served.address).send(method, path, &headers, body)
        };
        let post = |headers: &[(&str, &str)], body: &[u8]| ask("POST", "/v1/traces", headers, body);
        let large = vec![b' '; 65 << 10];
        is_status(&post(&[], &encoding.broken()), 400, encoding);
        is_status(&post(&[("content-encoding", "gzip")], b"not gzip"), 400, encoding);
        is_status(&ask("POST", "/v1/metrics", &[], &encoding.batch()), 404, encoding);
        for method in ["GET", "PUT", "DELETE"] {
            is_status(&ask(method, "/v1/traces", &[], b""), 405, encoding);
        }
        is_status(&post(&[], &large), 413, encoding);
        is_status(&post(&[("content-encoding", "gzip")], &gzipped(&mut &*large)), 413, encoding);
        is_status(&post(&[("content-encoding", "br")], &encoding.batch()), 415, encoding);

        let mut slow = Client::connect(impatient.address);
        let (name, value) = encoding.header();
        let head =
            format!("POST /v1/traces HTTP/1.1\r\nhost: x\r\n{name}: {value}\r\ncontent-length: 9\r\n\r\n");
        slow.write(head.as_bytes());
        is_status(&slow.receive(), 408, encoding);
    }
    // A request in no encoding of OTLP is answered in one.
    for refused in [("content-type", "text/plain"), ("content-type", "")] {
        let answer = Client::connect(served.address).send("POST", "/v1/traces", &[refused], b"");
        is_status(&answer, 415, Encoding::Protobuf);
    }
    let grpc = [("content-type", "application/grpc")];
    let answer = Client::connect(served.address).send("POST", "/v1/traces", &grpc, b"");
    is_status(&answer, 505, Encoding::Protobuf);
    assert_eq!(agent.records(), []);
}

#[test]
fn s7_what_the_upstream_refuses_is_answered_with_a_status_in_the_encoding_of_the_request() {
    let agent = FakeAgent::start();
    let served = Setup::load_balancer(&agent.url()).unretried().serve();
    for encoding in Encoding::BOTH {
        for (upstream, answered) in [
            (400, 400),
            (401, 500),
            (403, 500),
            (404, 500),
            (405, 500),
            (413, 413),
            (429, 429),
            (500, 500),
            (501, 500),
            (502, 502),
            (503, 503),
            (504, 504),
        ] {
            agent.agent().play(1, status(upstream));
            let answer = encoding.send(&mut Client::connect(served.address), &encoding.batch());
            is_status(&answer, answered, encoding);
        }
        // Twice, since a connection that was idle before may have been closed just then.
        agent.agent().play(2, Script::Close);
        let answer = encoding.send(&mut Client::connect(served.address), &encoding.batch());
        is_status(&answer, 503, encoding);
    }
    let silent = FakeAgent::silent();
    for (upstream, answered) in [(silent.url(), 504), (absent_agent(), 503)] {
        for encoding in Encoding::BOTH {
            // A server each: a client that comes after the upstream was silent for so long is told at once.
            let served = Setup::load_balancer(&upstream).unretried().impatient().serve();
            let answer = encoding.send(&mut Client::connect(served.address), &encoding.batch());
            is_status(&answer, answered, encoding);
        }
    }
}

fn is_status(answer: &Response, status: u16, encoding: Encoding) {
    assert_eq!(answer.status, status, "{encoding:?}: {}", answer.message());
    assert_eq!(answer.header("content-type"), Some(encoding.header().1), "{status}");
    let told = Status::of(answer);
    assert_ne!(told.message, "", "{status}");
    assert_ne!(told.code, 0, "{status}: {}", told.message);
}

#[test]
fn s8_what_cannot_be_decoded_gets_400_with_the_place_and_no_reason_to_come_again() {
    let agent = FakeAgent::start();
    let served = Setup::load_balancer(&agent.url()).serve();
    for encoding in Encoding::BOTH {
        let answer = encoding.send(&mut Client::connect(served.address), &encoding.broken());
        assert_eq!(answer.status, 400);
        assert_eq!(answer.header("retry-after"), None);
        let told = Status::of(&answer);
        let [(field, description)] = &told.violations()[..] else { panic!("{told:?}") };
        assert!(field.starts_with("resource"), "{field}");
        assert_ne!(description, "");
        assert_eq!(told.retry_delay(), None);
    }
    assert_eq!(agent.records(), []);
}

#[test]
fn s8_what_only_the_agent_sees_is_broken_gets_400_as_well() {
    let agent = FakeAgent::start();
    let served = Setup::load_balancer(&agent.url()).serve();
    let answer = export(served.address, &spans::broken_deep_in_a_span());
    assert_eq!((answer.status, answer.header("retry-after")), (400, None));
    assert_eq!(Status::of(&answer).violations().len(), 1);
    assert_eq!(agent.records().len(), 1, "it is not sent again");
}

#[test]
fn s9_overload_is_503_with_retry_after() {
    let latch = Latch::default();
    let agent = FakeAgent::behind(&latch);
    let served = Setup::load_balancer(&agent.url()).own("  limits:\n    in_flight: 1\n").serve();
    let address = served.address;
    let slow = std::thread::spawn(move || export(address, &Encoding::Protobuf.batch()).status);
    served.wait_for_request_in_flight();
    for encoding in Encoding::BOTH {
        let answer = encoding.send(&mut Client::connect(address), &encoding.batch());
        is_status(&answer, 503, encoding);
        assert_eq!(answer.header("retry-after"), Some("1"));
        assert_eq!(Status::of(&answer).retry_delay(), Some(1.0));
    }
    latch.open();
    assert_eq!(slow.join().unwrap(), 200);
}

#[test]
fn s9_an_upstreams_overload_is_passed_on_with_its_retry_after() {
    let agent = FakeAgent::start();
    let served = Setup::load_balancer(&agent.url()).unretried().serve();
    for encoding in Encoding::BOTH {
        for busy in [429, 503] {
            agent.agent().play(1, throttled(busy, "7"));
            let answer = encoding.send(&mut Client::connect(served.address), &encoding.batch());
            is_status(&answer, busy, encoding);
            assert_eq!(answer.header("retry-after"), Some("7"));
            assert_eq!(Status::of(&answer).retry_delay(), Some(7.0));
        }
    }
}

#[test]
fn s10_bodies_are_limited_to_64_mib_before_and_after_decompression() {
    const LIMIT: usize = 64 << 20;
    let agent = FakeAgent::start();
    let served = Setup::load_balancer(&agent.url()).serve();
    let gzip = [PROTOBUF, ("content-encoding", "gzip")];
    let zeros = |length: usize| std::io::repeat(0).take(length as u64);
    for (length, status) in [(LIMIT, 400), (LIMIT + 1, 413)] {
        let body = vec![0; length];
        let connect = || Client::connect(served.address);
        assert_eq!(connect().send("POST", "/v1/traces", &[PROTOBUF], &body).status, status);
        assert_eq!(connect().send_chunked("/v1/traces", &[PROTOBUF], &body).status, status);
        let body = gzipped(&mut zeros(length));
        assert_eq!(connect().send("POST", "/v1/traces", &gzip, &body).status, status);
        assert_eq!(connect().send_chunked("/v1/traces", &gzip, &body).status, status);
    }
    assert_eq!(agent.records(), []);
}

#[test]
fn s10_the_limit_of_bodies_can_be_configured() {
    let agent = FakeAgent::start();
    let plain = spans::export(&[("shop", &"x".repeat(3000))]);
    for own in [false, true] {
        let mut setup = Setup::load_balancer(&agent.url());
        if own {
            setup = setup.own("  limits:\n    body: 2KiB\n");
        } else {
            setup.http = "        max_request_body_size: 2048".to_owned();
        }
        let served = setup.serve();
        let mut client = Client::connect(served.address);
        assert_eq!(client.export(&plain).status, 413);
        assert_eq!(client.send_chunked("/v1/traces", &[PROTOBUF], &plain).status, 413);
        let gzip = [PROTOBUF, ("content-encoding", "gzip")];
        assert_eq!(client.send("POST", "/v1/traces", &gzip, &gzipped(&mut &*plain)).status, 413);
        assert_eq!(client.export(&Encoding::Protobuf.batch()).status, 200);
    }
    assert_eq!(agent.agent().totals().spans, 2);
}

#[test]
fn s11_no_more_than_4_mib_of_an_upstreams_answer_are_read() {
    // The body never comes: whoever waited for it would have no answer within the exporter's timeout.
    let announced = Raw::answering(|stream| {
        let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n", 5 << 20);
        stream.write_all(head.as_bytes()).unwrap();
    });
    // The body never ends; the client that hangs up in the middle is done with it.
    let endless = Raw::answering(|stream| {
        stream.write_all(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n").unwrap();
        let chunk = [b"10000\r\n", &vec![b'x'; 0x10000][..], b"\r\n"].concat();
        while stream.write_all(&chunk).is_ok() {}
    });
    for upstream in [announced, endless] {
        let served = Setup::load_balancer(&upstream.url()).serve();
        let answer = export(served.address, &Encoding::Protobuf.batch());
        assert_eq!(answer.status, 500, "{}", answer.message());
        assert!(Status::of(&answer).message.contains("over 4 MiB"), "{}", answer.message());
        assert_eq!(answer.header("retry-after"), None);
        assert_eq!(upstream.requests(), 1, "it is not sent again");
    }
}

#[test]
fn s11_a_long_message_of_the_upstream_is_cut_rather_than_its_count_lost() {
    let agent = FakeAgent::with(|builder| builder.play_always(partly(3, &"ü".repeat(1 << 20))));
    let served = Setup::load_balancer(&agent.url()).serve();
    for encoding in Encoding::BOTH {
        let answer = encoding.send(&mut Client::connect(served.address), &encoding.batch());
        assert!(answer.body.len() < 16 << 10, "{} bytes", answer.body.len());
        let partial = encoding.success(&answer).partial_success.unwrap();
        assert_eq!(partial.rejected_spans, 3);
        assert!(partial.error_message.starts_with("üü"));
    }
}

#[test]
fn s12_a_response_is_not_compressed_however_a_client_asks() {
    let agent = FakeAgent::with(|builder| builder.play(1, partly(1, &"no ".repeat(1000))));
    let served = Setup::load_balancer(&agent.url()).serve();
    let mut client = Client::connect(served.address);
    for _ in 0..2 {
        for headers in
            [[PROTOBUF, ("accept-encoding", "gzip")], [JSON, ("accept-encoding", "gzip, br;q=0.5")]]
        {
            let encoding = if headers[0] == JSON { Encoding::Json } else { Encoding::Protobuf };
            let answer = client.send("POST", "/v1/traces", &headers, &encoding.batch());
            assert_eq!(answer.header("content-encoding"), None);
            encoding.success(&answer);
        }
    }
}
