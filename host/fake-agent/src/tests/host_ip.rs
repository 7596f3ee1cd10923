//! `app.host.ip` over a whole request.

use super::*;
use crate::{ResourceRecord, Value};

async fn import(agent: &Agent, resources: Vec<ResourceSpans>) -> Vec<ResourceRecord> {
    assert_eq!(exchange(agent, &post(&[], &body(resources))).await, Some(ok()));
    last(agent).resources
}

fn stored(resources: &[ResourceRecord]) -> Vec<String> {
    resources.iter().map(|resource| resource.server_address.to_string()).collect()
}

#[tokio::test]
async fn without_the_key_every_resource_gets_the_peer() {
    let agent = start().await;
    let resources = import(&agent, vec![resource(&[("service.name", "cart")], 1), resource(&[], 1)]).await;
    assert_eq!(stored(&resources), ["127.0.0.1", "127.0.0.1"]);
    assert_eq!(resources[0].wire_host_ip, None);
    let keys: Vec<_> = resources[0].attributes.iter().map(|attribute| attribute.key.as_str()).collect();
    assert_eq!(keys, ["service.name", "app.host.ip"]);
}

#[tokio::test]
async fn after_the_first_resource_with_the_key_no_other_gets_the_peer() {
    let agent = start().await;
    let resources = vec![resource(&[], 1), resource(&[("app.host.ip", "10.1.2.3")], 1), resource(&[], 1)];
    let resources = import(&agent, resources).await;
    assert_eq!(stored(&resources), ["127.0.0.1", "10.1.2.3", "0.0.0.0"]);
    assert_eq!(resources[1].wire_host_ip, Some(Value::String("10.1.2.3".into())));
    assert_eq!(resources[2].attributes, []);
}

#[tokio::test]
async fn the_next_request_starts_afresh() {
    let agent = start().await;
    import(&agent, vec![resource(&[("app.host.ip", "10.1.2.3")], 1)]).await;
    assert_eq!(stored(&import(&agent, vec![resource(&[], 1)]).await), ["127.0.0.1"]);
}

#[tokio::test]
async fn resource_spans_without_a_resource_get_nothing() {
    let agent = start().await;
    let missing = ResourceSpans { resource: None, ..resource(&[], 2) };
    let resources = import(&agent, vec![missing, resource(&[], 1)]).await;
    assert_eq!(stored(&resources), ["0.0.0.0", "127.0.0.1"]);
    assert!(!resources[0].has_resource);
    assert_eq!(resources[0].spans.len(), 2);
}

#[tokio::test]
async fn an_unusable_value_keeps_the_peer_away_too() {
    let agent = start().await;
    let mut number = resource(&[], 1);
    let seven = Some(AnyValue { value: Some(any_value::Value::Int(7)) });
    number.resource.as_mut().unwrap().attributes.push(KeyValue { key: "app.host.ip".into(), value: seven });
    let resources = import(&agent, vec![number]).await;
    assert_eq!(resources[0].wire_host_ip, Some(Value::Int(7)));
    assert_eq!(stored(&resources), ["0.0.0.0"]);
    let resources = import(&agent, vec![resource(&[("app.host.ip", "10.1.2.3:80")], 1)]).await;
    assert_eq!(stored(&resources), ["0.0.0.0"]);
}

#[tokio::test]
async fn in_span_attributes_the_key_means_nothing() {
    let agent = start().await;
    let mut spans = resource(&[], 1);
    spans.scope_spans[0].spans[0].attributes.push(attribute("app.host.ip", "10.1.2.3"));
    assert_eq!(stored(&import(&agent, vec![spans]).await), ["127.0.0.1"]);
}

#[tokio::test]
async fn forwarded_headers_mean_nothing() {
    let agent = start().await;
    let headers = ["x-forwarded-for: 10.1.2.3", "forwarded: for=10.1.2.3"];
    exchange(&agent, &post(&headers, &three_spans())).await;
    assert_eq!(stored(&last(&agent).resources), ["127.0.0.1"]);
}

#[tokio::test]
async fn the_ipv6_loopback_becomes_0_0_0_1() {
    let Ok(agent) = builder().listen("[::1]:0".parse().unwrap()).start().await else {
        return; // A machine without IPv6.
    };
    assert_eq!(stored(&import(&agent, vec![resource(&[], 1)]).await), ["0.0.0.1"]);
}
