//! Pods from a podstamp.

use podstamp_core::interface::Header;
use serde_json::json;

use super::proxy::{Stream, answer_call, buffer, metric, proxy, root, tick};
use super::requests::{HTTP, stamped};
use crate::abi::Buffer;

/// A root that gets its pods from a podstamp, and finds them by their name.
fn with_pods() -> u32 {
    let document = json!({
        "processors": {"k8sattributes": {
            "pod_association": [{"sources": [{"from": "resource_attribute", "name": "k8s.pod.name"}]}],
            "extract": {"metadata": ["k8s.pod.ip"]},
        }},
        "exporters": {"otlphttp": {"traces_endpoint": "http://agent/api/v1/otel/trace"}},
        "service": {"pipelines": {"traces": {"processors": ["k8sattributes"], "exporters": ["otlphttp"]}}},
        "podstamp": {"proxy_wasm": {"pods": {"cluster": "podstamp"}}},
    });
    root(&document.to_string()).unwrap()
}

/// A listing with one pod.
fn listing(address: &str) -> String {
    let cells = "name\tips\tcreated\tnamespace\tuid\tnode_ips\tstarted\tflags";
    format!("podstamp-pods 2\tfull\t\tcluster\t1\t{cells}\ncart-0\t{address}\t2026-11-20T08:00:00Z\n")
}

/// Sends a span of pod `cart-0`, and tells whether it was stamped with that address.
fn finds(root: u32, address: &str) -> bool {
    let attribute = b"\x0a\x0ck8s.pod.name\x12\x08\x0a\x06cart-0";
    let resource = [b"\x0a\x18".as_slice(), attribute].concat();
    let batch = [b"\x0a\x1c\x0a\x1a".as_slice(), &resource].concat();
    let (stream, _) = Stream::begin(root, HTTP, false);
    stream.body(&batch, true);
    stamped(&buffer(Buffer::RequestBody), address) > 0
}

#[test]
fn pods_come_from_a_podstamp_and_follow_its_changes() {
    let root = with_pods();
    assert!(!finds(root, "10.1.2.3"));
    tick(root, 10);
    let call = proxy(|proxy| proxy.calls[0].clone());
    assert_eq!((call.cluster.as_str(), call.body.len()), ("podstamp", 0));
    assert!(
        call.headers.contains(&Header::new(":path", "/pods?fields=namespace,uid,hostname,containers")),
        "{:?}",
        call.headers
    );
    answer_call(root, 1, &[(":status", "200"), ("etag", "\"one\"")], listing("10.1.2.3").as_bytes());
    tick(root, 10);
    assert!(finds(root, "10.1.2.3"));
    assert_eq!((metric("podstamp_pods"), metric("podstamp_pods_bytes") > 100), (1, true));

    // It asks again after the interval and not before, and says what it has.
    tick(root, 100);
    assert!(proxy(|proxy| proxy.tick) > 9_000);
    tick(root, 5_000);
    assert_eq!(proxy(|proxy| proxy.calls.len()), 1);
    tick(root, 5_000);
    let call = proxy(|proxy| proxy.calls[1].clone());
    assert!(call.headers.contains(&Header::new("if-none-match", "\"one\"")));
    answer_call(root, 2, &[(":status", "304")], b"");
    assert!(finds(root, "10.1.2.3"));
    tick(root, 10_000);
    answer_call(root, 3, &[(":status", "200"), ("etag", "\"two\"")], listing("10.7.7.7").as_bytes());
    tick(root, 10);
    assert!(finds(root, "10.7.7.7"));
}

#[test]
fn pods_that_cannot_be_had_leave_those_that_there_are() {
    let root = with_pods();
    tick(root, 10);
    answer_call(root, 1, &[(":status", "200")], listing("10.1.2.3").as_bytes());
    tick(root, 10);
    tick(root, 10_000);
    for (attempt, (headers, body)) in [
        (vec![(":status", "404")], "no pods here"),
        (vec![], ""),
        (vec![(":status", "200")], "<html>"),
        (vec![(":status", "200")], &listing("10.7.7.7").replace("\t1\t", "\t9\t")),
    ]
    .into_iter()
    .enumerate()
    {
        assert_eq!(proxy(|proxy| proxy.calls.len()), attempt + 2);
        answer_call(root, attempt as u32 + 2, &headers, body.as_bytes());
        tick(root, 10);
        assert_eq!(
            metric("podstamp_pods_failures_total"),
            attempt as i64 + 1,
            "{:?}",
            proxy(|proxy| proxy.log.clone())
        );
        assert!(finds(root, "10.1.2.3"));
        // Sooner than the interval.
        tick(root, 1_000);
    }
    assert!(proxy(|proxy| proxy.log.iter().any(|line| line.contains("404: no pods here"))));
}
