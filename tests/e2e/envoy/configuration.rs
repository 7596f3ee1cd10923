//! The module's configuration: the document of the host, as a Struct or as a text; what is wrong with it is said, and
//! Envoy does not start with it.

use podstamp_fake_agent::Builder;
use podstamp_test_support::blocking::http::export;
use podstamp_test_support::ports::closed_port;
use serde_json::{Value, json};

use super::setup::{document, read};
use super::{POD, Setup, stamped};
use crate::encoding::Encoding;
use crate::fake_agent::FakeAgent;
use crate::served::fixture;

fn setup(document: Value, as_text: bool) -> Setup {
    Setup { document: Some(document), as_text, ..Setup::towards(closed_port()) }
}

#[test]
fn a_struct_and_a_text_say_the_same() {
    for as_text in [false, true] {
        let agent = FakeAgent::with(Builder::keep_bodies);
        let mut document = document("  trusted_proxies: [10.9.0.0/16]\n");
        // A Struct knows no whole numbers.
        document["receivers"] = json!({"otlp": {"protocols": {"http": {"max_request_body_size": 16384}}}});
        let setup = Setup { document: Some(document), as_text, ..Setup::to(&agent) };
        let Some(envoy) = setup.start() else { return };
        let batch = Encoding::Protobuf.batch();
        assert_eq!(export(envoy.address, &batch).status, 200);
        assert_eq!(agent.messages(), [stamped(&batch, POD)]);
        assert_eq!(export(envoy.address, &vec![0; 16385]).status, 413);
        assert_eq!(export(envoy.address, &vec![0; 16384]).status, 400);
    }
}

#[test]
fn the_configurations_that_deepflow_documents_are_taken() {
    let manifest = fixture("otel-agent-configmap.yaml");
    let map = manifest.split("\n---\n").find(|document| document.contains("kind: ConfigMap")).unwrap();
    let whole = read(read(map)["data"]["otel-agent-config"].as_str().unwrap());
    for document in [read(&fixture("deepflow-simple.yaml")), whole] {
        let Some((taken, log)) = setup(document, false).validate() else { return };
        assert!(taken, "{log}");
    }
}

#[test]
fn every_fault_is_logged_with_its_path_and_envoy_does_not_start() {
    let mut document = document("  limits:\n    body: lots\n  proxy_wasm:\n    mode: outline\n    pear: x\n");
    document["recievers"] = json!({});
    document["exporters"]["otlphttp"]["headers"] = json!({"authorization": "Bearer of-the-agent"});
    document["processors"]["resource/post"]["attributes"][0]["action"] = json!("inster");
    document["service"]["pipelines"]["traces"]["processors"][0] = json!("resource/first");
    for as_text in [false, true] {
        let Some((taken, log)) = setup(document.clone(), as_text).validate() else { return };
        assert!(!taken);
        for path in [
            "podstamp.limits.body: ",
            "podstamp.proxy_wasm.mode: ",
            "podstamp.proxy_wasm.pear: ",
            "recievers: unknown key; did you mean `receivers`?",
            "processors.resource/post.attributes[0].action: ",
            "service.pipelines.traces.processors[0]: ",
        ] {
            assert!(log.contains(path), "{path}\n{log}");
        }
        assert!(!log.contains("of-the-agent"), "it is a secret");
    }
}

#[test]
fn a_text_that_is_no_document_is_refused_with_the_way_out() {
    for (text, said) in [("mode: inline", "google.protobuf.Struct"), ("[]", "expected a section with keys")] {
        let Some((taken, log)) = setup(json!(text), true).validate() else { return };
        assert!(!taken, "{text}");
        assert!(log.contains(said), "{text}:\n{log}");
    }
}

#[test]
fn what_has_no_effect_here_is_said_once_and_does_not_keep_envoy_from_starting() {
    let mut document = document("");
    document["processors"]["batch"] = json!({"send_batch_size": 100});
    document["service"]["pipelines"]["traces"]["processors"].as_array_mut().unwrap().push(json!("batch"));
    let agent = FakeAgent::start();
    let Some(envoy) = (Setup { document: Some(document), ..Setup::to(&agent) }).start() else { return };
    envoy.wait_for_log(&["wasm", "processors.batch"]);
    assert_eq!(export(envoy.address, &Encoding::Protobuf.batch()).status, 200);
}
