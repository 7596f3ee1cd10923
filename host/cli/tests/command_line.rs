//! The binary's exit codes, and what it writes where. Shows nothing of what the filter decides.

#![expect(clippy::unwrap_used, reason = "tests say what went wrong by failing")]

use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;
use std::path::PathBuf;
use std::process::{Child, Command, Output, Stdio};

use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue, any_value};
use opentelemetry_proto::tonic::resource::v1::Resource;
use opentelemetry_proto::tonic::trace::v1::ResourceSpans;
use prost::Message;

fn podstamp(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_podstamp"));
    command.args(arguments).env_remove("PODSTAMP_LOG");
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

fn run(arguments: &[&str], stdin: &[u8]) -> Output {
    let mut child = podstamp(arguments).spawn().unwrap();
    // A command that ends early does not read it.
    drop(child.stdin.take().unwrap().write_all(stdin));
    child.wait_with_output().unwrap()
}

fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).unwrap()
}

struct Files(tempfile::TempDir);

impl Files {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn write(&self, name: &str, content: &str) -> PathBuf {
        let path = self.0.path().join(name);
        std::fs::write(&path, content).unwrap();
        path
    }
}

fn attribute(key: &str, value: &str) -> KeyValue {
    let value = Some(AnyValue { value: Some(any_value::Value::StringValue(value.to_owned())) });
    KeyValue { key: key.to_owned(), value, ..KeyValue::default() }
}

fn request() -> ExportTraceServiceRequest {
    let attributes = vec![attribute("service.name", "shop"), attribute("host.name", "web-1")];
    let resource = Some(Resource { attributes, ..Resource::default() });
    ExportTraceServiceRequest { resource_spans: vec![ResourceSpans { resource, ..ResourceSpans::default() }] }
}

const PODS: &str = r#"{"kind": "List", "items": [{
    "kind": "Pod",
    "metadata": {"name": "web-1", "namespace": "shop", "uid": "4cb5a4a2-8d1c-4a1b-9a50-6f1c7d0f3e11"},
    "spec": {},
    "status": {"podIP": "10.1.2.3", "podIPs": [{"ip": "10.1.2.3"}]}
}]}"#;

#[test]
fn usage_is_told_apart_from_help() {
    let help = run(&["--help"], b"");
    assert_eq!((help.status.code(), help.stderr.is_empty()), (Some(0), true));
    for name in [
        "serve",
        "check",
        "doctor",
        "rewrite",
        "pods",
        "top",
        "queue",
        "fake-agent",
        "demo",
        "completions",
        "man",
    ] {
        assert!(text(&help.stdout).contains(name), "{name}");
    }
    assert_eq!(run(&["--version"], b"").status.code(), Some(0));
    for wrong in [
        &[][..],
        &["nonsense"],
        &["serve", "--port", "1"],
        &["check"],
        &["--log-level", "a=b=c", "fake-agent"],
    ] {
        let output = run(wrong, b"");
        assert_eq!((output.status.code(), output.stdout.is_empty()), (Some(64), true), "{wrong:?}");
        assert!(!output.stderr.is_empty());
    }
}

#[test]
fn check_lists_every_fault_on_stdout_and_exits_64() {
    let files = Files::new();
    let bad = files.write("bad.yaml", "processors: {resource: {attributez: []}}\nfoo: 1\n");
    let output = run(&["check", "--config", bad.to_str().unwrap()], b"");
    assert_eq!(output.status.code(), Some(64));
    let lines: Vec<_> = text(&output.stdout).lines().collect();
    assert!(lines.len() > 2, "{lines:?}");
    assert!(lines.iter().all(|line| line.contains(": ")), "{lines:?}");
    assert!(lines.iter().any(|line| line.starts_with("processors.resource.attributez: ")), "{lines:?}");

    let broken = files.write("broken.yaml", "a: [\n");
    assert_eq!(run(&["check", "--config", broken.to_str().unwrap()], b"").status.code(), Some(64));
    assert_eq!(run(&["check", "--config", "/does/not/exist"], b"").status.code(), Some(66));

    let exporter = "exporters: {otlphttp: {traces_endpoint: 'http://127.0.0.1:9/api/v1/otel/trace'}}";
    let pipeline = "service: {pipelines: {traces: {processors: [resource], exporters: [otlphttp]}}}";
    let processor = "processors: {resource: {attributes: [{key: a, value: b, action: insert}]}}";
    let good = files.write("good.yaml", &format!("{exporter}\n{pipeline}\n{processor}\n"));
    let output = run(&["check", "--config", good.to_str().unwrap()], b"");
    assert_eq!((output.status.code(), text(&output.stdout)), (Some(0), ""));
    let output = run(&["check", "--config", good.to_str().unwrap(), "--agent"], b"");
    assert_eq!(output.status.code(), Some(69));
    assert!(text(&output.stdout).starts_with("127.0.0.1:9 refuses the connection."));
}

