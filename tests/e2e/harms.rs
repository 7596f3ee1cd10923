//! Spans that end deepflow-agent or falsify its metrics, sent to a fake agent that has the same faults.

use std::collections::BTreeMap;
use std::time::{SystemTime, UNIX_EPOCH};

use opentelemetry_proto::tonic::common::v1::KeyValue;
use opentelemetry_proto::tonic::trace::v1::Span;
use podstamp_fake_agent::{Latch, Script, TRACE_PATH};
use podstamp_test_support::blocking::http::{Client, export};
use podstamp_test_support::spans;

use crate::fake_agent::FakeAgent;
use crate::served::{Setup, wait_until};

/// Nanoseconds since 1970.
fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_nanos() as u64
}

/// The address in DeepFlow's row of each span that arrived.
fn rows(agent: &FakeAgent) -> Vec<String> {
    let records = agent.records();
    records.iter().flat_map(|record| record.spans()).map(|span| span.row_address.to_string()).collect()
}

#[test]
fn of_sixteen_clients_no_two_requests_overlap_and_every_span_counts_for_its_own_pod() {
    let pods: Vec<_> = (1..=16).map(|last| (format!("web-{last}"), format!("10.1.1.{last}"))).collect();
    let latch = Latch::default();
    let agent = FakeAgent::with(|builder| builder.strict().play(1, Script::Import.behind(&latch)));
    let table: Vec<_> = pods.iter().map(|(pod, address)| (&**pod, &**address)).collect();
    let served = Setup::load_balancer(&agent.url()).pods(spans::pods(&table)).serve();
    // The same second for all spans: there the agent mixes up spans of the same number.
    let (address, end) = (served.address, now());
    let clients = pods.iter().map(|(pod, _)| {
        let batch = spans::export_spans(pod, pod, vec![spans::span(end, &[]); 5]);
        std::thread::spawn(move || {
            let mut client = Client::connect(address);
            (0..20).for_each(|_| assert_eq!(client.export(&batch).status, 200));
        })
    });
    let clients: Vec<_> = clients.collect();
    wait_until("a request of each is there while the agent has one", || {
        served.metric("podstamp_requests_in_flight", &[]) == 16.0 && latch.waiting() == 1
    });
    latch.open();
    for client in clients {
        client.join().unwrap();
    }
    let totals = agent.agent().totals();
    assert_eq!((totals.aborts, totals.spans, totals.uncounted), (0, 16 * 20 * 5, 0));
    let mut counted = BTreeMap::new();
    for meter in agent.agent().meters() {
        *counted.entry((meter.service.unwrap(), meter.address.to_string())).or_default() += meter.requests;
    }
    assert_eq!(counted, pods.into_iter().map(|pod| (pod, 100)).collect());
}

#[test]
fn a_peer_of_another_family_leaves_the_agent_alive_and_the_span_its_pod() {
    let agent = FakeAgent::start();
    let pods = spans::pods(&[("web-1", "10.1.1.1"), ("web-6", "fd00:10:244:1::6")]);
    let served = Setup::load_balancer(&agent.url()).pods(pods).serve();
    let peers = ["2001:db8::7", "fe80::1", "::1", "::ffff:10.9.9.9", "10.9.9.9"];
    // The last pod is nobody's, so that its address is unknown, in either family.
    for (pod, expected) in [("web-1", "10.1.1.1"), ("web-6", "fd00:10:244:1::6"), ("web-0", "0.0.0.0")] {
        for key in ["net.peer.ip", "network.peer.address", "net.sock.peer.addr"] {
            agent.agent().forget_records();
            for peer in peers {
                let batch = spans::export_spans("shop", pod, vec![spans::span(now(), &[(key, peer)])]);
                assert_eq!(export(served.address, &batch).status, 200, "{pod} {key} {peer}");
            }
            let unknown_as_ipv4 = |row: String| if row == "::" { "0.0.0.0".to_owned() } else { row };
            let rows: Vec<_> = rows(&agent).into_iter().map(unknown_as_ipv4).collect();
            assert_eq!(rows, [expected; 5], "{pod} {key}");
        }
    }
    assert_eq!(agent.agent().totals().aborts, 0);
}

