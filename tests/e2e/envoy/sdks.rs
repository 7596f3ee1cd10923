//! OpenTelemetry SDKs as applications use them, through Envoy with the module and a table of pods.
//!
//! The requests that they sent are compared with those that the agent gets, as for podstamp itself.

use podstamp_fake_agent::Builder;
use podstamp_test_support::blocking::http::export;
use podstamp_test_support::ports::closed_port;
use podstamp_test_support::spans;

use super::{Envoy, Setup};
use crate::checklist::throttled;
use crate::fake_agent::FakeAgent;
use crate::sdks::{Export, NODE, PODS, PYTHON, Sdk, Shop, knowing_pods};
use crate::served::{Served, wait_until};

/// An Envoy that sends to the agent, and the podstamp that it asks for pods; `None` without Envoy.
fn with_pods(setup: Setup, agent: &FakeAgent) -> Option<(Envoy, Served)> {
    let podstamp = knowing_pods(agent).serve();
    let envoy = Setup { bridge: true, ..setup.asking(podstamp.admin) };
    Some((envoy.start()?, podstamp))
}

/// Opens once the pods are known.
fn open() -> Option<Shop> {
    let agent = FakeAgent::with(Builder::keep_bodies);
    let (envoy, podstamp) = with_pods(Setup::to(&agent), &agent)?;
    let address = envoy.address;
    wait_until("the pods are known", || {
        agent.agent().forget_records();
        assert_eq!(export(address, &spans::export(&[("shop", "web-1")])).status, 200);
        agent.placed()[0].1 == "10.244.1.1"
    });
    agent.agent().forget_records();
    Some(Shop::at(address, agent, (envoy, podstamp)))
}

#[test]
fn python() {
    PYTHON.every_variant(&["grpc", "http/protobuf"], open);
}

#[test]
fn node() {
    NODE.every_variant(&["grpc", "http/json"], open);
}

#[test]
fn an_sdk_that_is_told_to_come_again_does_and_loses_nothing() {
    let Some(mut programs) = each(&PYTHON, ["grpc", "http/protobuf"]) else { return };
    let Some(shop) = open() else { return };
    for (protocol, program) in &mut programs {
        let before = shop.agent.agent().totals().spans;
        shop.agent.agent().play(1, throttled(503, "1"));
        let (ended_well, printed, sent) = shop.try_to_run(plain(protocol), program);
        assert!(ended_well, "{protocol}:\n{printed}");
        let imported = shop.agent.placed().len();
        assert_eq!(sent.len(), imported + 1, "{protocol}: one is sent twice");
        let spans: usize = sent[1..]
            .iter()
            .flat_map(|sent| sent.message().resource_spans)
            .flat_map(|resource| resource.scope_spans)
            .map(|scope| scope.spans.len())
            .sum();
        assert_eq!(shop.agent.agent().totals().spans - before, spans as u64, "{protocol}");
        assert!(shop.agent.placed().iter().all(|(_, address)| address == "10.244.1.1"));
        shop.agent.agent().forget_records();
    }
}

#[test]
fn an_sdk_sees_that_the_agent_is_down() {
    let Some(mut programs) = each(&PYTHON, ["grpc", "http/protobuf"]) else { return };
    let agent = FakeAgent::start();
    let Some((envoy, podstamp)) = with_pods(Setup::towards(closed_port()), &agent) else { return };
    let shop = Shop::at(envoy.address, agent, (envoy, podstamp));
    for (protocol, program) in &mut programs {
        // Seconds, after which it gives up.
        program.env("OTEL_EXPORTER_OTLP_TIMEOUT", "3");
        let (ended_well, printed, sent) = shop.try_to_run(plain(protocol), program);
        assert!(!ended_well, "{protocol}");
        assert!(!sent.is_empty());
        let expected = if *protocol == "grpc" { "UNAVAILABLE" } else { "Failed to export" };
        assert!(printed.contains(expected), "{protocol}:\n{printed}");
    }
}

/// Uncompressed, as the first pod.
fn plain(protocol: &str) -> Export<'_> {
    Export { protocol, compression: "none", pod: &PODS[0] }
}

/// The program once for each protocol.
fn each<'a>(sdk: &Sdk, protocols: [&'a str; 2]) -> Option<Vec<(&'a str, std::process::Command)>> {
    protocols.into_iter().map(|protocol| Some((protocol, sdk.program()?))).collect()
}
