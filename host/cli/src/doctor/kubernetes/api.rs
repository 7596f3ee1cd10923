//! Whether an API server is there.

use http::Request;
use podstamp::pods::kubernetes::client::{ClientError, Connection};
use podstamp::pods::kubernetes::{Failure, SourceFailure};
use serde::Deserialize;

use super::Api;
use super::request::Answer;
use crate::dated::Dated;
use crate::doctor::finding::Finding;
use crate::exit::Exit;

/// An API server that answers, and its clock.
pub(in crate::doctor) struct Reached {
    pub(in crate::doctor) api: Api,
    pub(in crate::doctor) dated: Option<Dated>,
}

/// Asks the server for its version.
pub(in crate::doctor) async fn reach(
    connection: Result<Connection, ClientError>,
) -> (Finding, Option<Reached>) {
    let connection = match connection {
        Ok(connection) => connection,
        Err(error) => return (no_client(&error), None),
    };
    let api = Api { connection };
    let answer = match api.answer(Request::get("/version"), bytes::Bytes::new()).await {
        Ok(answer) => answer,
        Err(failure) => return (unreached(&api.connection, &failure), None),
    };
    let server = &api.connection.server;
    let version = serde_json::from_slice::<Version>(&answer.body).ok().map(|version| version.git_version);
    let finding = match (version.filter(|_| answer.status.is_success()), answer.message()) {
        (Some(version), _) => Finding::fine(format!("{version} at {server}")),
        // Anonymous requests may not be taken at all, and a stranger need not be told the version.
        (None, Some(_)) if matches!(answer.status.as_u16(), 401 | 403) => {
            Finding::fine(format!("one answers at {server} and does not tell its version"))
        }
        _ => return (no_server(server, &answer), None),
    };
    let finding = match &api.connection.plugin {
        Some(plugin) => {
            finding.detail(format!("credentials come from the command `{plugin}` of the kubeconfig"))
        }
        None => finding,
    };
    let finding = if api.connection.is_insecure { insecure(&finding) } else { finding };
    let dated = answer.dated;
    (finding, Some(Reached { api, dated }))
}

/// `GET /version`, as far as it is read.
#[derive(Deserialize)]
struct Version {
    #[serde(rename = "gitVersion")]
    git_version: String,
}

fn no_client(error: &ClientError) -> Finding {
    let advice = match error {
        ClientError::NotInCluster | ClientError::NoKubeconfig => {
            "run this in podstamp's pod, or name a kubeconfig with --kubeconfig"
        }
        ClientError::ServiceAccount { .. } => {
            "the pod needs `automountServiceAccountToken: true`, or a projected volume with token, ca.crt and namespace"
        }
        ClientError::Credentials { .. } => "log in again, or try `kubectl get pods` with the same kubeconfig",
        _ => "correct the kubeconfig, or name another one with --kubeconfig and --context",
    };
    let exit =
        if matches!(error, ClientError::Credentials { .. }) { Exit::Unavailable } else { Exit::NoInput };
    Finding::failed(error.to_string(), advice).exits(exit)
}

fn unreached(connection: &Connection, failure: &Failure) -> Finding {
    let Connection { server, .. } = connection;
    let Failure { message, .. } = failure;
    match failure.reason {
        SourceFailure::Tls => Finding::failed(
            format!("{server} cannot be trusted: {message}"),
            "compare the certificate with what the service account's ca.crt or the kubeconfig's certificate-authority-data \
             says; an expired one is renewed at the cluster",
        )
        .command(format!("openssl s_client -connect {} -showcerts </dev/null", authority(server))),
        SourceFailure::Silent => Finding::failed(
            format!("{server} takes the connection and gives no answer: {message}"),
            "is it overloaded, or is something else there? Look at the API server's own log",
        ),
        _ => Finding::failed(
            format!("{server} cannot be reached: {message}"),
            "is that address right, and does a NetworkPolicy or a firewall let this host go there? A kubeconfig may need a VPN",
        ),
    }
}

fn no_server(server: &str, answer: &Answer) -> Finding {
    let shown: String = String::from_utf8_lossy(&answer.body).chars().take(80).collect();
    let said = match shown.trim() {
        "" => "an empty body".to_owned(),
        text => format!("{text:?}"),
    };
    Finding::failed(
        format!(
            "{server} is no Kubernetes API server: GET /version gave {} with {said}",
            answer.status.as_u16()
        ),
        "correct `server` in the kubeconfig: a proxy, a login page or another service is there",
    )
}

fn insecure(finding: &Finding) -> Finding {
    let advice = "anybody on the way can read the token and invent pods: give the cluster's authority instead \
                  (certificate-authority in a kubeconfig, `auth_type: serviceAccount` in a pod)";
    Finding::warning(format!("{}; its certificate is not looked at", finding.summary), advice)
        .details(finding.details.clone())
}

/// Host and port of a URL.
fn authority(server: &str) -> String {
    let (_, rest) = server.split_once("://").unwrap_or(("", server));
    let authority = rest.split('/').next().unwrap_or(rest);
    let has_port = authority.rsplit_once(':').is_some_and(|(_, port)| port.parse::<u16>().is_ok());
    if has_port { authority.to_owned() } else { format!("{authority}:443") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn openssl_is_told_a_port() {
        for (url, expected) in [
            ("https://10.0.0.1:6443", "10.0.0.1:6443"),
            ("https://api.example.com/cluster/a", "api.example.com:443"),
            ("https://[fd00::1]:6443", "[fd00::1]:6443"),
            ("https://[fd00::a]", "[fd00::a]:443"),
        ] {
            assert_eq!(authority(url), expected);
        }
    }
}
