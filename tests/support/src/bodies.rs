//! Export requests as SDKs send them: five languages' resources and spans, 300 to 1,000 bytes a span.
//!
//! Deterministic: the same arguments give the same bytes.

use std::time::{SystemTime, UNIX_EPOCH};

use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::common::v1::{AnyValue, InstrumentationScope, KeyValue};
use opentelemetry_proto::tonic::resource::v1::Resource;
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span, Status, span};
use prost::Message as _;

/// A request of at least `bytes` bytes, its spans spread over `resources` resources.
pub fn of_size(bytes: usize, resources: usize) -> Vec<u8> {
    let mut request =
        ExportTraceServiceRequest { resource_spans: (0..resources).map(resource_spans).collect() };
    let mut random = Random(bytes as u64 ^ 0x5bd1_e995);
    let mut length = request.encoded_len();
    let mut index = 0;
    while length < bytes {
        let count = request.resource_spans.len().max(1);
        let Some(scope) =
            request.resource_spans.get_mut(index % count).and_then(|spans| spans.scope_spans.first_mut())
        else {
            break;
        };
        let span = one_span(index % count, &mut random);
        length += span.encoded_len() + 3;
        scope.spans.push(span);
        index += 1;
    }
    request.encode_to_vec()
}

/// A request of that many spans in all, one resource.
pub fn of_spans(spans: usize) -> Vec<u8> {
    let mut random = Random(spans as u64 ^ 0x9e37);
    let mut resource = resource_spans(0);
    if let Some(scope) = resource.scope_spans.first_mut() {
        scope.spans = (0..spans).map(|_| one_span(0, &mut random)).collect();
    }
    ExportTraceServiceRequest { resource_spans: vec![resource] }.encode_to_vec()
}

/// [`of_spans`], its spans of a moment ago: with a clock, the filter has something to say of old ones.
pub fn recent_spans(spans: usize) -> Vec<u8> {
    recent(&of_spans(spans))
}

/// [`of_resources`], its spans of a moment ago.
pub fn recent_resources(resources: usize) -> Vec<u8> {
    recent(&of_resources(resources))
}

/// A request of that many resources with one span each.
pub fn of_resources(resources: usize) -> Vec<u8> {
    let mut random = Random(resources as u64 ^ 0x85eb);
    let resource_spans = (0..resources).map(|index| {
        let mut resource = resource_spans(index);
        if let Some(scope) = resource.scope_spans.first_mut() {
            scope.spans.push(one_span(index, &mut random));
        }
        resource
    });
    ExportTraceServiceRequest { resource_spans: resource_spans.collect() }.encode_to_vec()
}

/// The same request, of the same length, with all times moved so that its last span has just ended.
fn recent(body: &[u8]) -> Vec<u8> {
    let mut request = ExportTraceServiceRequest::decode(body).unwrap_or_default();
    let scopes = request.resource_spans.iter_mut().flat_map(|spans| &mut spans.scope_spans);
    let mut spans: Vec<_> = scopes.flat_map(|scope| &mut scope.spans).collect();
    let last = spans.iter().map(|span| span.end_time_unix_nano).max().unwrap_or_default();
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_nanos() as u64;
    for span in &mut spans {
        let events = span.events.iter_mut().map(|event| &mut event.time_unix_nano);
        let times = [&mut span.start_time_unix_nano, &mut span.end_time_unix_nano].into_iter().chain(events);
        times.for_each(|time| *time = now.wrapping_sub(last.wrapping_sub(*time)));
    }
    request.encode_to_vec()
}

/// Name of the pod that the resource with that index comes from.
pub fn pod_name(index: usize) -> String {
    format!("shop-{}-7c9d6f5b8-{:05}", LANGUAGES.get(index % LANGUAGES.len()).unwrap_or(&"x"), index)
}

/// Address of that pod.
pub fn pod_address(index: usize) -> String {
    format!("10.{}.{}.{}", 100 + (index >> 16 & 0x3f), index >> 8 & 0xff, index & 0xff)
}