/// A test that waits here for ever has failed: nobody writes into the pipe.
#[cfg(target_os = "linux")]
#[test]
fn a_pipe_in_place_of_a_file_is_told_at_once() {
    use rustix::fs::{CWD, FileType, Mode, mknodat};

    let files = Files::new();
    let pipe = files.0.path().join("pipe");
    mknodat(CWD, &pipe, FileType::Fifo, Mode::from_raw_mode(0o600), 0).unwrap();
    let pipe = pipe.to_str().unwrap();
    let pipeline = "exporters: {otlphttp: {traces_endpoint: 'http://127.0.0.1:9/api/v1/otel/trace'}}\n\
                    service: {pipelines: {traces: {receivers: [otlp], exporters: [otlphttp]}}}\n";
    let receivers = "receivers: {otlp: {protocols: {http: {endpoint: '127.0.0.1:0'}}}}\n";
    let tls = format!(
        "{pipeline}receivers: {{otlp: {{protocols: {{http: {{endpoint: '127.0.0.1:0', tls: {{cert_file: {pipe}, key_file: {pipe}}}}}}}}}}}"
    );
    let tls = files.write("tls.yaml", &tls);
    let pods =
        files.write("pods.yaml", &format!("{pipeline}{receivers}podstamp: {{pods: {{file: {pipe}}}}}"));
    for (arguments, code) in [
        (&["check", "--config", pipe][..], 66),
        (&["serve", "--config", pipe], 66),
        (&["serve", "--pods", pipe], 66),
        (&["serve", "--guest", pipe], 66),
        (&["serve", "--config", pods.to_str().unwrap()], 66),
        (&["serve", "--config", tls.to_str().unwrap()], 64),
        (&["rewrite", "--config", pipe], 66),
    ] {
        let output = run(arguments, b"");
        let told = text(&output.stderr);
        assert_eq!(output.status.code(), Some(code), "{arguments:?}: {told}");
        assert!(told.contains("it is a pipe, and only regular files are read"), "{arguments:?}: {told}");
    }
}

#[test]
fn a_configuration_comes_on_standard_input_as_well() {
    let output = run(&["check", "--config", "-"], b"processors: {resource: {attributez: []}}");
    assert_eq!(output.status.code(), Some(64));
    assert!(text(&output.stdout).contains("processors.resource.attributez: "), "{}", text(&output.stdout));
    let output = run(&["rewrite", "--config", "-"], b"");
    assert_eq!(output.status.code(), Some(64));
    assert!(text(&output.stderr).contains("standard input has the request"), "{}", text(&output.stderr));
}

/// As an otel-agent's own configuration is, with what stands before it in its place.
#[test]
fn of_several_configurations_each_is_laid_over_those_before() {
    let files = Files::new();
    let first = "exporters: {otlphttp: {traces_endpoint: 'http://first:1/api/v1/otel/trace'}}\n\
                 service: {pipelines: {traces: {exporters: [otlphttp]}}}\n";
    let first = files.write("first.yaml", first);
    let second =
        files.write("second.yaml", "exporters: {otlphttp: {traces_endpoint: 'http://second:1/v1/traces'}}");
    let broken = files.write("broken.yaml", "a: [");
    let [first, second, broken] = [&first, &second, &broken].map(|file| file.to_str().unwrap());
    let output = run(&["check", "--config", first, "--config", second], b"");
    let said = text(&output.stderr);
    assert_eq!(output.status.code(), Some(0), "{said}");
    assert!(said.contains(&format!("{first}, {second}: no faults")), "{said}");
    assert!(said.contains("traces go to http://second:1/v1/traces"), "{said}");
    assert!(said.contains("no pods are known"), "{said}");
    let third = files.write("third.yaml", "podstamp: {pods: {from: 'http://podstamp-pods:8888'}}");
    let output = run(&["check", "--config", first, "--config", third.to_str().unwrap()], b"");
    let said = text(&output.stderr);
    assert!(said.contains("pods come from the podstamp at http://podstamp-pods:8888"), "{said}");
    let output = run(&["check", "--config", first, "--config", broken], b"");
    assert_eq!(output.status.code(), Some(64));
    assert!(text(&output.stdout).starts_with(&format!("{broken}: line 1, ")), "{}", text(&output.stdout));
}

