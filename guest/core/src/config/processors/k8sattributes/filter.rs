//! `filter` and `exclude` of `k8sattributes`.

use crate::config::document::Entry;
use crate::processors::k8sattributes::{Exclusion, PodField, Selection, Test};

pub(crate) fn read_filter(filter: &Entry<'_>, exclude: &Entry<'_>) -> Selection {
    let mut section = filter.section();
    let mut fields = Vec::new();
    for (key, field) in [("node", PodField::Node), ("namespace", PodField::Namespace)] {
        fields.extend(section.take(key).filled_text().map(|text| (field, Test::Equals(text))));
    }
    section.refuse(&["node_from_env_var"], "not available here, use filter.node");
    fields.extend(section.take("fields").list().iter().filter_map(read_field));
    let labels = section.take("labels").list().iter().filter_map(read_label).collect();
    section.close();
    Selection { fields, labels, excluded: read_excluded(exclude) }
}

fn read_field(entry: &Entry<'_>) -> Option<(PodField, Test)> {
    let mut section = entry.section();
    let field = section.take("key");
    let value = section.take("value").text();
    let op = section.take("op");
    section.close();
    if !field.is_filled() {
        field.fault("is missing: the field to filter by, for example status.phase");
    }
    let field = field.choice(FIELDS);
    Some((field?, read_op(&op, FIELD_OPS)?(value.unwrap_or_default())))
}

fn read_label(entry: &Entry<'_>) -> Option<(String, Test)> {
    let mut section = entry.section();
    let key = section.take("key");
    let value = section.take("value").text();
    let op = section.take("op");
    section.close();
    let name = key.filled_text();
    if name.is_none() {
        key.fault("is missing: the label to filter by");
    }
    Some((name?, read_op(&op, LABEL_OPS)?(value.unwrap_or_default())))
}

fn read_op(entry: &Entry<'_>, known: &[(&str, MakeTest)]) -> Option<MakeTest> {
    if entry.is_filled() { entry.choice(known) } else { Some(Test::Equals) }
}

fn read_excluded(entry: &Entry<'_>) -> Vec<Exclusion> {
    let mut section = entry.section();
    let pods = section.take("pods").list();
    section.close();
    if pods.is_empty() {
        return DEFAULT_EXCLUDED.iter().map(|name| Exclusion::Literal((*name).to_owned())).collect();
    }
    let read = |pod: &Entry<'_>| {
        let mut section = pod.section();
        let name = section.take("name");
        section.close();
        if !name.is_filled() {
            name.fault("is missing: a pattern for the names of pods");
        }
        Some(Exclusion::new(&name.filled_text()?, name.pattern(str::to_owned)?))
    };
    pods.iter().filter_map(read).collect()
}

type MakeTest = fn(String) -> Test;

const FIELD_OPS: &[(&str, MakeTest)] =
    &[("", Test::Equals), ("equals", Test::Equals), ("not-equals", Test::NotEquals)];

const LABEL_OPS: &[(&str, MakeTest)] = &[
    ("", Test::Equals),
    ("equals", Test::Equals),
    ("not-equals", Test::NotEquals),
    ("exists", |_| Test::Exists),
    ("does-not-exist", |_| Test::DoesNotExist),
];

const FIELDS: &[(&str, PodField)] = &[
    ("metadata.name", PodField::Name),
    ("metadata.namespace", PodField::Namespace),
    ("spec.nodeName", PodField::Node),
    ("status.podIP", PodField::PrimaryIp),
    ("status.phase", PodField::Phase),
];

/// The Collector's: agents that pass on what others made.
const DEFAULT_EXCLUDED: &[&str] = &["jaeger-agent", "jaeger-collector"];
