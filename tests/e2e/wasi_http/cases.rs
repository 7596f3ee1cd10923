//! The conformance cases, by way of HTTP through the component in jco: an instance for each, all in one process.
//!
//! What is counted shows nowhere in such a host, so that the reports of cases are not looked at; nor can an upstream be away for it, or be
//! waited for. The cases' clocks are those of the instances.

use std::collections::HashMap;
use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex};

use podstamp_core::hosting::MAX_RESPONSE;
use podstamp_core::interface;
use podstamp_test_support::blocking::http::{Client, Response};
use podstamp_test_support::blocking::raw::{Raw, Received};
use podstamp_test_support::blocking::status::Status;
use podstamp_test_support::cases::body;
use podstamp_test_support::cases::{self, Answer, Case, Outcome, Resource};
use podstamp_test_support::ports::closed_port;
use serde_json::{Value, json};

use super::Server;
use super::process::{Entry, jco};
use crate::cases::{assert_said, assert_sent, serve_pods, success};
use crate::served::wait_until;

#[test]
fn every_case_holds_in_jco() {
    let script = Script::default();
    let upstream = Raw::replying({
        let script = script.clone();
        move |request, stream| script.play(request, stream)
    });
    let cases = cases::all();
    let worlds: Vec<_> = cases.iter().map(|(name, case)| World::new(name, case)).collect();
    let entries = worlds.iter().flat_map(|world| {
        let entry = |name: &str, to| {
            let variables = [("PODSTAMP_CONFIG", &*world.document), ("PODSTAMP_PEER_HEADER", "x-peer")];
            Entry::new(name, &variables).redirecting(&world.redirect(to)).at(world.case.request.now)
        };
        [entry(world.name, upstream.address), entry(&nobody(world.name), closed_port())]
    });
    let Some((server, addresses)) = jco(&entries.collect::<Vec<_>>()) else { return };

    let mut failed = Vec::new();
    for world in &worlds {
        let run = Run { world, server: &server, addresses: &addresses, upstream: &upstream, script: &script };
        let holds = catch_unwind(AssertUnwindSafe(|| run.whole())).is_ok();
        // A case that is left out has to be one that cannot hold.
        let left_out = LEFT_OUT.iter().find(|(name, _)| *name == world.name);
        match (holds, left_out) {
            (false, None) => failed.push(format!("{} ({})", world.name, world.case.why)),
            (true, Some((name, why))) => failed.push(format!("{name} holds, and is left out since {why}")),
            (true, None) | (false, Some(_)) => {}
        }
    }
    assert!(failed.is_empty(), "{failed:#?}\n{}", server.log());
    let unknown = LEFT_OUT.iter().find(|(name, _)| !cases.iter().any(|(known, _)| known == name));
    assert_eq!(unknown, None, "is no case");
}

/// Cases that cannot hold here, and why.
const LEFT_OUT: [(&str, &str); 6] = [
    ("fault_a_cut_off_grpc_message_is_an_invalid_argument", GRPC),
    ("grpc_batch_is_stamped_and_answered_with_a_grpc_status", GRPC),
    ("grpc_batch_of_logs_is_stamped_and_answered_with_a_grpc_status", GRPC),
    ("grpc_empty_message_is_acknowledged_and_not_sent", GRPC),
    ("grpc_message_of_unknown_fields_only_is_never_a_silent_success", GRPC),
    ("guard_without_a_clock_knows_no_future", "the host has a clock"),
];

const GRPC: &str = "the host passes no trailers";

/// A case, with all that its instance meets.
struct World<'a> {
    name: &'a str,
    case: &'a Case,
    document: String,
    /// The authorities that it sends to.
    authorities: Vec<String>,
    /// A podstamp with its pods.
    _pods: Raw,
}

impl<'a> World<'a> {
    fn new(name: &'a str, case: &'a Case) -> Self {
        let mut document = cases::document(&case.config);
        let pods = serve_pods([(name, case)], {
            let name = name.to_owned();
            move |_| name.clone()
        });
        let mut authorities = vec!["127.0.0.1:38086".to_owned()];
        // A whole ConfigMap has its document as text, and stays as it is.
        if let Some(fields) = document.as_object_mut() {
            let own = fields.entry("podstamp").or_insert_with(|| json!({}));
            if own.is_null() {
                *own = json!({});
            }
            own["pods"] = json!({"from": format!("http://{}", pods.address)});
        }
        collect_authorities(&document["exporters"], &mut authorities);
        Self { name, case, document: document.to_string(), authorities, _pods: pods }
    }

