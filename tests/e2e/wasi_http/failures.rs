//! An agent that is down, closes, is busy, is slow or is none: the same answers in every host, and the host lives on.

use std::io::Write;

use podstamp_fake_agent::{Answer, Builder, Script};
use podstamp_test_support::blocking::http::{Client, Response, export};
use podstamp_test_support::blocking::raw::Raw;
use podstamp_test_support::blocking::status::Status;
use podstamp_test_support::ports::closed_port;
use podstamp_test_support::spans;
use serde_json::json;

use super::{Host, Server, process, towards};
use crate::checklist::{status, throttled};
use crate::encoding::Encoding;
use crate::fake_agent::FakeAgent;
use crate::served::wait_until;

/// Sends in each encoding. The message of each answer is in that encoding.
fn refused(server: &Server, expected: u16) -> Vec<(Response, Status)> {
    let send = |encoding: Encoding| {
        let answer = encoding.send(&mut Client::connect(server.address), &encoding.batch());
        assert_eq!(answer.status, expected, "{}\n{}", answer.message(), server.log());
        assert_eq!(answer.header("content-type"), Some(encoding.header().1));
        let told = Status::of(&answer);
        assert_ne!(told.code, 0);
        let seconds = answer.header("retry-after");
        assert_eq!(seconds.is_some(), told.retry_delay().is_some(), "{told:?}");
        (answer, told)
    };
    Encoding::BOTH.into_iter().map(send).collect()
}

fn taken(server: &Server) {
    for encoding in Encoding::BOTH {
        encoding.success(&encoding.send(&mut Client::connect(server.address), &encoding.batch()));
    }
}

#[test]
fn an_agent_that_is_down_gives_503_and_one_that_comes_up_takes_the_next_batch() {
    for host in Host::BOTH {
        let address = closed_port();
        let Some(server) = host.serve(&towards(address)) else { continue };
        for (answer, told) in refused(&server, 503) {
            assert!(answer.header("retry-after").is_some());
            assert!(told.message.contains("cannot be reached"), "{}", told.message);
        }
        server.wait_for_notice("upstream-unreachable");
        let agent = FakeAgent::with(|builder| builder.listen(address));
        taken(&server);
        assert_eq!(agent.placed().len(), 2);
    }
}

#[test]
fn an_agent_that_comes_up_late_gets_a_batch_that_is_tried_again() {
    for host in Host::BOTH {
        let address = closed_port();
        let mut document = towards(address);
        document["exporters"]["otlphttp"]["retry_on_failure"] =
            json!({"initial_interval": "100ms", "max_interval": "100ms"});
        document["exporters"]["otlphttp"]["timeout"] = json!("60s");
        document["podstamp"]["upstream"] = json!({"patience": "60s"});
        let Some(server) = host.serve(&document) else { continue };
        let to = server.address;
        let client = std::thread::spawn(move || export(to, &Encoding::Protobuf.batch()).status);
        let busy = FakeAgent::with(|builder| builder.listen(address).play(2, throttled(503, "0")));
        assert_eq!(client.join().unwrap(), 200, "{host:?}: {}", server.log());
        assert_eq!(busy.records().len(), 3);
    }
}

#[test]
fn an_agent_that_closes_on_a_batch_gives_400_where_the_batch_is_at_fault_and_503_where_it_is_sound() {
    for host in Host::BOTH {
        let agent = FakeAgent::start();
        let Some(server) = host.serve(&towards(agent.agent().address())) else { continue };
        let answer = export(server.address, &spans::broken_deep_in_a_span());
        assert_eq!(answer.status, 400, "{host:?}: {}\n{}", answer.message(), server.log());
        let [(field, _)] = &Status::of(&answer).violations()[..] else { panic!() };
        assert_eq!(field, "resource_spans[0].scope_spans[0].spans[0].attributes[0].value");
        assert_eq!(agent.records().len(), 1, "it is not sent again");
        agent.agent().play(2, Script::Close);
        for (answer, told) in refused(&server, 503) {
            assert!(answer.header("retry-after").is_some());
            assert!(told.message.contains("the batch is sound"), "{}", told.message);
        }
        taken(&server);
    }
}

