use std::cell::{Cell, RefCell};
use std::collections::VecDeque;

use podstamp_core::directory::{Fields, KeptKeys};
use podstamp_core::interface::{Answer, Header, Notice};
use podstamp_pods::{Coverage, PodParts, Table, listing};
use serde_json::{Value, json};

use super::{Outgoing, Sent, Server, World};
use crate::describe;

/// A world in which nothing takes time but what says so, and which notes what is asked of it.
#[derive(Default)]
struct Fake {
    now: Cell<u64>,
    /// How sending ends, one after the other; after that, and where it is empty, with a 200.
    ends: RefCell<VecDeque<Sent>>,
    /// Milliseconds that each request takes.
    takes: Cell<u64>,
    sent: RefCell<Vec<Request>>,
    waits: RefCell<Vec<u32>>,
    told: RefCell<Vec<String>>,
}

#[derive(Clone, Debug, PartialEq)]
struct Request {
    url: String,
    body: Option<Vec<u8>>,
    time: u32,
}

impl World for Fake {
    fn now(&self) -> u64 {
        self.now.get()
    }

    fn random(&self) -> u32 {
        u32::MAX / 2
    }

    fn wait(&self, milliseconds: u32) {
        self.waits.borrow_mut().push(milliseconds);
        self.now.set(self.now.get() + u64::from(milliseconds));
    }

    fn send(&self, outgoing: &Outgoing<'_>) -> Sent {
        let Outgoing { url, body, time, .. } = *outgoing;
        self.sent.borrow_mut().push(Request { url: url.to_owned(), body: body.map(<[u8]>::to_vec), time });
        self.now.set(self.now.get() + self.takes.get());
        self.ends.borrow_mut().pop_front().unwrap_or_else(|| status(200, b""))
    }

    fn tell(&self, notice: &Notice) {
        self.told.borrow_mut().push(notice.key.clone().into_owned());
    }
}

impl Fake {
    fn ending(ends: impl IntoIterator<Item = Sent>) -> Self {
        Self { ends: RefCell::new(ends.into_iter().collect()), ..Self::default() }
    }

    fn urls(&self) -> Vec<String> {
        self.sent.borrow().iter().map(|request| request.url.clone()).collect()
    }
}

fn status(status: u16, body: &[u8]) -> Sent {
    Sent::Response { status, headers: Vec::new(), body: body.to_vec() }
}

fn refused() -> Sent {
    Sent::NotConnected("connection refused".to_owned())
}

fn configured(document: &Value) -> Server {
    let document = document.to_string();
    with_variables(&[("PODSTAMP_CONFIG", &document)]).unwrap_or_else(|faults| panic!("{faults}"))
}

fn with_variables(variables: &[(&str, &str)]) -> Result<Server, String> {
    let look_up =
        |name: &str| variables.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned());
    Server::configure(&look_up).map_err(|faults| describe(&faults))
}

/// A document with agents at these hosts, the first of which answers.
fn towards(hosts: &[&str]) -> Value {
    let exporter = |host: &&str| {
        let url = format!("http://{host}/api/v1/otel/trace");
        let retry = json!({"initial_interval": "100ms", "randomization_factor": 0});
        (format!("otlphttp/{host}"), json!({"traces_endpoint": url, "retry_on_failure": retry}))
    };
    let exporters: serde_json::Map<_, _> = hosts.iter().map(exporter).collect();
    let names: Vec<_> = hosts.iter().map(|host| format!("otlphttp/{host}")).collect();
    json!({"exporters": exporters, "service": {"pipelines": {"traces": {"exporters": names}}}})
}

const JSON: &[u8] = br#"{"resourceSpans": [{"scopeSpans": [{"spans": [{"name": "GET /", "startTimeUnixNano": "1", "endTimeUnixNano": "2"}]}]}]}"#;

fn post(content_type: &str) -> Vec<Header> {
    vec![Header::new("content-type", content_type)]
}

