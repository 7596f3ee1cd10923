//! Whether podstamp may see the pods: `get`, `list` and `watch`, asked of the API server's own access review.

use podstamp::pods::kubernetes::Failure;
use serde::Deserialize;
use serde_json::{Value, json};

use super::Api;
use super::credentials::User;
use super::installation::ServiceAccount;
use crate::doctor::finding::Finding;

/// Asks for each verb. `of` is podstamp's service account where somebody else asks; `namespace` the one that podstamp keeps
/// to. The answer says too whether whoever asks may list pods.
pub(in crate::doctor) async fn check(
    api: &Api,
    user: &User,
    of: Option<&ServiceAccount>,
    namespace: Option<&str>,
) -> Finding {
    let subject = match of {
        Some(account) => {
            // Whoever may not ask about others asks about themselves.
            match allowed(api, Some(account), "list", namespace).await {
                Ok(_) => Subject::Other(account),
                Err(failure) if failure.status.is_some_and(|status| status.as_u16() == 403) => {
                    Subject::Own { user, instead_of: Some(account) }
                }
                Err(failure) => return unanswered(&failure),
            }
        }
        None => Subject::Own { user, instead_of: None },
    };
    let mut missing = Vec::new();
    for verb in VERBS {
        match allowed(api, subject.account(), verb, namespace).await {
            Ok(Allowed { allowed: true, .. }) => {}
            Ok(Allowed { reason, .. }) => missing.push((verb, reason)),
            Err(failure) => return unanswered(&failure),
        }
    }
    let place = match namespace {
        Some(namespace) => format!("in namespace {namespace}"),
        None => "in all namespaces".to_owned(),
    };
    let name = subject.name();
    let finding = if missing.is_empty() {
        Finding::fine(format!("{name} may get, list and watch pods {place}"))
    } else {
        let verbs: Vec<_> = missing.iter().map(|(verb, _)| *verb).collect();
        let reasons =
            missing.iter().find_map(|(_, reason)| reason.clone()).filter(|reason| !reason.is_empty());
        let summary = format!("{name} may not {} pods {place}", verbs.join(", "));
        let advice = "grant it: the rule is {apiGroups: [\"\"], resources: [pods], verbs: [get, list, watch]}, and nothing else. \
                      podstamp finds out by itself, without a restart";
        let finding = Finding::failed(summary, advice).details(reasons);
        grants(&subject, namespace).into_iter().fold(finding, Finding::command)
    };
    match subject {
        Subject::Own { instead_of: Some(ServiceAccount { namespace, name }), .. } => finding.detail(format!(
            "that is you: you may not ask about others, such as podstamp's ServiceAccount {namespace}/{name}"
        )),
        _ => finding,
    }
}

/// Whose rights are asked about.
enum Subject<'s> {
    Own { user: &'s User, instead_of: Option<&'s ServiceAccount> },
    Other(&'s ServiceAccount),
}

impl Subject<'_> {
    fn account(&self) -> Option<&ServiceAccount> {
        match self {
            Self::Own { .. } => None,
            Self::Other(account) => Some(account),
        }
    }

    fn name(&self) -> String {
        match self {
            Self::Own { user: User(name), .. } if name.is_empty() => "whoever asks".to_owned(),
            Self::Own { user: User(name), .. } => name.clone(),
            Self::Other(account) => account.user(),
        }
    }
}

/// Asks whether one verb is allowed. Without an account, to whoever asks.
async fn allowed(
    api: &Api,
    account: Option<&ServiceAccount>,
    verb: &str,
    namespace: Option<&str>,
) -> Result<Allowed, Failure> {
    let mut attributes = json!({"verb": verb, "version": "v1", "resource": "pods"});
    if let (Some(namespace), Value::Object(attributes)) = (namespace, &mut attributes) {
        attributes.insert("namespace".to_owned(), namespace.into());
    }
    let (kind, path) = match account {
        None => ("SelfSubjectAccessReview", "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"),
        Some(_) => ("SubjectAccessReview", "/apis/authorization.k8s.io/v1/subjectaccessreviews"),
    };
    let mut review = json!({
        "apiVersion": "authorization.k8s.io/v1", "kind": kind, "spec": {"resourceAttributes": attributes},
    });
    if let (Some(account), Some(Value::Object(spec))) = (account, review.get_mut("spec")) {
        spec.insert("user".to_owned(), account.user().into());
        spec.insert("groups".to_owned(), account.groups().into());
    }
    let Review { status } = api.review(path, &review).await?;
    Ok(status)
}

#[derive(Deserialize)]
struct Review {
    status: Allowed,
}

#[derive(Deserialize)]
struct Allowed {
    #[serde(default)]
    allowed: bool,
    reason: Option<String>,
}

fn unanswered(failure: &Failure) -> Finding {
    Finding::failed(
        format!("the server does not say: {}", failure.message),
        "authenticated users may usually ask about themselves: is the ClusterRoleBinding system:basic-user there?",
    )
}

fn grants(subject: &Subject<'_>, namespace: Option<&str>) -> Vec<String> {
    let service_account = match subject {
        Subject::Other(account) => Some((account.namespace.as_str(), account.name.as_str())),
        Subject::Own { user: User(name), .. } => {
            name.strip_prefix("system:serviceaccount:").and_then(|name| name.split_once(':'))
        }
    };
    let to = match (service_account, subject) {
        (Some((namespace, name)), _) => format!("--serviceaccount={namespace}:{name}"),
        (None, Subject::Own { user: User(name), .. }) if !name.is_empty() => format!("--user={name}"),
        _ => "--serviceaccount=NAMESPACE:NAME".to_owned(),
    };
    let rule = "podstamp --verb=get,list,watch --resource=pods";
    match namespace {
        Some(namespace) => vec![
            format!("kubectl -n {namespace} create role {rule}"),
            format!("kubectl -n {namespace} create rolebinding podstamp --role=podstamp {to}"),
        ],
        None => vec![
            format!("kubectl create clusterrole {rule}"),
            format!("kubectl create clusterrolebinding podstamp --clusterrole=podstamp {to}"),
        ],
    }
}

const VERBS: [&str; 3] = ["get", "list", "watch"];
