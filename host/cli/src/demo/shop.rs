//! The Spring Boot shop of DeepFlow's demo and two services more: one request through all of them, as the OpenTelemetry Java
//! agent reports it.

use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::common::v1::{AnyValue, InstrumentationScope, KeyValue};
use opentelemetry_proto::tonic::resource::v1::Resource;
use opentelemetry_proto::tonic::trace::v1::status::StatusCode;
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span, Status};
use serde_json::json;

/// One service and the pod that runs it.
#[derive(Debug)]
pub(super) struct Service {
    /// `service.name`.
    pub(super) name: &'static str,
    /// The pod's name, which the Java agent reports as `host.name`.
    pub(super) pod: &'static str,
    /// The pod's address; none: it has none yet, though its process runs and reports.
    pub(super) address: Option<&'static str>,
    /// How its spans get to podstamp.
    pub(super) way: Way,
    node: &'static str,
}

/// Whose connection brings spans.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Way {
    /// A load balancer's, which is not a pod.
    Balancer,
    /// A relay's, a Collector for instance, which is a pod itself.
    Relay,
}

/// The pod that relays.
pub(super) const RELAY: &str = "10.244.3.40";

/// The services, from the browser's side on.
#[rustfmt::skip]
pub(super) const SERVICES: [Service; 7] = [
    Service { name: "shop-web", pod: "web-shop-6d4cf8b9d7-x2x7k", address: Some("10.244.1.17"), way: Way::Balancer, node: "node-1" },
    Service { name: "item-svc", pod: "svc-item-7c9d6f5b8-qm4tz", address: Some("10.244.2.31"), way: Way::Balancer, node: "node-2" },
    Service { name: "order-svc", pod: "svc-order-5f7b9c8d46-9hjlw", address: Some("10.244.1.22"), way: Way::Balancer, node: "node-1" },
    Service { name: "stock-svc", pod: "svc-stock-84b6d9f7c5-ttn2p", address: Some("10.244.3.9"), way: Way::Balancer, node: "node-3" },
    Service { name: "user-svc", pod: "svc-user-69c8f5d7b4-c8v6r", address: Some("10.244.2.45"), way: Way::Balancer, node: "node-2" },
    Service { name: "pay-svc", pod: "svc-pay-7d8b5c6f94-l2w9d", address: Some("10.244.3.12"), way: Way::Relay, node: "node-3" },
    Service { name: "mail-svc", pod: "svc-mail-5c4d7b8f6-z8xkp", address: None, way: Way::Relay, node: "node-2" },
];

/// One span: its service, its parent among the steps before it, its name and kind, when it begins and how long it takes
/// (microseconds).
struct Step {
    service: usize,
    parent: Option<usize>,
    name: &'static str,
    kind: i32,
    start: u64,
    duration: u64,
}

const SERVER: i32 = 2;
const CLIENT: i32 = 3;