/// Takes a request by all steps, and its copies after the answer.
fn take(server: &mut Server, world: &Fake, headers: Vec<Header>, body: &[u8]) -> Answer {
    let head = match server.read_head("POST", "/v1/traces", headers) {
        Ok(head) => head,
        Err(answer) => return answer,
    };
    let (answer, copies) = server.answer(head, body.to_vec(), None, world);
    if let Some(copies) = copies {
        copies.send(server, world);
    }
    answer
}

fn export(server: &mut Server, world: &Fake) -> Answer {
    take(server, world, post("application/json"), JSON)
}

fn contains(request: &Request, text: &str) -> bool {
    request.body.as_ref().is_some_and(|body| body.windows(text.len()).any(|part| part == text.as_bytes()))
}

#[test]
fn a_request_is_stamped_sent_on_and_answered_in_the_clients_encoding() {
    let (mut server, world) = (configured(&towards(&["agent"])), Fake::default());
    let answer = export(&mut server, &world);
    assert_eq!((answer.status, answer.body.as_slice()), (200, b"{}".as_slice()));
    let sent = world.sent.borrow();
    assert_eq!(sent.len(), 1);
    assert_eq!(sent[0].url, "http://agent/api/v1/otel/trace");
    assert!(contains(&sent[0], "0.0.0.0"), "nobody is known");
}

#[test]
fn without_a_document_and_with_podstamp_alone_the_default_pipeline_runs() {
    for document in ["", " ", "{}", r#"{"podstamp": {"limits": {"body": "1MiB"}}}"#] {
        let mut server = with_variables(&[("PODSTAMP_CONFIG", document)]).unwrap();
        let world = Fake::default();
        assert_eq!(export(&mut server, &world).status, 200);
        assert_eq!(world.urls(), ["http://127.0.0.1:38086/api/v1/otel/trace"]);
        let head = server.read_head("POST", "/v1/metrics", post("application/json")).unwrap();
        let (answer, _) = server.answer(head, b"{}".to_vec(), None, &world);
        assert_eq!(answer.status, 404, "metrics go nowhere, least of all back here");
    }
}

