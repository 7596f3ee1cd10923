//! The modules for otelwasm in a host that checks every rule of their ABIs. No registry has the real one.

mod host;

use std::fs;
use std::path::Path;
use std::sync::OnceLock;

use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use podstamp_core::interface::{Header, Request, Signal};
use podstamp_embedded::{Embedded, Stamped};
use podstamp_test_support::cases::{self, body};
use podstamp_test_support::spans;
use prost::Message as _;
use wasmtime::Module;

use host::{Abi, Done, Host, TooSmall};

fn host(abi: Abi, configuration: &str) -> Host {
    Host::new(compiled(abi), abi, configuration, TooSmall::Zero)
}

fn compiled(abi: Abi) -> &'static Module {
    static PUSH: OnceLock<Module> = OnceLock::new();
    static PULL: OnceLock<Module> = OnceLock::new();
    let module = if abi == Abi::Push { &PUSH } else { &PULL };
    module.get_or_init(|| host::module(abi))
}

/// What the filter makes of a batch where it knows as little as in otelwasm.
fn expected(filter: &Embedded, signal: Signal, batch: &[u8]) -> Done {
    let headers = [Header::new("content-type", "application/x-protobuf")];
    let request =
        Request { signal, path: signal.path(), peer: None, headers: &headers, body: batch, now: None };
    match filter.stamp(&request) {
        Stamped::Unchanged => Done::Result(batch.to_vec()),
        Stamped::Changed(body) => Done::Result(body),
        Stamped::Empty(_) => Done::Result(Vec::new()),
        Stamped::Refused(answer) => Done::Failed(answer.notice.unwrap().message),
    }
}

#[test]
fn batches_of_every_case_leave_as_the_filter_says() {
    let (mut changed, mut refused) = (0, Vec::new());
    for abi in Abi::ALL {
        for (name, case) in cases::all() {
            let signal = Signal::from(case.request.signal);
            let (batch, configuration) =
                (body::encode(&case.request), cases::document(&case.config).to_string());
            // The batch may be JSON here, or nothing: the host makes neither, and the guest lives on.
            if batch.is_empty() {
                continue;
            }
            let filter = Embedded::configure_hosted(&configuration);
            let mut host = host(abi, &configuration);
            let Ok(filter) = filter else {
                refused.push(name);
                assert!(matches!(host.consume(signal, &batch).unwrap(), Done::Failed(_)));
                continue;
            };
            for _ in 0..2 {
                let done = host.consume(signal, &batch).unwrap();
                changed += usize::from(matches!(&done, Done::Result(result) if *result != batch));
                assert_eq!(done, expected(&filter, signal, &batch), "{name}, {abi:?}");
            }
        }
    }
    assert!(changed > 200, "{changed}");
    assert_eq!(refused, ["several_exporters_get_the_same"; 2]);
}

/// What the README shows passes the check, and stands where the main branch's host is safe.
#[test]
fn the_documented_configuration_has_no_faults_and_the_module_directly_behind_batch() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples/collector/otelwasm");
    let page = fs::read_to_string(folder.join("README.md")).unwrap();
    let block: String = page.split_inclusive('\n').filter_map(|line| line.strip_prefix("    ")).collect();
    let document: serde_json::Value = serde_saphyr::from_str(&block).unwrap();
    let processors = document["service"]["pipelines"]["traces"]["processors"].as_array().unwrap();
    assert_eq!(processors[processors.len() - 2..], ["batch", "wasm"]);
    assert_eq!(document["processors"]["batch"].get("metadata_keys"), None);
    let configuration = document["processors"]["wasm"]["plugin_config"].to_string();
    assert_ne!(configuration, "null");
    host(Abi::Push, &configuration).start().unwrap();
}

