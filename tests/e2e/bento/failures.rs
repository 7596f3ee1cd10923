//! A configuration with faults, and a module that fails: Bento lives on.

use std::fs;

use podstamp_test_support::blocking::http::export;
use podstamp_test_support::blocking::status::Status;
use podstamp_test_support::spans;
use serde_json::json;

use super::Setup;
use crate::fake_agent::FakeAgent;
use crate::served::wait_until;

#[test]
fn faults_of_the_configuration_are_told_all_at_once_until_somebody_corrects_them() {
    let agent = FakeAgent::start();
    let setup = Setup::to(&agent.url())
        .change("file(\"podstamp.json\")", "file(path: \"podstamp.json\", no_cache: true)");
    let (sound, mut faulty) = (setup.document.clone(), setup.document.clone());
    faulty["podstamp"]["guard"]["check"] = "fully".into();
    faulty["processors"] = json!({"resource": {"attributes": [{"key": "a", "action": "insret"}]}});
    let Some(bento) = (Setup { document: faulty, ..setup }).start() else { return };
    let batch = spans::export(&[("shop", "web-1")]);
    let answer = export(bento.address, &batch);
    assert_eq!((answer.status, answer.header("retry-after")), (503, Some("30")));
    let message = Status::of(&answer).message;
    for path in ["podstamp.guard.check: ", "processors.resource.attributes[0]"] {
        assert!(message.contains(path), "{path} in {message}");
    }
    bento.wait_for_log(&["config: ", "podstamp.guard.check: "]);
    assert_eq!(agent.records().len(), 0);
    fs::write(bento.folder.path().join("podstamp.json"), sound.to_string()).unwrap();
    wait_until("the configuration is read again", || export(bento.address, &batch).status == 200);
}

#[test]
fn a_module_that_traps_gets_the_client_500_and_the_next_one_is_answered() {
    let agent = FakeAgent::start();
    // `unreachable`
    let setup = Setup { module: module(b"\x00"), ..Setup::to(&agent.url()) };
    let Some(bento) = setup.start() else { return };
    for _ in 0..3 {
        let answer = export(bento.address, &spans::export(&[("shop", "web-1")]));
        assert_eq!((answer.status, answer.body.len()), (500, 0), "{answer:?}");
    }
    bento.wait_for_log(&["module-failed: ", "unreachable"]);
    assert_eq!(agent.records().len(), 0, "nothing goes on that was not stamped");
}

/// A module whose `process` is made of these instructions.
fn module(instructions: &[u8]) -> Vec<u8> {
    let section = |id: u8, content: &[u8]| [&[id, content.len() as u8], content].concat();
    let exports = [&b"\x02\x07process\x00\x00"[..], b"\x06memory\x02\x00"].concat();
    [
        b"\0asm\x01\0\0\0".to_vec(),
        section(1, b"\x01\x60\x00\x00"),
        section(3, b"\x01\x00"),
        section(5, b"\x01\x00\x01"),
        section(7, &exports),
        section(10, &[&[1, instructions.len() as u8 + 2, 0], instructions, b"\x0b"].concat()),
    ]
    .concat()
}
