//! What is lost although the answer is 200.

use super::*;
use crate::Harm;
use crate::harm::{MAX_COMPRESSED, MAX_HOURS, MAX_METRICS};

#[tokio::test]
async fn what_compresses_to_more_than_the_queue_takes_is_dropped_after_the_answer() {
    let agent = start().await;
    let mut state = 1_u64;
    let mut noise = |length: usize| {
        let mut text = String::with_capacity(length);
        while text.len() < length {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            text.push_str(&format!("{:08x}", state >> 32));
        }
        text
    };
    // Hexadecimal: half its size is left after zlib.
    let large = body([span_with(Some("10.1.2.3"), &[("noise", &noise(28_000_000))])]);
    assert_eq!(exchange(&agent, &post(&[], &large)).await, Some(ok()));
    let [Harm::TooLarge { compressed, spans: 1 }] = last(&agent).harms[..] else {
        panic!("{:?}", last(&agent).harms)
    };
    assert!(compressed > MAX_COMPRESSED, "{compressed}");
    assert_eq!((agent.totals().spans, last(&agent).resources.len()), (0, 0));

    let regular = body([span_with(Some("10.1.2.3"), &[("same", &"same".repeat(7_000_000))])]);
    assert_eq!(exchange(&agent, &post(&[], &regular)).await, Some(ok()));
    assert_eq!((agent.totals().spans, &last(&agent).harms[..]), (1, &[][..]));
}

#[tokio::test]
async fn more_spans_than_the_metrics_take_at_once_are_not_counted() {
    let agent = start().await;
    let spans = MAX_METRICS + 1;
    let mut resource = resource(&[], 0);
    resource.scope_spans[0].spans = vec![Span { end_time_unix_nano: u64::MAX, ..Span::default() }; spans];
    assert_eq!(exchange(&agent, &post(&[], &body([resource.clone()]))).await, Some(ok()));
    assert_eq!(last(&agent).harms, [Harm::TooManySpans { spans: spans as u64 }]);
    assert_eq!((agent.totals().uncounted, agent.meters().len()), (spans as u64, 0));

    resource.scope_spans[0].spans.pop();
    assert_eq!(exchange(&agent, &post(&[], &body([resource]))).await, Some(ok()));
    assert_eq!(last(&agent).harms, []);
    assert_eq!((agent.totals().uncounted, agent.meters().len()), (spans as u64, MAX_METRICS));
}

/// The figures were measured with the agent's own code.
#[tokio::test]
async fn what_takes_too_much_of_the_agents_memory_or_processor_is_told() {
    let agent = start().await;
    let spans = |name: &str, attributes: usize, count: usize| {
        let mut resource = resource(&[("service.name", &"s".repeat(64 << 10))], 0);
        let span = Span {
            name: name.to_owned(),
            attributes: vec![KeyValue::default(); attributes],
            end_time_unix_nano: u64::MAX,
            ..Span::default()
        };
        resource.scope_spans[0].spans = vec![span; count];
        body([resource])
    };
    assert_eq!(exchange(&agent, &post(&[], &spans("", 0, 16 << 10))).await, Some(ok()));
    let [Harm::TooMuchMemory { bytes }] = last(&agent).harms[..] else { panic!("{:?}", last(&agent).harms) };
    assert!((1_024 << 20..1_060 << 20).contains(&bytes), "{bytes}");
    assert_eq!(exchange(&agent, &post(&[], &spans(&"/".repeat(64 << 10), 32 << 10, 1))).await, Some(ok()));
    assert_eq!(last(&agent).harms, [Harm::LongNames { copied: 2 << 30 }]);
    assert_eq!(exchange(&agent, &post(&[], &spans(&"/".repeat(1 << 10), 1 << 10, 100))).await, Some(ok()));
    assert_eq!(last(&agent).harms, []);
}

#[tokio::test]
async fn more_hours_than_a_block_takes_lose_the_block_over_several_requests() {
    let agent = start().await;
    let hours = |from: u64, count: u64| {
        let mut resource = resource(&[], 0);
        let end = |hour: u64| Span { end_time_unix_nano: hour * 3_600_000_000_000, ..span(2) };
        resource.scope_spans[0].spans = (from..from + count).map(end).collect();
        post(&[], &body([resource]))
    };
    for (from, harms) in
        [(500, vec![]), (560, vec![Harm::TooManyHours { hours: MAX_HOURS as u64 + 20 }]), (500, vec![])]
    {
        assert_eq!(exchange(&agent, &hours(from, 60)).await, Some(ok()));
        assert_eq!(last(&agent).harms, harms);
    }
    assert_eq!(exchange(&agent, &hours(500, 60)).await, Some(ok()), "the same hours over again");
    assert_eq!(last(&agent).harms, []);
}