#[test]
fn all_signals_are_supported_and_stamped() {
    let attribute = br#"{"key": "k8s.pod.ip", "value": {"stringValue": "10.1.2.3"}}"#;
    let attribute = String::from_utf8_lossy(attribute);
    let configuration = r#"{"processors": {"resource": {"attributes": [
        {"key": "app.host.ip", "from_attribute": "k8s.pod.ip", "action": "insert"}
    ]}}}"#;
    for abi in Abi::ALL {
        let mut host = host(abi, configuration);
        assert_eq!(host.supported(), 1 | 2 | 4);
        for (signal, rest) in [
            (Signal::Traces, r#"resourceSpans": [{"scopeSpans": [{"spans": [{}]}], "#),
            (Signal::Metrics, r#"resourceMetrics": [{"scopeMetrics": [{"metrics": [{"name": "a"}]}], "#),
            (Signal::Logs, r#"resourceLogs": [{"scopeLogs": [{"logRecords": [{}]}], "#),
        ] {
            let json = format!(r#"{{"{rest}"resource": {{"attributes": [{attribute}]}}}}]}}"#);
            let batch = podstamp_core::testing::transcode_as(signal, json.as_bytes()).unwrap();
            let Done::Result(result) = host.consume(signal, &batch).unwrap() else { panic!("{signal:?}") };
            assert!(result.windows(11).any(|bytes| bytes == b"app.host.ip"), "{signal:?}");
        }
    }
}

#[test]
fn the_configuration_is_read_at_the_start_and_its_faults_end_it() {
    let faulty = r#"{"processors": {"resource": {"attributes": [{"key": "a", "action": "insret"}]}}, "podstamp": {"x": 1}}"#;
    let batch = spans::export(&[("shop", "web-1")]);
    for (configuration, says) in [
        (faulty, &["plugin_config: ", "processors.resource.attributes[0]", "podstamp.x"][..]),
        ("{", &["plugin_config: not JSON"]),
        ("[]", &["plugin_config: "]),
    ] {
        let said = |reason: String| {
            says.iter().for_each(|text| assert!(reason.contains(text), "{text} in {reason}"))
        };
        let mut pushed = host(Abi::Push, configuration);
        said(pushed.start().unwrap_err());
        assert_eq!(pushed.shut_down(), 0);
        // A host that does not start metrics and logs, as the real one, learns it from each batch.
        for abi in Abi::ALL {
            let Done::Failed(reason) = host(abi, configuration).consume(Signal::Traces, &batch).unwrap()
            else {
                panic!("{abi:?}")
            };
            said(reason);
        }
    }
    for nothing in ["", "null", "{}"] {
        let mut host = host(Abi::Push, nothing);
        host.start().unwrap();
        let asked = host.asked_for_configuration();
        host.consume(Signal::Traces, &batch).unwrap();
        assert_eq!(host.asked_for_configuration(), asked, "it is read once");
    }
    // Nothing has been started.
    assert_eq!(host(Abi::Push, "{}").shut_down(), 0);
}

#[test]
fn what_is_larger_than_the_guests_first_buffer_is_read_whole() {
    let configuration = format!(r#"{{"podstamp": {{}}{}}}"#, " ".repeat(200 << 10));
    let batch = spans::large(5 << 20, "web-1");
    for abi in Abi::ALL {
        for too_small in [TooSmall::Zero, TooSmall::Size] {
            let mut host = Host::new(compiled(abi), abi, &configuration, too_small);
            let Done::Result(result) = host.consume(Signal::Traces, &batch).unwrap() else {
                panic!("{abi:?}")
            };
            let sent = ExportTraceServiceRequest::decode(&*result).unwrap();
            assert_eq!(
                sent.resource_spans.len(),
                ExportTraceServiceRequest::decode(&*batch).unwrap().resource_spans.len()
            );
            assert!(result.len() > batch.len());
        }
    }
}

#[test]
fn an_empty_batch_goes_on_as_one_where_the_host_says_that_it_is_empty() {
    assert_eq!(host(Abi::Push, "{}").consume(Signal::Traces, b"").unwrap(), Done::Result(Vec::new()));
    let mut host = host(Abi::Pull, "{}");
    let Done::Failed(reason) = host.consume(Signal::Traces, b"").unwrap() else {
        panic!("it may be a large one")
    };
    assert!(reason.contains("empty, or over 64 MiB"), "{reason}");
    let batch = spans::export(&[("shop", "web-1")]);
    assert!(matches!(host.consume(Signal::Traces, &batch).unwrap(), Done::Result(_)), "the next one passes");
    assert!(host.memory() < 160 << 20, "{}", host.memory());
}

#[test]
fn a_thousand_calls_leave_nothing_behind() {
    let batches = [
        spans::export(&[("shop", "web-1"), ("pay", "web-2")]),
        spans::large(1 << 20, "web-1"),
        spans::broken_deep_in_a_span(),
        b"\xff".to_vec(),
    ];
    let configuration = r#"{"podstamp": {"guard": {"check": "full"}}}"#;
    for abi in Abi::ALL {
        let mut host = host(abi, configuration);
        let mut once = |times: usize| {
            for index in 0..times {
                host.consume(Signal::Traces, &batches[index % batches.len()]).unwrap();
            }
            host.memory()
        };
        let first = once(40);
        assert_eq!(once(1_000), first, "{abi:?}");
        assert!(first < 32 << 20, "{first} bytes");
    }
    let mut host = host(Abi::Push, "{}");
    assert_eq!(host.allocate(u32::MAX), 0, "there is no such room");
    assert_eq!(host.allocate(0), 0);
}

/// The corpus of the walk's fuzzer, and each batch cut off everywhere.
#[test]
fn hostile_batches_are_refused_or_pass_and_never_trap() {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus");
    let mut batches: Vec<Vec<u8>> = Vec::new();
    for target in fs::read_dir(corpus).unwrap() {
        let files = fs::read_dir(target.unwrap().path()).unwrap();
        batches.extend(
            files.map(|file| fs::read(file.unwrap().path()).unwrap()).filter(|batch| !batch.is_empty()),
        );
    }
    let whole = spans::export(&[("shop", "web-1")]);
    batches.extend((1..whole.len()).map(|end| whole[..end].to_vec()));
    assert!(batches.len() > 200, "{}", batches.len());
    for (abi, configuration) in
        Abi::ALL.into_iter().zip(["{}", r#"{"podstamp": {"guard": {"check": "full"}}}"#])
    {
        let filter = Embedded::configure(configuration).unwrap();
        let mut host = host(abi, configuration);
        for batch in &batches {
            for signal in Signal::ALL {
                assert_eq!(host.consume(signal, batch).unwrap(), expected(&filter, signal, batch));
            }
        }
        assert!(matches!(host.consume(Signal::Traces, &whole).unwrap(), Done::Result(_)));
    }
}
