//! `extract` of `k8sattributes`.

use crate::attributes::POD_IP;
use crate::config::document::{Entry, hint, renamed};
use crate::processors::k8sattributes::{Extraction, Field, KeyRule};

pub(crate) fn read_extract(entry: &Entry<'_>) -> Extraction {
    let mut section = entry.section();
    let (ip, fields) = read_metadata(&section.take("metadata"));
    let labels = section.take("labels").list();
    let annotations = section.take("annotations").list();
    let extraction = Extraction {
        ip,
        fields,
        labels: labels.iter().filter_map(|rule| read_rule(rule, "k8s.pod.labels.")).collect(),
        annotations: annotations.iter().filter_map(|rule| read_rule(rule, "k8s.pod.annotations.")).collect(),
    };
    section.without_effect(
        &["otel_annotations", "service_attributes"],
        "podstamp does not extract them; list annotations under extract.annotations",
    );
    // Deployments are found either way, and v0.160 of the Collector has no such key any more.
    let _ = section.take("deployment_name_from_replicaset").flag();
    section.close();
    extraction
}

/// Reads `metadata`: whether `k8s.pod.ip` is to be extracted, and which fields.
fn read_metadata(entry: &Entry<'_>) -> (bool, Vec<Field>) {
    if entry.value().is_none() || entry.is_default() {
        return (false, DEFAULT_FIELDS.to_vec());
    }
    let mut ip = false;
    let (mut fields, mut unknown) = (Vec::new(), Vec::new());
    for item in entry.list() {
        let Some(name) = item.text() else { continue };
        if name == POD_IP {
            ip = true;
        } else if let Some(field) = FIELDS.iter().find(|field| field.attribute() == name) {
            fields.push(*field);
        } else if is_known(&name) {
            unknown.push(format!("`{name}`"));
        } else {
            let known = FIELDS.iter().map(|field| field.attribute()).chain([POD_IP]);
            let hint = hint(&name, known);
            let hint =
                renamed::metadata(&name).map_or(hint, |now| format!("; the Collector calls it `{now}` now"));
            item.fault(format!("`{name}` is no metadata that k8sattributes extracts{hint}"));
        }
    }
    if !unknown.is_empty() {
        entry.no_effect(&format!("of these podstamp's directory knows none: {}", unknown.join(", ")));
    }
    (ip, fields)
}

fn read_rule(entry: &Entry<'_>, prefix: &'static str) -> Option<KeyRule> {
    let mut section = entry.section();
    let attribute = section.take("tag_name");
    let key = section.take("key");
    let pattern = section.take("key_regex");
    let from = section.take("from");
    let why =
        "the Collector has removed it in v0.122: take the value whole, or cut it with an `extract` action";
    section.refuse(&["regex"], why);
    section.close();
    let known = SOURCES.map(|source| (source, source == "pod"));
    if from.choice(&known) == Some(false) {
        entry.no_effect("podstamp's directory knows pods only");
        return None;
    }
    let name = attribute.filled_text();
    match (key.filled_text(), pattern.is_filled()) {
        (Some(_), true) => {
            entry.fault("has both key and key_regex: keep one");
            None
        }
        (None, false) => {
            entry.fault("has neither key nor key_regex");
            None
        }
        (Some(key), false) => {
            let attribute = name.unwrap_or_else(|| format!("{prefix}{key}"));
            Some(KeyRule::Key { key, attribute })
        }
        (None, true) => {
            let pattern = pattern.pattern(|text| format!("^(?:{text})$"))?;
            let has_groups = pattern.captures_len() > 1;
            if name.is_some() && !has_groups {
                attribute.no_effect(
                    "key_regex has no groups, so all would have one name; the default names are used",
                );
            }
            Some(KeyRule::Pattern { pattern, attribute: name.filter(|_| has_groups), prefix })
        }
    }
}

/// Other metadata of the Collector.
fn is_known(name: &str) -> bool {
    match name.split('.').collect::<Vec<_>>().as_slice() {
        ["k8s", "replicaset" | "deployment" | "daemonset" | "statefulset" | "job" | "cronjob", field] => {
            matches!(*field, "name" | "uid")
        }
        ["k8s", "node" | "cluster", "uid"] | ["k8s", "container", "name"] => true,
        ["container", "id"] => true,
        ["container", "image", field] => matches!(*field, "name" | "tag" | "tags" | "repo_digests"),
        ["service", "instance", "id"] => true,
        ["service", field] => matches!(*field, "namespace" | "name" | "version"),
        _ => false,
    }
}

const FIELDS: &[Field] = &[
    Field::Name,
    Field::Uid,
    Field::Hostname,
    Field::StartTime,
    Field::Namespace,
    Field::Node,
    Field::Deployment,
];

/// The metadata that the Collector extracts where none is listed: without `k8s.pod.ip`, since v0.140 (contrib#43862).
const DEFAULT_FIELDS: &[Field] =
    &[Field::Namespace, Field::Name, Field::Uid, Field::StartTime, Field::Deployment, Field::Node];

/// Objects that the Collector takes labels and annotations from. Unset means the pod.
const SOURCES: [&str; 9] =
    ["pod", "namespace", "node", "deployment", "replicaset", "statefulset", "daemonset", "job", "cronjob"];
