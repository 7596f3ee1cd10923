//! The module without imports, beyond the cases: what a host may do wrong, and what it may send.

use podstamp_core::config::Fault;
use podstamp_core::directory::{Fields, KeptKeys};
use podstamp_core::interface::{Content, Header, Prepared, Request, Signal, Verdict};
use podstamp_pods::{Coverage, PodParts, Table, listing};
use podstamp_records::{PodsState, Settings, write_request};

use crate::flavour::module::ModuleInstance;

type Configured = Result<Settings, Vec<Fault>>;
type Read = Result<PodsState, String>;

fn configured() -> ModuleInstance {
    let instance = ModuleInstance::new();
    instance.ask::<Configured>("podstamp_configure", b"").unwrap().unwrap();
    instance
}

/// The text of a body that leaves, of one resource with this host name that came from nowhere.
fn stamped(instance: &ModuleInstance, host: &str) -> String {
    let attribute = serde_json::json!({"key": "host.name", "value": {"stringValue": host}});
    let resource = serde_json::json!({"resource": {"attributes": [attribute]}});
    let body = serde_json::json!({"resourceSpans": [resource]}).to_string();
    let prepared = prepare(instance, body.as_bytes());
    let Verdict::Forward(outbound) = prepared.verdict else { panic!("{prepared:?}") };
    let Content::Replaced(body) = outbound.content else { panic!("{outbound:?}") };
    String::from_utf8_lossy(&body).into_owned()
}

fn prepare(instance: &ModuleInstance, body: &[u8]) -> Prepared {
    let headers = [Header::new("content-type", "application/json")];
    let (signal, path) = (Signal::Traces, "/v1/traces");
    let mut argument = Vec::new();
    write_request(&Request { signal, path, peer: None, headers: &headers, body, now: None }, &mut argument);
    instance.ask("podstamp_prepare", &argument).unwrap()
}

fn pod(name: &str, address: [u8; 4]) -> PodParts<'_> {
    PodParts { name: name.into(), ips: vec![address.into()], ..PodParts::default() }
}

#[test]
fn the_module_has_the_exports_of_its_page_and_is_small() {
    let bytes = std::fs::read(podstamp_test_guests::MODULE).unwrap();
    assert!(bytes.len() <= 1_000_000, "{} bytes", bytes.len());
    let module = wasmtime::Module::new(&wasmtime::Engine::default(), &bytes).unwrap();
    let mut exports: Vec<_> = module.exports().map(|export| export.name().to_owned()).collect();
    // The linker's own.
    exports.retain(|name| !name.starts_with("__"));
    exports.sort();
    let page = include_str!("../../docs/abi.md");
    let rows = page.lines().filter_map(|line| line.strip_prefix("| `")?.split_once('`'));
    let mut documented: Vec<_> = rows
        .map(|(name, _)| name)
        .filter(|name| name.starts_with("podstamp_") || *name == "memory")
        .collect();
    documented.sort_unstable();
    assert_eq!(exports, documented);
}

#[test]
fn pods_come_whole_and_then_as_what_has_changed() {
    let instance = configured();
    let mut table = Table::new(Fields::ALL, KeptKeys::default(), Coverage::Cluster);
    table.upsert(&pod("cart-0", [10, 244, 1, 20])).unwrap();
    let text = listing::write_full(&table, Fields::ALL);
    let first = instance.ask::<Read>("podstamp_pods", text.as_bytes()).unwrap().unwrap();
    assert_eq!((first.pods, &first.version), (1, &table.version().to_string()));
    assert!(stamped(&instance, "cart-0").contains("10.244.1.20"));

    let before = table.version().number;
    let slot = table.upsert(&pod("cart-1", [10, 244, 1, 21])).unwrap();
    let delta = listing::write_delta(&table, Fields::ALL, before, &[slot]);
    let second = instance.ask::<Read>("podstamp_pods", delta.as_bytes()).unwrap().unwrap();
    assert_eq!((second.pods, second.version), (2, table.version().to_string()));
    assert!(stamped(&instance, "cart-1").contains("10.244.1.21"));

    // The same once more does not fit any longer, and changes nothing.
    for bad in [delta.as_bytes(), b"", b"no pods"] {
        let error = instance.ask::<Read>("podstamp_pods", bad).unwrap().unwrap_err();
        assert!(!error.is_empty());
    }
    assert!(stamped(&instance, "cart-0").contains("10.244.1.20"));
}

#[test]
fn a_configuration_with_faults_may_be_followed_by_one_without() {
    let instance = ModuleInstance::new();
    for bad in [&b"{"[..], b"\xff", br#"{"processors": {"resource": {"attributes": [{}]}}}"#] {
        let faults = instance.ask::<Configured>("podstamp_configure", bad).unwrap().unwrap_err();
        assert!(!faults.is_empty());
    }
    let settings = instance.ask::<Configured>("podstamp_configure", b"{}").unwrap().unwrap();
    assert!(settings.request_headers.contains(&"x-forwarded-for".to_owned()));
    assert!(settings.pods_path.starts_with("/pods?fields="), "{settings:?}");
    let faults = instance.ask::<Configured>("podstamp_configure", b"{}").unwrap().unwrap_err();
    assert_eq!(faults[0].message, "configured already");
}

#[test]
fn what_a_host_does_wrong_is_a_trap() {
    let arguments: [(&str, &[u8]); 4] = [
        ("podstamp_prepare", b"\x09"),
        ("podstamp_prepare", b""),
        ("podstamp_conclude", b"\0"),
        ("podstamp_diagnose", b"\0\xff\xff\xff\xff"),
    ];
    for (export, argument) in arguments {
        assert!(configured().call(export, argument).is_err(), "{export} {argument:?}");
    }
    assert!(ModuleInstance::new().call("podstamp_pods", b"").is_err(), "before the configuration");
}

#[test]
fn calls_leave_nothing_behind() {
    let instance = configured();
    let attribute = serde_json::json!({"key": "k", "value": {"stringValue": "v".repeat(1 << 20)}});
    let large = serde_json::json!({"resourceSpans": [{"resource": {"attributes": [attribute]}}]}).to_string();
    let once = || {
        for body in [large.as_bytes(), b"{", b"", b"{}"] {
            prepare(&instance, body);
        }
        instance.memory()
    };
    // What is freed is found again, in pieces that fit the next call after the first few.
    let after = [(); 3].map(|()| once())[2];
    let memory = [(); 30].map(|()| once());
    assert_eq!(memory[29], after, "{memory:?}");
}