#[rustfmt::skip]
const STEPS: [Step; 19] = [
    Step { service: 0, parent: None, name: "GET /shop/full", kind: SERVER, start: 0, duration: 48_200 },
    Step { service: 0, parent: Some(0), name: "HTTP GET", kind: CLIENT, start: 1_400, duration: 11_900 },
    Step { service: 1, parent: Some(1), name: "GET /item/{id}", kind: SERVER, start: 2_600, duration: 9_500 },
    Step { service: 1, parent: Some(2), name: "SELECT shop.item", kind: CLIENT, start: 4_100, duration: 6_200 },
    Step { service: 0, parent: Some(0), name: "HTTP POST", kind: CLIENT, start: 14_000, duration: 33_100 },
    Step { service: 2, parent: Some(4), name: "POST /order/create", kind: SERVER, start: 15_100, duration: 31_000 },
    Step { service: 2, parent: Some(5), name: "HTTP GET", kind: CLIENT, start: 16_000, duration: 9_200 },
    Step { service: 4, parent: Some(6), name: "GET /user/{id}", kind: SERVER, start: 17_100, duration: 7_300 },
    Step { service: 4, parent: Some(7), name: "SELECT shop.user", kind: CLIENT, start: 18_600, duration: 4_400 },
    Step { service: 2, parent: Some(5), name: "HTTP POST", kind: CLIENT, start: 26_000, duration: 12_300 },
    Step { service: 3, parent: Some(9), name: "POST /stock/deduct", kind: SERVER, start: 27_200, duration: 10_100 },
    Step { service: 3, parent: Some(10), name: "SELECT shop.stock", kind: CLIENT, start: 28_300, duration: 2_900 },
    Step { service: 3, parent: Some(10), name: "UPDATE shop.stock", kind: CLIENT, start: 31_700, duration: 4_800 },
    Step { service: 2, parent: Some(5), name: "INSERT shop.order", kind: CLIENT, start: 39_000, duration: 5_700 },
    Step { service: 2, parent: Some(5), name: "HTTP POST", kind: CLIENT, start: 38_500, duration: 4_600 },
    Step { service: 5, parent: Some(14), name: "POST /pay", kind: SERVER, start: 39_200, duration: 3_300 },
    Step { service: 2, parent: Some(5), name: "HTTP POST", kind: CLIENT, start: 43_200, duration: 2_600 },
    Step { service: 6, parent: Some(16), name: "POST /mail", kind: SERVER, start: 43_900, duration: 1_400 },
    Step { service: 0, parent: Some(0), name: "render shop.html", kind: 1, start: 47_200, duration: 800 },
];

/// How a request goes through the shop.
#[derive(Clone, Copy, Debug)]
pub(super) struct Course {
    /// How long everything takes, in percent of what it usually does.
    pub(super) pace: u64,
    /// Whether the database has no stock, and the order fails for it.
    pub(super) fails: bool,
}

impl Course {
    /// The course that the table and the flame graph show.
    pub(super) const USUAL: Self = Self { pace: 100, fails: false };
}

/// The steps that fail where the stock does, the first of them where it is noticed.
const FAILING: [usize; 5] = [11, 10, 9, 5, 4];

/// How many spans one trace has.
pub(super) const SPANS: usize = STEPS.len();

/// The export request of one service for a trace that began at `begin` (nanoseconds since 1970).
pub(super) fn export(
    service: &Service,
    trace: u128,
    begin: u64,
    course: &Course,
) -> ExportTraceServiceRequest {
    let spans = STEPS.iter().enumerate().filter(|(_, step)| is_of(step, service));
    let spans = spans.map(|(index, step)| span(index, step, trace, begin, course)).collect();
    let scope = InstrumentationScope {
        name: "io.opentelemetry.tomcat-7.0".to_owned(),
        version: "1.15.0-alpha".to_owned(),
        ..Default::default()
    };
    let scope_spans = vec![ScopeSpans { scope: Some(scope), spans, ..Default::default() }];
    let resource = Some(Resource { attributes: resource(service), ..Default::default() });
    let schema_url = "https://opentelemetry.io/schemas/1.9.0".to_owned();
    ExportTraceServiceRequest { resource_spans: vec![ResourceSpans { resource, scope_spans, schema_url }] }
}

/// What `kubectl get pods -A -o json` would print in that cluster.
pub(super) fn pods() -> serde_json::Value {
    let relay = pod("otel-gateway-6b7f9d5c48-hv2rn", Some(RELAY), "node-3");
    let services = SERVICES.iter().map(|service| pod(service.pod, service.address, service.node));
    json!({"apiVersion": "v1", "kind": "List", "items": services.chain([relay]).collect::<Vec<_>>()})
}

