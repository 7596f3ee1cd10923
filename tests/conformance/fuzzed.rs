//! The fuzz target of the guest over its corpus, and the cost of bodies that grow in one way: counted in
//! wasm's fuel, which is the same on every machine.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use podstamp::pods::{self, Coverage, KeptKeys};
use podstamp::sandbox::{Ended, FilterRunner as _, Guest, ReceivedRequest, Sandbox, Settings};
use podstamp_core::interface::{Attempt, Encoding, Examination, Header, Signal, Verdict};
use podstamp_test_support::fuzz::guest::guest;
use podstamp_test_support::fuzz::replay;
use podstamp_test_support::otlp_json;
use podstamp_test_support::shapes::{DOCUMENT, NOW, PEER, SHAPES, pieces, pods};
use prost::Message as _;

#[test]
fn the_corpus_of_the_guest_holds() {
    replay("guest", guest);
}

#[test]
fn four_times_as_much_of_anything_takes_about_four_times_as_long() {
    let settings =
        Settings { memory: 256 << 20, timeout: Duration::from_secs(3_600), instances: 8, body: 64 << 20 };
    let guest = Guest::compile_metered(Guest::embedded_component(), settings).unwrap();
    let with = |labels: usize| {
        let table =
            pods::read_pods(pods(labels).to_string().as_bytes(), KeptKeys::default(), Coverage::Cluster);
        Sandbox::new(&guest, DOCUMENT.to_owned(), Arc::new(table.unwrap())).unwrap()
    };
    let plain = with(0);
    let protobuf = |sandbox: &Sandbox, body: Vec<u8>| prepare(sandbox, "application/x-protobuf", 0, body);
    for shape in SHAPES {
        let (few, many) = (shape.most >> 4, shape.most >> 2);
        let body_with = |count| (shape.make)(count).encode_to_vec();
        in_proportion(shape.name, [few, many].map(|count| protobuf(&plain, body_with(count))));
        let text = |count| otlp_json::plain(&(shape.make)(count)).into_bytes();
        let taken = [few, many].map(|count| prepare(&plain, "application/json", 0, text(count)));
        in_proportion(&format!("{} in JSON", shape.name), taken);
        in_proportion(
            &format!("{}, examined", shape.name),
            [few, many].map(|count| examine(&plain, body_with(count))),
        );
        in_proportion(
            &format!("{}, diagnosed", shape.name),
            [few, many].map(|count| conclude(&plain, body_with(count))),
        );
    }
    in_proportion("pieces of a resource", [1 << 10, 1 << 12].map(|count| protobuf(&plain, pieces(count))));
    let taken = [1 << 8, 1 << 10].map(|values| prepare(&plain, "application/x-protobuf", values, pieces(1)));
    in_proportion("values of a header", taken);
    let both = |count: usize| protobuf(&with(count), pieces(4 * count));
    in_proportion("attributes and labels", [1 << 8, 1 << 10].map(both));
}

/// n log n comes to 5 at these sizes, n² to 16.
fn in_proportion(what: &str, [few, many]: [u64; 2]) {
    let times = many as f64 / few as f64;
    assert!(times < 6.0, "four times as many {what} take {times:.1} times as much: {few} and {many}");
}

/// The fuel that it takes to prepare a body that goes on.
fn prepare(sandbox: &Sandbox, content_type: &str, values: usize, body: Vec<u8>) -> u64 {
    let prepared = sandbox.prepare(&incoming(content_type, values, body)).unwrap();
    assert!(matches!(prepared.verdict, Verdict::Forward(_)), "{:?}", prepared.verdict);
    sandbox.fuel()
}

/// The fuel that it takes to examine a body as far as that goes.
fn examine(sandbox: &Sandbox, body: Vec<u8>) -> u64 {
    let options = Examination { payloads: true, resources: u32::MAX, spans: u32::MAX, text: u32::MAX };
    let examined = sandbox.examine(&incoming("application/x-protobuf", 0, body), options).unwrap();
    assert_eq!(examined.fault, None);
    sandbox.fuel()
}

fn incoming(content_type: &str, values: usize, body: Vec<u8>) -> ReceivedRequest {
    let mut headers = vec![Header::new("content-type", content_type)];
    headers.extend((0..values).map(|_| Header::new("x-tenant", "blue")));
    ReceivedRequest {
        signal: Signal::Traces,
        path: "/v1/traces".to_owned(),
        peer: Some(PEER),
        headers,
        body: body.into(),
        now: Some(NOW),
        gzip: None,
    }
}

/// The fuel that it takes to find that nothing is wrong with a body.
fn conclude(sandbox: &Sandbox, body: Vec<u8>) -> u64 {
    let attempt = Attempt {
        patience: u32::MAX,
        delivered: 0,
        signal: Signal::Traces,
        upstream: 0,
        encoding: Encoding::Protobuf,
        number: 1,
        elapsed: 0,
        random: 0,
    };
    sandbox.conclude(attempt, &Ended::Closed(Bytes::from(body))).unwrap();
    sandbox.fuel()
}