/// The list that `kubectl get pods -A -o json` prints for so many pods.
pub fn pods(count: usize) -> serde_json::Value {
    let items: Vec<_> = (0..count)
        .map(|index| {
            serde_json::json!({
                "metadata": {
                    "name": pod_name(index),
                    "namespace": format!("team-{}", index % 40),
                    "uid": format!("{:08x}-1111-4222-8333-{:012x}", index, index * 31),
                    "creationTimestamp": "2026-11-20T08:00:00Z",
                    "labels": {"app": "shop", "pod-template-hash": "7c9d6f5b8"},
                    "ownerReferences": [{"kind": "ReplicaSet", "name": "shop-7c9d6f5b8", "uid": "x", "controller": true}],
                },
                "spec": {"nodeName": format!("node-{}", index % 100)},
                "status": {
                    "phase": "Running",
                    "hostIP": format!("192.168.10.{}", index % 100),
                    "podIP": pod_address(index),
                    "podIPs": [{"ip": pod_address(index)}],
                    "startTime": "2026-11-20T08:00:01Z",
                },
            })
        })
        .collect();
    serde_json::json!({"apiVersion": "v1", "kind": "List", "items": items})
}

const LANGUAGES: [&str; 5] = ["java", "go", "nodejs", "python", "dotnet"];

fn resource_spans(index: usize) -> ResourceSpans {
    let language = LANGUAGES.get(index % LANGUAGES.len()).copied().unwrap_or("java");
    let mut attributes = vec![
        text("service.name", &format!("{language}-service")),
        text("host.name", &pod_name(index)),
        text("telemetry.sdk.language", language),
        text("telemetry.sdk.name", "opentelemetry"),
        text("telemetry.sdk.version", "1.38.0"),
        number("process.pid", 1 + (index % 40_000) as i64),
    ];
    match language {
        "java" => attributes.extend([
            text("host.arch", "amd64"),
            text("os.type", "linux"),
            text("os.description", "Linux 5.15.0-116-generic"),
            text("process.executable.path", "/usr/lib/jvm/java-17-openjdk/bin/java"),
            text(
                "process.command_line",
                "/usr/lib/jvm/java-17-openjdk/bin/java -javaagent:/otel/opentelemetry-javaagent.jar -Xmx512m",
            ),
            text("process.runtime.name", "OpenJDK Runtime Environment"),
            text("process.runtime.version", "17.0.12+7"),
            text("process.runtime.description", "Eclipse Adoptium OpenJDK 64-Bit Server VM 17.0.12+7"),
            text("telemetry.distro.name", "opentelemetry-java-instrumentation"),
            text("telemetry.distro.version", "2.8.0"),
            text("service.instance.id", "8b5a1f5e-98a5-4a02-a21b-7a3d8c4f9e10"),
        ]),
        "nodejs" => attributes.extend([
            text("process.executable.name", "/usr/local/bin/node"),
            text("process.runtime.version", "20.17.0"),
            text("process.owner", "node"),
            attribute(
                "process.command_args",
                Value::ArrayValue(opentelemetry_proto::tonic::common::v1::ArrayValue {
                    values: ["/usr/local/bin/node", "--require", "./tracing.js", "/app/server.js"]
                        .map(|text| AnyValue { value: Some(Value::StringValue(text.to_owned())) })
                        .to_vec(),
                }),
            ),
        ]),
        _ => attributes.push(text("deployment.environment", "production")),
    }
    let (name, version) = match language {
        "java" => ("io.opentelemetry.tomcat-10.0", "2.8.0-alpha"),
        "go" => ("go.opentelemetry.io/contrib/instrumentation/google.golang.org/grpc/otelgrpc", "0.53.0"),
        "nodejs" => ("@opentelemetry/instrumentation-http", "0.53.0"),
        "python" => ("opentelemetry.instrumentation.flask", "0.48b0"),
        _ => ("Microsoft.AspNetCore", ""),
    };
    let scope =
        InstrumentationScope { name: name.to_owned(), version: version.to_owned(), ..Default::default() };
    ResourceSpans {
        resource: Some(Resource { attributes, ..Default::default() }),
        scope_spans: vec![ScopeSpans { scope: Some(scope), ..Default::default() }],
        schema_url: "https://opentelemetry.io/schemas/1.24.0".to_owned(),
    }
}

