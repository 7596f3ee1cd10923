//! The chart and the manifests of `examples/kubernetes`: rendered by a real Helm, checked by podstamp, and taken by a real API
//! server.
//!
//! These tests do not prove that pods start: nothing here runs containers.

mod drop_in;
mod install;
mod plain;
mod rendered;
mod served;
mod values;

use std::fs;
use std::path::PathBuf;
use std::process::{Command, Output};

use podstamp_test_support::runtime;
use serde_json::Value;
use tempfile::TempDir;

use crate::served::podstamp;

/// Values that are rendered: `chart/ci/NAME-values.yaml`.
const CASES: [&str; 6] = ["agent", "agent-central", "both", "everything", "gateway", "own-pipeline"];

fn examples() -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../examples/kubernetes"))
}

fn chart() -> PathBuf {
    examples().join("chart")
}

/// The values of a case.
fn values(case: &str) -> PathBuf {
    chart().join(format!("ci/{case}-values.yaml"))
}

/// A real Helm, or none, which has been said then.
struct Helm {
    program: PathBuf,
    /// What it keeps for its user.
    home: TempDir,
}

impl Helm {
    fn new() -> Option<Self> {
        Some(Self { program: runtime::helm()?, home: TempDir::new().unwrap() })
    }

    fn command(&self) -> Command {
        let mut command = Command::new(&self.program);
        for (variable, folder) in
            [("HELM_CACHE_HOME", "cache"), ("HELM_CONFIG_HOME", "config"), ("HELM_DATA_HOME", "data")]
        {
            command.env(variable, self.home.path().join(folder));
        }
        command
    }

    /// What `helm template` makes of the chart in the namespace deepflow.
    fn template(&self, values: &[PathBuf], set: &[&str]) -> Output {
        let mut command = self.command();
        command.args(["template", "podstamp"]).arg(chart()).args(["--namespace", "deepflow"]);
        for file in values {
            command.arg("--values").arg(file);
        }
        for value in set {
            command.args(["--set", value]);
        }
        command.output().unwrap()
    }

    fn render(&self, case: &str) -> String {
        text(self.template(&[values(case)], &[]))
    }
}

/// What a command printed that has to succeed.
fn text(output: Output) -> String {
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// The documents of a text, without empty ones.
fn documents(text: &str) -> Vec<Value> {
    let documents = text.split("\n---").map(|part| part.trim_start_matches("---"));
    let documents =
        documents.map(|part| serde_saphyr::from_str(part).unwrap_or_else(|error| panic!("{error}: {part}")));
    documents.filter(|document: &Value| !document.is_null()).collect()
}

/// The documents of a file in `examples/kubernetes`.
fn manifest(name: &str) -> Vec<Value> {
    documents(&fs::read_to_string(examples().join(name)).unwrap())
}

fn of_kind<'d>(documents: &'d [Value], kind: &str) -> Vec<&'d Value> {
    documents.iter().filter(|document| document["kind"] == kind).collect()
}

fn name(object: &Value) -> &str {
    object["metadata"]["name"].as_str().unwrap()
}

/// What runs pods.
fn workloads(documents: &[Value]) -> Vec<&Value> {
    [of_kind(documents, "DaemonSet"), of_kind(documents, "Deployment")].concat()
}

/// The only container of a workload.
fn container(workload: &Value) -> &Value {
    let containers = workload["spec"]["template"]["spec"]["containers"].as_array().unwrap();
    assert_eq!(containers.len(), 1);
    &containers[0]
}

/// Has podstamp check the configuration of each ConfigMap: a warning is a fault here.
fn check_configurations(case: &str, documents: &[Value]) {
    let folder = TempDir::new().unwrap();
    let file = folder.path().join("podstamp.yaml");
    for map in of_kind(documents, "ConfigMap") {
        fs::write(&file, map["data"]["podstamp.yaml"].as_str().unwrap()).unwrap();
        let mut check = podstamp(["check", "--config", file.to_str().unwrap()]);
        let output = check.env("NODE_NAME", "node-1").output().unwrap();
        let said = [output.stdout, output.stderr].concat();
        let said = String::from_utf8_lossy(&said);
        assert!(output.status.success() && !said.contains("warning: "), "{case}, {}: {said}", name(map));
    }
}
