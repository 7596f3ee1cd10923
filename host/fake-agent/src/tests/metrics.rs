//! The agent's metrics of what it imports.

use std::collections::BTreeMap;
use std::time::{SystemTime, UNIX_EPOCH};

use super::*;

/// Four pods.
const PODS: [(&str, &str); 4] =
    [("cart", "10.1.1.1"), ("shop", "10.1.1.2"), ("stock", "2001:db8::7"), ("user", "10.1.1.4")];

/// Now and ten seconds from now, in one second for all spans: whatever the clock does while a test runs.
fn soon() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs() + 10
}

fn spans_of(pod: (&str, &str), count: usize, second: u64) -> Vec<u8> {
    let (service, address) = pod;
    let mut resource = resource(&[("service.name", service), ("app.host.ip", address)], count);
    for span in &mut resource.scope_spans[0].spans {
        span.end_time_unix_nano = second * 1_000_000_000;
    }
    post(&[], &body([resource]))
}

/// How many requests are counted under each service and address.
fn counted(agent: &Agent) -> BTreeMap<(String, String), u64> {
    let mut counted = BTreeMap::new();
    for meter in agent.meters() {
        *counted.entry((meter.service.unwrap(), meter.address.to_string())).or_default() += meter.requests;
    }
    counted
}

#[tokio::test]
async fn over_one_connection_every_span_is_counted_under_its_pod() {
    let agent = start().await;
    let second = soon();
    let mut wire = Wire::to(&agent).await;
    for pod in PODS {
        wire.send(&spans_of(pod, 5, second)).await;
        assert_eq!(wire.reply().await.unwrap(), Some(ok()));
    }
    let each = PODS.map(|(service, address)| ((service.to_owned(), address.to_owned()), 5));
    assert_eq!(counted(&agent), BTreeMap::from(each));
    let ids: Vec<_> = last(&agent).spans().map(|span| (span.flow_id, span.counted)).collect();
    assert_eq!(ids, [(15, true), (16, true), (17, true), (18, true), (19, true)]);
    assert_eq!(agent.totals().uncounted, 0);
}

#[tokio::test]
async fn over_four_connections_all_spans_of_a_second_are_counted_under_the_last_pod() {
    let agent = start().await;
    let second = soon();
    for pod in PODS {
        assert_eq!(exchange(&agent, &spans_of(pod, 5, second)).await, Some(ok()));
        assert_eq!(last(&agent).spans().map(|span| span.flow_id).max(), Some(4));
    }
    assert_eq!(counted(&agent), BTreeMap::from([(("user".to_owned(), "10.1.1.4".to_owned()), 20)]));
}

#[tokio::test]
async fn after_a_span_from_the_future_the_others_are_stored_and_not_counted() {
    let agent = start().await;
    let second = soon();
    for (end, is_counted) in
        [(second, true), (second + 120, true), (second + 1, false), (second + 111, false)]
    {
        assert_eq!(exchange(&agent, &spans_of(PODS[0], 1, end)).await, Some(ok()));
        let flags: Vec<_> = last(&agent).spans().map(|span| span.counted).collect();
        assert_eq!(flags, [is_counted], "{}", end - second);
    }
    assert_eq!((agent.totals().spans, agent.totals().uncounted), (4, 2));
}
