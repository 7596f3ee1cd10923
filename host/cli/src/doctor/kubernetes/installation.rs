//! The podstamp that runs in the cluster: its pods, found by their label.

use std::collections::BTreeSet;

use podstamp::pods::kubernetes::Failure;

use super::Api;
use super::objects::{Container, List, Pod, escaped};

/// The podstamp that runs in the cluster.
#[derive(Clone, Debug, Default)]
pub(in crate::doctor) struct Installation {
    /// Its pods that have not ended.
    pub(in crate::doctor) pods: Vec<Pod>,
}

/// A ServiceAccount.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::doctor) struct ServiceAccount {
    pub(in crate::doctor) namespace: String,
    pub(in crate::doctor) name: String,
}

impl ServiceAccount {
    /// Its user name.
    pub(in crate::doctor) fn user(&self) -> String {
        format!("system:serviceaccount:{}:{}", self.namespace, self.name)
    }

    /// The groups that every token of it is in.
    pub(in crate::doctor) fn groups(&self) -> Vec<String> {
        let Self { namespace, .. } = self;
        vec![
            "system:serviceaccounts".to_owned(),
            format!("system:serviceaccounts:{namespace}"),
            "system:authenticated".to_owned(),
        ]
    }
}

impl Installation {
    /// Looks for it in one namespace, or in all.
    pub(in crate::doctor) async fn find(api: &Api, namespace: Option<&str>) -> Result<Self, Failure> {
        let place = namespace.map(|namespace| format!("namespaces/{namespace}/")).unwrap_or_default();
        let path = format!("/api/v1/{place}pods?limit=500&labelSelector={}", escaped(LABEL));
        let mut pods = api.get::<List<Pod>>(&path).await?.into_items();
        pods.retain(|pod| !pod.has_ended());
        Ok(Self { pods })
    }

    /// The pod that commands name: one that is ready, if any is.
    pub(in crate::doctor) fn first(&self) -> Option<&Pod> {
        self.pods.iter().find(|pod| pod.is_ready()).or_else(|| self.pods.first())
    }

    pub(in crate::doctor) fn service_account(&self) -> Option<ServiceAccount> {
        let pod = self.first()?;
        let name = pod.spec.service_account_name.clone().unwrap_or_else(|| "default".to_owned());
        Some(ServiceAccount { namespace: pod.metadata.namespace.clone(), name })
    }

    /// The nodes that it runs on.
    pub(in crate::doctor) fn nodes(&self) -> BTreeSet<String> {
        self.pods.iter().filter_map(|pod| pod.node().map(str::to_owned)).collect()
    }

    /// A command that runs this in its pod.
    pub(in crate::doctor) fn exec(&self) -> Option<String> {
        let pod = self.first()?;
        let config = config_path(pod).map(|path| format!(" --config {path}")).unwrap_or_default();
        let Pod { metadata, .. } = pod;
        Some(format!("kubectl -n {} exec {} -- podstamp doctor{config}", metadata.namespace, metadata.name))
    }

    /// A command that brings a port of its pod to this host.
    pub(in crate::doctor) fn forward(&self, port: u16) -> Option<String> {
        let Pod { metadata, .. } = self.first()?;
        Some(format!("kubectl -n {} port-forward pod/{} {port}:{port}", metadata.namespace, metadata.name))
    }

    /// The ConfigMap that its configuration is in: namespace, name, and the entry, if the arguments name one.
    pub(in crate::doctor) fn config_map(&self) -> Option<ConfigMapEntry> {
        let pod = self.first()?;
        let volumes = || pod.spec.volumes.iter().flatten();
        let of_volume = |name: &str| {
            let volume = volumes().find(|volume| volume.name == name)?;
            volume.config_map.as_ref().map(|map| map.name.clone())
        };
        let entry = |name: String, entry: Option<String>| ConfigMapEntry {
            namespace: pod.metadata.namespace.clone(),
            name,
            entry,
        };
        let path = config_path(pod);
        if let Some(path) = &path {
            let mounts =
                pod.spec.containers.iter().flat_map(|container| container.volume_mounts.iter().flatten());
            let below = mounts.filter_map(|mount| {
                let rest = path.strip_prefix(mount.mount_path.trim_end_matches('/'))?.strip_prefix('/')?;
                Some((mount.name.clone(), rest.to_owned()))
            });
            let found = below.filter_map(|(volume, file)| Some(entry(of_volume(&volume)?, Some(file))));
            if let Some(found) = found.max_by_key(|entry| entry.name.len()) {
                return Some(found);
            }
        }
        let only = volumes().find_map(|volume| Some(volume.config_map.as_ref()?.name.clone()))?;
        Some(entry(only, None))
    }

    /// The variables that its pod sets to plain values.
    pub(in crate::doctor) fn variable(&self, name: &str) -> Option<String> {
        let variables =
            self.first()?.spec.containers.iter().flat_map(|container| container.env.iter().flatten());
        variables.filter(|variable| variable.name == name).find_map(|variable| variable.value.clone())
    }
}

/// Where a configuration is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::doctor) struct ConfigMapEntry {
    pub(in crate::doctor) namespace: String,
    pub(in crate::doctor) name: String,
    pub(in crate::doctor) entry: Option<String>,
}

/// What the arguments of `podstamp serve` in a pod give for `--config`.
fn config_path(pod: &Pod) -> Option<String> {
    let of_container = |Container { args, .. }: &Container| {
        let args = args.as_ref()?;
        let joined = args.iter().find_map(|argument| argument.strip_prefix("--config="));
        let after = args.iter().skip_while(|argument| *argument != "--config").nth(1).map(String::as_str);
        joined.or(after).map(str::to_owned)
    };
    pod.spec.containers.iter().find_map(of_container)
}

/// What the chart and the manifests label podstamp's pods with.
const LABEL: &str = "app.kubernetes.io/name=podstamp";