    fn redirect(&self, to: SocketAddr) -> HashMap<String, String> {
        self.authorities.iter().map(|authority| (authority.clone(), to.to_string())).collect()
    }
}

fn collect_authorities(value: &Value, into: &mut Vec<String>) {
    match value {
        Value::String(text) => into.extend(
            text.strip_prefix("http://").map(|rest| rest.split('/').next().unwrap_or_default().to_owned()),
        ),
        Value::Object(fields) => fields.values().for_each(|value| collect_authorities(value, into)),
        _ => {}
    }
}

/// The instance whose upstream is not there.
fn nobody(name: &str) -> String {
    format!("{name}/nobody")
}

/// How the upstream ends requests: once so, and after that with 200.
#[derive(Clone, Default)]
struct Script(Arc<Mutex<Option<String>>>);

impl Script {
    fn set(&self, outcome: Option<String>) {
        *self.0.lock().unwrap() = outcome;
    }

    fn play(&self, _: &Received, stream: &mut TcpStream) {
        let outcome = self.0.lock().unwrap().take();
        match outcome.as_deref() {
            Some("closed") => stream.shutdown(Shutdown::Both).unwrap(),
            // Until the other side has had enough.
            Some("timed-out") => drop(stream.read(&mut [0])),
            Some("oversized") => {
                let body = vec![0; MAX_RESPONSE + 1];
                write!(stream, "HTTP/1.1 200 Said\r\ncontent-length: {}\r\n\r\n", body.len()).unwrap();
                // The other side may have had enough before it is whole.
                drop(stream.write_all(&body));
            }
            status => {
                let status = status.unwrap_or("200");
                write!(stream, "HTTP/1.1 {status} Said\r\ncontent-length: 0\r\n\r\n").unwrap();
            }
        }
    }
}

/// A case on its way through its instances.
struct Run<'a> {
    world: &'a World<'a>,
    server: &'a Server,
    addresses: &'a HashMap<String, SocketAddr>,
    upstream: &'a Raw,
    script: &'a Script,
}

