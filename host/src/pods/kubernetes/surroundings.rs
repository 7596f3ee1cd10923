//! What a process is told of the cluster that it runs in.

use std::ffi::OsString;
use std::net::IpAddr;
use std::path::PathBuf;

use crate::files::read_file;

/// What a process is told of the cluster that it runs in, and where its user keeps a kubeconfig.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Surroundings {
    /// `KUBERNETES_SERVICE_HOST`, which Kubernetes sets in every container.
    pub host: Option<String>,
    /// `KUBERNETES_SERVICE_PORT`.
    pub port: Option<String>,
    /// The folder with `token`, `ca.crt` and `namespace` of the pod's service account.
    pub service_account: PathBuf,
    /// `KUBECONFIG`: one or more files.
    pub kubeconfig: Option<OsString>,
    /// `HOME`, for `.kube/config` below it.
    pub home: Option<PathBuf>,
}

impl Surroundings {
    /// Those of this process.
    pub fn of_process() -> Self {
        let text = |name| std::env::var(name).ok().filter(|value| !value.is_empty());
        Self {
            host: text("KUBERNETES_SERVICE_HOST"),
            port: text("KUBERNETES_SERVICE_PORT"),
            service_account: PathBuf::from(SERVICE_ACCOUNT),
            kubeconfig: std::env::var_os("KUBECONFIG").filter(|value| !value.is_empty()),
            home: std::env::home_dir(),
        }
    }

    /// Whether the process runs in a cluster.
    pub fn are_in_cluster(&self) -> bool {
        self.host.is_some()
    }

    /// The namespace of the pod that the process runs in. `None`: it has no service account.
    pub fn namespace(&self) -> Option<String> {
        let bytes = read_file(&self.service_account.join("namespace"), MAX_NAMESPACE).ok()??;
        let text = str::from_utf8(&bytes).ok()?.trim();
        (!text.is_empty()).then(|| text.to_owned())
    }

    /// The URL of the cluster's API, for those inside. `None`: the process runs in no cluster.
    pub(super) fn server(&self) -> Option<String> {
        let (host, port) = (self.host.as_deref()?, self.port.as_deref()?);
        Some(match host.parse::<IpAddr>() {
            Ok(IpAddr::V6(address)) => format!("https://[{address}]:{port}"),
            _ => format!("https://{host}:{port}"),
        })
    }
}

/// Bytes of the file with a namespace, whose name has 63 at most.
const MAX_NAMESPACE: u64 = 256;

const SERVICE_ACCOUNT: &str = "/var/run/secrets/kubernetes.io/serviceaccount";
