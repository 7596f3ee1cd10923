//! The whole report, as text and as JSON, against files. `BLESS=1` writes them anew.

use std::path::Path;

use serde_json::Value;

use super::shop::{Findings, Shop, service, slice};
use crate::doctor::check::ALL;
use crate::doctor::json;
use crate::doctor::report::Report;
use crate::doctor::text::{Style, Text};

/// What changes from run to run is replaced.
fn settled(text: &str, shop: &Shop) -> String {
    let text = text
        .replace(&shop.cluster.address().to_string(), "API")
        .replace(&shop.agent.address().to_string(), "AGENT")
        .replace(&shop.admin.address().to_string(), "ADMIN");
    match text.split_once(", trace ") {
        Some((before, after)) => format!("{before}, trace TRACE{}", &after[32..]),
        None => text,
    }
}

fn compare(name: &str, written: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/doctor/tests").join(name);
    if std::env::var_os("BLESS").is_some() {
        std::fs::write(&path, written).unwrap();
    }
    assert_eq!(written, std::fs::read_to_string(&path).unwrap_or_default(), "{name}; BLESS=1 writes it anew");
}

fn written(findings: &Findings, style: Style) -> (String, Value) {
    let mut out = Vec::new();
    let mut text = Text::new(&mut out, style);
    let mut report = Report::new(|_, _| ());
    for (check, finding) in &findings.0 {
        text.write(*check, finding).unwrap();
        report.add(*check, finding.clone());
    }
    text.finish(&report).unwrap();
    (String::from_utf8(out).unwrap(), json::document(&report))
}

#[tokio::test]
async fn a_cluster_in_which_all_is_well_and_one_in_which_much_is_not() {
    let shop = Shop::open().await;
    let (text, document) = written(&shop.examine().await, Style::default());
    compare("well.txt", &settled(&text, &shop));
    compare("well.json", &settled(&format!("{document:#}\n"), &shop));

    shop.cluster.deny("system:serviceaccount:podstamp:podstamp", "watch");
    shop.cluster.apply(service("Cluster", serde_json::json!(4317)));
    shop.cluster.apply(slice(&[("n1", true), ("n2", false)]));
    shop.agent.play_always(podstamp_fake_agent::Script::Disabled);
    shop.admin.say("/readyz", 503, "pods\n");
    let (text, document) = written(&shop.examine().await, Style { ascii: true, colour: false });
    compare("ill.txt", &settled(&text, &shop));
    compare("ill.json", &settled(&format!("{document:#}\n"), &shop));
    assert_eq!(document["exit_code"], 69);
}

#[tokio::test]
async fn each_check_stands_once_and_in_its_order() {
    let shop = Shop::open().await;
    let ids: Vec<_> = shop.examine().await.0.iter().map(|(check, _)| check.id).collect();
    let expected: Vec<_> = ALL.iter().map(|check| check.id).collect();
    assert_eq!(ids, expected);
}

#[test]
fn troubleshooting_has_each_check_by_its_id() {
    let document = include_str!("../../../../../docs/troubleshooting.md");
    let (_, found) = document.split_once("## What doctor finds").unwrap();
    for check in ALL {
        assert!(found.contains(&format!("`{}`", check.id)), "{}", check.id);
    }
}

#[test]
fn what_a_check_sends_one_to_read_is_there() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let sources = ["check.rs", "agent/answers.rs", "agent/settings.rs", "running/peers.rs", "span.rs"];
    let mut sections: Vec<String> = ALL.iter().map(|check| check.see.to_owned()).collect();
    for source in sources {
        let text = std::fs::read_to_string(root.join("host/cli/src/doctor").join(source)).unwrap();
        let named = text.split('"').filter(|part| part.starts_with("docs/") && part.contains('#'));
        sections.extend(named.map(str::to_owned));
    }
    for section in sections {
        let (file, anchor) = section.split_once('#').unwrap();
        let document = std::fs::read_to_string(root.join(file)).unwrap();
        let headings =
            document.lines().filter_map(|line| Some(line.strip_prefix('#')?.trim_start_matches('#').trim()));
        let anchors: Vec<String> = headings.map(anchor_of).collect();
        assert!(anchors.iter().any(|other| other == anchor), "{section} is not among {anchors:?}");
    }
}

/// As GitHub makes them.
fn anchor_of(heading: &str) -> String {
    let kept = heading
        .to_lowercase()
        .chars()
        .filter(|letter| letter.is_alphanumeric() || " -_".contains(*letter))
        .collect::<String>();
    kept.replace(' ', "-")
}
