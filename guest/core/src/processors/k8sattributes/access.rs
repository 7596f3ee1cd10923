//! How the Kubernetes API is asked for pods. That is for a host to do: the filter itself never asks.

/// How to find the API, and to say who asks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum AuthType {
    /// The API of the cluster that the process runs in, without credentials, and whatever certificate the API shows.
    None,
    /// The API of the cluster that the process runs in, with the token of the pod's service account.
    #[default]
    ServiceAccount,
    /// As a kubeconfig says.
    KubeConfig,
    /// The API of the cluster that the process runs in, without a token.
    Tls,
}

/// How one processor would have the API asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Access {
    /// The processor, for example `processors.k8sattributes`.
    pub(crate) path: String,
    pub(crate) auth_type: AuthType,
    pub(crate) kube_config_path: Option<String>,
    pub(crate) context: Option<String>,
    pub(crate) wait_for_metadata: bool,
    pub(crate) wait_for_metadata_timeout: u32,
    pub(crate) pod_delete_grace_period: u32,
    pub(crate) watch_sync_period: u32,
}

impl Default for Access {
    /// The Collector's.
    fn default() -> Self {
        Self {
            path: String::new(),
            auth_type: AuthType::default(),
            kube_config_path: None,
            context: None,
            wait_for_metadata: false,
            wait_for_metadata_timeout: 10_000,
            pod_delete_grace_period: 120_000,
            watch_sync_period: 300_000,
        }
    }
}