impl Run<'_> {
    fn whole(&self) {
        let case = self.world.case;
        let logged = self.server.log().len();
        let (answer, sent) = self.send(self.world.name, None);
        match (&case.expect.forward, &case.expect.answer) {
            (Some(forward), None) => {
                self.check(&answer, &success(), logged);
                // Copies come behind the answer.
                let requests = forward.parts.as_ref().map_or(1, Vec::len) + forward.copies.len();
                let before = self.upstream.requests() - sent.len();
                wait_until("everything is sent", || self.upstream.requests() - before >= requests);
                let sent = self.upstream.received().split_off(before);
                assert_eq!(sent.len(), requests);
                self.check_forward(&sent);
                case.expect.notices.iter().for_each(|key| self.wait_for_notice(key, logged));
            }
            (None, Some(expected)) => {
                assert_eq!(sent, []);
                self.check(&answer, expected, logged);
            }
            other => panic!("{other:?}"),
        }
        case.conclude.iter().for_each(|conclusion| self.conclude(conclusion, logged));
    }

    fn check_forward(&self, sent: &[Received]) {
        let case = self.world.case;
        let forward = case.expect.forward.as_ref().unwrap();
        let (own, copies) = sent.split_at(sent.len() - forward.copies.len());
        let urls = forward.url.iter().map(|url| (url, &own[0]));
        for (url, request) in urls.chain(forward.copies.iter().zip(copies)) {
            let path = url.splitn(4, '/').last().unwrap();
            assert_eq!(request.line, format!("POST /{path} HTTP/1.1"));
            assert_eq!(request.body, own[0].body);
        }
        assert!(sent.iter().all(|one| one.header("content-type") == Some("application/x-protobuf")));
        let body: Vec<u8> = own.iter().flat_map(|request| request.body.clone()).collect();
        assert_eq!(body == body::encode(&case.request), forward.unchanged, "unchanged");
        let signal = case.request.signal.into();
        if let Some(parts) = &forward.parts {
            let spans = |request: &Received| {
                let resources = body::decode(signal, &request.body);
                resources.iter().map(|resource| resource.kinds.len()).sum::<usize>() as u32
            };
            assert_eq!(&own.iter().map(spans).collect::<Vec<_>>(), parts);
        }
        if let Some(expected) = &forward.resources {
            let sent = body::decode(signal, &body);
            assert_sent(&sent, expected);
        }
    }

    fn conclude(&self, conclusion: &cases::Conclusion, logged: usize) {
        let (instance, outcome) = match conclusion.outcome {
            Outcome::Status(status) => (self.world.name.to_owned(), Some(status.to_string())),
            Outcome::Closed => (self.world.name.to_owned(), Some("closed".to_owned())),
            Outcome::TimedOut => (self.world.name.to_owned(), Some("timed-out".to_owned())),
            Outcome::Oversized => (self.world.name.to_owned(), Some("oversized".to_owned())),
            Outcome::NotConnected => (nobody(self.world.name), None),
            Outcome::Away | Outcome::Waited => return,
        };
        // What arrives ahead of a part, and an upstream that comes up meanwhile, have tests of their own.
        if conclusion.delivered > 0 || conclusion.retry.is_some() && outcome.is_none() {
            return;
        }
        let (answer, sent) = self.send(&instance, outcome);
        match conclusion {
            cases::Conclusion { answer: Some(expected), .. } => {
                self.check(&answer, expected, logged);
                assert!(sent.len() <= 1, "{sent:?}");
            }
            cases::Conclusion { mended: Some(mended), .. } => {
                assert_eq!((answer.status, sent.len()), (200, 2));
                let mended = body::decode(self.world.case.request.signal.into(), &body::from_hex(mended));
                let spans =
                    |resources: &[Resource]| -> usize { resources.iter().map(|one| one.kinds.len()).sum() };
                let came = body::decode(self.world.case.request.signal.into(), &sent[1].body);
                assert_eq!(spans(&came), spans(&mended));
            }
            cases::Conclusion { retry: Some(_), .. } => {
                assert_eq!((answer.status, sent.len()), (200, 2));
                assert_eq!(sent[0].body, sent[1].body);
            }
            other => panic!("{other:?}"),
        }
    }

    /// The answer, and what came to the upstream meanwhile.
    fn send(&self, instance: &str, outcome: Option<String>) -> (Response, Vec<Received>) {
        let request = &self.world.case.request;
        let before = self.upstream.requests();
        self.script.set(outcome);
        let mut headers: Vec<(&str, &str)> = Vec::new();
        headers.extend(request.peer.as_deref().map(|peer| ("x-peer", peer)));
        headers.extend(request.headers.iter().map(|(name, value)| (name.as_str(), value.as_str())));
        headers.extend(request.forwarded_for.iter().map(|value| ("x-forwarded-for", value.as_str())));
        headers.extend(request.content_type.as_deref().map(|value| ("content-type", value)));
        let path = request.path.as_deref().unwrap_or_else(|| interface::Signal::from(request.signal).path());
        let body = body::encode(request);
        let answer = Client::connect(self.addresses[instance]).send("POST", path, &headers, &body);
        (answer, self.upstream.received().split_off(before))
    }

    fn check(&self, response: &Response, expected: &Answer, logged: usize) {
        assert_eq!(response.status, expected.status, "{}", response.message());
        let (code, message) = if let Some(code) = response.header("grpc-status") {
            (code.parse().unwrap(), response.header("grpc-message").unwrap_or_default().to_owned())
        } else if response.status == 200 {
            (0, response.warning())
        } else {
            let Status { code, message, .. } = Status::of(response);
            (code, message)
        };
        assert_said(response, (code, &message), expected);
        if let Some(key) = &expected.notice {
            self.wait_for_notice(key, logged);
        }
    }

    /// Waits for a notice of this case, which may have come with an earlier request: the same is not told twice within ten seconds.
    fn wait_for_notice(&self, key: &str, logged: usize) {
        let text = format!(": {key}: ");
        wait_until(&text, || self.server.log()[logged..].contains(&text));
    }
}
