//! Bodies arrive whole and once, however they come.

use std::io::Write;
use std::net::TcpStream;

use podstamp_fake_agent::Builder;
use podstamp_test_support::blocking::http::{Client, GZIP, PROTOBUF, export, gzipped};
use podstamp_test_support::blocking::http2::Http2;
use podstamp_test_support::spans;
use prost::Message;
use serde_json::json;

use super::{POD, Setup, stamped};
use crate::encoding::Encoding;
use crate::fake_agent::FakeAgent;
use crate::served::wait_until;

#[test]
fn a_body_arrives_whole_in_however_many_pieces_it_comes() {
    let agent = FakeAgent::with(Builder::keep_bodies);
    let Some(envoy) = Setup::to(&agent).start() else { return };
    let batch = spans::many();
    for size in [1, 7, 1000, batch.len()] {
        let mut client = Client::connect(envoy.address);
        client.begin_chunked("/v1/traces", &[PROTOBUF]);
        batch.chunks(size).for_each(|chunk| client.write_chunk(chunk));
        assert_eq!(client.end_chunked(&[]).status, 200);
        assert_eq!(agent.take_message(), stamped(&batch, POD), "chunks of {size}");

        let http2 = Http2::connect(envoy.address);
        let answer = http2.send("/v1/traces", &[PROTOBUF], batch.chunks(size).collect());
        assert_eq!(answer.status, 200);
        assert_eq!(agent.take_message(), stamped(&batch, POD), "frames of {size}");
    }
}

#[test]
fn a_body_that_ends_with_trailers_arrives_stamped() {
    let agent = FakeAgent::with(Builder::keep_bodies);
    let mut setup = Setup::to(&agent);
    setup.manager = json!({"http_protocol_options": {"enable_trailers": true}});
    let Some(envoy) = setup.start() else { return };
    let trailers = [("x-checksum", "7")];
    let (batch, gzip) = (spans::many(), gzipped(&mut &*spans::many()));
    for (headers, body) in [(&[PROTOBUF][..], &batch), (&[PROTOBUF, GZIP], &gzip)] {
        let mut client = Client::connect(envoy.address);
        client.begin_chunked("/v1/traces", headers);
        body.chunks(1000).for_each(|chunk| client.write_chunk(chunk));
        let answer = client.end_chunked(&trailers);
        assert_eq!(answer.status, 200, "{}", answer.message());
        assert_eq!(agent.take_message(), stamped(&batch, POD), "HTTP/1.1, {headers:?}");

        let frames = body.chunks(1000).collect();
        let http2 = Http2::connect(envoy.address);
        let answer = http2.send_with_trailers("/v1/traces", headers, frames, &trailers);
        assert_eq!(answer.status, 200, "{}", answer.message());
        assert_eq!(agent.take_message(), stamped(&batch, POD), "HTTP/2, {headers:?}");
    }
}

#[test]
fn a_body_that_envoy_decompresses_arrives_stamped() {
    let agent = FakeAgent::with(Builder::keep_bodies);
    let Some(envoy) = (Setup { decompressor: true, ..Setup::to(&agent) }).start() else { return };
    let mut client = Client::connect(envoy.address);
    for encoding in Encoding::BOTH {
        let (plain, gzip) = (encoding.batch(), gzipped(&mut &*encoding.batch()));
        for (headers, body) in [(vec![encoding.header(), GZIP], &gzip), (vec![encoding.header()], &plain)] {
            encoding.success(&client.send("POST", "/v1/traces", &headers, body));
            assert_eq!(agent.take_message(), stamped(&Encoding::Protobuf.batch(), POD), "{headers:?}");
            encoding.success(&client.send_chunked("/v1/traces", &headers, body));
            assert_eq!(
                agent.take_message(),
                stamped(&Encoding::Protobuf.batch(), POD),
                "{headers:?} in chunks"
            );
        }
    }
}

#[test]
fn a_body_that_needs_no_change_leaves_byte_for_byte() {
    let agent = FakeAgent::with(Builder::keep_bodies);
    let Some(envoy) = Setup::to(&agent).start() else { return };
    // With a field that nobody knows, and a length in more bytes than it takes.
    let mut batch = stamped(&spans::many(), POD).encode_to_vec();
    batch.extend([0xfa, 0x3f, 0x83, 0x00, b'n', b'e', b'w']);
    let mut client = Client::connect(envoy.address);
    for (headers, body) in [(&[PROTOBUF][..], batch.clone()), (&[PROTOBUF, GZIP], gzipped(&mut &*batch))] {
        for answer in [
            client.send("POST", "/v1/traces", headers, &body),
            client.send_chunked("/v1/traces", headers, &body),
        ] {
            assert_eq!(answer.status, 200);
        }
        for record in agent.records() {
            let sent = if record.content_encoding.is_some() { &body } else { &batch };
            assert!(record.body.as_ref() == Some(sent), "{headers:?}");
        }
        assert_eq!(agent.records().len(), 2);
        agent.agent().forget_records();
    }
}

