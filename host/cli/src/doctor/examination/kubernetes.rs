//! The checks of the Kubernetes API.

use podstamp_core::config::Selector;

use super::Examination;
use crate::doctor::check;
use crate::doctor::configuration::Source;
use crate::doctor::finding::Finding;
use crate::doctor::kubernetes::installation::ServiceAccount;
use crate::doctor::kubernetes::objects::Pod;
use crate::doctor::kubernetes::{Api, permissions, pods};
use crate::doctor::report::Report;
use crate::doctor::standpoint::Standpoint;

impl Examination<'_> {
    pub(super) async fn kubernetes(&self, report: &mut Report<'_>) {
        let rest = [check::CREDENTIALS, check::PERMISSIONS, check::PODS];
        let Some(finding) = &self.api_finding else {
            let is_needed = self.source() == Some(Ok(Source::Kubernetes));
            report.add(check::API, no_cluster(is_needed));
            report.skip_all(&rest, check::API);
            return;
        };
        report.add(check::API, finding.clone());
        let Some(finding) = &self.credentials_finding else {
            report.skip_all(&rest, check::API);
            return;
        };
        report.add(check::CREDENTIALS, finding.clone());
        let (Some(api), Some(user)) = (&self.api, &self.user) else {
            report.skip_all(&[check::PERMISSIONS, check::PODS], check::CREDENTIALS);
            return;
        };
        let selector = self.selector();
        let elsewhere = match self.source() {
            Some(Ok(Source::File(path))) => Some(format!("the file {path}")),
            Some(Ok(Source::Podstamp(url))) => Some(format!("the podstamp at {url}")),
            Some(Ok(Source::Nowhere)) => Some("nowhere".to_owned()),
            Some(Ok(Source::Kubernetes) | Err(_)) | None => None,
        };
        if let Some(elsewhere) = elsewhere {
            report
                .add(check::PERMISSIONS, Finding::skipped(format!("not needed: pods come from {elsewhere}")));
        } else {
            let own = Some(&user.0);
            let account = self.podstamps_account().filter(|account| Some(&account.user()) != own);
            let namespace = selector.namespace.as_deref();
            report.add(check::PERMISSIONS, permissions::check(api, user, account.as_ref(), namespace).await);
        }
        let node = self.node(api).await;
        report.add(check::PODS, pods::check(api, &selector, node.as_deref()).await);
    }

    /// podstamp's ServiceAccount, where somebody else asks.
    fn podstamps_account(&self) -> Option<ServiceAccount> {
        let own = self.config().and_then(|config| config.kubernetes().ok()?.kube_config_path);
        let asks_for_itself = self.standpoint == Standpoint::Inside || own.is_some();
        if asks_for_itself { None } else { self.installation.service_account() }
    }

    fn selector(&self) -> Selector {
        let kubernetes = self.config().and_then(|config| config.kubernetes().ok());
        kubernetes.map(|kubernetes| kubernetes.selector).unwrap_or_default()
    }

    /// The node of the pod that this runs in.
    async fn node(&self, api: &Api) -> Option<String> {
        if self.standpoint != Standpoint::Inside {
            return None;
        }
        let (namespace, name) = (self.process.namespace.as_ref()?, self.process.pod.as_ref()?);
        let path = format!("/api/v1/namespaces/{namespace}/pods/{name}");
        let pod = api.get::<Pod>(&path).await.ok()?;
        pod.node().map(str::to_owned)
    }
}

fn no_cluster(is_needed: bool) -> Finding {
    let why = "this process runs in no cluster, and there is no kubeconfig";
    if is_needed {
        Finding::failed(
            format!("{why}, and pods are to come from there"),
            "name a kubeconfig with --kubeconfig",
        )
    } else {
        Finding::skipped(why).advise("name a kubeconfig with --kubeconfig to see a cluster")
    }
}
