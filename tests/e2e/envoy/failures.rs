//! An agent that is down, closes, is busy, is slow or is none.

use podstamp_fake_agent::{Builder, Script};
use podstamp_test_support::blocking::grpc::UNAVAILABLE;
use podstamp_test_support::blocking::http::{Client, Response, export};
use podstamp_test_support::blocking::status::Status;
use podstamp_test_support::ports::closed_port;
use podstamp_test_support::spans;
use serde_json::json;

use super::{Envoy, POD, Setup, stamped};
use crate::checklist::{status, throttled};
use crate::encoding::Encoding;
use crate::fake_agent::FakeAgent;
use crate::served::wait_until;

fn send(envoy: &Envoy, encoding: Encoding) -> Response {
    encoding.send(&mut Client::connect(envoy.address), &encoding.batch())
}

/// The message of the body, in the encoding of the request.
fn told(answer: &Response, status: u16, encoding: Encoding) -> Status {
    assert_eq!(answer.status, status, "{}", answer.message());
    assert_eq!(answer.header("content-type"), Some(encoding.header().1), "{}", answer.message());
    let told = Status::of(answer);
    assert_ne!(told.code, 0);
    assert_ne!(told.message, "");
    told
}

/// Whether the client knows that it is worth another try, and when.
fn comes_again(answer: &Response, told: &Status) -> bool {
    let seconds = answer.header("retry-after").map(|text| text.parse::<u32>().unwrap());
    assert_eq!(seconds.is_some(), told.retry_delay().is_some(), "{told:?}");
    assert_ne!(seconds, Some(0));
    seconds.is_some()
}

#[test]
fn an_agent_that_is_down_gives_503_and_one_that_comes_up_takes_the_next_batch() {
    let address = closed_port();
    let Some(envoy) = Setup::towards(address).start() else { return };
    for encoding in Encoding::BOTH {
        let answer = send(&envoy, encoding);
        let told = told(&answer, 503, encoding);
        assert_eq!(told.code, UNAVAILABLE);
        assert!(comes_again(&answer, &told));
    }
    let agent = FakeAgent::with(|builder| builder.listen(address));
    for encoding in Encoding::BOTH {
        encoding.success(&send(&envoy, encoding));
    }
    assert_eq!(agent.placed(), vec![("shop".to_owned(), POD.to_owned()); 2]);
}

#[test]
fn a_fault_deep_in_a_span_is_found_once_the_agent_has_closed_on_it() {
    let agent = FakeAgent::start();
    let Some(envoy) = Setup::to(&agent).start() else { return };
    let broken = spans::broken_deep_in_a_span();
    let mut client = Client::connect(envoy.address);
    let answer = client.export(&broken);
    let told = told(&answer, 400, Encoding::Protobuf);
    assert!(!comes_again(&answer, &told));
    let [(field, _)] = &told.violations()[..] else { panic!("{told:?}") };
    assert_eq!(field, "resource_spans[0].scope_spans[0].spans[0].attributes[0].value");
    assert_eq!(agent.records().len(), 1, "it is not sent again");
    assert_eq!(client.export(&Encoding::Protobuf.batch()).status, 200);
}

#[test]
fn an_agent_that_closes_on_a_sound_batch_gives_503() {
    let agent = FakeAgent::with(|builder| builder.play(2, Script::Close));
    let Some(envoy) = Setup::to(&agent).start() else { return };
    for encoding in Encoding::BOTH {
        let answer = send(&envoy, encoding);
        let told = told(&answer, 503, encoding);
        assert!(comes_again(&answer, &told));
        assert!(told.message.contains("the batch is sound"), "{}", told.message);
    }
    assert_eq!(agent.records().len(), 2, "neither is sent again");
    assert_eq!(export(envoy.address, &Encoding::Protobuf.batch()).status, 200);
}

