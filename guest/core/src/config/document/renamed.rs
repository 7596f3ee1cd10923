//! Names that the Collector has changed, as its changelog and the modules of its releases say.

/// The name of today of metadata that `k8sattributes` extracts.
pub(crate) fn metadata(name: &str) -> Option<&'static str> {
    find(METADATA, name)
}

/// The key of today, from the section where the old one stood.
pub(crate) fn key(name: &str) -> Option<&'static str> {
    find(KEYS, name)
}

/// The type of today of a component.
pub(crate) fn type_name(name: &str) -> Option<&'static str> {
    find(TYPES, name)
}

fn find(renamed: &[(&str, &'static str)], name: &str) -> Option<&'static str> {
    renamed.iter().find(|(old, _)| *old == name).map(|(_, now)| *now)
}

/// Renamed in v0.28.0; the old names went in v0.74.0.
const METADATA: &[(&str, &str)] = &[
    ("deployment", "k8s.deployment.name"),
    ("namespace", "k8s.namespace.name"),
    ("node", "k8s.node.name"),
    ("podName", "k8s.pod.name"),
    ("podUID", "k8s.pod.uid"),
    ("startTime", "k8s.pod.start_time"),
];

const KEYS: &[(&str, &str)] = &[
    // v0.36.0.
    ("tls_settings", "tls"),
    // v0.41.0.
    ("cors_allowed_origins", "cors.allowed_origins"),
    ("cors_allowed_headers", "cors.allowed_headers"),
];

/// v0.37.0. The exporter `logging`, which v0.111.0 removed for `debug`, has an effect of its own here: none.
const TYPES: &[(&str, &str)] = &[("k8s_tagger", "k8sattributes")];
