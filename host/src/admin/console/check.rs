//! `POST /console/check`: what `podstamp check` would say about a text.
//!
//! Who pastes it need not be whom this process belongs to: no variable of the environment is read for it, and no file that it
//! names is opened.

use podstamp_core::config::{Fault, Reading, Unset, read_all};
use podstamp_core::interface::{Level, Notice};
use serde::Serialize;

use super::annotated::{Annotated, Remark};
use crate::config::{Line, Loaded, parse_apart, shown_lines};

/// A text that was checked.
#[derive(Debug, Serialize)]
pub(super) struct Checked {
    faults: Vec<ShownFault>,
    #[serde(flatten)]
    annotated: Annotated,
}

#[derive(Debug, Serialize)]
struct ShownFault {
    path: String,
    message: String,
}

impl Checked {
    pub(super) fn of(text: &str) -> Self {
        match parse_apart(text) {
            Err(faults) => Self::new(&faults, Vec::new(), &[]),
            Ok(Loaded { document, written, notices: mut told, unresolved }) => {
                let Reading { config, faults, .. } = read_all(&document, unresolved, Unset::Warned);
                told.extend(config.notices.into_iter().map(unread));
                Self::new(&faults, shown_lines(&written), &told)
            }
        }
    }

    fn new(faults: &[Fault], lines: Vec<Line>, notices: &[Notice]) -> Self {
        let remarks = faults.iter().map(Remark::of_fault).chain(notices.iter().flat_map(Remark::of_notice));
        let annotated = Annotated::new(lines, remarks);
        let shown = faults.iter().take(MOST);
        let faults =
            shown.map(|fault| ShownFault { path: fault.path.clone(), message: fault.message.clone() });
        Self { faults: faults.collect(), annotated }
    }
}

/// A notice that a variable is not set, in other words: whether it is set, nobody looked.
fn unread(notice: Notice) -> Notice {
    if notice.key != "config-unset-variable" {
        return notice;
    }
    let path = notice.message.split_once(": ").map_or("", |(path, _)| path);
    let message =
        format!("{path}: a variable of the environment, which is not read here: any value may stand there");
    Notice { level: Level::Info, message, ..notice }
}

/// Faults that are told: the page shows them beside lines, too.
const MOST: usize = 500;

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use super::*;

    fn checked(text: &str) -> serde_json::Value {
        serde_json::to_value(Checked::of(text)).unwrap()
    }

    #[test]
    fn faults_are_told_with_their_places() {
        let text = "exporters:\n  otlphttp:\n    endpoint: http://a:1\n    endpiont: x\n    headers: {authorization: S3CRET}\n\
                    service: {pipelines: {traces: {exporters: [otlphttp]}}}\n";
        let told = checked(text);
        assert_eq!(told["faults"][0]["path"], "exporters.otlphttp.endpiont");
        let lines = told["lines"].as_array().unwrap();
        let line = lines.iter().find(|line| line["path"] == "exporters.otlphttp.endpiont").unwrap();
        assert_eq!(line["notices"][0]["level"], "fault");
        assert!(!told.to_string().contains("S3CRET"), "{told}");
    }

    #[test]
    fn what_is_no_yaml_has_a_fault_without_lines() {
        for text in ["a: [", "", "- a", "\u{0}", "just words"] {
            let told = checked(text);
            assert!(!told["faults"].as_array().unwrap().is_empty(), "{text:?}: {told}");
            assert_eq!(told["lines"].as_array().unwrap().len(), 0);
        }
    }

    #[test]
    fn neither_the_environment_nor_files_are_read() {
        let folder = tempfile::tempdir().unwrap();
        let secret = folder.path().join("secret");
        std::fs::write(&secret, "S3CRET-in-a-file").unwrap();
        let path = std::env::var("PATH").unwrap();
        let text = format!(
            "exporters:\n  otlphttp:\n    traces_endpoint: http://${{env:PATH}}/${{PATH}}\n    compression: ${{env:PATH:-none}}\n    \
             auth: {{authenticator: bearertokenauth}}\n    tls: {{ca_file: {file}, insecure: \"${{file:{file}}}\"}}\n\
             extensions: {{bearertokenauth: {{filename: {file}}}}}\n\
             processors: {{k8sattributes: {{filter: {{node_from_env_var: PATH}}}}}}\n\
             service: {{extensions: [bearertokenauth], pipelines: {{traces: {{processors: [k8sattributes], exporters: [otlphttp]}}}}}}\n\
             podstamp: {{pods: {{file: {file}}}}}\n",
            file = secret.display(),
        );
        let told = checked(&text).to_string();
        assert!(told.contains("which is not read here"), "{told}");
        assert!(!told.contains("S3CRET") && !told.contains(&path), "{told}");
        // A file that is not there is no fault: nobody looked.
        let missing = "exporters: {otlphttp: {endpoint: 'http://a:1'}}\npodstamp: {pods: {file: /does/not/exist}}\n\
                       service: {pipelines: {traces: {exporters: [otlphttp]}}}\n";
        assert_eq!(checked(missing)["faults"], serde_json::json!([]));
    }

    #[test]
    fn texts_that_grow_are_refused_in_a_moment() {
        let long_key = format!(
            "processors: {{\"resource/{}\": {{{}}}}}",
            "k".repeat(500_000),
            "a: 1, b: 2, ".repeat(30_000)
        );
        let many: String = (0..80_000).map(|number| format!("k{number}: 1\n")).collect();
        let nested = "[".repeat(500_000);
        let nested_maps = "{a: ".repeat(200_000);
        let dots = format!("\"{}\": {{b: 1}}", "a.".repeat(400_000));
        let variables = format!("a: \"{}\"", "${env:A}".repeat(100_000));
        let patterns = format!(
            "processors: {{k8sattributes: {{extract: {{labels: [{}]}}}}}}",
            "{key_regex: '((a{100}){100}){100}'}, ".repeat(2_000)
        );
        let bomb = format!("a: &a {}\nb: [{}]", "x".repeat(500_000), "*a, ".repeat(100_000));
        for text in [long_key, many, nested, nested_maps, dots, variables, patterns, bomb] {
            let begun = Instant::now();
            let told = serde_json::to_vec(&Checked::of(&text)).unwrap();
            let start = text.get(..40).unwrap_or(&text);
            assert!(told.len() < 16 << 20, "{start}: {}", told.len());
            // Some hundred times what it takes, so that the limits are what is tested.
            assert!(begun.elapsed().as_secs() < 60, "{start}");
        }
    }
}