#[test]
fn an_unset_variable_is_a_warning_where_it_is_checked_and_a_fault_where_it_is_served() {
    let files = Files::new();
    let exporter = "exporters: {otlphttp: {traces_endpoint: 'http://${env:PODSTAMP_TEST_UNSET}:9/api/v1/otel/trace', \
                    tls: {ca_file: '${env:PODSTAMP_TEST_UNSET}/ca.pem'}}}";
    let processor = "processors: {resource: {attributes: [{key: a, value: b, action: insert}]}}";
    let pipeline = "service: {pipelines: {traces: {processors: [resource], exporters: [otlphttp]}}}";
    let file = files.write("unset.yaml", &format!("{exporter}\n{processor}\n{pipeline}\n"));
    let file = file.to_str().unwrap();
    let unset = "exporters.otlphttp.traces_endpoint: `${env:PODSTAMP_TEST_UNSET}` is not set: ";
    let output = run(&["check", "--config", file], b"");
    assert_eq!((output.status.code(), text(&output.stdout)), (Some(0), ""));
    assert!(text(&output.stderr).contains(&format!("warning: {unset}")), "{}", text(&output.stderr));
    for arguments in [&["serve"][..], &["rewrite"]] {
        let output = run(&[arguments, &["--config", file]].concat(), b"");
        assert_eq!(output.status.code(), Some(64), "{arguments:?}");
        assert!(text(&output.stderr).contains(unset), "{}", text(&output.stderr));
    }
    // Nobody can be asked whose address is not known.
    let output = run(&["check", "--config", file, "--agent"], b"");
    assert_eq!(output.status.code(), Some(64));
    assert!(text(&output.stdout).contains(unset), "{}", text(&output.stdout));
}

#[test]
fn whoever_closes_the_pipe_has_read_enough() {
    let files = Files::new();
    let keys: String = (0..5000).map(|number| format!("k{number}: 1\n")).collect();
    let file = files.write("many.yaml", &keys);
    let mut child = podstamp(&["check", "--config", file.to_str().unwrap()]).spawn().unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(64), "{line}");
    assert!(!text(&output.stderr).contains("podstamp: "), "{}", text(&output.stderr));
}

#[test]
fn check_tells_faults_of_all_stages_at_once() {
    let files = Files::new();
    let exporter =
        "exporters: {otlphttp: {endpoint: 'https://a:9', timeout: '${file:/x}', tls: {ca_file: /none.pem}}}";
    let pipeline = "service: {pipelines: {traces: {processors: [transform], exporters: [otlphttp]}}}";
    let file = files.write("all.yaml", &format!("{exporter}\nprocessors: {{transform: {{}}}}\n{pipeline}\n"));
    let output = run(&["check", "--config", file.to_str().unwrap()], b"");
    assert_eq!(output.status.code(), Some(64));
    let lines: Vec<_> = text(&output.stdout).lines().collect();
    let [reference, component, file] = lines[..] else { panic!("{lines:?}") };
    assert!(
        reference.starts_with("exporters.otlphttp.timeout: `${file:/x}` is not known here"),
        "{reference}"
    );
    assert!(component.starts_with("service.pipelines.traces.processors[0]: podstamp has no"), "{component}");
    assert!(file.starts_with("exporters.otlphttp.tls.ca_file: /none.pem cannot be read"), "{file}");
}

#[test]
fn check_and_serve_tell_which_file_is_of_no_use() {
    let files = Files::new();
    let empty = files.write("empty.pem", "");
    let yaml = format!(
        "exporters: {{otlphttp: {{endpoint: 'https://127.0.0.1:9', auth: {{authenticator: bearertokenauth}}, \
         tls: {{ca_file: /does/not/exist.pem}}}}}}\n\
         extensions: {{bearertokenauth: {{filename: {0}}}}}\n\
         processors: {{resource: {{attributes: [{{key: a, value: b, action: insert}}]}}}}\n\
         service: {{extensions: [bearertokenauth], pipelines: {{traces: {{processors: [resource]}}}}}}\n",
        empty.display()
    );
    let file = files.write("tls.yaml", &yaml);
    let output = run(&["check", "--config", file.to_str().unwrap()], b"");
    assert_eq!(output.status.code(), Some(64));
    let lines: Vec<_> = text(&output.stdout).lines().collect();
    let [tls, token] = lines[..] else { panic!("{lines:?}") };
    let expected = "exporters.otlphttp.tls.ca_file: /does/not/exist.pem cannot be read: No such file";
    assert!(tls.starts_with(expected), "{tls}");
    let expected = format!("extensions.bearertokenauth.filename: {} holds no token", empty.display());
    assert_eq!(token, expected);
    let output = run(&["serve", "--config", file.to_str().unwrap()], b"");
    assert_eq!(output.status.code(), Some(64));
    assert!(text(&output.stderr).contains("/does/not/exist.pem"));
}