fn pod(name: &str, address: Option<&str>, node: &str) -> serde_json::Value {
    let host = format!("192.168.10.1{}", node.trim_start_matches("node-"));
    json!({
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "name": name,
            "namespace": "deepflow-otel-spring-demo",
            "uid": format!("6f1d2c3b-0000-4000-8000-{:012x}", name.bytes().fold(0_u32, |sum, byte| sum.wrapping_mul(31).wrapping_add(byte.into()))),
            "creationTimestamp": "2026-11-20T08:00:00Z",
        },
        "spec": {"nodeName": node},
        "status": match address {
            Some(address) => json!({
                "phase": "Running", "hostIP": host, "podIP": address, "podIPs": [{"ip": address}],
            }),
            None => json!({"phase": "Pending", "hostIP": host}),
        },
    })
}

fn is_of(step: &Step, service: &Service) -> bool {
    SERVICES.get(step.service).is_some_and(|other| other.name == service.name)
}

fn span(index: usize, step: &Step, trace: u128, begin: u64, course: &Course) -> Span {
    let id = |index: usize| {
        (trace as u64 ^ (index as u64 + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15)).to_be_bytes().to_vec()
    };
    let nanoseconds = |microseconds: u64| microseconds * 10 * course.pace;
    let start = begin + nanoseconds(step.start);
    let mut attributes = vec![
        text("thread.name", "http-nio-8090-exec-3"),
        number("thread.id", 41 + step.service as i64),
        text("net.transport", "ip_tcp"),
    ];
    if let Some(table) = step.name.split_once(" shop.").map(|(_, table)| table) {
        attributes.extend([
            text("db.system", "mysql"),
            text("db.name", "shop"),
            text("db.user", "root"),
            text("db.statement", &format!("{} ... {table} ... ?", step.name)),
            text("net.peer.name", "db-demo"),
            number("net.peer.port", 3306),
        ]);
    } else {
        attributes.extend([
            text("http.method", if step.name.contains("POST") { "POST" } else { "GET" }),
            text("http.flavor", "1.1"),
            text("http.user_agent", "Java/1.8.0_342"),
            number("http.status_code", 200),
        ]);
    }
    Span {
        trace_id: trace.to_be_bytes().to_vec(),
        span_id: id(index),
        parent_span_id: step.parent.map(id).unwrap_or_default(),
        name: step.name.to_owned(),
        kind: step.kind,
        start_time_unix_nano: start,
        end_time_unix_nano: start + nanoseconds(step.duration),
        attributes,
        status: status(index, course),
        ..Default::default()
    }
}

/// The status of a step; `None` where nothing is said of it.
fn status(index: usize, course: &Course) -> Option<Status> {
    let failed = course.fails.then(|| FAILING.iter().position(|step| *step == index)).flatten()?;
    let message = if failed == 0 { "Lock wait timeout exceeded; try restarting transaction" } else { "" };
    Some(Status { code: StatusCode::Error.into(), message: message.to_owned() })
}

fn resource(service: &Service) -> Vec<KeyValue> {
    vec![
        text("host.arch", "amd64"),
        text("host.name", service.pod),
        text("os.description", "Linux 5.15.0-56-generic"),
        text("os.type", "linux"),
        text(
            "process.command_line",
            "/usr/lib/jvm/java-1.8-openjdk/jre/bin/java -javaagent:/sky/opentelemetry-javaagent.jar",
        ),
        number("process.pid", 7),
        text("process.runtime.name", "OpenJDK Runtime Environment"),
        text("process.runtime.version", "1.8.0_342-b07"),
        text("service.name", service.name),
        text("telemetry.auto.version", "1.15.0"),
        text("telemetry.sdk.language", "java"),
        text("telemetry.sdk.name", "opentelemetry"),
        text("telemetry.sdk.version", "1.15.0"),
    ]
}

fn text(key: &str, value: &str) -> KeyValue {
    attribute(key, Value::StringValue(value.to_owned()))
}

fn number(key: &str, value: i64) -> KeyValue {
    attribute(key, Value::IntValue(value))
}

fn attribute(key: &str, value: Value) -> KeyValue {
    KeyValue { key: key.to_owned(), value: Some(AnyValue { value: Some(value) }), ..Default::default() }
}
