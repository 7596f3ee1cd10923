//! The Kubernetes manifests hang together: kubectl does not run here.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use podstamp_test_guests::PROXY_WASM;
use serde_json::Value;

use super::{MODULE, documents, text};

const EXAMPLES: [(&str, &str); 2] = [("sidecar", "deployment.yaml"), ("gateway", "gateway.yaml")];

/// The only document of this kind.
fn only(folder: &str, file: &str, kinds: &[&str]) -> Value {
    let mut found = documents(folder, file);
    found.retain(|document| kinds.contains(&document["kind"].as_str().unwrap()));
    assert_eq!(found.len(), 1);
    found.remove(0)
}

/// The pod, and Envoy's container in it.
fn pod(folder: &str, file: &str) -> (Value, Value) {
    let pod = only(folder, file, &["Deployment", "DaemonSet"])["spec"]["template"]["spec"].clone();
    let lists = [&pod["containers"], &pod["initContainers"]];
    let mut containers = lists.into_iter().filter_map(Value::as_array).flatten();
    let envoy = containers.find(|container| container["image"].as_str().unwrap().contains("envoy")).unwrap();
    (pod.clone(), envoy.clone())
}

/// Where each file is in the container.
fn files(folder: &str, file: &str) -> BTreeSet<String> {
    let (pod, envoy) = pod(folder, file);
    let generators = documents(folder, "kustomization.yaml")[0]["configMapGenerator"].clone();
    let mut files = BTreeSet::new();
    for mount in envoy["volumeMounts"].as_array().unwrap() {
        let volumes = pod["volumes"].as_array().unwrap();
        let volume = volumes.iter().find(|volume| volume["name"] == mount["name"]).unwrap();
        let generators = generators.as_array().unwrap();
        let map = &volume["configMap"]["name"];
        let generator = generators.iter().find(|generator| &generator["name"] == map).unwrap();
        for name in generator["files"].as_array().unwrap() {
            files.insert(format!("{}/{}", mount["mountPath"].as_str().unwrap(), name.as_str().unwrap()));
        }
    }
    files
}

#[test]
fn the_files_are_where_they_are_looked_for() {
    for (folder, file) in EXAMPLES {
        let arguments = pod(folder, file).1["args"].clone();
        let config = arguments[1].as_str().unwrap();
        assert_eq!(arguments[0], "-c");
        assert_eq!(files(folder, file), [config, MODULE].map(str::to_owned).into(), "{folder}");
        assert!(text(folder, "envoy.yaml").contains(MODULE));
        let kustomization = &documents(folder, "kustomization.yaml")[0];
        assert_eq!(kustomization["resources"], serde_json::json!([file]));
    }
}

#[test]
fn the_ports_are_those_that_envoy_listens_on() {
    for (folder, file) in EXAMPLES {
        let envoy = text(folder, "envoy.yaml");
        for port in pod(folder, file).1["ports"].as_array().unwrap() {
            let number = &port["containerPort"];
            assert!(envoy.contains(&format!("address: 0.0.0.0, port_value: {number} }}")), "{number}");
        }
    }
    let ports = pod("gateway", "gateway.yaml").1["ports"].clone();
    let named = |name: &Value| ports.as_array().unwrap().iter().find(|port| &port["name"] == name);
    let services = documents("gateway", "gateway.yaml");
    let services: Vec<_> = services.iter().filter(|document| document["kind"] == "Service").collect();
    assert_eq!(services.len(), 2);
    for service in services {
        for port in service["spec"]["ports"].as_array().unwrap() {
            assert_eq!(named(&port["targetPort"]).unwrap()["containerPort"], port["port"]);
        }
    }
}

#[test]
fn the_sidecar_hands_its_address_to_the_module() {
    let variables = pod("sidecar", "deployment.yaml").1["env"].clone();
    assert_eq!(
        variables,
        serde_json::json!([{"name": "POD_IP", "valueFrom": {"fieldRef": {"fieldPath": "status.podIP"}}}])
    );
    assert!(text("sidecar", "envoy.yaml").contains("host_env_keys: [POD_IP]"));
}

#[test]
fn the_module_fits_into_a_configmap() {
    let size = fs::metadata(Path::new(PROXY_WASM)).unwrap().len();
    // Kubernetes' MaxSecretSize, which holds for ConfigMaps too.
    assert!(size < 1 << 20, "it has {size} bytes");
}
