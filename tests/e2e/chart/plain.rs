//! The plain manifests beside the chart, for `kubectl apply -f`.

use std::env;
use std::fs;

use super::{Helm, examples};

/// Files, and the cases that they are rendered from.
const PLAIN: [&str; 4] = ["agent", "agent-central", "gateway", "both"];

/// Without what Helm says of where each document is from.
fn plain(rendered: &str, case: &str) -> String {
    let lines = rendered.lines().filter(|line| !line.starts_with("# Source: "));
    let mut text = format!(
        "# helm template podstamp chart --namespace deepflow --values chart/ci/{case}-values.yaml\n\
         # A test renders it (BLESS=1), so change the chart or its values.\n"
    );
    let mut before = "---";
    for line in lines {
        // Nothing stands between two documents but their mark.
        if line.is_empty() || line == "---" && before == "---" {
            continue;
        }
        text.push_str(line);
        text.push('\n');
        before = line;
    }
    text
}

#[test]
fn plain_manifests_are_what_the_chart_renders() {
    let Some(helm) = Helm::new() else { return };
    for case in PLAIN {
        let expected = plain(&helm.render(case), case);
        let file = examples().join(format!("{case}.yaml"));
        if env::var_os("BLESS").is_some() {
            fs::write(&file, &expected).unwrap();
        }
        let found = fs::read_to_string(&file).unwrap_or_default();
        assert!(
            found == expected,
            "{} is not what the chart renders: BLESS=1 writes it anew",
            file.display()
        );
    }
}

#[test]
fn every_plain_manifest_of_the_folder_is_rendered_or_is_the_drop_in() {
    let files =
        fs::read_dir(examples()).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let mut found: Vec<_> = files.filter_map(|name| Some(name.strip_suffix(".yaml")?.to_owned())).collect();
    found.sort();
    let mut expected: Vec<_> = PLAIN.into_iter().chain(["otel-agent", "otel-agent-conf"]).collect();
    expected.sort_unstable();
    assert_eq!(found, expected);
}
