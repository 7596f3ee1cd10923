//! The podstamp that runs in the cluster: its pods, found by their label.

use std::collections::BTreeSet;

use podstamp::pods::kubernetes::Failure;

use super::Api;
use super::objects::{Container, List, Pod, escaped};
use crate::doctor::finding::Finding;

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

    /// Whether its pods are there and ready. `namespace`: where they were looked for.
    pub(in crate::doctor) fn check(&self, namespace: Option<&str>) -> Finding {
        let (ready, waiting): (Vec<_>, Vec<_>) = self.pods.iter().partition(|pod| pod.is_ready());
        match (ready.len(), waiting.len()) {
            (0, 0) => {
                let place =
                    namespace.map_or_else(|| "any namespace".to_owned(), |name| format!("namespace {name}"));
                Finding::skipped(format!("none labelled {LABEL} is in {place}"))
                    .advise("name podstamp's namespace with --namespace, if it runs in this cluster")
            }
            (ready, 0) => Finding::fine(format!("{ready}, all ready")),
            (ready, waiting_count) => {
                let summary = format!("{ready} are ready, {waiting_count} are not");
                let advice = "see why they do not start: their events and logs";
                let finding = match ready {
                    0 => Finding::failed(summary, advice),
                    _ => Finding::warning(summary, advice),
                };
                let named = waiting.iter().take(MOST).map(|pod| {
                    format!("{}/{}: {}", pod.metadata.namespace, pod.metadata.name, pod.waits_for())
                });
                let finding = finding.details(named);
                let Some(pod) = waiting.first() else { return finding };
                let (namespace, name) = (&pod.metadata.namespace, &pod.metadata.name);
                finding
                    .command(format!("kubectl -n {namespace} describe pod {name}"))
                    .command(format!("kubectl -n {namespace} logs {name} --previous"))
            }
        }
    }

    /// The pod that commands name: one that takes spans and is ready, if any is.
    pub(in crate::doctor) fn first(&self) -> Option<&Pod> {
        let rank = |pod: &&Pod| (!takes_spans(pod), !pod.is_ready());
        self.pods.iter().min_by_key(rank)
    }

    pub(in crate::doctor) fn service_account(&self) -> Option<ServiceAccount> {
        let pod = self.first()?;
        let name = pod.spec.service_account_name.clone().unwrap_or_else(|| "default".to_owned());
        Some(ServiceAccount { namespace: pod.metadata.namespace.clone(), name })
    }

    /// The nodes that it takes spans on.
    pub(in crate::doctor) fn nodes(&self) -> BTreeSet<String> {
        let taking = self.pods.iter().filter(|pod| takes_spans(pod));
        taking.filter_map(|pod| pod.node().map(str::to_owned)).collect()
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

    /// The ConfigMaps that its configuration is in, in the order of its arguments. The error says why that is not known.
    pub(in crate::doctor) fn config_maps(&self) -> Result<Vec<ConfigMapEntry>, String> {
        let Some(pod) = self.first() else {
            return Err("no --config is given, and no podstamp was found in the cluster".to_owned());
        };
        let metadata = &pod.metadata;
        let own = format!("no --config is given, and pod {}/{}", metadata.namespace, metadata.name);
        let entry = |path: &String| match pod.config_map_at(path) {
            Some((name, entry)) => Ok(ConfigMapEntry { namespace: metadata.namespace.clone(), name, entry }),
            None => Err(format!("{own} has its {path} from elsewhere than a ConfigMap")),
        };
        match config_paths(pod).as_slice() {
            [] => Err(format!("{own} has none in its arguments either")),
            paths => paths.iter().map(entry).collect(),
        }
    }
}

/// Where a configuration is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::doctor) struct ConfigMapEntry {
    pub(in crate::doctor) namespace: String,
    pub(in crate::doctor) name: String,
    pub(in crate::doctor) entry: String,
}

impl ConfigMapEntry {
    /// Where it is, for people.
    pub(in crate::doctor) fn place(&self) -> String {
        format!("ConfigMap {}/{}", self.namespace, self.name)
    }
}

/// Whether a pod sends to agents: one that is there for its table alone does not.
fn takes_spans(pod: &Pod) -> bool {
    let component = pod.metadata.labels.as_ref().and_then(|labels| labels.get("app.kubernetes.io/component"));
    component.is_none_or(|component| component != "pods")
}

/// What the arguments of `podstamp serve` in a pod give for `--config`, in their order.
fn config_paths(pod: &Pod) -> Vec<String> {
    let of_container = |Container { args, .. }: &Container| {
        let args = args.as_deref().unwrap_or_default();
        let after = |at: usize| args.get(at + 1).cloned();
        let named =
            args.iter().enumerate().filter_map(|(at, argument)| match argument.strip_prefix("--config") {
                Some("") => after(at),
                Some(rest) => rest.strip_prefix('=').map(str::to_owned),
                None => None,
            });
        named.collect::<Vec<_>>()
    };
    pod.spec.containers.iter().map(of_container).find(|paths| !paths.is_empty()).unwrap_or_default()
}

/// More are not named one by one.
const MOST: usize = 10;

/// What the chart and the manifests label podstamp's pods with.
const LABEL: &str = "app.kubernetes.io/name=podstamp";