#[test]
fn text_that_the_agent_closes_on_is_mended_and_sent_once_more() {
    for host in Host::BOTH {
        let agent = FakeAgent::with(Builder::keep_bodies);
        let Some(server) = host.serve(&towards(agent.agent().address())) else { continue };
        let mut batch = spans::export_spans(
            "shop",
            "web-1",
            vec![spans::span(1_700_000_000_000_000_000, &[("a", "MARK")])],
        );
        let at = batch.windows(4).position(|text| text == b"MARK").unwrap();
        batch[at] = 0xff;
        assert_eq!(export(server.address, &batch).status, 200, "{host:?}: {}", server.log());
        assert_eq!(agent.records().len(), 2);
        let body = agent.records()[1].body.clone().unwrap();
        assert!(body.windows(4).any(|text| text == b"?ARK"));
    }
}

#[test]
fn what_an_upstream_answers_becomes_otlps_answer() {
    for host in Host::BOTH {
        let agent = FakeAgent::start();
        let Some(server) = host.serve(&towards(agent.agent().address())) else { continue };
        for (said, status, again) in [
            (status(400), 400, false),
            (status(404), 500, false),
            (throttled(429, "7"), 429, true),
            (status(500), 500, false),
            (status(503), 503, true),
        ] {
            agent.agent().play(2, said);
            for (answer, _) in refused(&server, status) {
                assert_eq!(answer.header("retry-after").is_some(), again, "{status}");
                assert!(status != 429 || answer.header("retry-after") == Some("7"));
            }
        }
        server.wait_for_notice("upstream-not-found");
        taken(&server);
    }
}

#[test]
fn an_agent_that_does_not_answer_in_time_gives_504() {
    for host in Host::BOTH {
        let agent = FakeAgent::silent();
        let mut document = towards(agent.agent().address());
        document["exporters"]["otlphttp"]["timeout"] = json!("300ms");
        let Some(server) = host.serve(&document) else { continue };
        for (_, told) in refused(&server, 504) {
            assert!(told.message.contains("within 300 ms"), "{}", told.message);
        }
    }
}

#[test]
fn an_answer_that_has_no_end_is_not_read_to_it() {
    for host in Host::BOTH {
        let long = Answer::new(200).unwrap().body(vec![b'x'; (4 << 20) + 1]);
        let agent = FakeAgent::with(|builder| builder.play(2, Script::Answer(long)));
        let Some(server) = host.serve(&towards(agent.agent().address())) else { continue };
        for (_, told) in refused(&server, 500) {
            assert!(told.message.contains("over 4 MiB"), "{}", told.message);
        }
        taken(&server);
    }
}

#[test]
fn what_is_no_http_gives_an_answer_all_the_same() {
    for host in Host::BOTH {
        let upstream = Raw::answering(|stream| stream.write_all(b"what?\r\n\r\n").unwrap());
        let Some(server) = host.serve(&towards(upstream.address)) else { continue };
        refused(&server, 503);
    }
}

#[test]
fn a_copy_goes_to_a_further_exporter_after_the_answer_whatever_becomes_of_it() {
    for host in Host::BOTH {
        let (agent, canary) = (FakeAgent::with(Builder::keep_bodies), FakeAgent::with(Builder::keep_bodies));
        let mut document = towards(agent.agent().address());
        document["exporters"]["otlphttp/canary"] =
            json!({"traces_endpoint": canary.url(), "retry_on_failure": {"enabled": false}});
        document["service"]["pipelines"]["traces"]["exporters"] = json!(["otlphttp", "otlphttp/canary"]);
        let Some(server) = host.serve(&document) else { continue };
        canary.agent().play(1, Script::Close);
        assert_eq!(export(server.address, &Encoding::Protobuf.batch()).status, 200);
        server.wait_for_notice("upstream-closed-copy-1");
        assert_eq!(export(server.address, &Encoding::Protobuf.batch()).status, 200);
        wait_until("the second copy arrives", || canary.records().len() == 2);
        assert_eq!(agent.messages()[1], canary.messages()[1]);
    }
}

#[test]
fn an_instance_that_runs_out_of_memory_costs_its_own_request_alone() {
    let agent = FakeAgent::start();
    let document = towards(agent.agent().address()).to_string();
    let options = ["-Wmax-memory-size=8388608", "--max-instance-reuse-count=1000"];
    let Some(server) = process::wasmtime(&[("PODSTAMP_CONFIG", &document)], &options) else { return };
    taken(&server);
    let answer = export(server.address, &spans::large(7 << 20, "web-1"));
    assert_eq!(answer.status, 500, "{}", server.log());
    taken(&server);
    assert_eq!(agent.records().len(), 4);
}
