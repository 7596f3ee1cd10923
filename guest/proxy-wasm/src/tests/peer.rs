//! Whose address is believed.

use serde_json::{Value, json};

use super::proxy::{Stream, buffer, proxy, root};
use super::requests::{BATCH, HTTP, document, stamped};
use crate::abi::Buffer;

#[test]
fn an_address_that_anybody_can_claim_is_not_believed() {
    let stamps = |own: Value, properties: &[(&str, &str)], forwarded: Option<&str>| {
        proxy(|proxy| {
            proxy.properties =
                properties.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
        });
        let mut headers = HTTP.to_vec();
        headers.extend(forwarded.map(|value| ("x-forwarded-for", value)));
        let (stream, _) = Stream::begin(root(&document(&own)).unwrap(), &headers, false);
        stream.body(BATCH, true);
        let body = buffer(Buffer::RequestBody);
        let addresses = ["10.1.2.3", "10.6.6.6", "10.9.9.9", "0.0.0.0"];
        addresses.into_iter().find(|address| stamped(&body, address) == 2).unwrap_or("?")
    };
    let state = ("filter_state.podstamp.peer", "10.1.2.3");
    let source = ("source.address", "10.6.6.6:4711");
    let forged = Some("10.6.6.6");
    assert_eq!(stamps(json!({}), &[state, source], forged), "10.1.2.3");
    assert_eq!(stamps(json!({}), &[source], None), "10.6.6.6");
    // With a port it is the peer's own, without one it is what the header says.
    assert_eq!(stamps(json!({}), &[source], Some("10.9.9.9")), "10.6.6.6");
    let claimed = ("source.address", "10.6.6.6:0");
    assert_eq!(stamps(json!({}), &[claimed], forged), "0.0.0.0");
    assert_eq!(stamps(json!({}), &[("source.address", "10.6.6.6")], forged), "0.0.0.0");
    assert_eq!(stamps(json!({}), &[("source.address", "10.6.6.6")], None), "10.6.6.6");
    let trusting = json!({"trusted_proxies": ["10.1.0.0/16"]});
    assert_eq!(stamps(trusting.clone(), &[claimed], forged), "10.6.6.6");
    assert_eq!(stamps(trusting, &[state, source], Some("10.9.9.9")), "10.9.9.9");
    // In a sidecar, whoever asks is the pod itself.
    let own = ("xds.node.metadata.INSTANCE_IPS", "fe80::1,10.9.9.9,fd00::1");
    assert_eq!(stamps(json!({}), &[("filter_state.podstamp.peer", "127.0.0.1"), own], None), "10.9.9.9");
    assert_eq!(stamps(json!({}), &[state, own], None), "10.1.2.3");
}
