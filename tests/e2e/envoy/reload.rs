//! A configuration that changes while Envoy runs.

use podstamp_test_support::blocking::http::{Client, export};
use podstamp_test_support::ports::closed_port;
use serde_json::{Value, json};

use super::setup::document;
use super::{Envoy, Setup};
use crate::encoding::Encoding;
use crate::fake_agent::FakeAgent;
use crate::served::wait_until;

/// Stamps the resource with the name of a tier, too.
fn of_tier(tier: &str) -> Value {
    let mut document = document("");
    let actions = document["processors"]["resource/post"]["attributes"].as_array_mut().unwrap();
    actions.push(json!({"key": "tier", "value": tier, "action": "insert"}));
    document
}

fn tier(envoy: &Envoy, agent: &FakeAgent) -> String {
    agent.agent().forget_records();
    assert_eq!(export(envoy.address, &Encoding::Protobuf.batch()).status, 200);
    let record = agent.records().pop().unwrap();
    record.resources[0].attribute("tier").unwrap().as_str().unwrap().to_owned()
}

/// On a port that stays the same.
fn setup(agent: &FakeAgent, document: Value) -> Setup {
    Setup { document: Some(document), ..Setup::to(agent) }
}

/// For each of the listeners that follow each other.
fn on_port(setup: Setup, port: u16) -> Setup {
    let listener = json!({"address": {"socket_address": {"address": "127.0.0.1", "port_value": port}}});
    Setup { listener, ..setup }
}

#[test]
fn a_changed_configuration_applies_without_a_restart() {
    let agent = FakeAgent::start();
    let port = closed_port().port();
    let first = on_port(setup(&agent, of_tier("first")), port);
    let Some(envoy) = first.start_with_listener_file() else { return };
    assert_eq!(tier(&envoy, &agent), "first");
    let mut kept = Client::connect(envoy.address);
    assert_eq!(kept.export(&Encoding::Protobuf.batch()).status, 200);
    on_port(setup(&agent, of_tier("second")), port).replace_listener(envoy.folder.path(), "second");
    envoy.wait_for_stat("listener_manager.lds.update_success", 2.0);
    wait_until("new connections meet the new configuration", || tier(&envoy, &agent) == "second");
    assert_eq!(kept.export(&Encoding::Protobuf.batch()).status, 200, "connections from before are served");
    assert_eq!(envoy.stat("listener_manager.lds.update_rejected"), 0.0);
}

#[test]
fn a_bad_configuration_is_rejected_and_the_old_one_keeps_serving() {
    let agent = FakeAgent::start();
    let port = closed_port().port();
    let Some(envoy) = on_port(setup(&agent, of_tier("first")), port).start_with_listener_file() else {
        return;
    };
    let mut bad = of_tier("second");
    bad["podstamp"]["guard"] = json!({"chek": "full"});
    on_port(setup(&agent, bad), port).replace_listener(envoy.folder.path(), "second");
    envoy.wait_for_stat("listener_manager.lds.update_rejected", 1.0);
    envoy.wait_for_log(&["podstamp.guard.chek: unknown key; did you mean `check`?"]);
    assert_eq!(tier(&envoy, &agent), "first");
    // And is not the end of it.
    on_port(setup(&agent, of_tier("third")), port).replace_listener(envoy.folder.path(), "third");
    envoy.wait_for_stat("listener_manager.lds.update_success", 2.0);
    wait_until("new connections meet the new configuration", || tier(&envoy, &agent) == "third");
}
