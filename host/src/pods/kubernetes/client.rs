//! A client of the Kubernetes API.

mod kubeconfig;

use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use http::Uri;
use kube::config::KubeconfigError;
use kube::{Client, Config};
use podstamp_core::config::{AuthType, Kubernetes};

use super::Surroundings;
use super::token::{TokenFile, WithToken};
use crate::files::open_regular;

/// A client, and what it was made of.
#[derive(Clone)]
pub struct Connection {
    /// Sends requests to the API. Nothing was sent yet.
    pub client: Client,
    /// The URL of the API server.
    pub server: String,
    /// Who asks there, for people: "the service account", or the kubeconfig's path and context.
    pub identity: String,
    /// The command that the kubeconfig has run for credentials.
    pub plugin: Option<String>,
    /// Whether the server's certificate is not looked at.
    pub is_insecure: bool,
}

impl std::fmt::Debug for Connection {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Connection").field("server", &self.server).finish_non_exhaustive()
    }
}

/// Why a client cannot be made.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ClientError {
    /// The process does not run in a cluster.
    #[error(
        "KUBERNETES_SERVICE_HOST and KUBERNETES_SERVICE_PORT are not set, so this process runs in no cluster: set \
         `auth_type: kubeConfig` in processors.k8sattributes, or podstamp.pods.file"
    )]
    NotInCluster,
    /// What tells where the API is cannot be a URL.
    #[error("{text:?} is no URL of an API server: {reason}")]
    Server {
        /// What is there.
        text: String,
        /// What is wrong.
        reason: String,
    },
    /// A file of the service account cannot be used.
    #[error(
        "the service account's {} cannot be used: {source}; does the pod have `automountServiceAccountToken: false`?",
        path.display()
    )]
    ServiceAccount {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// No kubeconfig is named, and there is no home to look for one.
    #[error("there is no kubeconfig: set `kube_config_path` in processors.k8sattributes, or KUBECONFIG")]
    NoKubeconfig,
    /// A kubeconfig cannot be used.
    #[error("the kubeconfig {} cannot be used: {}", path.display(), kubeconfig::reason(source))]
    Kubeconfig {
        /// The file, or all of them where it is put together of several.
        path: PathBuf,
        /// Why.
        source: Box<KubeconfigError>,
    },
    /// A kubeconfig asks for what podstamp does not do.
    #[error("the kubeconfig {} cannot be used: {reason}", path.display())]
    Unsupported {
        /// The file.
        path: PathBuf,
        /// What it asks for, and what to do.
        reason: String,
    },
    /// The credentials cannot be used, or the command that was to give them failed.
    #[error("{identity} cannot be used: {}", chain(source))]
    Credentials {
        /// Whose they are.
        identity: String,
        /// Why.
        source: Box<kube::Error>,
    },
    /// The token's file of a kubeconfig cannot be used.
    #[error("the token file {} of {identity} cannot be used: {source}", path.display())]
    Token {
        /// Who names it.
        identity: String,
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// Making the client broke off.
    #[error("making a client of the Kubernetes API broke off: {0}")]
    Broken(String),
}

/// Makes a client: reads files, and runs the command that a kubeconfig has for credentials, away from the async workers.
pub async fn connect(
    kubernetes: &Kubernetes,
    surroundings: &Surroundings,
) -> Result<Connection, ClientError> {
    let (kubernetes, surroundings) = (kubernetes.clone(), surroundings.clone());
    let made = tokio::task::spawn_blocking(move || connect_blocking(&kubernetes, &surroundings)).await;
    made.unwrap_or_else(|error| Err(ClientError::Broken(error.to_string())))
}

fn connect_blocking(kubernetes: &Kubernetes, surroundings: &Surroundings) -> Result<Connection, ClientError> {
    let auth_type = kubernetes.auth_type.unwrap_or(if surroundings.are_in_cluster() {
        AuthType::ServiceAccount
    } else {
        AuthType::KubeConfig
    });
    let authority = surroundings.service_account.join("ca.crt");
    match auth_type {
        AuthType::ServiceAccount => {
            let mut config = in_cluster(surroundings)?;
            trust(&mut config, &authority)?;
            let path = surroundings.service_account.join("token");
            let token = TokenFile::open(path.clone())
                .map_err(|source| ClientError::ServiceAccount { path, source })?;
            finish(config, "the service account", Some(token), None)
        }
        AuthType::Tls => {
            let mut config = in_cluster(surroundings)?;
            // Where the pod has no service account, this machine's authorities count.
            if authority.exists() {
                trust(&mut config, &authority)?;
            }
            finish(config, "nobody (`auth_type: tls`)", None, None)
        }
        AuthType::None => {
            let mut config = in_cluster(surroundings)?;
            config.accept_invalid_certs = true;
            finish(config, "nobody (`auth_type: none`)", None, None)
        }
        AuthType::KubeConfig => kubeconfig::connect(kubernetes, surroundings),
    }
}

fn in_cluster(surroundings: &Surroundings) -> Result<Config, ClientError> {
    let text = surroundings.server().ok_or(ClientError::NotInCluster)?;
    let server = text.parse::<Uri>();
    server.map(Config::new).map_err(|error| ClientError::Server { text, reason: error.to_string() })
}

/// Trusts the cluster's authority. kube reads the file again, at most once a minute.
fn trust(config: &mut Config, authority: &Path) -> Result<(), ClientError> {
    let fail = |source| ClientError::ServiceAccount { path: authority.to_owned(), source };
    // kube says less of a file that it cannot open.
    open_regular(authority).map_err(fail)?;
    config.root_cert_file = Some(authority.to_owned());
    Ok(())
}

/// The client of a configuration that is complete but for how it behaves.
fn finish(
    mut config: Config,
    identity: &str,
    token: Option<TokenFile>,
    plugin: Option<String>,
) -> Result<Connection, ClientError> {
    config.connect_timeout = Some(CONNECT_TIMEOUT);
    config.read_timeout = Some(READ_TIMEOUT);
    config.reset_reader_on_write = true;
    // Whoever asks has a back-off of its own.
    config.default_retry = false;
    // As the Collector: the API is near.
    config.proxy_url = None;
    let server = config.cluster_url.to_string().trim_end_matches('/').to_owned();
    let is_insecure = config.accept_invalid_certs;
    let namespace = config.default_namespace.clone();
    let client = Client::try_from(config).map_err(|source| ClientError::Credentials {
        identity: identity.to_owned(),
        source: Box::new(source),
    })?;
    let client = match token {
        Some(token) => Client::new(WithToken::new(client, token), namespace),
        None => client,
    };
    Ok(Connection { client, server, identity: identity.to_owned(), plugin, is_insecure })
}

/// An error with all that caused it, each said once.
pub(super) fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(error) = source {
        let level = error.to_string();
        // Many print their source themselves.
        if !text.contains(&level) {
            text.push_str(": ");
            text.push_str(&level);
        }
        source = error.source();
    }
    text
}

/// Long for a network inside of a cluster.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// An API server sends a bookmark once a minute where nothing else happens; whoever follows one gives up earlier.
const READ_TIMEOUT: Duration = Duration::from_secs(180);

#[cfg(test)]
mod tests;
