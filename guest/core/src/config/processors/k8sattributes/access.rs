//! The keys of `k8sattributes` that say how the Kubernetes API is asked for pods.

use crate::config::document::Section;
use crate::processors::k8sattributes::{Access, AuthType};

/// Reads them from the processor's section at `path`.
pub(crate) fn read_access(section: &mut Section<'_>, path: &str) -> Access {
    let default = Access::default();
    let access = Access {
        path: path.to_owned(),
        auth_type: section.take("auth_type").choice(AUTH_TYPES).unwrap_or_default(),
        kube_config_path: section.take("kube_config_path").filled_text(),
        context: section.take("context").filled_text(),
        wait_for_metadata: section.take("wait_for_metadata").flag().unwrap_or_default(),
        wait_for_metadata_timeout: section
            .take("wait_for_metadata_timeout")
            .duration()
            .unwrap_or(default.wait_for_metadata_timeout),
        pod_delete_grace_period: section
            .take("pod_delete_grace_period")
            .duration()
            .unwrap_or(default.pod_delete_grace_period),
        watch_sync_period: section.take("watch_sync_period").duration().unwrap_or(default.watch_sync_period),
    };
    let why = "podstamp asks the Kubernetes API once, and then hears of changes";
    section.without_effect(&["kube_api_qps", "kube_api_burst"], why);
    access
}

const AUTH_TYPES: &[(&str, AuthType)] = &[
    ("none", AuthType::None),
    ("serviceAccount", AuthType::ServiceAccount),
    ("kubeConfig", AuthType::KubeConfig),
    ("tls", AuthType::Tls),
];
