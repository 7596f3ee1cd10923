//! A Spring Boot service behind the OpenTelemetry Java agent, as DeepFlow's demo has them.

use std::io::{BufRead, BufReader, Read};
use std::process::{Command, Stdio};

use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, Span};
use podstamp_test_support::blocking::http::get;
use podstamp_test_support::runtime::{Probe, Project, Version};

use super::{Export, PODS, Shop};

#[test]
fn java() {
    let project = Project {
        name: "Java agent",
        folder: "sdks/java",
        pinned: &["pom.xml", "src/main/java/podstamp/Shop.java"],
        probes: &[
            Probe { command: &["javac", "-version"], at_least: Version(17, 0) },
            Probe { command: &["java", "-version"], at_least: Version(17, 0) },
            Probe { command: &["mvn", "--version"], at_least: Version(3, 6) },
        ],
        commands: &[&["mvn", "--quiet", "--batch-mode", "package"]],
        environment: &[],
        discarded: &[],
    };
    let Some(folder) = project.ready() else {
        return;
    };
    let shop = Shop::open();
    // The agent reports a host name by itself: in Kubernetes that is the pod's name.
    let by_host_name = &PODS[0];
    assert_eq!(by_host_name.says.0, "host.name");
    for (agent, protocol, compression) in
        [("2.33.1", "grpc", "none"), ("2.33.1", "http/protobuf", "gzip"), (DEMO, "grpc", "gzip")]
    {
        let mut command = Command::new("java");
        command
            // As little compiling as will do: it runs for a moment only.
            .args(["-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC"])
            .arg(format!("-javaagent:target/opentelemetry-javaagent-{agent}.jar"))
            .args(["-jar", "target/shop.jar", "--server.port=0", "--server.address=127.0.0.1"])
            .env("OTEL_METRICS_EXPORTER", "none")
            .env("OTEL_LOGS_EXPORTER", "none")
            // Where the tests run in a container, that is none of the pod's.
            .env("OTEL_JAVA_DISABLED_RESOURCE_PROVIDERS", CONTAINER_PROVIDER)
            .current_dir(&folder);
        let arrived = shop.run(Export { protocol, compression, pod: by_host_name }, &mut command, visit);
        assert_visited(&arrived, agent);
    }
}

/// The version of the agent in deepflow-demo.
const DEMO: &str = "1.15.0";

/// The resource detector of `container.id`, in newer agents and in older ones.
const CONTAINER_PROVIDER: &str = "io.opentelemetry.instrumentation.resources.ContainerResourceProvider,\
                                  io.opentelemetry.sdk.extension.resources.ContainerResourceProvider";

/// Starts the service, calls it a few times and stops it. Gives whether that went well, and what it printed.
fn visit(command: &mut Command) -> (bool, String) {
    let mut child =
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut stderr = child.stderr.take().unwrap();
    let errors = std::thread::spawn(move || {
        let mut text = String::new();
        drop(stderr.read_to_string(&mut text));
        text
    });
    let mut printed = String::new();
    let mut stdout = BufReader::new(child.stdout.take().unwrap());
    let port = loop {
        let from = printed.len();
        if stdout.read_line(&mut printed).unwrap() == 0 {
            break None;
        }
        if let Some(port) = printed[from..].strip_prefix("listening on ") {
            break Some(port.trim().parse().unwrap());
        }
    };
    let answered = port.map(|port: u16| {
        let address = ([127, 0, 0, 1], port).into();
        ["/orders/7", "/orders/%E7%BC%BA", "/broken"].map(|path| get(address, path).0)
    });
    drop(child.stdin.take());
    stdout.read_to_string(&mut printed).unwrap();
    let ended = child.wait().unwrap();
    printed.push_str(&errors.join().unwrap());
    (ended.success() && answered == Some([200, 200, 500]), printed)
}

fn assert_visited(arrived: &[ResourceSpans], agent: &str) {
    let scopes = arrived.iter().flat_map(|resource| &resource.scope_spans);
    let all: Vec<&Span> = scopes.flat_map(|scope| &scope.spans).collect();
    let (server, client): (Vec<&Span>, Vec<&Span>) = all.iter().partition(|span| span.kind == 2);
    // Two orders, each of which asks for the stock, and one failure.
    assert_eq!((server.len(), client.len()), (5, 2), "{all:?}");
    for call in client {
        assert_eq!(call.kind, 3);
        assert!(server.iter().any(|span| span.span_id == call.parent_span_id), "who called");
        assert!(server.iter().any(|span| span.parent_span_id == call.span_id), "who was called");
    }
    let failed: Vec<_> =
        server.iter().filter(|span| span.status.as_ref().is_some_and(|status| status.code == 2)).collect();
    assert_eq!(failed.len(), 1);
    let named = |name: &str| server.iter().filter(|span| span.name == name).count();
    if agent != DEMO {
        assert_eq!((named("GET /orders/{id}"), named("GET /stock/{id}"), named("GET /broken")), (2, 2, 1));
    }
}
