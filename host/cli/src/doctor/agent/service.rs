//! The agent's Service: whether it is there, and whether its traffic stays on the node.

use http::StatusCode;
use podstamp::pods::kubernetes::Failure;

use super::locate::{Name, Upstream};
use super::{Agent, LABELS};
use crate::doctor::finding::Finding;
use crate::doctor::kubernetes::Api;
use crate::doctor::kubernetes::objects::{EndpointSlice, List, Pod, Service, escaped, selector};

/// Looks for the Service: by its names, else by DeepFlow's labels in all namespaces.
pub(in crate::doctor) async fn find(
    api: &Api,
    wanted: &Name,
    upstream: &Upstream,
) -> (Finding, Option<Agent>) {
    let path = format!("/api/v1/namespaces/{}/services/{}", wanted.namespace, wanted.name);
    let service = match api.get::<Service>(&path).await {
        Ok(service) => Ok(service),
        Err(Failure { status: Some(StatusCode::NOT_FOUND), .. }) => by_labels(api, wanted).await,
        Err(failure) if is_forbidden(&failure) => {
            let why = format!("Services cannot be read from here: {}", failure.message);
            return (Finding::skipped(why), None);
        }
        Err(failure) => {
            let summary = format!("{wanted} cannot be read: {}", failure.message);
            return (Finding::failed(summary, "try again, and look at the API server's own log"), None);
        }
    };
    let service = match service {
        Ok(service) => service,
        Err(finding) => return (*finding, None),
    };
    let found = Name { namespace: service.metadata.namespace.clone(), name: service.metadata.name.clone() };
    let agent = Agent { slices: slices(api, &found).await, pods: pods(api, &service).await, service };
    let finding = match upstream {
        Upstream::Service { name, port } if *name != found => Finding::failed(
            format!("the configuration sends to {name}, which is not there; the agent's Service is {found}"),
            format!("write traces_endpoint: {}", found.url(*port)),
        ),
        Upstream::Host(target) => Finding::fine(format!("{found}")).detail(format!(
            "the configuration sends to {}, and not through that Service",
            target.authority()
        )),
        _ => Finding::fine(found.to_string()),
    };
    (finding, Some(agent))
}

async fn by_labels(api: &Api, wanted: &Name) -> Result<Service, Box<Finding>> {
    let path = format!("/api/v1/services?limit=50&labelSelector={}", escaped(LABELS));
    let missing = |more: String| {
        let advice = "is deepflow-agent installed in this cluster? Give its names with --agent-namespace and --agent-service if \
                      they are others";
        Finding::failed(format!("there is no Service {wanted}{more}"), advice)
            .command("kubectl get services -A | grep -i deepflow-agent")
    };
    match api.get::<List<Service>>(&path).await {
        Ok(list) => list
            .into_items()
            .into_iter()
            .next()
            .ok_or_else(|| Box::new(missing(format!(", nor one labelled {LABELS}")))),
        Err(failure) => Err(Box::new(missing(format!(
            "; other namespaces cannot be looked through: {}",
            failure.message
        )))),
    }
}

async fn slices(api: &Api, of: &Name) -> Result<Vec<EndpointSlice>, Failure> {
    let wanted = escaped(&format!("kubernetes.io/service-name={}", of.name));
    let path = format!(
        "/apis/discovery.k8s.io/v1/namespaces/{}/endpointslices?limit=500&labelSelector={wanted}",
        of.namespace
    );
    Ok(api.get::<List<EndpointSlice>>(&path).await?.into_items())
}

/// The pods that a Service selects, those that have ended left out.
async fn pods(api: &Api, service: &Service) -> Result<Vec<Pod>, Failure> {
    let labels = service.spec.selector.as_ref().filter(|labels| !labels.is_empty()).map(selector);
    agents(api, Some(&service.metadata.namespace), labels.as_deref()).await
}

/// The agent's pods, by labels, or by DeepFlow's own.
pub(in crate::doctor) async fn agents(
    api: &Api,
    namespace: Option<&str>,
    labels: Option<&str>,
) -> Result<Vec<Pod>, Failure> {
    let place = namespace.map(|namespace| format!("namespaces/{namespace}/")).unwrap_or_default();
    let labels = escaped(labels.unwrap_or(LABELS));
    let path = format!("/api/v1/{place}pods?limit=5000&labelSelector={labels}");
    let mut pods = api.get::<List<Pod>>(&path).await?.into_items();
    pods.retain(|pod| !pod.has_ended());
    Ok(pods)
}

pub(in crate::doctor) fn is_forbidden(failure: &Failure) -> bool {
    failure.status == Some(StatusCode::FORBIDDEN)
}

/// Whether what is sent to the Service stays on the node.
pub(in crate::doctor) fn check_traffic_policy(agent: &Agent, upstream: &Upstream) -> Finding {
    if let Upstream::Host(target) = upstream {
        return Finding::skipped(format!("spans go to {}, not through the Service", target.authority()));
    }
    match agent.service.spec.internal_traffic_policy.as_deref() {
        Some("Local") => {
            Finding::fine("internalTrafficPolicy: Local, each podstamp sends to the agent of its node")
        }
        policy => {
            let metadata = &agent.service.metadata;
            Finding::warning(
                format!(
                    "internalTrafficPolicy: {}, spans go to the agent of any node",
                    policy.unwrap_or("Cluster")
                ),
                "one agent then gets requests of several podstamps at the same time: deepflow-agent of v7 counts their spans \
                 under wrong pods, and may crash. Keep traffic on the node; DeepFlow's chart has no value for it",
            )
            .command(format!(
                "kubectl -n {} patch service {} -p '{{\"spec\":{{\"internalTrafficPolicy\":\"Local\"}}}}'",
                metadata.namespace, metadata.name
            ))
        }
    }
}