#[test]
fn faults_of_the_configuration_are_the_answer_and_clients_keep_what_they_have() {
    for (document, path) in [
        ("{", "PODSTAMP_CONFIG"),
        ("[]", ""),
        (r#"{"exporters": {"otlphttp": {"endpiont": 1}}}"#, "exporters.otlphttp.endpiont"),
        (
            r#"{"exporters": {"otlphttp": {"endpoint": "http://a", "headers": {"x": "${env:ABSENT}"}}}, "service": {"pipelines": {"traces": {"exporters": ["otlphttp"]}}}}"#,
            "exporters.otlphttp.headers.x",
        ),
        (
            r#"{"extensions": {"basicauth": {"client_auth": {"username": "a", "password": "b"}}}, "exporters": {"otlphttp": {"endpoint": "http://a", "auth": {"authenticator": "basicauth"}}}, "service": {"extensions": ["basicauth"], "pipelines": {"traces": {"exporters": ["otlphttp"]}}}}"#,
            "exporters.otlphttp.auth",
        ),
    ] {
        let look_up = |name: &str| (name == "PODSTAMP_CONFIG").then(|| document.to_owned());
        let faults = Server::configure(&look_up).unwrap_err();
        assert!(faults.iter().any(|fault| fault.path.starts_with(path)), "{faults:?}");
        let answer = Server::misconfigured(&faults, &post("application/json"));
        assert_eq!(answer.status, 503);
        let body: Value = serde_json::from_slice(&answer.body).unwrap();
        assert!(body["message"].as_str().unwrap().contains(path), "{body}");
        assert!(answer.headers.iter().any(|header| header.name == "retry-after"));
        assert_eq!(answer.notice.unwrap().key, "config");
    }
}

#[test]
fn what_is_the_hosts_is_told_and_what_must_not_be_ignored_is_refused() {
    let mut document = towards(&["agent"]);
    document["receivers"] = json!({"otlp": {"protocols": {"http": {"cors": {"allowed_origins": ["*"]}}}}});
    document["exporters"]["otlphttp/agent"]["compression"] = json!("gzip");
    document["podstamp"] = json!({
        "strict_ports": true, "upstream": {"connections": 2}, "pods": {"from": "kubernetes"},
    });
    let server = configured(&document);
    let told = |path: &str| {
        server.notices().iter().any(|notice| notice.message.starts_with(&format!("{path}: has no effect")))
    };
    for path in [
        "receivers.otlp.protocols.http.cors",
        "exporters.otlphttp/agent.compression",
        "podstamp.strict_ports",
        "podstamp.upstream.connections",
        "podstamp.pods",
    ] {
        assert!(told(path), "{path}: {:?}", server.notices());
    }
    for name in ["Host", "Connection"] {
        let mut document = towards(&["agent"]);
        document["exporters"]["otlphttp/agent"]["headers"] = json!({name: "x", "x-tenant": "shop"});
        let document = document.to_string();
        let faults = with_variables(&[("PODSTAMP_CONFIG", &document)]).unwrap_err();
        assert!(faults.to_lowercase().starts_with("exporters.otlphttp/agent.headers."), "{faults}");
        assert_eq!(faults.lines().count(), 1, "{faults}");
    }
}

#[test]
fn variables_stand_in_the_document() {
    let document = towards(&["agent"]).to_string().replace("http://agent", "http://${env:AGENT}:80");
    let mut server = with_variables(&[("PODSTAMP_CONFIG", &document), ("AGENT", "10.0.0.7")]).unwrap();
    let world = Fake::default();
    assert_eq!(export(&mut server, &world).status, 200);
    assert_eq!(world.urls(), ["http://10.0.0.7:80/api/v1/otel/trace"]);
}

#[test]
fn an_upstream_that_is_away_is_tried_again_within_the_time_of_the_client() {
    let (mut server, world) = (configured(&towards(&["agent"])), Fake::ending([refused(), refused()]));
    assert_eq!(export(&mut server, &world).status, 200);
    assert_eq!(*world.waits.borrow(), [100, 150], "the exporter's back-off");
    let times: Vec<_> = world.sent.borrow().iter().map(|request| request.time).collect();
    assert_eq!(times, [8_000, 7_900, 7_750]);

    let world = Fake::ending((0..100).map(|_| refused()));
    let answer = export(&mut server, &world);
    assert_eq!(answer.status, 503);
    assert!(world.now.get() < 8_000, "{}", world.now.get());
    assert_eq!(answer.notice.unwrap().key, "upstream-unreachable");
}

#[test]
fn each_way_in_which_sending_ends_has_its_answer() {
    for (end, expected, key) in [
        (status(400, b""), 400, "upstream-refused"),
        (status(404, b""), 500, "upstream-not-found"),
        (status(500, b""), 500, "upstream-status"),
        (Sent::Closed, 503, "upstream-closed"),
        (Sent::TimedOut, 504, "upstream-timeout"),
        (Sent::Oversized, 500, "upstream-oversized"),
    ] {
        let (mut server, world) = (configured(&towards(&["agent"])), Fake::ending([end]));
        let answer = export(&mut server, &world);
        assert_eq!((answer.status, &*answer.notice.unwrap().key), (expected, key));
        assert_eq!(world.urls().len(), 1);
    }
}

#[test]
fn copies_go_out_after_the_answer_and_change_nothing_of_it() {
    let (mut server, world) = (configured(&towards(&["agent", "canary"])), Fake::default());
    let head = server.read_head("POST", "/v1/traces", post("application/json")).unwrap();
    let (answer, copies) = server.answer(head, JSON.to_vec(), None, &world);
    assert_eq!(answer.status, 200);
    assert_eq!(world.urls(), ["http://agent/api/v1/otel/trace"]);
    world.ends.borrow_mut().push_back(status(400, b""));
    copies.unwrap().send(&server, &world);
    assert_eq!(world.urls()[1..], ["http://canary/api/v1/otel/trace"]);
    let sent = world.sent.borrow();
    assert_eq!(sent[0].body, sent[1].body);
    assert_eq!(world.told.borrow().as_slice(), ["upstream-refused-copy-1"]);
}

#[test]
fn a_body_whose_text_the_agent_closes_on_is_mended_and_sent_once_more() {
    // A span with an attribute whose text is not UTF-8.
    let attribute = b"\x0a\x01a\x12\x03\x0a\x01\xff";
    let span = [&b"\x2a\x01n\x4a"[..], &[attribute.len() as u8], attribute].concat();
    let wrap = |tag: u8, inner: &[u8]| [&[tag, inner.len() as u8], inner].concat();
    let body = wrap(0x0a, &wrap(0x12, &wrap(0x12, &span)));
    let (mut server, world) = (configured(&towards(&["agent"])), Fake::ending([Sent::Closed]));
    let answer = take(&mut server, &world, post("application/x-protobuf"), &body);
    assert_eq!(answer.status, 200, "{:?}", answer.notice);
    let sent = world.sent.borrow();
    assert_eq!(sent.len(), 2);
    assert!(sent[0].body.as_ref().unwrap().contains(&0xff));
    assert!(!sent[1].body.as_ref().unwrap().contains(&0xff) && contains(&sent[1], "?"));

    // An agent that closes on that one as well gets no third.
    let world = Fake::ending([Sent::Closed, Sent::Closed, Sent::Closed]);
    let answer = take(&mut server, &world, post("application/x-protobuf"), &body);
    assert_eq!((answer.status, world.urls().len()), (503, 2));
}

#[test]
fn parts_go_one_after_the_other_and_the_first_that_is_not_taken_decides() {
    let mut document = towards(&["agent"]);
    document["podstamp"] = json!({"guard": {"spans_per_request": 1}});
    let spans: Vec<_> = (0..3).map(|n| json!({"name": format!("n{n}"), "endTimeUnixNano": "1"})).collect();
    let body = json!({"resourceSpans": [{"scopeSpans": [{"spans": spans}]}]}).to_string();
    let (mut server, world) = (configured(&document), Fake::default());
    assert_eq!(take(&mut server, &world, post("application/json"), body.as_bytes()).status, 200);
    let names = |world: &Fake| -> Vec<bool> {
        (0..3)
            .map(|n| world.sent.borrow().get(n).is_some_and(|part| contains(part, &format!("n{n}"))))
            .collect()
    };
    assert_eq!(names(&world), [true; 3]);

    let world = Fake::ending([status(200, b""), status(400, b"")]);
    let answer = take(&mut server, &world, post("application/json"), body.as_bytes());
    assert_eq!((answer.status, names(&world)), (400, vec![true, true, false]));
    assert!(String::from_utf8_lossy(&answer.body).contains("1 of its spans went ahead"));

    // The time is over before the second one.
    let world = Fake { takes: Cell::new(9_000), ..Fake::default() };
    let answer = take(&mut server, &world, post("application/json"), body.as_bytes());
    assert_eq!((answer.status, world.urls().len()), (503, 1));
}

#[test]
fn heads_that_are_no_export_are_refused_before_their_body() {
    let server = with_variables(&[]).unwrap();
    let refused = |method: &str, path: &str, headers: Vec<Header>| {
        let answer = server.read_head(method, path, headers).unwrap_err();
        (answer.status, answer)
    };
    assert_eq!(refused("POST", "/", post("application/json")).0, 404);
    let (status, answer) = refused("GET", "/v1/traces?x=1", Vec::new());
    assert_eq!(status, 405);
    assert!(answer.headers.contains(&Header::new("allow", "POST")));
    let coded =
        |coding: &str| [post("application/json"), vec![Header::new("content-encoding", coding)]].concat();
    let (status, answer) = refused("POST", "/v1/traces", coded("zstd"));
    assert_eq!(status, 415);
    assert!(answer.headers.contains(&Header::new("accept-encoding", "gzip, deflate, identity")));
    let long = [post("application/json"), vec![Header::new("content-length", "67108865")]].concat();
    assert_eq!(refused("POST", "/v1/traces", long).0, 413);
    for grpc in ["application/grpc", "Application/gRPC+proto", "application/grpc+json"] {
        let path = "/opentelemetry.proto.collector.trace.v1.TraceService/Export";
        let (_, answer) = refused("POST", path, post(grpc));
        assert!(answer.headers.contains(&Header::new("grpc-status", "12")), "{answer:?}");
        assert!(answer.body.is_empty());
    }
}

#[test]
fn bodies_are_bounded_before_and_after_their_coding_is_undone() {
    use std::io::Write;
    let mut document = towards(&["agent"]);
    document["podstamp"] = json!({"limits": {"body": "1KiB"}});
    let (mut server, world) = (configured(&document), Fake::default());
    let gzip = |body: &[u8]| {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
        encoder.write_all(body).unwrap();
        encoder.finish().unwrap()
    };
    let coded = || [post("application/json"), vec![Header::new("content-encoding", "gzip")]].concat();
    assert_eq!(take(&mut server, &world, coded(), &gzip(JSON)).status, 200);
    assert_eq!(take(&mut server, &world, coded(), &gzip(&[b' '; 4096])).status, 413);
    assert_eq!(take(&mut server, &world, post("application/json"), &[b' '; 1025]).status, 413);
    assert_eq!(take(&mut server, &world, coded(), b"no gzip").status, 400);
    assert_eq!(world.urls().len(), 1);
}

#[test]
fn the_peer_is_believed_only_from_the_header_that_is_named_and_once() {
    let document = towards(&["agent"]).to_string();
    let named = [("PODSTAMP_CONFIG", document.as_str()), ("PODSTAMP_PEER_HEADER", "Spin-Client-Addr")];
    let stamped = |variables: &[(&str, &str)], headers: &[(&str, &str)]| {
        let (mut server, world) = (with_variables(variables).unwrap(), Fake::default());
        let headers = headers.iter().map(|(name, value)| Header::new(name, value));
        take(&mut server, &world, post("application/json").into_iter().chain(headers).collect(), JSON);
        let sent = world.sent.borrow();
        ["10.1.2.3", "10.9.9.9", "0.0.0.0"].into_iter().find(|address| contains(&sent[0], address)).unwrap()
    };
    let peer = ("spin-client-addr", "10.1.2.3:4711");
    assert_eq!(stamped(&named, &[peer]), "10.1.2.3");
    assert_eq!(stamped(&named[..1], &[peer]), "0.0.0.0", "any client can send it");
    assert_eq!(
        stamped(&named, &[("spin-client-addr", "10.9.9.9"), peer]),
        "0.0.0.0",
        "one is the client's own"
    );
    assert_eq!(stamped(&named, &[("x-forwarded-for", "10.9.9.9")]), "0.0.0.0");
    assert_eq!(stamped(&named, &[peer, ("x-forwarded-for", "10.9.9.9")]), "10.1.2.3", "nobody is trusted");
    assert_eq!(stamped(&named, &[("spin-client-addr", "unknown")]), "0.0.0.0");
}

/// A cluster of one pod.
fn cluster(address: [u8; 4]) -> Table {
    let mut table = Table::new(Fields::ALL, KeptKeys::default(), Coverage::Cluster);
    table.upsert(&cart(address)).unwrap();
    table
}

fn cart(address: [u8; 4]) -> PodParts<'static> {
    PodParts { name: "cart-0".into(), uid: "uid".into(), ips: vec![address.into()], ..PodParts::default() }
}