#[test]
fn rewrite_stamps_plain_and_gzipped_requests_and_reports_on_stderr() {
    let files = Files::new();
    let pods = files.write("pods.json", PODS);
    let arguments = ["rewrite", "--pods", pods.to_str().unwrap()];
    let plain = request().encode_to_vec();
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    gzip.write_all(&plain).unwrap();
    for body in [plain, gzip.finish().unwrap()] {
        let output = run(&arguments, &body);
        assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
        let sent = request();
        let resource = sent.resource_spans.first().unwrap().resource.as_ref().unwrap();
        let stamped = ExportTraceServiceRequest::decode(output.stdout.as_slice()).unwrap();
        let attributes = &stamped.resource_spans.first().unwrap().resource.as_ref().unwrap().attributes;
        assert!(attributes.contains(&attribute("app.host.ip", "10.1.2.3")));
        assert!(resource.attributes.iter().all(|attribute| attributes.contains(attribute)));
        assert!(text(&output.stderr).contains("1 resources, 0 spans"));
        assert!(text(&output.stderr).contains("10.1.2.3"));
    }
}

#[test]
fn rewrite_takes_json_and_gives_protobuf() {
    let body = br#"{"resourceSpans": [{"resource": {"attributes": []}, "scopeSpans": []}]}"#;
    let output = run(&["rewrite", "--peer", "10.1.2.3"], body);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    let stamped = ExportTraceServiceRequest::decode(output.stdout.as_slice()).unwrap();
    let attributes = &stamped.resource_spans.first().unwrap().resource.as_ref().unwrap().attributes;
    assert!(attributes.contains(&attribute("app.host.ip", "10.1.2.3")));
    assert_eq!(run(&["rewrite"], b"{}").stdout, b"");
    let output = run(&["rewrite"], br#"{"resourceSpans": [{"schemaUrl": 1}]}"#);
    assert_eq!((output.status.code(), output.stdout.len()), (Some(65), 0));
    assert!(
        text(&output.stderr).contains("resourceSpans[0].schemaUrl: has to be a string (at line 1, column 34")
    );
}

#[test]
fn rewrite_writes_nothing_where_the_body_is_at_fault() {
    for (body, place) in [
        (&b"\x0a\x05short"[..2], "(at offset 0x"),
        (b"\x0a\x07\x0a\x05\x0a\x03\x0a\x05k", "resource_spans[0].resource"),
        (b"\x1f\x8bno gzip", "gzip"),
    ] {
        let output = run(&["rewrite"], body);
        assert_eq!((output.status.code(), output.stdout.len()), (Some(65), 0), "{place}");
        assert!(text(&output.stderr).contains(place), "{}", text(&output.stderr));
    }
    assert_eq!(run(&["rewrite", "--pods", "/does/not/exist"], b"").status.code(), Some(66));
    let files = Files::new();
    let guest = files.write("guest.wasm", "no component");
    assert_eq!(run(&["rewrite", "--guest", guest.to_str().unwrap()], b"").status.code(), Some(66));
}

#[test]
fn serve_and_agent_need_their_port_and_end_well_when_told() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    assert_eq!(run(&["fake-agent", "--listen", &address], b"").status.code(), Some(69));
    let files = Files::new();
    let config = |address: &str| {
        let text = format!(
            "receivers: {{otlp: {{protocols: {{http: {{endpoint: '{address}'}}}}}}}}\n\
             processors: {{resource: {{attributes: [{{key: a, value: b, action: insert}}]}}}}\n\
             service: {{pipelines: {{traces: {{receivers: [otlp], processors: [resource]}}}}}}\n"
        );
        files.write("serve.yaml", &text)
    };
    let file = config(&address);
    let output = run(&["serve", "--config", file.to_str().unwrap()], b"");
    assert_eq!(output.status.code(), Some(69), "{}", text(&output.stderr));

    let file = config("127.0.0.1:0");
    for (arguments, signal) in [
        (&["serve", "--config", file.to_str().unwrap()][..], "TERM"),
        (&["fake-agent", "--listen", "127.0.0.1:0"], "INT"),
    ] {
        let mut child = podstamp(arguments).spawn().unwrap();
        wait_for(&mut child, "http://127.0.0.1:");
        let id = child.id().to_string();
        assert!(Command::new("kill").args([&format!("-{signal}"), &id]).status().unwrap().success());
        assert_eq!(child.wait().unwrap().code(), Some(0), "{arguments:?}");
    }
}