fn one_span(resource: usize, random: &mut Random) -> Span {
    let language = resource % LANGUAGES.len();
    let start = 1_790_000_000_000_000_000 + random.next() % 1_000_000_000;
    let route = format!(
        "/api/v1/{}/{}",
        ["orders", "items", "users", "stock"][random.below(4)],
        random.below(100_000)
    );
    let mut attributes = match random.below(4) {
        0 => vec![
            text("db.system", "mysql"),
            text("db.name", "shop"),
            text("db.user", "app"),
            text(
                "db.statement",
                "SELECT id, name, price, stock, updated_at FROM item WHERE id = ? AND deleted = 0 ORDER BY updated_at DESC LIMIT 20",
            ),
            text("db.operation", "SELECT"),
            text("db.sql.table", "item"),
            text("server.address", "mysql.shop.svc.cluster.local"),
            number("server.port", 3306),
        ],
        1 => vec![
            text("rpc.system", "grpc"),
            text("rpc.service", "hipstershop.ProductCatalogService"),
            text("rpc.method", "GetProduct"),
            number("rpc.grpc.status_code", 0),
            text("network.peer.address", &format!("10.244.{}.{}", random.below(250), random.below(250))),
            number("network.peer.port", 32_768 + random.below(20_000) as i64),
        ],
        _ => vec![
            text("http.request.method", ["GET", "POST"][random.below(2)]),
            number("http.response.status_code", [200, 200, 200, 404][random.below(4)]),
            text("url.scheme", "http"),
            text("url.path", &route),
            text("http.route", "/api/v1/{resource}/{id}"),
            text("network.protocol.version", "1.1"),
            text("server.address", "shop.example.com"),
            number("server.port", 8080),
            text("client.address", &format!("10.244.{}.{}", random.below(250), random.below(250))),
            text(
                "user_agent.original",
                "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/128.0.0.0 Safari/537.36",
            ),
        ],
    };
    if language == 0 {
        attributes.push(number("thread.id", 20 + random.below(180) as i64));
        attributes.push(text("thread.name", "http-nio-8080-exec-7"));
    }
    let events = if random.below(12) == 0 {
        vec![span::Event {
            time_unix_nano: start + 400_000,
            name: "exception".to_owned(),
            attributes: vec![
                text("exception.type", "java.net.SocketTimeoutException"),
                text("exception.message", "Read timed out"),
                text(
                    "exception.stacktrace",
                    "java.net.SocketTimeoutException: Read timed out\n\tat java.base/sun.nio.ch.NioSocketImpl.timedRead(NioSocketImpl.java:288)\n\tat java.base/sun.nio.ch.NioSocketImpl.implRead(NioSocketImpl.java:314)\n",
                ),
            ],
            ..Default::default()
        }]
    } else {
        Vec::new()
    };
    Span {
        trace_id: [random.next().to_be_bytes(), random.next().to_be_bytes()].concat(),
        span_id: random.next().to_be_bytes().to_vec(),
        parent_span_id: if random.below(5) == 0 { Vec::new() } else { random.next().to_be_bytes().to_vec() },
        name: format!("{} {}", ["GET", "POST"][random.below(2)], route),
        kind: 1 + random.below(5) as i32,
        start_time_unix_nano: start,
        end_time_unix_nano: start + 1_000_000 + random.next() % 50_000_000,
        attributes,
        events,
        status: Some(Status::default()),
        flags: 0x101,
        ..Default::default()
    }
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

/// SplitMix64.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ mixed >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ mixed >> 31
    }

    fn below(&mut self, bound: usize) -> usize {
        (self.next() % bound as u64) as usize
    }
}