#[test]
fn what_an_upstream_answers_becomes_otlps_answer() {
    let agent = FakeAgent::start();
    let Some(envoy) = Setup::to(&agent).start() else { return };
    for (said, status, again) in [
        (status(400), 400, false),
        (status(404), 500, false),
        (status(429), 429, true),
        (status(500), 500, false),
        (status(502), 502, true),
        (status(503), 503, true),
        (status(504), 504, true),
    ] {
        for encoding in Encoding::BOTH {
            agent.agent().play(1, said.clone());
            let answer = send(&envoy, encoding);
            let told = told(&answer, status, encoding);
            assert_eq!(comes_again(&answer, &told), again, "{told:?}");
        }
    }
}

#[test]
fn an_upstreams_overload_is_passed_on_with_its_retry_after() {
    let agent = FakeAgent::start();
    let Some(envoy) = Setup::to(&agent).start() else { return };
    for encoding in Encoding::BOTH {
        for busy in [429, 503] {
            agent.agent().play(1, throttled(busy, "7"));
            let answer = send(&envoy, encoding);
            let told = told(&answer, busy, encoding);
            assert_eq!(answer.header("retry-after"), Some("7"));
            assert_eq!(told.retry_delay(), Some(7.0));
        }
    }
}

#[test]
fn an_agent_that_does_not_answer_in_time_gives_504() {
    let agent = FakeAgent::silent();
    let Some(envoy) = (Setup { timeout: "0.3s", ..Setup::to(&agent) }).start() else { return };
    for encoding in Encoding::BOTH {
        told(&send(&envoy, encoding), 504, encoding);
    }
}

#[test]
fn a_wrong_path_reaches_the_log_with_the_key_to_correct() {
    let agent = FakeAgent::start();
    let Some(envoy) = Setup::to(&agent).start() else { return };
    agent.agent().play(1, status(404));
    assert_eq!(send(&envoy, Encoding::Protobuf).status, 500);
    envoy.wait_for_log(&["wasm", "exporters.otlphttp.traces_endpoint"]);
}

#[test]
fn an_agent_that_takes_nothing_and_says_so_at_once_is_believed() {
    let agent = FakeAgent::with(|builder| builder.play_always(Script::Disabled));
    let Some(envoy) = Setup::to(&agent).start() else { return };
    for encoding in Encoding::BOTH {
        encoding.success(&send(&envoy, encoding));
        // The upstream has answered before there is a body.
        let mut client = Client::connect(envoy.address);
        let before = agent.agent().totals().requests;
        client.begin_chunked("/v1/traces", &[encoding.header()]);
        wait_until("the agent has answered", || {
            agent.agent().totals().requests > before
                || envoy.stat("http.otlp.downstream_rq_2xx") > before as f64
        });
        client.write_chunk(&encoding.batch());
        encoding.success(&client.end_chunked(&[]));
    }
}

#[test]
fn a_route_may_try_again_and_sends_the_stamped_batch_each_time() {
    let agent = FakeAgent::with(Builder::keep_bodies);
    let mut setup = Setup::to(&agent);
    let policy = json!({"retry_on": "5xx,reset,connect-failure", "num_retries": 3});
    setup.virtual_host = json!({"retry_policy": policy});
    let Some(envoy) = setup.start() else { return };
    for script in [status(503), Script::Close] {
        for encoding in Encoding::BOTH {
            agent.agent().play(2, script.clone());
            encoding.success(&send(&envoy, encoding));
            let messages = agent.messages();
            assert_eq!(messages.len(), 3, "{script:?}");
            assert!(messages.iter().all(|sent| *sent == stamped(&Encoding::Protobuf.batch(), POD)));
            agent.agent().forget_records();
        }
    }
}

#[test]
fn without_a_route_to_the_agent_the_client_keeps_its_batch_and_the_log_says_why() {
    let mut setup = Setup::towards(closed_port());
    setup.virtual_host = json!({"routes": []});
    let Some(envoy) = setup.start() else { return };
    for encoding in Encoding::BOTH {
        // Envoy's own 404 has no body, so that there is none to put OTLP's in place of.
        let answer = send(&envoy, encoding);
        assert_eq!((answer.status, answer.header("retry-after")), (503, Some("5")));
    }
    envoy.wait_for_log(&["wasm", "route_not_found"]);
}