#[test]
fn all_members_of_a_gzip_file_arrive() {
    let agent = FakeAgent::with(Builder::keep_bodies);
    let Some(envoy) = Setup::to(&agent).start() else { return };
    let (one, two) = (spans::export(&[("one", "web-1")]), spans::export(&[("two", "web-1")]));
    let members = [gzipped(&mut &*one), gzipped(&mut &*two)].concat();
    let answer = Client::connect(envoy.address).send("POST", "/v1/traces", &[PROTOBUF, GZIP], &members);
    assert_eq!(answer.status, 200, "{}", answer.message());
    assert_eq!(agent.take_message(), stamped(&[one, two].concat(), POD));
}

#[test]
fn requests_on_one_connection_do_not_mix() {
    let agent = FakeAgent::with(Builder::keep_bodies);
    let Some(envoy) = Setup::to(&agent).start() else { return };
    let mut client = Client::connect(envoy.address);
    let batches: Vec<_> =
        (0..100).map(|index| spans::export(&[(&*"s".repeat(1 + index * 37 % 500), "web-1")])).collect();
    for (index, batch) in batches.iter().enumerate() {
        let answer = if index % 3 == 0 {
            client.send_chunked("/v1/traces", &[PROTOBUF], batch)
        } else {
            client.export(batch)
        };
        assert_eq!(answer.status, 200);
    }
    let expected: Vec<_> = batches.iter().map(|batch| stamped(batch, POD)).collect();
    assert!(agent.messages() == expected);
}

#[test]
fn batches_of_many_clients_at_a_time_arrive_once_each() {
    const CLIENTS: usize = 16;
    const EACH: usize = 20;
    let agent = FakeAgent::with(|builder| builder.keep_records(2 * CLIENTS * EACH));
    let Some(envoy) = (Setup { concurrency: 2, ..Setup::to(&agent) }).start() else { return };
    std::thread::scope(|scope| {
        for number in 0..CLIENTS {
            let address = envoy.address;
            scope.spawn(move || {
                let mut http1 = Client::connect(address);
                let http2 = Http2::connect(address);
                for index in 0..EACH {
                    let batch = spans::export(&[(&*format!("{number}-{index}"), "web-1")]);
                    let answer = if number % 2 == 0 {
                        http1.export(&batch)
                    } else {
                        http2.send("/v1/traces", &[PROTOBUF], batch.chunks(50).collect())
                    };
                    assert_eq!(answer.status, 200);
                }
            });
        }
    });
    let mut expected: Vec<_> = (0..CLIENTS)
        .flat_map(|number| (0..EACH).map(move |index| (format!("{number}-{index}"), POD.to_owned())))
        .collect();
    expected.sort();
    assert_eq!(agent.placed(), expected);
}

#[test]
fn a_large_body_arrives_where_envoy_may_buffer_it() {
    let agent = FakeAgent::with(Builder::keep_bodies);
    let mut setup = Setup::to(&agent);
    setup.virtual_host = json!({"request_body_buffer_limit": 16 << 20});
    let Some(envoy) = setup.start() else { return };
    let batch = spans::large(6 << 20, "web-1");
    let mut client = Client::connect(envoy.address);
    assert_eq!(client.export(&batch).status, 200);
    assert!(agent.take_message() == stamped(&batch, POD));
    assert_eq!(client.send_chunked("/v1/traces", &[PROTOBUF], &batch).status, 200);
    assert!(agent.take_message() == stamped(&batch, POD));
}

#[test]
fn of_a_client_that_hangs_up_in_its_body_nothing_arrives() {
    let agent = FakeAgent::start();
    let Some(envoy) = Setup::to(&agent).start() else { return };
    let batch = spans::many();
    let mut client = TcpStream::connect(envoy.address).unwrap();
    let head = format!(
        "POST /v1/traces HTTP/1.1\r\nhost: x\r\ncontent-type: application/x-protobuf\r\ncontent-length: {}\r\n\r\n",
        batch.len()
    );
    client.write_all(&[head.as_bytes(), &batch[..batch.len() / 2]].concat()).unwrap();
    wait_until("Envoy reads the body", || envoy.stat("http.otlp.downstream_rq_active") == 1.0);
    drop(client);
    wait_until("Envoy sees that it is gone", || envoy.stat("http.otlp.downstream_rq_active") == 0.0);
    assert_eq!(export(envoy.address, &Encoding::Protobuf.batch()).status, 200);
    assert_eq!(agent.agent().totals().spans, 1);
}

#[test]
fn a_client_that_asks_before_it_sends_its_body_is_told_to_go_on() {
    let agent = FakeAgent::with(Builder::keep_bodies);
    let Some(envoy) = Setup::to(&agent).start() else { return };
    let batch = Encoding::Protobuf.batch();
    let mut client = Client::connect(envoy.address);
    let head = format!(
        "POST /v1/traces HTTP/1.1\r\nhost: x\r\ncontent-type: application/x-protobuf\r\ncontent-length: {}\r\nexpect: 100-continue\r\n\r\n",
        batch.len()
    );
    client.write(head.as_bytes());
    assert_eq!(client.receive().status, 100);
    client.write(&batch);
    assert_eq!(client.receive().status, 200);
    assert_eq!(agent.take_message(), stamped(&batch, POD));
}
