//! The configuration file: from text to the document that the filter reads.
//!
//! A file is a Collector's configuration, as YAML or JSON, or a Kubernetes manifest with a ConfigMap that holds one.
//! `${env:NAME}` is expanded as in the Collector. What the document means is not decided here but by
//! [`podstamp_core::config`].
//!
//! ```
//! let text = "exporters: {otlphttp: {traces_endpoint: '${env:AGENT:-http://localhost:38086/api/v1/otel/trace}'}}";
//! let loaded = podstamp::config::parse(text, &|_| None).unwrap();
//! assert_eq!(
//!     loaded.document["exporters"]["otlphttp"]["traces_endpoint"],
//!     "http://localhost:38086/api/v1/otel/trace"
//! );
//! ```
//!
//! # Limits
//! A variable's value is taken as it is: a `${...}` in it is not expanded again. Of the Collector's sources only the
//! environment is known, not `${file:...}` and others.

mod document;
mod merge;
mod shown;
mod weight;
pub(crate) mod yaml;

use std::io::{self, Read};
use std::path::{Path, PathBuf};

use podstamp_core::config::{self, Fault};
use podstamp_core::interface::Notice;
use serde_json::Value;

use crate::files;
use document::Found;
use yaml::Document;

pub use podstamp_core::config::{Environment, Unresolved};
pub use shown::{Line, shown_lines};

/// A configuration document, ready for [`podstamp_core::config::parse`].
#[derive(Clone, Debug, PartialEq)]
pub struct Loaded {
    /// The document.
    pub document: Value,
    /// The document before variables of the environment were put into it.
    pub written: Value,
    /// What the operator should know about where the document comes from.
    pub notices: Vec<Notice>,
    /// The faults of variables, and of keys that stand twice.
    pub unresolved: Unresolved,
}

impl Loaded {
    /// The document, if each of its variables is set that serving reads; else the faults.
    pub fn into_document(self) -> Result<Value, LoadError> {
        self.unresolved.refuse(&self.document).map_err(LoadError::Faults)?;
        Ok(self.document)
    }
}

/// Why a configuration could not be loaded.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LoadError {
    /// The file cannot be read.
    #[error("configuration file {} cannot be read", path.display())]
    Read {
        /// Its path.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The file is larger than any configuration.
    #[error("configuration file {} has more than {limit} bytes", path.display())]
    TooLarge {
        /// Its path.
        path: PathBuf,
        /// The limit, bytes.
        limit: u64,
    },
    /// The file's text has faults.
    #[error("{}", lines(.0))]
    Faults(Vec<Fault>),
}

/// Reads a regular file. Blocks meanwhile.
pub fn load(path: &Path, environment: Environment<'_>) -> Result<Loaded, LoadError> {
    let text = read(path)?;
    parse(&text, environment).map_err(LoadError::Faults)
}

/// The text of a regular file. Blocks meanwhile.
pub fn read(path: &Path) -> Result<String, LoadError> {
    let file =
        files::open_regular(path).map_err(|source| LoadError::Read { path: path.to_owned(), source })?;
    read_from(file, path)
}

/// The text of `input`, which is read to its end; errors name it `path`. Blocks meanwhile.
pub fn read_from(input: impl Read, path: &Path) -> Result<String, LoadError> {
    let bytes = files::read_up_to(input, MAX_FILE_BYTES)
        .map_err(|source| LoadError::Read { path: path.to_owned(), source })?
        .ok_or_else(|| LoadError::TooLarge { path: path.to_owned(), limit: MAX_FILE_BYTES })?;
    String::from_utf8(bytes)
        .map_err(|_| LoadError::Faults(vec![fault("is not UTF-8 text: save it with that encoding")]))
}

/// Reads a text. The error says why it does not contain a document; faults within a document are in [`Loaded`].
pub fn parse(text: &str, environment: Environment<'_>) -> Result<Loaded, Vec<Fault>> {
    Ok(loaded(document::find(text)?, environment))
}

