//! The module's metrics, as Prometheus reads them from Envoy.

use std::io::Write;
use std::net::TcpStream;

use podstamp_fake_agent::Script;
use podstamp_test_support::blocking::http::export;
use podstamp_test_support::ports::closed_port;
use podstamp_test_support::spans;
use serde_json::json;

use super::{Envoy, Setup};
use crate::checklist::status;
use crate::encoding::Encoding;
use crate::fake_agent::FakeAgent;
use crate::served::wait_until;

fn counts(envoy: &Envoy, name: &str, labels: &[&str], value: f64) {
    wait_until(&format!("{name} {labels:?} is {value}"), || envoy.metric(name, labels) == value);
}

#[test]
fn requests_spans_and_bytes_are_counted() {
    let agent = FakeAgent::start();
    let Some(envoy) = Setup::to(&agent).start() else { return };
    let batch = spans::export(&[("shop", "web-1"), ("cart", "web-2")]);
    for _ in 0..3 {
        assert_eq!(export(envoy.address, &batch).status, 200);
    }
    assert_eq!(export(envoy.address, &Encoding::Protobuf.broken()).status, 400);
    counts(&envoy, "podstamp_requests_total_outcome_accepted_code_200", &[], 3.0);
    counts(&envoy, "podstamp_requests_total_outcome_refused_code_400", &[], 1.0);
    counts(&envoy, "podstamp_spans_total_outcome_accepted", &[], 6.0);
    counts(&envoy, "podstamp_resources_total_outcome_accepted", &[], 6.0);
    counts(&envoy, "podstamp_addresses_total_from_pipeline", &[], 6.0);
    counts(&envoy, "podstamp_guard_repairs_total_rule_refused", &[], 1.0);
    counts(&envoy, "podstamp_upstream_attempts_total_outcome_2xx", &[], 3.0);
    let sent: u64 = agent.records().iter().map(|record| record.wire_bytes).sum();
    counts(&envoy, "podstamp_sent_bytes_total", &[], sent as f64);
    let received = 3 * batch.len() + Encoding::Protobuf.broken().len();
    counts(&envoy, "podstamp_received_bytes_total", &[], received as f64);
    // Of sixteen requests the first is timed.
    for name in ["request", "filter", "upstream"] {
        counts(&envoy, &format!("podstamp_{name}_duration_microseconds_count"), &[], 1.0);
    }
}

#[test]
fn tags_make_labels_of_them_which_are_the_hosts() {
    let agent = FakeAgent::start();
    let setup = Setup { tags: true, ..Setup::to(&agent) };
    let Some(envoy) = setup.start() else { return };
    assert_eq!(export(envoy.address, &Encoding::Protobuf.batch()).status, 200);
    assert_eq!(export(envoy.address, &Encoding::Protobuf.broken()).status, 400);
    counts(&envoy, "podstamp_requests_total", &["outcome=\"accepted\"", "code=\"200\""], 1.0);
    counts(&envoy, "podstamp_requests_total", &["outcome=\"refused\"", "code=\"400\""], 1.0);
    counts(&envoy, "podstamp_spans_total", &["outcome=\"accepted\""], 1.0);
    counts(&envoy, "podstamp_addresses_total", &["from=\"pipeline\""], 1.0);
    counts(&envoy, "podstamp_guard_repairs_total", &["rule=\"refused\""], 1.0);
}

#[test]
fn failures_are_counted_by_how_sending_ended() {
    let agent = FakeAgent::with(|builder| builder.play(1, status(503)).play(1, Script::Close));
    let Some(envoy) = Setup::to(&agent).start() else { return };
    for _ in 0..2 {
        assert_eq!(export(envoy.address, &Encoding::Protobuf.batch()).status, 503);
    }
    counts(&envoy, "podstamp_requests_total_outcome_failed_code_503", &[], 2.0);
    counts(&envoy, "podstamp_spans_total_outcome_failed", &[], 2.0);
    counts(&envoy, "podstamp_upstream_attempts_total_outcome_5xx", &[], 1.0);
    counts(&envoy, "podstamp_upstream_attempts_total_outcome_closed", &[], 1.0);
}

#[test]
fn requests_that_meet_no_agent_are_counted() {
    let Some(envoy) = Setup::towards(closed_port()).start() else { return };
    assert_eq!(export(envoy.address, &Encoding::Protobuf.batch()).status, 503);
    // The refusal may be there before the body, so that nobody knows how many spans it had.
    counts(&envoy, "podstamp_requests_total_outcome_failed_code_503", &[], 1.0);
}

#[test]
fn workers_count_together() {
    let agent = FakeAgent::start();
    let setup = Setup { concurrency: 2, listener: json!({"enable_reuse_port": true}), ..Setup::to(&agent) };
    let Some(envoy) = setup.start() else { return };
    for _ in 0..20 {
        assert_eq!(export(envoy.address, &Encoding::Protobuf.batch()).status, 200);
    }
    counts(&envoy, "podstamp_spans_total_outcome_accepted", &[], 20.0);
}

#[test]
fn a_client_that_does_not_wait_for_its_answer_is_counted() {
    let agent = FakeAgent::silent();
    let Some(envoy) = Setup::to(&agent).start() else { return };
    let batch = Encoding::Protobuf.batch();
    let mut client = TcpStream::connect(envoy.address).unwrap();
    let head = format!(
        "POST /v1/traces HTTP/1.1\r\nhost: x\r\ncontent-type: application/x-protobuf\r\ncontent-length: {}\r\n\r\n",
        batch.len()
    );
    client.write_all(&[head.as_bytes(), &batch].concat()).unwrap();
    wait_until("the batch is sent", || envoy.metric("podstamp_sent_bytes_total", &[]) > 0.0);
    drop(client);
    counts(&envoy, "podstamp_requests_total_outcome_cancelled", &[], 1.0);
    counts(&envoy, "podstamp_spans_total_outcome_cancelled", &[], 1.0);
}
