//! Memory does not grow with the number of requests, of whatever kind they are.

use podstamp_test_support::blocking::grpc::{Grpc, framed, framed_compressed};
use podstamp_test_support::blocking::http::{Client, GZIP, JSON, PROTOBUF, gzipped};
use podstamp_test_support::spans;
use serde_json::{Value, json};

use super::setup::document;
use super::{Envoy, Setup};
use crate::checklist::status;
use crate::encoding::Encoding;
use crate::fake_agent::FakeAgent;
use crate::served::wait_until;

/// Small requests of a round, besides the others in it.
const SMALL: usize = 200;

/// Rounds until what is kept for later requests is there, and rounds that are measured.
const WARM_UP: usize = 40;
const ROUNDS: usize = 120;

/// 100 bytes a request would be twice that.
const BOUND: i64 = (SMALL * ROUNDS * 100 / 2) as i64;

/// Bodies of some sizes, and what is refused.
struct Load {
    /// Many small requests at once.
    pipelined: Vec<u8>,
    medium: Vec<u8>,
    large: Vec<u8>,
    gzip: Vec<u8>,
    json: Vec<u8>,
    broken: Vec<u8>,
}

impl Load {
    fn new() -> Self {
        let sized = |size: usize| spans::export(&[(&*"s".repeat(size - 100), "web-1"), ("shop", "web-1")]);
        let small = sized(1000);
        let request = format!(
            "POST /v1/traces HTTP/1.1\r\nhost: x\r\ncontent-type: application/x-protobuf\r\ncontent-length: {}\r\n\r\n",
            small.len()
        );
        Self {
            pipelined: [request.as_bytes(), &small].concat().repeat(SMALL),
            medium: sized(20_000),
            large: sized(1 << 20),
            gzip: gzipped(&mut &*sized(100_000)),
            json: spans::export_json(&[(&*"s".repeat(20_000), "web-1")]),
            broken: Encoding::Protobuf.broken(),
        }
    }

    fn round(&self, number: usize, envoy: &Envoy, kept: &mut Client, grpc: &Grpc) {
        kept.write(&self.pipelined);
        for _ in 0..SMALL {
            assert_eq!(kept.receive().status, 200);
        }
        for (headers, body) in
            [(&[PROTOBUF][..], &self.medium), (&[PROTOBUF, GZIP], &self.gzip), (&[JSON], &self.json)]
        {
            assert_eq!(kept.send("POST", "/v1/traces", headers, body).status, 200);
        }
        if number.is_multiple_of(10) {
            assert_eq!(kept.export(&self.large).status, 200);
        }
        grpc.call_all(&[&[][..]; 10], framed(&self.medium));
        grpc.call(&[("grpc-encoding", "br")], framed_compressed(&self.medium));
        // Envoy closes a connection on which it refuses a body.
        Client::connect(envoy.address).export(&self.broken);
        let mut cancelled = Client::connect(envoy.address);
        cancelled.begin_chunked("/v1/traces", &[PROTOBUF]);
        cancelled.write_chunk(&self.medium);
    }
}

/// How much more memory the measured rounds leave in use.
fn grown(setup: &Setup) -> Option<i64> {
    let envoy = setup.start()?;
    let load = Load::new();
    let (mut kept, grpc) = (Client::connect(envoy.address), Grpc::connect(envoy.address));
    let mut before = 0;
    for number in 0..WARM_UP + ROUNDS {
        if number == WARM_UP {
            before = settled(&envoy)?;
        }
        load.round(number, &envoy, &mut kept, &grpc);
    }
    let after = settled(&envoy)?;
    Some(after as i64 - before as i64)
}

/// Envoy's memory once nothing is in flight; `None` where the system does not tell.
fn settled(envoy: &Envoy) -> Option<u64> {
    for name in ["http.otlp.downstream_rq_active", "cluster.agent.upstream_rq_active"] {
        wait_until(name, || envoy.stat(name) == 0.0);
    }
    envoy.memory()
}

fn setup(document: Value, agent: &FakeAgent) -> Setup {
    let mut setup = Setup { document: Some(document), ..Setup::to(agent) };
    setup.virtual_host = json!({"request_body_buffer_limit": 8 << 20});
    setup
}

#[test]
fn requests_leave_nothing_behind() {
    let agent = FakeAgent::with(|builder| builder.keep_records(1).play_always(status(200)));
    let Some(grown) = grown(&Setup { bridge: true, ..setup(document(""), &agent) }) else { return };
    assert!(grown < BOUND, "{grown} bytes");
}

#[test]
fn copies_leave_nothing_behind() {
    let agent = FakeAgent::with(|builder| builder.keep_records(1).play_always(status(200)));
    let other = FakeAgent::with(|builder| builder.keep_records(1).play_always(status(200)));
    // How many copies are on their way at a time is chance. Without large ones that makes no difference to speak of.
    let document = document("  limits:\n    body: 64KiB\n  proxy_wasm:\n    mode: tee\n    cluster: agent\n");
    let mut setup = Setup { other: other.agent().address(), ..setup(document, &agent) };
    let any = json!({"safe_regex": {"regex": ".*"}});
    let rewrite = json!({"pattern": {"regex": ".*"}, "substitution": "/api/v1/otel/trace"});
    let route = json!({"match": any, "route": {"cluster": "other", "regex_rewrite": rewrite}});
    setup.virtual_host["routes"] = json!([route]);
    let Some(grown) = grown(&setup) else { return };
    assert!(grown < BOUND, "{grown} bytes");
}