/// Reads a text of somebody who may not know the environment of this process: no variable is set. What would take more memory
/// or time to check than any configuration is a fault.
pub fn parse_apart(text: &str) -> Result<Loaded, Vec<Fault>> {
    let found = document::find(text)?;
    weight::check(&found.document).map_err(|message| vec![fault(message)])?;
    Ok(loaded(found, &|_| None))
}

/// Reads several texts, each with its name, as one document, as the Collector does: maps are merged, and of everything else the
/// last text counts. Unlike there a null changes nothing that an earlier text says: `grpc:` stands for "with its defaults".
pub fn parse_all(texts: &[(String, String)], environment: Environment<'_>) -> Result<Loaded, Vec<Fault>> {
    match texts {
        [(_, text)] => parse(text, environment),
        texts => Ok(loaded(merge::find_all(texts)?, environment)),
    }
}

fn loaded(found: Found, environment: Environment<'_>) -> Loaded {
    let Found { mut document, mut notices, faults } = found;
    let written = document.clone();
    let read_scalar = |text: &str| Document::whole(text).value().ok();
    let mut unresolved = config::resolve(&mut document, environment, read_scalar);
    unresolved.faults.splice(..0, faults);
    // One document may serve both, so the key is not a fault, though it does nothing in the host.
    let for_a_proxy = || config::no_effect("podstamp.proxy_wasm", "it is for the module in Envoy");
    notices.extend(document.pointer("/podstamp/proxy_wasm").is_some().then(for_a_proxy));
    Loaded { document, written, notices, unresolved }
}

/// A variable of this process.
pub fn process_environment(name: &str) -> Option<String> {
    std::env::var_os(name).map(|value| value.to_string_lossy().into_owned())
}

/// A fault of the document as a whole.
fn fault(message: impl Into<String>) -> Fault {
    Fault { path: String::new(), message: message.into() }
}

fn lines(faults: &[Fault]) -> String {
    faults.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
}

/// Kubernetes holds at most 1 MiB in a ConfigMap; a manifest has more around it.
const MAX_FILE_BYTES: u64 = 4 * 1024 * 1024;

#[cfg(test)]
mod tests {
    use super::*;

