//! podstamp's filter as a wasi:http component: a server for hosts with the component model. What it decides stands in
//! [`podstamp_embedded::serving`]; here requests, answers and the host's calls change their shape.

mod client;
mod host;
mod message;
mod streams;

use std::cell::RefCell;

use podstamp_core::config::Fault;
use podstamp_core::interface::{Answer, Header};
use podstamp_embedded::serving::{Copies, Head, Server, World as _};
use wasip2::cli::environment;
use wasip2::clocks::wall_clock;
use wasip2::exports::http::incoming_handler::Guest;
use wasip2::http::types::{IncomingRequest, ResponseOutparam};

use host::Host;
use streams::{Deadline, Unread};

struct Podstamp;

mod glue {
    use super::Podstamp;
    wasip2::http::proxy::export!(Podstamp with_types_in wasip2);
}

thread_local! {
    /// Made by the first request. A host may make an instance for each request, or keep one for many.
    static STATE: RefCell<Option<State>> = const { RefCell::new(None) };
}

struct State {
    server: Result<Server, Vec<Fault>>,
    host: Host,
}

impl Guest for Podstamp {
    fn handle(request: IncomingRequest, out: ResponseOutparam) {
        STATE.with_borrow_mut(|state| {
            let State { server, host } = state.get_or_insert_with(State::new);
            let headers = message::headers(&request.headers());
            let server = match server {
                Ok(server) => server,
                Err(faults) => return respond(host, out, &Server::misconfigured(faults, &headers)),
            };
            let (answer, copies) = take(server, host, request, headers);
            respond(host, out, &answer);
            if let Some(copies) = copies {
                copies.send(server, host);
            }
            server.index();
        });
    }
}

impl State {
    fn new() -> Self {
        let host = Host::default();
        let variables = environment::get_environment();
        let look_up =
            |name: &str| variables.iter().find(|(known, _)| known == name).map(|(_, value)| value.clone());
        let server = Server::configure(&look_up);
        if let Ok(server) = &server {
            server.notices().iter().for_each(|notice| host.tell(notice));
        }
        Self { server, host }
    }
}

/// Reads a request whole, and has it answered.
fn take(
    server: &mut Server,
    host: &Host,
    request: IncomingRequest,
    headers: Vec<Header>,
) -> (Answer, Option<Copies>) {
    let target = request.path_with_query().unwrap_or_default();
    let head = match server.read_head(&message::method(&request.method()), &target, headers) {
        Ok(head) => head,
        Err(answer) => return (answer, None),
    };
    let timeout = server.read_timeout();
    match read_body(&request, &head, timeout) {
        Ok(wire) => server.answer(head, wire, now(), host),
        Err(Unread::Late) => (head.is_slow(timeout), None),
        Err(Unread::Broken) => (head.is_broken(), None),
    }
}

fn read_body(request: &IncomingRequest, head: &Head, timeout: u32) -> Result<Vec<u8>, Unread> {
    let body = request.consume().map_err(|()| Unread::Broken)?;
    let stream = body.stream().map_err(|()| Unread::Broken)?;
    streams::read(&stream, head.limit(), Deadline::within(timeout))
}

fn respond(host: &Host, out: ResponseOutparam, answer: &Answer) {
    if let Some(notice) = &answer.notice {
        host.tell(notice);
    }
    message::respond(out, answer);
}

/// Nanoseconds since 1970.
fn now() -> Option<u64> {
    let time = wall_clock::now();
    time.seconds.checked_mul(1_000_000_000)?.checked_add(time.nanoseconds.into())
}
