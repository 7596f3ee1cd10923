//! podstamp's filter for the `wasm` processor of Bento and Redpanda Connect. A message is a request's body, and all else passes
//! as metadata: `examples/collector/bento` says which, and in which order a pipeline calls.

mod host;

use std::cell::Cell;

use podstamp_core::config::Fault;
use podstamp_core::hosting::encoding::named;
use podstamp_core::interface::{
    Answer, Encoding, Header, Level, Notice, Outcome, Prepared, Request, Signal, Verdict,
};
use podstamp_embedded::Embedded;
use podstamp_embedded::coding::Coding;
use podstamp_embedded::serving::Server;

/// The filter, and what it was made of.
struct State {
    configuration: String,
    pods_version: String,
    filter: Result<Embedded, Vec<Fault>>,
}

thread_local! {
    /// Taken out during a call. The host goes on with an instance that has trapped, which then begins with a filter of its own.
    static STATE: Cell<Option<State>> = const { Cell::new(None) };
}

/// Makes of a message what goes to the agent or, if that has been asked already, what goes to the client.
#[expect(unsafe_code, reason = "the host calls it by its name")]
#[unsafe(no_mangle)]
extern "C" fn process() {
    let configuration = host::text("podstamp_config");
    let state = STATE.take().filter(|state| state.configuration == configuration);
    let mut state = state.unwrap_or_else(|| State::new(configuration));
    match &mut state.filter {
        Err(faults) => answer(Server::misconfigured(faults, &[header("content-type")])),
        Ok(filter) if host::text("podstamp_url").is_empty() => {
            read_pods(filter, &mut state.pods_version);
            prepare(filter);
        }
        Ok(filter) => conclude(filter),
    }
    STATE.set(Some(state));
}

impl State {
    fn new(configuration: String) -> Self {
        let filter = Embedded::configure_hosted(&configuration);
        filter.iter().for_each(|filter| tell(filter.filter().notices()));
        Self { configuration, pods_version: String::new(), filter }
    }
}

/// Reads the pods that come with the message, if they are others than before.
fn read_pods(filter: &mut Embedded, known: &mut String) {
    let version = host::text("podstamp_pods_version");
    if version.is_empty() || version == *known {
        return;
    }
    if let Err(error) = filter.read_pods(host::metadata("podstamp_pods")) {
        let message = format!("the text of pods cannot be read: {error}");
        tell(&[Notice { level: Level::Warning, key: "pods-missing".into(), message }]);
    }
    *known = version;
}

fn prepare(filter: &mut Embedded) {
    let path = host::text("podstamp_path");
    let mut headers: Vec<_> = filter.filter().request_headers().iter().map(|name| header(name)).collect();
    headers.retain(|header| !header.value.is_empty());
    let limit = filter.filter().config().limits.body as usize;
    let coding = Coding::named(Some(&header("content-encoding").value));
    let body = match coding.and_then(|coding| coding.decode(host::body(), limit)) {
        Ok(body) => body,
        Err(unreadable) => return answer(unreadable.answer(encoding())),
    };
    let Prepared { verdict, notices, .. } = filter.prepare(&Request {
        signal: Signal::at(&path).unwrap_or_default(),
        path: &path,
        peer: host::text("podstamp_peer").parse().ok(),
        headers: &headers,
        body: &body,
        now: host::text("podstamp_now").parse().ok(),
    });
    filter.index();
    tell(&notices);
    match verdict {
        Verdict::Answer(refused) => answer(refused),
        Verdict::Forward(outbound) => {
            if let parts @ 2.. = outbound.parts.len() {
                let message = format!(
                    "a batch goes to the agent as one request, which should be {parts}, since here a message stays one: it may be \
                     lost there after the 200; have clients send smaller ones"
                );
                tell(&[Notice { level: Level::Warning, key: "batch-not-split".into(), message }]);
            }
            host::set_body(&outbound.content.into_body(body).unwrap_or_default());
            host::set("podstamp_url", &outbound.url);
        }
    }
}

fn conclude(filter: &Embedded) {
    let signal = Signal::at(&host::text("podstamp_path")).unwrap_or_default();
    let (body, failed) = (host::body(), host::text("podstamp_failed"));
    // As the processor `http` leaves what the agent has answered.
    let headers = ["content-type", "date", "retry-after"]
        .map(|name| Header { name: name.to_owned(), value: host::metadata(name) });
    let outcome = match host::text("http_status_code").parse() {
        Ok(status) => Outcome::Response { status, headers: &headers, body: &body },
        // As Go's client says it.
        Err(_) if failed.ends_with("EOF") || failed.contains("reset by peer") => Outcome::Closed(&body),
        Err(_) if failed.contains("Client.Timeout") || failed.contains("deadline exceeded") => {
            Outcome::TimedOut
        }
        Err(_) => Outcome::NotConnected(&failed),
    };
    answer(filter.conclude(signal, encoding(), &outcome));
}

/// A header of the request; without a value where the request does not have it.
fn header(name: &str) -> Header {
    Header { name: name.to_owned(), value: host::metadata(&format!("podstamp_header_{name}")) }
}

/// The encoding of the request, and so of its answer.
fn encoding() -> Encoding {
    named(&header("content-type").value).unwrap_or(Encoding::Protobuf)
}

/// Makes the message the answer for the client.
fn answer(answer: Answer) {
    host::set("podstamp_status", &answer.status.to_string());
    for Header { name, value } in &answer.headers {
        host::set(&format!("podstamp_answer_{}", name.replace('-', "_")), &String::from_utf8_lossy(value));
    }
    host::set_body(&answer.body);
    tell(answer.notice.as_slice());
}

/// Leaves notices for the pipeline to log, each on a line of its own.
fn tell(notices: &[Notice]) {
    for Notice { key, message, .. } in notices {
        host::set("podstamp_notice", &format!("{}{key}: {message}\n", host::text("podstamp_notice")));
    }
}