    fn write(bytes: &[u8]) -> tempfile::NamedTempFile {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), bytes).unwrap();
        file
    }

    #[test]
    fn both_of_deepflows_documented_configurations_load() {
        let simple = parse(include_str!("../../tests/fixtures/deepflow-simple.yaml"), &|_| None).unwrap();
        assert_eq!(simple.notices, []);
        let expected = serde_json::json!({
            "exporters": {"otlphttp": {
                "traces_endpoint": "http://deepflow-agent.deepflow/api/v1/otel/trace",
                "tls": {"insecure": true},
                "retry_on_failure": {"enabled": true},
            }},
            "processors": {
                "k8sattributes": null,
                "resource": {"attributes": [{"key": "app.host.ip", "from_attribute": "k8s.pod.ip", "action": "insert"}]},
            },
            "service": {"pipelines": {"traces": {"processors": ["k8sattributes", "resource"], "exporters": ["otlphttp"]}}},
        });
        assert_eq!(simple.document, expected);

        let balanced =
            parse(include_str!("../../tests/fixtures/deepflow-load-balancer.yaml"), &|_| None).unwrap();
        let processors = &balanced.document["processors"];
        assert_eq!(processors["k8sattributes"]["passthrough"], false);
        assert_eq!(processors["k8sattributes"]["pod_association"][3]["sources"][0]["from"], "connection");
        assert_eq!(processors["resource/pre"]["attributes"][0]["key"], "k8s.pod.name");
    }

    /// Of the same pipelines, whatever else print-config writes: keys at their defaults, empty ones, null.
    #[test]
    fn what_the_collectors_print_config_makes_of_both_is_read_like_them() {
        let read = |text: &str| {
            let config = config::parse(&parse(text, &|_| None).unwrap().document).unwrap();
            let told: Vec<_> = config.notices.iter().map(|notice| notice.message.to_string()).collect();
            (config.traces.exporter.url, format!("{:?}", config.traces.pipeline), told)
        };
        let in_json = include_str!("../../tests/fixtures/print-config-load-balancer.json");
        for (printed, plain) in [
            (
                include_str!("../../tests/fixtures/print-config-simple.yaml"),
                include_str!("../../tests/cases/shared/deepflow-simple.yaml"),
            ),
            (
                include_str!("../../tests/fixtures/print-config-load-balancer.yaml"),
                include_str!("../../tests/cases/shared/deepflow-load-balancer.yaml"),
            ),
            (in_json, include_str!("../../tests/cases/shared/deepflow-load-balancer.yaml")),
        ] {
            let (printed, (url, pipeline, mut told)) = (read(printed), read(plain));
            // The receiver stands in what is printed.
            told.retain(|notice| !notice.starts_with("service.pipelines.traces.receivers: missing"));
            assert_eq!(printed, (url, pipeline, told));
        }
    }

    #[test]
    fn what_only_the_module_in_a_proxy_does_is_told() {
        let loaded = parse("podstamp: {proxy_wasm: {mode: inline}}", &|_| None).unwrap();
        let [notice] = &loaded.notices[..] else { panic!("{:?}", loaded.notices) };
        assert!(notice.message.starts_with("podstamp.proxy_wasm: has no effect here"), "{}", notice.message);
        assert_eq!(parse("podstamp: {}", &|_| None).unwrap().notices, []);
    }

    #[test]
    fn the_filter_takes_what_deepflows_users_paste() {
        for text in [
            include_str!("../../tests/fixtures/deepflow-simple.yaml"),
            include_str!("../../tests/fixtures/deepflow-load-balancer.yaml"),
            include_str!("../../tests/fixtures/otel-agent-configmap.yaml"),
        ] {
            let loaded = parse(text, &|_| None).unwrap();
            assert_eq!(config::parse(&loaded.document).err(), None);
        }
    }

    #[test]
    fn a_variable_that_stands_alone_is_read_as_yaml() {
        let typed = |value: &str| {
            let environment = |_: &str| Some(value.to_owned());
            parse("a: ${env:X}", &environment).unwrap().document["a"].take()
        };
        assert_eq!(typed("[a, 1]"), serde_json::json!(["a", 1]));
        assert_eq!(typed("yes"), serde_json::json!("yes"));
        assert_eq!(typed("0x10"), serde_json::json!(16));
        assert_eq!(typed("a: ["), serde_json::json!("a: ["));
    }

    #[test]
    fn a_file_is_read_and_its_faults_are_told_one_a_line() {
        let file = write(b"a: ${env:X:-12}\n");
        assert_eq!(load(file.path(), &|_| None).unwrap().document, serde_json::json!({"a": 12}));
        let file = write(b"a: ${file:x}\nb: {c: [1, '${']}\n");
        let loaded = load(file.path(), &|_| None).unwrap();
        let paths: Vec<_> = loaded.unresolved.faults.iter().map(|fault| fault.path.as_str()).collect();
        assert_eq!(paths, ["a", "b.c[1]"]);
        let file = write(b"a: [\n---\nb: [\n");
        let error = load(file.path(), &|_| None).unwrap_err().to_string();
        assert_eq!(error.lines().count(), 2, "{error}");
    }

    #[test]
    fn a_file_that_is_missing_too_large_or_no_text_is_refused() {
        let missing = load(Path::new("does/not/exist.yaml"), &|_| None);
        assert!(matches!(missing, Err(LoadError::Read { .. })));
        let large = write(&vec![b'#'; MAX_FILE_BYTES as usize + 1]);
        assert!(matches!(load(large.path(), &|_| None), Err(LoadError::TooLarge { .. })));
        assert!(matches!(load(write(b"\xFF\xFEa\0").path(), &|_| None), Err(LoadError::Faults(_))));
    }
}
