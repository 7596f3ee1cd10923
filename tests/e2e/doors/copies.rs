//! Several exporters: the first one answers, the others get copies.

use podstamp_test_support::blocking::http::export;
use podstamp_test_support::ports::absent_agent;
use podstamp_test_support::spans;

use crate::fake_agent::FakeAgent;
use crate::served::{Served, Setup, wait_until};

/// The canary gets no more time than `timeout`.
fn serve(first: &str, canary: &str, timeout: &str) -> Served {
    let mut setup = Setup::load_balancer(first).pods(spans::pods(&[("web-1", "10.1.1.1")]));
    let exporters = "    traces:\n      exporters: [otlphttp, otlphttp/canary]\n";
    setup.config = setup.config.replace("    traces:\n", exporters);
    setup.config.push_str(&format!(
        "  otlphttp/canary:\n    traces_endpoint: {canary}\n    timeout: {timeout}\n    retry_on_failure:\n      initial_interval: 50ms\n"
    ));
    setup.serve()
}

fn send(served: &Served) -> u16 {
    export(served.address, &spans::export(&[("shop", "web-1"), ("cart", "web-1")])).status
}

fn copied(served: &Served, outcome: &str) -> f64 {
    let outcome = format!("outcome=\"{outcome}\"");
    served.metric("podstamp_copied_spans_total", &["upstream=\"otlphttp/canary\"", &outcome])
}

#[test]
fn both_get_the_same_spans() {
    let (agent, canary) = (FakeAgent::start(), FakeAgent::start());
    let served = serve(&agent.url(), &canary.url(), "60s");
    assert_eq!(send(&served), 200);
    canary.wait_for_spans(2);
    assert_eq!(agent.placed(), canary.placed());
    assert_eq!(agent.placed()[0].1, "10.1.1.1");
    wait_until("the copy counts", || copied(&served, "delivered") == 2.0);
}

#[test]
fn a_canary_that_is_down_is_counted_and_no_clients_business() {
    let agent = FakeAgent::start();
    let served = serve(&agent.url(), &absent_agent(), "60s");
    assert_eq!(send(&served), 200);
    wait_until("the copy counts", || copied(&served, "failed") == 2.0);
    assert_eq!(copied(&served, "delivered"), 0.0);
    assert_eq!(served.metric("podstamp_spans_total", &["accepted"]), 2.0);
    served.wait_for_log("exporters.otlphttp/canary.traces_endpoint");
    assert_eq!(send(&served), 200);
}

#[test]
fn a_canary_that_hangs_is_not_waited_for() {
    let agent = FakeAgent::start();
    let canary = FakeAgent::silent();
    let served = serve(&agent.url(), &canary.url(), "300ms");
    assert_eq!(send(&served), 200);
    wait_until("the copy is given up", || copied(&served, "failed") == 2.0);
    assert_eq!(agent.agent().totals().spans, 2);
}

#[test]
fn the_first_one_answers_whatever_the_canary_says() {
    let canary = FakeAgent::start();
    let served = serve(&absent_agent(), &canary.url(), "60s");
    assert_eq!(send(&served), 503);
    wait_until("the copy counts", || copied(&served, "delivered") == 2.0);
}
