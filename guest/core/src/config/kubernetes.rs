//! How the Kubernetes API is asked for pods: what the `k8sattributes` processors of all pipelines say together.

mod selector;

use crate::config::compiled::Config;
use crate::config::document::Fault;
use crate::processors::k8sattributes::{Access, Kubernetes as Step};

pub use crate::processors::k8sattributes::AuthType;
pub use selector::Selector;

/// How to ask the Kubernetes API for pods.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Kubernetes {
    /// How to find the API and to say who asks. `None`: no processor says it, so that the service account is used
    /// inside of a cluster, and a kubeconfig elsewhere.
    pub auth_type: Option<AuthType>,
    /// The kubeconfig. `None`: what `$KUBECONFIG` names, else `~/.kube/config`.
    pub kube_config_path: Option<String>,
    /// A context of the kubeconfig. `None`: its current one.
    pub context: Option<String>,
    /// The pods to ask for.
    pub selector: Selector,
    /// Whether clients have to wait until all pods are known.
    pub wait_for_metadata: bool,
    /// How long to wait for pods before clients are served without, milliseconds.
    pub wait_for_metadata_timeout: u32,
    /// How long a pod is still known after it was deleted, milliseconds.
    pub pod_delete_grace_period: u32,
    /// How long a watch lasts before it is made anew, milliseconds.
    pub watch_sync_period: u32,
}

impl Default for Kubernetes {
    /// What a document without processors comes to.
    fn default() -> Self {
        Self::of(&Access::default(), None, Selector::default())
    }
}

impl Config {
    /// How to ask the Kubernetes API for pods. An error where processors would ask in different ways: there is one table of
    /// pods. A pod is kept as long as any of them wants it, and all wait for pods where one does.
    pub fn kubernetes(&self) -> Result<Kubernetes, Fault> {
        let steps: Vec<_> = self.looking_up().collect();
        let Some((first, others)) = steps.split_first() else {
            return Ok(Kubernetes::default());
        };
        let mut merged = Kubernetes::of(
            &first.access,
            Some(first.access.auth_type),
            Selector::common(steps.iter().map(|step| &step.selection)),
        );
        for Access { path, auth_type, kube_config_path, context, .. } in
            others.iter().map(|step| &step.access)
        {
            let differs = [
                ("auth_type", *auth_type != first.access.auth_type),
                ("kube_config_path", *kube_config_path != first.access.kube_config_path),
                ("context", *context != first.access.context),
            ];
            if let Some((key, _)) = differs.into_iter().find(|(_, differs)| *differs) {
                let message = format!(
                    "differs from that of {}, and all pods come from one Kubernetes API: write the same in both",
                    first.access.path
                );
                return Err(Fault { path: format!("{path}.{key}"), message });
            }
        }
        for access in others.iter().map(|step| &step.access) {
            merged.wait_for_metadata |= access.wait_for_metadata;
            merged.wait_for_metadata_timeout =
                merged.wait_for_metadata_timeout.max(access.wait_for_metadata_timeout);
            merged.pod_delete_grace_period =
                merged.pod_delete_grace_period.max(access.pod_delete_grace_period);
            merged.watch_sync_period = merged.watch_sync_period.min(access.watch_sync_period);
        }
        Ok(merged)
    }

    /// Whether a processor looks pods up.
    pub fn looks_up_pods(&self) -> bool {
        self.looking_up().next().is_some()
    }

    /// The `k8sattributes` steps that look pods up, of all pipelines.
    fn looking_up(&self) -> impl Iterator<Item = &Step> {
        self.pipelines().flat_map(|pipeline| pipeline.kubernetes()).filter(|step| !step.passthrough)
    }
}

impl Kubernetes {
    fn of(access: &Access, auth_type: Option<AuthType>, selector: Selector) -> Self {
        Self {
            auth_type,
            kube_config_path: access.kube_config_path.clone(),
            context: access.context.clone(),
            selector,
            wait_for_metadata: access.wait_for_metadata,
            wait_for_metadata_timeout: access.wait_for_metadata_timeout,
            pod_delete_grace_period: access.pod_delete_grace_period,
            watch_sync_period: access.watch_sync_period,
        }
    }
}

#[cfg(test)]
mod tests;