/// Waits until a line with `words` stands on stderr, and goes on reading so that the child can go on writing.
fn wait_for(child: &mut Child, words: &'static str) {
    let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
    let found = lines.by_ref().map_while(Result::ok).any(|line| line.contains("at ") && line.contains(words));
    assert!(found, "it ended without saying where it listens");
    std::thread::spawn(move || lines.for_each(drop));
}

/// Answers requests of an admin listener: a path, and what is there. Gives its URL.
fn console(answers: &'static [(&'static str, &'static str, &'static str)]) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let mut reader = BufReader::new(stream.try_clone().unwrap());
            let mut head = String::new();
            while !head.ends_with("\r\n\r\n") && reader.read_line(&mut head).unwrap() > 0 {}
            let path = head.split(' ').nth(1).unwrap_or_default();
            let found = answers.iter().find(|(known, ..)| *known == path);
            let (_, status, body) = found.unwrap_or(&("", "404 Not Found", "no such path"));
            let length = body.len();
            // A client that has read enough does not wait for the rest.
            drop(write!(
                stream,
                "HTTP/1.1 {status}\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n{body}"
            ));
        }
    });
    url
}

const LIVE: &str = r#"{"version": "0.1.0", "now_ms": 5000, "uptime_seconds": 7, "ready": true, "requests_per_second": 2.5,
    "latency_ms": null, "agents": [], "pods": null}"#;

const SERVICES: &str = r#"{"seen": {}, "rows": [{"id": "1", "service": "cart\u001b[2J", "pod": "cart-0", "pod_namespace": "shop",
    "address": "10.1.1.1", "found": "pod", "suspicious": null, "spans": 12, "spans_exact": true, "last_ms": 4000}], "omitted": 2}"#;

#[test]
fn top_prints_once_where_there_is_no_terminal() {
    let url = console(&[("/console/live", "200 OK", LIVE), ("/console/services", "200 OK", SERVICES)]);
    let output = run(&["top", "--admin", &url], b"");
    assert_eq!((output.status.code(), text(&output.stderr)), (Some(0), ""));
    let printed = text(&output.stdout);
    assert!(
        printed.starts_with(&format!("podstamp 0.1.0 at {url}, up 7s, ready\n2.5 requests/s")),
        "{printed}"
    );
    let row = "cart?[2J  shop/cart-0  10.1.1.1  pod    12     1s\nand 2 more\n";
    assert!(printed.ends_with(row), "{printed}");
    let output = run(&["top", "--once", "--output", "json", "--admin", &url], b"");
    let told: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(told["services"]["rows"][0]["pod"], "cart-0");
    assert_eq!((text(&output.stdout).lines().count(), &told["live"]["version"]), (1, &"0.1.0".into()));
}

#[test]
fn top_says_what_is_missing() {
    let off = console(&[("/console/live", "404 Not Found", "set podstamp.admin.console to true")]);
    let closed = console(&[("/console/live", "401 Unauthorized", "credentials")]);
    let other = console(&[("/console/live", "200 OK", "hello"), ("/console/services", "200 OK", "{}")]);
    for (url, words) in [
        (&off, "has no console: set podstamp.admin.console to true"),
        (&closed, "wants credentials"),
        (&other, "is no console of podstamp"),
    ] {
        let output = run(&["top", "--admin", url], b"");
        let told = text(&output.stderr);
        assert!(output.status.code() == Some(69) && told.contains(words), "{told}");
    }
}

#[test]
fn shells_and_manuals_know_all_commands() {
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let output = run(&["completions", shell], b"");
        assert!(output.status.success() && text(&output.stdout).contains("fake-agent"), "{shell}");
    }
    assert_eq!(run(&["completions", "csh"], b"").status.code(), Some(64));
    let page = run(&["man"], b"");
    assert!(page.status.success() && text(&page.stdout).contains(".TH podstamp 1"));
    let files = Files::new();
    let folder = files.0.path().join("man/man1");
    assert!(run(&["man", folder.to_str().unwrap()], b"").status.success());
    for page in ["podstamp.1", "podstamp-serve.1", "podstamp-queue-ls.1", "podstamp-top.1"] {
        assert!(folder.join(page).exists(), "{page}");
    }
    let file = files.write("file", "");
    let failed = run(&["man", file.to_str().unwrap()], b"");
    assert!(failed.status.code() == Some(74) && text(&failed.stderr).contains("file"));
}
