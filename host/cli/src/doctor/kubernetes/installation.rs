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
        let config: String = config_paths(pod).iter().map(|path| format!(" --config {path}")).collect();
        let Pod { metadata, .. } = pod;
        Some(format!("kubectl -n {} exec {} -- podstamp doctor{config}", metadata.namespace, metadata.name))
    }

    /// A command that brings a port of its pod to this host.
    pub(in crate::doctor) fn forward(&self, port: u16) -> Option<String> {
        let Pod { metadata, .. } = self.first()?;
        Some(format!("kubectl -n {} port-forward pod/{} {port}:{port}", metadata.namespace, metadata.name))
    }

    /// The entries of ConfigMaps that its configuration is in, in the order of its arguments; without such arguments the only
    /// ConfigMap that it has. Empty where there is none.
    pub(in crate::doctor) fn config_maps(&self) -> Vec<ConfigMapEntry> {
        let Some(pod) = self.first() else { return Vec::new() };
        let of_arguments: Vec<_> = config_paths(pod).iter().filter_map(|path| entry_of(pod, path)).collect();
        if !of_arguments.is_empty() {
            return of_arguments;
        }
        let first = pod.spec.volumes.iter().flatten().find_map(|volume| volume.config_map.as_ref());
        let namespace = pod.metadata.namespace.clone();
        first
            .map(|map| ConfigMapEntry { namespace, name: map.name.clone(), entry: None })
            .into_iter()
            .collect()
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
fn config_paths(pod: &Pod) -> Vec<String> {
    let of_container = |Container { args, .. }: &Container| {
        let mut arguments = args.iter().flatten();
        let mut paths = Vec::new();
        while let Some(argument) = arguments.next() {
            if argument == "--config" {
                paths.extend(arguments.next().cloned());
            } else {
                paths.extend(argument.strip_prefix("--config=").map(str::to_owned));
            }
        }
        paths
    };
    let paths = pod.spec.containers.iter().map(of_container);
    paths.into_iter().find(|paths| !paths.is_empty()).unwrap_or_default()
}

/// The entry of a ConfigMap that a file in a pod is, by the mount that is nearest to it.
fn entry_of(pod: &Pod, path: &str) -> Option<ConfigMapEntry> {
    let mounts = pod.spec.containers.iter().flat_map(|container| container.volume_mounts.iter().flatten());
    let below = mounts.filter_map(|mount| {
        let folder = mount.mount_path.trim_end_matches('/');
        let file = path.strip_prefix(folder)?.strip_prefix('/')?;
        let volume = pod.spec.volumes.iter().flatten().find(|volume| volume.name == mount.name)?;
        Some((folder.len(), file, volume.config_map.as_ref()?))
    });
    let (_, file, map) = below.max_by_key(|(length, ..)| *length)?;
    let item = map.items.iter().flatten().find(|item| item.path == file);
    let entry = item.map_or(file, |item| &item.key).to_owned();
    let namespace = pod.metadata.namespace.clone();
    Some(ConfigMapEntry { namespace, name: map.name.clone(), entry: Some(entry) })
}

/// What the chart and the manifests label podstamp's pods with.
const LABEL: &str = "app.kubernetes.io/name=podstamp";
