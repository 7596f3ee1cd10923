//! The Istio resources: their shape by Istio's API definitions, and what an Envoy does that gets from them what Istio would
//! give it. Istio itself does not run here.

use podstamp_test_guests::PROXY_WASM;
use podstamp_test_support::spans;
use serde_json::{Map, Value, json};
use tempfile::TempDir;

use super::{Envoy, documents, exports_everywhere, takes_large_bodies};
use crate::envoy::POD;
use crate::envoy::examples::Example;
use crate::envoy::setup::{filter, typed};
use crate::fake_agent::FakeAgent;

/// The resources of a file, each with its kind.
fn resource(file: &str, kind: &str) -> Value {
    let mut found = documents("istio", file);
    found.retain(|document| document["kind"] == kind);
    let [resource] = &found[..] else { panic!("{file} has {} resources of {kind}", found.len()) };
    resource.clone()
}

fn keys(object: &Value) -> Vec<&str> {
    object.as_object().unwrap().keys().map(String::as_str).collect()
}

/// An object has no other keys than these.
fn has_only(object: &Value, known: &[&str]) {
    for key in keys(object) {
        assert!(known.contains(&key), "{key} is not among {known:?}");
    }
}

/// `istio/api`, `extensions/v1alpha1/traffic_extension.proto` and `wasm.proto`.
const TRAFFIC_EXTENSION: &[&str] = &["selector", "targetRefs", "phase", "priority", "match", "wasm", "lua"];

const WASM: &[&str] = &[
    "url",
    "sha256",
    "imagePullPolicy",
    "imagePullSecret",
    "pluginConfig",
    "pluginName",
    "failStrategy",
    "vmConfig",
    "type",
];

const FAIL_STRATEGIES: &[&str] = &["FAIL_CLOSE", "FAIL_OPEN", "FAIL_RELOAD"];

#[test]
fn the_extension_has_the_shape_of_istios_api() {
    let extension = resource("traffic-extension.yaml", "TrafficExtension");
    assert_eq!(extension["apiVersion"], "extensions.istio.io/v1alpha1");
    has_only(&extension["spec"], TRAFFIC_EXTENSION);
    let wasm = &extension["spec"]["wasm"];
    has_only(wasm, WASM);
    assert!(wasm["url"].as_str().unwrap().starts_with("oci://"));
    let sha256 = wasm["sha256"].as_str().unwrap();
    assert!(sha256.len() == 64 && sha256.bytes().all(|byte| byte.is_ascii_hexdigit()), "{sha256}");
    assert!(FAIL_STRATEGIES.contains(&wasm["failStrategy"].as_str().unwrap()));
    for selector in extension["spec"]["match"].as_array().unwrap() {
        has_only(selector, &["mode", "ports"]);
        assert_eq!(selector["mode"], "CLIENT");
    }
}

#[test]
fn older_istios_get_the_same() {
    let mut spec = resource("traffic-extension.yaml", "TrafficExtension")["spec"].clone();
    let wasm = spec.as_object_mut().unwrap().remove("wasm").unwrap();
    spec.as_object_mut().unwrap().extend(wasm.as_object().unwrap().clone());
    let plugin = resource("wasm-plugin.yaml", "WasmPlugin");
    assert_eq!((&plugin["spec"], &plugin["apiVersion"]), (&spec, &json!("extensions.istio.io/v1alpha1")));
}

#[test]
fn all_resources_are_for_one_port() {
    let service = resource("service.yaml", "Service");
    let ports = service["spec"]["ports"].as_array().unwrap();
    let [port] = &ports[..] else { panic!("{ports:?}") };
    let (number, target) = (&port["port"], &port["targetPort"]);
    // Where deepflow-agent listens. As http, or Istio takes HTTP/2 to it.
    assert_eq!((target, &port["appProtocol"]), (&json!(38086), &json!("http")));
    let extension = resource("traffic-extension.yaml", "TrafficExtension");
    assert_eq!(extension["spec"]["match"][0]["ports"], json!([{"number": number}]));
    for patch in resource("envoy-filter.yaml", "EnvoyFilter")["spec"]["configPatches"].as_array().unwrap() {
        assert_eq!(&patch["match"]["listener"]["portNumber"], number);
        assert_eq!(patch["match"]["context"], "SIDECAR_OUTBOUND");
    }
    let name = format!(
        "{}.{}.svc.cluster.local",
        service["metadata"]["name"].as_str().unwrap(),
        service["metadata"]["namespace"].as_str().unwrap()
    );
    let routes = resource("service.yaml", "VirtualService")["spec"].clone();
    assert_eq!(routes["hosts"], json!([name]));
    assert_eq!(
        routes["http"][0]["route"],
        json!([{"destination": {"host": name, "port": {"number": number}}}])
    );
    assert_eq!(resource("service.yaml", "DestinationRule")["spec"]["host"], json!(name));
}

