//! What ends deepflow-agent or falsifies its metrics, sent to a stand-in that has the same faults.

use std::time::{SystemTime, UNIX_EPOCH};

use crate::http::export;
use crate::served::{Setup, StandIn};
use crate::spans;

/// Nanoseconds since 1970.
fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_nanos() as u64
}

/// The address in DeepFlow's row of each span that arrived.
fn rows(agent: &StandIn) -> Vec<String> {
    let records = agent.records();
    records.iter().flat_map(|record| record.spans()).map(|span| span.row_address.to_string()).collect()
}

#[test]
fn a_peer_of_another_family_leaves_the_agent_alive_and_the_span_its_pod() {
    let agent = StandIn::start();
    let pods = spans::pods(&[("web-1", "10.1.1.1"), ("web-6", "fd00:10:244:1::6")]);
    let served = Setup::load_balancer(&agent.url()).pods(pods).serve();
    let peers = ["2001:db8::7", "fe80::1", "::1", "::ffff:10.9.9.9", "10.9.9.9"];
    // The last pod is nobody's, so that its address is unknown, in either family.
    for (pod, expected) in [("web-1", "10.1.1.1"), ("web-6", "fd00:10:244:1::6"), ("web-0", "0.0.0.0")] {
        for key in ["net.peer.ip", "network.peer.address"] {
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
    let agent = StandIn::start();
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