fn full(table: &Table) -> Sent {
    status(200, listing::write_full(table, Fields::ALL).as_bytes())
}

fn with_pods() -> Server {
    configured(&json!({"podstamp": {"pods": {"from": "http://pods:8888"}}}))
}

fn of_cart(server: &mut Server, world: &Fake) -> &'static str {
    let span = json!({"name": "a", "startTimeUnixNano": "1", "endTimeUnixNano": "1900000000000000000"});
    let attribute = json!({"key": "host.name", "value": {"stringValue": "cart-0"}});
    let resource = json!({"attributes": [attribute]});
    let body =
        json!({"resourceSpans": [{"resource": resource, "scopeSpans": [{"spans": [span]}]}]}).to_string();
    assert_eq!(take(server, world, post("application/json"), body.as_bytes()).status, 200);
    let sent = world.sent.borrow();
    ["10.244.1.20", "10.244.1.21", "0.0.0.0"]
        .into_iter()
        .find(|address| contains(sent.last().unwrap(), address))
        .unwrap()
}

#[test]
fn pods_are_asked_for_at_first_and_then_for_what_has_changed() {
    let mut server = with_pods();
    let mut table = cluster(FIRST);
    let world = Fake::ending([full(&table)]);
    assert_eq!(of_cart(&mut server, &world), "10.244.1.20");
    assert!(world.urls()[0].starts_with("http://pods:8888/pods?fields="), "{:?}", world.urls());
    assert!(!world.urls()[0].contains("since"));
    assert_eq!(of_cart(&mut server, &world), "10.244.1.20");
    assert_eq!(world.urls().len(), 3, "they are not asked for again at once");
    world.now.set(20_000);
    let since = table.version();
    let slot = table.upsert(&cart(SECOND)).unwrap();
    let delta = listing::write_delta(&table, Fields::ALL, since.number, &[slot]);
    world.ends.borrow_mut().push_back(status(200, delta.as_bytes()));
    assert_eq!(of_cart(&mut server, &world), "10.244.1.21");
    assert!(world.urls()[3].ends_with(&format!("&since={since}")), "{:?}", world.urls());
}