#[test]
fn the_filter_takes_the_plugins_configuration() {
    let extension = resource("traffic-extension.yaml", "TrafficExtension");
    let config = podstamp_core::config::parse(&extension["spec"]["wasm"]["pluginConfig"]).unwrap();
    let route = resource("service.yaml", "VirtualService")["spec"]["http"][0].clone();
    assert_eq!(route["match"], json!([{"uri": {"exact": config.traces.exporter.target()}}]));
}

/// An Envoy with what these resources become.
fn sidecar(agent: &FakeAgent) -> Option<Envoy> {
    let spec = resource("traffic-extension.yaml", "TrafficExtension")["spec"]["wasm"].clone();
    let mut filters = vec![
        filter("wasm", typed("filters.http.wasm.v3.Wasm", json!({"config": plugin(&spec)}))),
        filter("router", typed("filters.http.router.v3.Router", json!({}))),
    ];
    let mut listener = Map::new();
    for patch in resource("envoy-filter.yaml", "EnvoyFilter")["spec"]["configPatches"].as_array().unwrap() {
        let (operation, value) = (&patch["patch"]["operation"], &patch["patch"]["value"]);
        match (patch["applyTo"].as_str().unwrap(), operation.as_str().unwrap()) {
            ("HTTP_FILTER", "INSERT_FIRST") => filters.insert(0, value.clone()),
            ("LISTENER", "MERGE") => listener.extend(value.as_object().unwrap().clone()),
            other => panic!("{other:?}"),
        }
    }
    let manager = json!({
        "stat_prefix": "outbound",
        "route_config": {"virtual_hosts": [{"name": "otlp", "domains": ["*"], "routes": [route()]}]},
        "http_filters": filters,
    });
    let manager = typed("filters.network.http_connection_manager.v3.HttpConnectionManager", manager);
    listener.insert("name".to_owned(), json!("outbound"));
    listener.insert("address".to_owned(), socket(0));
    let name = "envoy.filters.network.http_connection_manager";
    listener
        .insert("filter_chains".to_owned(), json!([{"filters": [{"name": name, "typed_config": manager}]}]));
    let endpoint = json!({"endpoint": {"address": socket(agent.agent().address().port())}});
    let bootstrap = json!({
        // As the proxies of pods have it.
        "node": {"id": "sidecar", "cluster": "shop", "metadata": {"INSTANCE_IPS": POD}},
        "admin": {"address": socket(0)},
        "static_resources": {"listeners": [listener], "clusters": [{
            "name": "otlp",
            "load_assignment": {"cluster_name": "otlp", "endpoints": [{"lb_endpoints": [endpoint]}]},
        }]},
    });
    Envoy::start(&bootstrap, TempDir::new().unwrap(), 1)
}

/// As Istio writes a TrafficExtension into Envoy's configuration.
fn plugin(spec: &Value) -> Value {
    json!({
        "name": "shop.podstamp",
        "root_id": spec["pluginName"],
        "failure_policy": spec["failStrategy"],
        "vm_config": {
            "runtime": "envoy.wasm.runtime.v8",
            "code": {"local": {"filename": PROXY_WASM}},
        },
        // Istio hands the configuration over as a text.
        "configuration": {
            "@type": "type.googleapis.com/google.protobuf.StringValue",
            "value": spec["pluginConfig"].to_string(),
        },
    })
}

/// As it writes the VirtualService.
fn route() -> Value {
    let route = resource("service.yaml", "VirtualService")["spec"]["http"][0].clone();
    let conditions = route["retries"]["retryOn"].as_str().unwrap().split(',');
    let (codes, mut conditions): (Vec<_>, Vec<_>) = conditions.partition(|word| word.parse::<u16>().is_ok());
    let codes: Vec<u16> = codes.iter().map(|code| code.parse().unwrap()).collect();
    conditions.push("retriable-status-codes");
    json!({
        "match": {"path": route["match"][0]["uri"]["exact"]},
        "route": {"cluster": "otlp", "timeout": route["timeout"], "retry_policy": {
            "retry_on": conditions.join(","),
            "retriable_status_codes": codes,
            "num_retries": route["retries"]["attempts"],
        }},
    })
}

fn socket(port: u16) -> Value {
    json!({"socket_address": {"address": "127.0.0.1", "port_value": port}})
}

#[test]
fn an_envoy_with_all_that_stamps_the_address_of_its_pod() {
    let agent = FakeAgent::start();
    let Some(envoy) = sidecar(&agent) else { return };
    let address = envoy.address;
    let example = Example { envoy, http: address, grpc: address, status: address };
    exports_everywhere(&example, &spans::export(&[("shop", "nobody")]));
    assert_eq!(agent.placed(), vec![("shop".to_owned(), POD.to_owned()); 4]);
    takes_large_bodies(&example, 8 << 20);
}
