//! A client as a kubeconfig says.

use std::path::{Path, PathBuf};

use futures_util::FutureExt;
use kube::Config;
use kube::config::{Cluster, KubeConfigOptions, Kubeconfig, KubeconfigError};
use podstamp_core::config::Kubernetes;

use super::{ClientError, Connection, chain, finish};
use crate::files::open_regular;
use crate::pods::kubernetes::Surroundings;
use crate::pods::kubernetes::token::TokenFile;

/// Makes a client of the kubeconfig that the configuration names, else of those that `KUBECONFIG` names, else of the
/// user's own.
pub(super) fn connect(
    kubernetes: &Kubernetes,
    surroundings: &Surroundings,
) -> Result<Connection, ClientError> {
    let paths = paths(kubernetes, surroundings)?;
    let shown = shown(&paths);
    let fail = |source| ClientError::Kubeconfig { path: shown.clone(), source: Box::new(source) };
    let mut merged = Kubeconfig::default();
    for path in &paths {
        // kube itself would wait for whoever writes into a pipe.
        let read = open_regular(path)
            .map_err(|source| KubeconfigError::ReadConfig(source, path.clone()))
            .and_then(|_| Kubeconfig::read_from(path))
            .map_err(|source| ClientError::Kubeconfig { path: path.clone(), source: Box::new(source) })?;
        merged = merged.merge(read).map_err(fail)?;
    }
    let context = kubernetes.context.clone().or_else(|| merged.current_context.clone());
    let context = context.filter(|name| !name.is_empty());
    let named = merged.contexts.iter().find(|named| Some(named.name.as_str()) == context.as_deref());
    if let Some(context) = named.and_then(|named| named.context.as_ref()) {
        let cluster = merged.clusters.iter().find(|named| named.name == context.cluster);
        if let Some(cluster) = cluster.and_then(|named| named.cluster.as_ref()) {
            refuse_proxy(cluster, &shown)?;
            if cluster.certificate_authority_data.is_none() {
                refuse_unreadable(cluster.certificate_authority.as_ref(), &shown)?;
            }
        }
        let user = merged.auth_infos.iter().find(|named| Some(&named.name) == context.user.as_ref());
        if let Some(user) = user.and_then(|named| named.auth_info.as_ref()) {
            if user.client_certificate_data.is_none() {
                refuse_unreadable(user.client_certificate.as_ref(), &shown)?;
            }
            if user.client_key_data.is_none() {
                refuse_unreadable(user.client_key.as_ref(), &shown)?;
            }
        }
    }
    let options = KubeConfigOptions { context: context.clone(), ..KubeConfigOptions::default() };
    // Nothing in it waits.
    let config = Config::from_custom_kubeconfig(merged, &options).now_or_never();
    let broken = || ClientError::Broken("the kubeconfig was not read at once".to_owned());
    let mut config = config.ok_or_else(broken)?.map_err(fail)?;

    let identity = match &context {
        Some(context) => format!("{} (context {context})", shown.display()),
        None => shown.display().to_string(),
    };
    let user = &mut config.auth_info;
    if let Some(provider) = &user.auth_provider {
        let reason = format!(
            "its user has the auth-provider `{}`, which kubectl does not have any more either: use an exec plugin or a token",
            provider.name
        );
        return Err(ClientError::Unsupported { path: shown, reason });
    }
    let plugin = user.exec.as_ref().map(|exec| exec.command.clone().unwrap_or_default());
    let token = match user.token_file.take().filter(|_| user.token.is_none()) {
        Some(path) => {
            let path = PathBuf::from(path);
            let fail = |source| ClientError::Token { identity: identity.clone(), path: path.clone(), source };
            Some(TokenFile::open(path.clone()).map_err(fail)?)
        }
        None => None,
    };
    finish(config, &identity, token, plugin)
}

/// What is wrong with a kubeconfig.
pub(super) fn reason(error: &KubeconfigError) -> String {
    match error {
        KubeconfigError::ReadConfig(error, _) => error.to_string(),
        KubeconfigError::CurrentContextNotSet => {
            "it has no current-context: set `context` in processors.k8sattributes".to_owned()
        }
        KubeconfigError::LoadContext(name) => format!("it has no context `{name}`"),
        KubeconfigError::LoadClusterOfContext(name) => format!("it has no cluster `{name}`"),
        KubeconfigError::MissingClusterUrl => "its cluster has no `server`".to_owned(),
        // The parser shows the lines around the fault, and those hold secrets.
        KubeconfigError::Parse(error) => {
            let text = error.to_string();
            let first = text.lines().next().unwrap_or_default();
            format!("it is no YAML of a kubeconfig: {first}")
        }
        error => chain(error),
    }
}

/// kube would go through a proxy of the environment as well; podstamp goes through none.
fn refuse_proxy(cluster: &Cluster, path: &Path) -> Result<(), ClientError> {
    match cluster.proxy_url.as_deref().filter(|url| !url.is_empty()) {
        Some(_) => Err(ClientError::Unsupported {
            path: path.to_owned(),
            reason: "its cluster has a `proxy-url`, and podstamp goes through no proxy: use a direct address"
                .to_owned(),
        }),
        None => Ok(()),
    }
}

/// A file that a kubeconfig names has to be a regular one: kube would wait for whoever writes into a pipe.
fn refuse_unreadable(file: Option<&String>, path: &Path) -> Result<(), ClientError> {
    let Some(file) = file else { return Ok(()) };
    let fail = |error| ClientError::Unsupported { path: path.to_owned(), reason: format!("{file}: {error}") };
    open_regular(Path::new(file)).map(drop).map_err(fail)
}

fn paths(kubernetes: &Kubernetes, surroundings: &Surroundings) -> Result<Vec<PathBuf>, ClientError> {
    if let Some(path) = &kubernetes.kube_config_path {
        return Ok(vec![PathBuf::from(path)]);
    }
    let listed = surroundings.kubeconfig.iter().flat_map(std::env::split_paths);
    let listed: Vec<_> = listed.filter(|path| !path.as_os_str().is_empty()).collect();
    if !listed.is_empty() {
        return Ok(listed);
    }
    let home = surroundings.home.as_ref().ok_or(ClientError::NoKubeconfig)?;
    Ok(vec![home.join(".kube").join("config")])
}

fn shown(paths: &[PathBuf]) -> PathBuf {
    std::env::join_paths(paths).map_or_else(|_| paths.first().cloned().unwrap_or_default(), PathBuf::from)
}
