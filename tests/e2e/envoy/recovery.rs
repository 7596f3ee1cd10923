//! A VM that ends: no request is taken for delivered, and Envoy loads the module again. The module here is the usual one,
//! but that it aborts on a body that says `trap`.

use std::io::Write;
use std::sync::Mutex;
use std::sync::mpsc::channel;

use podstamp_test_guests::TRAPPING;
use podstamp_test_support::PATIENCE;
use podstamp_test_support::blocking::grpc::Grpc;
use podstamp_test_support::blocking::http::{Client, PROTOBUF, export};
use podstamp_test_support::blocking::raw::Raw;
use serde_json::json;

use super::{Envoy, POD, Setup};
use crate::encoding::Encoding;
use crate::fake_agent::FakeAgent;
use crate::served::wait_until;

/// By gRPC's numbers.
const UNKNOWN: i32 = 2;

fn trapping(agent: &FakeAgent) -> Setup {
    Setup { module: TRAPPING, ..Setup::to(agent) }
}

fn works_again(envoy: &Envoy) {
    wait_until("it works again", || export(envoy.address, &Encoding::Protobuf.batch()).status == 200);
}

#[test]
fn after_a_trap_the_module_is_loaded_again() {
    let agent = FakeAgent::start();
    let Some(envoy) = (Setup { bridge: true, ..trapping(&agent) }).start() else { return };
    assert_eq!(export(envoy.address, &Encoding::Protobuf.batch()).status, 200);
    for traps in 1..=3 {
        assert_eq!(export(envoy.address, b"trap").status, 503);
        works_again(&envoy);
        assert_eq!(envoy.stat("wasm.podstamp.vm_reload_success"), f64::from(2 * traps - 1));
        // Envoy's own answer goes through its bridge, which makes UNKNOWN of it.
        assert_eq!(Grpc::connect(envoy.address).export(b"trap").code(), UNKNOWN);
        works_again(&envoy);
    }
    assert_eq!(agent.agent().totals().spans, 7);
    assert!(agent.placed().iter().all(|(_, address)| address == POD));
}

#[test]
fn what_is_in_flight_when_the_vm_ends_is_no_success_and_envoy_ends_when_told_to() {
    let (go_on, until) = channel::<()>();
    let until = Mutex::new(until);
    let agent = Raw::answering(move |stream| {
        until.lock().unwrap().recv_timeout(PATIENCE).unwrap();
        stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").unwrap();
    });
    // A podstamp that is asked for pods, and does not answer.
    let silent = Raw::answering(|_| ());
    let setup = Setup { module: TRAPPING, ..Setup::towards(agent.address).asking(silent.address) };
    let Some(mut envoy) = setup.start() else { return };
    wait_until("pods are asked for", || silent.requests() >= 2);
    let mut slow = Client::connect(envoy.address);
    let slow = std::thread::spawn(move || slow.export(&Encoding::Protobuf.batch()).status);
    let mut half = Client::connect(envoy.address);
    half.begin_chunked("/v1/traces", &[PROTOBUF]);
    half.write_chunk(&Encoding::Protobuf.batch());
    wait_until("the agent has one", || agent.requests() == 1);
    wait_until("the other is in flight", || envoy.stat("cluster.agent.upstream_rq_active") == 2.0);
    let asked = silent.requests();
    assert_eq!(export(envoy.address, b"trap").status, 503);
    // As many as may be needed.
    (0..1000).for_each(|_| go_on.send(()).unwrap());
    assert_eq!((slow.join().unwrap(), half.end_chunked(&[]).status), (503, 503));
    works_again(&envoy);
    wait_until("the new one asks for pods", || silent.requests() > asked);
    assert!(envoy.terminate().success());
}

#[test]
fn a_trap_on_one_worker_is_none_on_another() {
    let agent = FakeAgent::start();
    let mut setup = Setup { concurrency: 2, ..trapping(&agent) };
    // As good as never, so that the two can be told apart.
    setup.plugin = json!({"reload_config": {"backoff": {"base_interval": "3600s"}}});
    setup.listener = json!({"enable_reuse_port": false, "connection_balance_config": {"exact_balance": {}}});
    let Some(envoy) = setup.start() else { return };
    let mut clients: Vec<_> = (0..8).map(|_| Client::connect(envoy.address)).collect();
    for client in &mut clients {
        assert_eq!(client.export(&Encoding::Protobuf.batch()).status, 200);
    }
    assert_eq!(clients[0].export(b"trap").status, 503);
    let after: Vec<_> =
        clients[1..].iter_mut().map(|client| client.export(&Encoding::Protobuf.batch()).status).collect();
    let served = after.iter().filter(|status| **status == 200).count();
    assert_eq!((served, after.iter().filter(|status| **status == 503).count()), (4, 3), "{after:?}");
}
