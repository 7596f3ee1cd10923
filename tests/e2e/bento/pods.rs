//! Pods, which the pipeline asks a podstamp for.

use podstamp_test_support::blocking::http::export;
use podstamp_test_support::blocking::raw::Raw;
use podstamp_test_support::spans;

use super::{Bento, Setup};
use crate::fake_agent::FakeAgent;
use crate::served::{self, wait_until};

/// The address that a batch of this pod is stamped with.
fn address_of(pod: &str, bento: &Bento, agent: &FakeAgent) -> String {
    agent.agent().forget_records();
    assert_eq!(export(bento.address, &spans::export(&[("shop", pod)])).status, 200);
    agent.placed().pop().unwrap().1
}

#[test]
fn resources_get_the_address_of_the_pod_that_they_name_and_changes_are_followed() {
    let agent = FakeAgent::start();
    let setup = served::Setup::load_balancer("http://127.0.0.1:9/api/v1/otel/trace");
    let podstamp = setup.pods(spans::pods(&[("web-1", "10.1.1.1"), ("web-2", "10.1.1.2")])).serve();
    let Some(bento) = Setup::to(&agent.url()).asking(podstamp.admin).start() else { return };
    wait_until("the pods are there", || address_of("web-1", &bento, &agent) == "10.1.1.1");
    // Each instance reads them by itself, and any of them may have the next message.
    for _ in 0..20 {
        assert_eq!(address_of("web-2", &bento, &agent), "10.1.1.2");
        assert_eq!(address_of("web-3", &bento, &agent), "0.0.0.0");
    }
    let changed = spans::pods(&[("web-1", "10.1.1.9"), ("web-3", "10.1.1.3")]);
    std::fs::write(podstamp.folder.path().join("pods.json"), changed).unwrap();
    wait_until("the change arrives", || address_of("web-3", &bento, &agent) == "10.1.1.3");
    assert_eq!(address_of("web-1", &bento, &agent), "10.1.1.9");
    assert_eq!(address_of("web-2", &bento, &agent), "0.0.0.0");
    drop(podstamp);
    bento.wait_for_log(&["no pods: ", "connection refused"]);
    assert_eq!(address_of("web-1", &bento, &agent), "10.1.1.9", "the last table stays");
}

#[test]
fn a_text_that_is_no_list_of_pods_is_told_and_batches_pass_without_it() {
    let agent = FakeAgent::start();
    let source = Raw::answering(|stream| {
        use std::io::Write;
        write!(stream, "HTTP/1.1 200 OK\r\ncontent-length: 6\r\n\r\n<html>").unwrap();
    });
    let Some(bento) = Setup::to(&agent.url()).asking(source.address).start() else { return };
    wait_until("it is asked", || source.requests() > 2);
    wait_until("the text is told", || {
        assert_eq!(address_of("web-1", &bento, &agent), "0.0.0.0");
        bento.log().contains("pods-missing: ")
    });
}