#[test]
fn a_span_from_the_future_does_not_keep_others_from_being_counted() {
    let agent = FakeAgent::start();
    let served = Setup::load_balancer(&agent.url()).pods(spans::pods(&[("web-1", "10.1.1.1")])).serve();
    let begin = now();
    for end in [begin + 3_600_000_000_000, begin, u64::MAX, begin] {
        let batch = spans::export_spans("shop", "web-1", vec![spans::span(end, &[])]);
        assert_eq!(export(served.address, &batch).status, 200);
    }
    let totals = agent.agent().totals();
    assert_eq!((totals.spans, totals.uncounted), (4, 0));
    for record in agent.records() {
        for span in record.spans() {
            assert_eq!(span.end_time_unix_nano - span.start_time_unix_nano, 1_000_000);
            assert!((begin..=now()).contains(&span.end_time_unix_nano), "{span:?}");
        }
    }
}

#[test]
fn more_spans_than_a_request_to_the_agent_may_have_leave_as_several_and_are_answered_as_one() {
    let agent = FakeAgent::start();
    let served = Setup::load_balancer(&agent.url()).pods(spans::pods(&[("web-1", "10.1.1.1")])).serve();
    let end = now();
    let batch = spans::export_spans("shop", "web-1", vec![spans::span(end, &[]); 21_000]);
    assert_eq!(export(served.address, &batch).status, 200);
    let sizes: Vec<_> = agent.records().iter().map(|record| record.spans().count()).collect();
    assert!(sizes.len() > 1 && sizes.iter().all(|size| (1..=20_000).contains(size)), "{sizes:?}");
    assert_eq!(agent.agent().totals().spans, 21_000);
    assert!(rows(&agent).iter().all(|row| row == "10.1.1.1"));
}

#[test]
fn what_would_kill_or_stall_the_agent_reaches_it_in_pieces_and_without_long_names() {
    let (bare, agent) = (FakeAgent::start(), FakeAgent::start());
    let served = Setup::load_balancer(&agent.url()).pods(spans::pods(&[("web-1", "10.1.1.1")])).serve();
    let end = now();
    let long = Span {
        name: "/".repeat(64 << 10),
        attributes: vec![KeyValue::default(); 2_100],
        ..spans::span(end, &[])
    };
    let harms = |agent: &FakeAgent| -> Vec<_> {
        agent.records().iter().flat_map(|record| record.harms.clone()).map(|harm| harm.to_string()).collect()
    };
    for (batch, harm, key) in [
        // The agent copies `service.name` for each span.
        (
            spans::export_spans(&"s".repeat(64 << 10), "web-1", vec![spans::span(end, &[]); 13_000]),
            "the agent is killed",
            "several-requests:127.0.0.1",
        ),
        (spans::export_spans("shop", "web-1", vec![long]), "busy for seconds", "long-names:127.0.0.1"),
    ] {
        bare.agent().forget_records();
        assert_eq!(Client::connect(bare.agent().address()).send("POST", TRACE_PATH, &[], &batch).status, 200);
        assert!(matches!(&harms(&bare)[..], [told] if told.contains(harm)), "{:?}", harms(&bare));
        assert_eq!(export(served.address, &batch).status, 200);
        served.wait_for_log(key);
    }
    assert_eq!(harms(&agent), Vec::<String>::new());
    assert_eq!(agent.agent().totals().spans, 13_001);
    assert_eq!(served.metric("podstamp_guard_repairs_total", &["rule=\"request_split\""]), 1.0);
    assert_eq!(served.metric("podstamp_guard_repairs_total", &["rule=\"name_cut\""]), 1.0);
}
