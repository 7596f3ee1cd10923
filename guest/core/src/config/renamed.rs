//! What the Collector calls otherwise today.

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

/// From the time of `k8s_tagger`.
const METADATA: &[(&str, &str)] = &[
    ("deployment", "k8s.deployment.name"),
    ("namespace", "k8s.namespace.name"),
    ("node", "k8s.node.name"),
    ("podName", "k8s.pod.name"),
    ("podUID", "k8s.pod.uid"),
    ("startTime", "k8s.pod.start_time"),
    ("k8s.pod.startTime", "k8s.pod.start_time"),
];

const KEYS: &[(&str, &str)] = &[
    ("tls_settings", "tls"),
    ("cors_allowed_origins", "cors.allowed_origins"),
    ("cors_allowed_headers", "cors.allowed_headers"),
];

const TYPES: &[(&str, &str)] = &[("k8s_tagger", "k8sattributes"), ("logging", "debug")];
