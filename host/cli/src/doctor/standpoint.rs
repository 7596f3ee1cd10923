//! Where this runs, which decides what can be seen from here.

use std::path::PathBuf;

use podstamp::pods::kubernetes::Surroundings;
use podstamp_core::config::{AuthType, Config, Kubernetes};

use super::Doctor;

/// What the process is told by where it runs.
#[derive(Clone, Debug, Default)]
pub(super) struct Process {
    pub(super) surroundings: Surroundings,
    /// The namespace of the pod that it runs in.
    pub(super) namespace: Option<String>,
    /// The name of that pod.
    pub(super) pod: Option<String>,
}

impl Process {
    pub(super) fn of_process() -> Self {
        let surroundings = Surroundings::of_process();
        let namespace = surroundings.namespace();
        // Kubernetes names a container's host after its pod.
        let pod = std::env::var("HOSTNAME").ok().filter(|name| !name.is_empty());
        Self { surroundings, namespace, pod }
    }
}

/// Where this runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Standpoint {
    /// In a pod of the cluster: what cannot be reached from here cannot be reached by podstamp either.
    Inside,
    /// Elsewhere, with a kubeconfig: the cluster's own addresses mean nothing here.
    Outside,
    /// There is no cluster.
    Alone,
}

impl Standpoint {
    pub(super) fn new(options: &Doctor, process: &Process, config: Option<&Config>) -> Self {
        let named = options.kubeconfig.is_some() || options.context.is_some();
        if !named && process.surroundings.are_in_cluster() {
            return Self::Inside;
        }
        let kubernetes = config.and_then(|config| config.kubernetes().ok());
        let configured = kubernetes.is_some_and(|kubernetes| kubernetes.kube_config_path.is_some());
        if named || configured || has_kubeconfig(&process.surroundings) { Self::Outside } else { Self::Alone }
    }
}

fn has_kubeconfig(surroundings: &Surroundings) -> bool {
    let own = surroundings.home.as_ref().map(|home| home.join(".kube").join("config"));
    surroundings.kubeconfig.is_some() || own.is_some_and(|path| path.exists())
}

/// How to ask the API from here: as podstamp would where this runs in its place, else as the kubeconfig says.
pub(super) fn access(options: &Doctor, standpoint: Standpoint, configured: Kubernetes) -> Kubernetes {
    if standpoint == Standpoint::Inside {
        return configured;
    }
    let is_own = configured.auth_type == Some(AuthType::KubeConfig);
    let text = |path: &PathBuf| path.to_string_lossy().into_owned();
    let (path, context) = match &options.kubeconfig {
        Some(path) => (Some(text(path)), None),
        None if is_own => (configured.kube_config_path, configured.context),
        None => (None, None),
    };
    Kubernetes {
        auth_type: Some(AuthType::KubeConfig),
        kube_config_path: path,
        context: options.context.clone().or(context),
        ..configured
    }
}
