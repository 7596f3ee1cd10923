//! Examples in documents, as far as they can be tried: configurations are checked, requests are stamped.

use std::fs;
use std::io::Write;
use std::process::{Output, Stdio};

use podstamp_core::config::DEFAULT_DOCUMENT;
use podstamp_test_support::authority::Authority;
use serde_json::{Map, Value};
use tempfile::TempDir;

use crate::assert_none;
use crate::commands::podstamp;
use crate::markdown::documents;

/// Sections of a Collector's document, and podstamp's own.
const SECTIONS: [&str; 6] = ["exporters", "extensions", "podstamp", "processors", "receivers", "service"];

fn said(output: &Output) -> String {
    [&*output.stdout, &*output.stderr].map(String::from_utf8_lossy).concat()
}

/// The files that examples name, which are all in one folder.
struct Files {
    folder: TempDir,
    certificate: String,
    key: String,
}

impl Files {
    const FOLDER: &str = "/etc/podstamp/";

    fn new() -> Self {
        let authority = Authority::new("examples");
        let certified = authority.certify("examples", "localhost");
        let [certificate, key] =
            [certified.certificate, certified.key].map(|file| fs::read_to_string(file).unwrap());
        Self { folder: TempDir::new().unwrap(), certificate, key }
    }

    /// The example with each of its files in a folder that is there.
    fn put_in_place(&self, example: &str) -> String {
        for rest in example.split(Self::FOLDER).skip(1) {
            let is_name = |char: char| char.is_ascii_alphanumeric() || "._-".contains(char);
            let name: String = rest.chars().take_while(|char| is_name(*char)).collect();
            let text = match name.rsplit_once('.') {
                Some((_, "crt")) => &*self.certificate,
                Some((_, "key")) => &self.key,
                Some((_, "json")) => r#"{"apiVersion": "v1", "kind": "List", "items": []}"#,
                None if name == "htpasswd" => "ada:{SHA}2PRZAyDhNDqRW2OUFwZQqPNdaSY=",
                _ => "secret",
            };
            fs::write(self.folder.path().join(name), text).unwrap();
        }
        example.replace(Self::FOLDER, &format!("{}/", self.folder.path().display()))
    }
}

#[test]
fn yaml_in_documents_is_yaml_and_a_configuration_passes_the_check() {
    let files = Files::new();
    let config = files.folder.path().join("config.yaml");
    let (mut count, mut checked) = (0, 0);
    let mut findings = Vec::new();
    for document in documents() {
        for (_, text) in document.code().filter(|(language, _)| *language == "yaml") {
            count += 1;
            let text = &files.put_in_place(text);
            let sections: Map<String, Value> = match serde_saphyr::from_str(text) {
                Ok(Value::Object(sections)) => sections,
                Ok(_) => continue,
                Err(error) => {
                    findings.push(format!("{}: {error}\n{text}", document.name()));
                    continue;
                }
            };
            if !sections.keys().all(|section| SECTIONS.contains(&&**section)) {
                continue;
            }
            checked += 1;
            // What an example leaves out is as it is without a configuration.
            let mut whole: Map<String, Value> = serde_json::from_str(DEFAULT_DOCUMENT).unwrap();
            for (section, value) in sections {
                match (whole.get_mut(&section), value) {
                    (Some(Value::Object(there)), Value::Object(value)) => there.extend(value),
                    (_, value) => drop(whole.insert(section, value)),
                }
            }
            fs::write(&config, Value::Object(whole).to_string()).unwrap();
            let output = podstamp().args(["check", "--config"]).arg(&config).output().unwrap();
            if !output.status.success() {
                findings.push(format!("{}: {}\n{text}", document.name(), said(&output)));
            }
        }
    }
    assert_none(findings);
    assert!(count >= 4 && checked >= 1, "only {count} blocks of YAML were found, {checked} configurations");
}

/// Requests in JSON: a block of its own, or what a shell hands over by `-d`.
fn requests(language: &str, text: &str) -> Option<String> {
    let request = match language {
        "json" => text,
        "" | "sh" => text.split_once("-d '")?.1.rsplit_once('\'')?.0,
        _ => return None,
    };
    request.contains("resourceSpans").then(|| request.to_owned())
}

fn rewrite(request: &str) -> Output {
    let mut command = podstamp();
    command.args(["rewrite", "--config", "examples/standalone/otel-agent.yaml"]);
    command.args(["--pods", "examples/standalone/pods.json"]);
    let mut child =
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(request.as_bytes()).unwrap();
    child.wait_with_output().unwrap()
}

#[test]
fn requests_in_documents_are_sound_and_those_of_an_examples_pod_get_its_address() {
    let mut count = 0;
    for document in documents() {
        for request in document.code().filter_map(|(language, text)| requests(language, text)) {
            count += 1;
            let output = rewrite(&request);
            let report = said(&output);
            assert!(output.status.success(), "{}: {report}\n{request}", document.name());
            let of_example = request.contains("shop-web-7d4b9c6f58-x2x7k");
            assert!(
                !of_example || report.contains("10.244.1.17"),
                "{}: {report}\n{request}",
                document.name()
            );
        }
    }
    assert!(count >= 2, "only {count} requests were found");
}
