//! What becomes of a configuration.

use serde_json::json;

use super::proxy::{Stream, buffer, proxy, root};
use super::requests::{BATCH, HTTP, peer, stamped};
use crate::abi::Buffer;

#[test]
fn all_faults_of_a_configuration_are_logged() {
    let document = json!({
        "exporters": {"otlphttp": {"traces_endpoint": "agent"}},
        "service": {"pipelines": {"traces": {"exporters": ["otlphttp"], "processors": ["resource"]}}},
        "podstamp": {"proxy_wasm": {"mode": "tee"}},
    });
    assert_eq!(root(&document.to_string()), None);
    let log = proxy(|proxy| proxy.log.join("\n"));
    for path in ["exporters.otlphttp.traces_endpoint", "processors", "podstamp.proxy_wasm.cluster"] {
        assert!(log.contains(path), "{path} is not in\n{log}");
    }
    assert_eq!(root("processors: {}"), None);
    assert!(proxy(|proxy| proxy.log.last().unwrap().contains("google.protobuf.Struct")));
}

#[test]
fn without_a_configuration_it_works_as_the_host_does() {
    peer("10.1.2.3");
    let (stream, _) = Stream::begin(root("").unwrap(), HTTP, false);
    stream.body(BATCH, true);
    assert_eq!(stamped(&buffer(Buffer::RequestBody), "app.host.ip\x12\x0a\x0a\x0810.1.2.3"), 2);
}

#[test]
fn what_is_the_proxys_to_do_is_said() {
    let document = json!({
        "exporters": {"otlphttp": {"endpoint": "http://a", "auth": {"authenticator": "basicauth"}}, "otlphttp/b": {"endpoint": "http://b"}},
        "extensions": {"basicauth": {"client_auth": {"username": "a", "password": "b"}}},
        "service": {"extensions": ["basicauth"], "pipelines": {"traces": {"exporters": ["otlphttp", "otlphttp/b"]}}},
    });
    assert_eq!(root(&document.to_string()), None);
    let log = proxy(|proxy| proxy.log.join("\n"));
    assert!(log.contains("exporters.otlphttp.auth") && log.contains("exporters: a proxy sends"), "{log}");
}