#[test]
fn where_pods_cannot_be_had_those_that_are_known_stay_and_batches_pass() {
    let mut server = with_pods();
    let world = Fake::ending([refused()]);
    assert_eq!(of_cart(&mut server, &world), "0.0.0.0");
    assert_eq!(*world.told.borrow(), ["pods-missing"]);
    assert_eq!(of_cart(&mut server, &world), "0.0.0.0");
    assert_eq!(world.urls().len(), 3, "no request waits for them again within a second");
    world.now.set(1_000);
    world.ends.borrow_mut().push_back(full(&cluster(FIRST)));
    assert_eq!(of_cart(&mut server, &world), "10.244.1.20");
    for bad in [status(503, b"soon"), status(200, b"<html>"), Sent::Closed, Sent::TimedOut, Sent::Oversized] {
        world.now.set(world.now.get() + 20_000);
        world.told.borrow_mut().clear();
        world.ends.borrow_mut().push_back(bad);
        assert_eq!(of_cart(&mut server, &world), "10.244.1.20");
        assert_eq!(*world.told.borrow(), ["pods-missing"]);
    }
    // What came of the listing that was none cannot be told, and neither can what comes of a change: all of them, then.
    world.now.set(world.now.get() + 20_000);
    world.ends.borrow_mut().extend([status(200, b"<html>")]);
    of_cart(&mut server, &world);
    world.now.set(world.now.get() + 20_000);
    world.sent.borrow_mut().clear();
    world.ends.borrow_mut().push_back(full(&cluster(SECOND)));
    assert_eq!(of_cart(&mut server, &world), "10.244.1.21");
    assert!(!world.urls()[0].contains("since"), "{:?}", world.urls());
}

const FIRST: [u8; 4] = [10, 244, 1, 20];
const SECOND: [u8; 4] = [10, 244, 1, 21];
