use std::path::Path;

use podstamp_core::config::Kubernetes;

use super::*;

/// A folder with a service account and a kubeconfig, and how a process in a cluster finds it.
struct Folder(tempfile::TempDir);

impl Folder {
    fn new() -> Self {
        let folder = Self(tempfile::tempdir().unwrap());
        let authority = podstamp_test_support::authority::Authority::new("cluster");
        std::fs::copy(authority.file(), folder.path().join("ca.crt")).unwrap();
        folder.write("token", "secret\n");
        folder
    }

    fn path(&self) -> &Path {
        self.0.path()
    }

    fn write(&self, name: &str, text: &str) {
        std::fs::write(self.path().join(name), text).unwrap();
    }

    fn surroundings(&self) -> Surroundings {
        Surroundings {
            host: Some("10.96.0.1".to_owned()),
            port: Some("443".to_owned()),
            service_account: self.path().to_owned(),
            kubeconfig: Some(self.path().join("config").into_os_string()),
            home: None,
        }
    }
}

fn asked(auth_type: AuthType) -> Kubernetes {
    Kubernetes { auth_type: Some(auth_type), ..Kubernetes::default() }
}

async fn error(auth_type: AuthType, surroundings: &Surroundings) -> String {
    connect(&asked(auth_type), surroundings).await.unwrap_err().to_string()
}

const KUBECONFIG: &str = r#"
clusters: [{name: shop, cluster: {server: "https://shop.example:6443"}}]
users: [{name: me, user: {tokenFile: token}}]
contexts: [{name: here, context: {cluster: shop, user: me}}, {name: nowhere, context: {cluster: none, user: me}}]
current-context: here
"#;

#[tokio::test]
async fn inside_of_a_cluster_the_service_account_asks() {
    let folder = Folder::new();
    let made = connect(&asked(AuthType::ServiceAccount), &folder.surroundings()).await.unwrap();
    assert_eq!(
        (made.server.as_str(), made.identity.as_str()),
        ("https://10.96.0.1:443", "the service account")
    );
    assert!(!made.is_insecure);
    let unsaid = connect(&Kubernetes::default(), &folder.surroundings()).await.unwrap();
    assert_eq!(unsaid.identity, "the service account");
    let v6 = Surroundings {
        host: Some("fd00::1".to_owned()),
        port: Some("6443".to_owned()),
        ..folder.surroundings()
    };
    for auth_type in [AuthType::None, AuthType::Tls] {
        let made = connect(&asked(auth_type), &v6).await.unwrap();
        assert_eq!(
            (made.server.as_str(), made.is_insecure),
            ("https://[fd00::1]:6443", auth_type == AuthType::None)
        );
    }
}

#[tokio::test]
async fn what_a_service_account_lacks_is_told() {
    let folder = Folder::new();
    let outside = Surroundings::default();
    assert!(error(AuthType::ServiceAccount, &outside).await.starts_with("KUBERNETES_SERVICE_HOST"));
    folder.write("token", "");
    let empty = error(AuthType::ServiceAccount, &folder.surroundings()).await;
    assert!(empty.contains("token cannot be used: it is empty"), "{empty}");
    std::fs::remove_file(folder.path().join("ca.crt")).unwrap();
    let missing = error(AuthType::ServiceAccount, &folder.surroundings()).await;
    assert!(
        missing.contains("ca.crt cannot be used") && missing.contains("automountServiceAccountToken"),
        "{missing}"
    );
    folder.write("ca.crt", "no certificate");
    folder.write("token", "t");
    let bad = error(AuthType::ServiceAccount, &folder.surroundings()).await;
    assert!(bad.contains("the service account cannot be used"), "{bad}");
}

#[tokio::test]
async fn a_kubeconfig_says_where_and_who() {
    let folder = Folder::new();
    folder.write("config", KUBECONFIG);
    let outside = Surroundings { host: None, port: None, ..folder.surroundings() };
    let made = connect(&Kubernetes::default(), &outside).await.unwrap();
    assert_eq!(made.server, "https://shop.example:6443");
    assert!(made.identity.ends_with("config (context here)"), "{}", made.identity);

    let home = Surroundings { kubeconfig: None, home: Some(folder.path().to_owned()), ..outside.clone() };
    assert!(error(AuthType::KubeConfig, &home).await.contains(".kube/config cannot be used: "));
    std::fs::create_dir(folder.path().join(".kube")).unwrap();
    folder.write(".kube/config", &KUBECONFIG.replace("tokenFile: token", "token: t"));
    assert_eq!(
        connect(&asked(AuthType::KubeConfig), &home).await.unwrap().server,
        "https://shop.example:6443"
    );
    let named = folder.path().join("config").display().to_string();
    let named = Kubernetes { kube_config_path: Some(named), ..asked(AuthType::KubeConfig) };
    assert!(connect(&named, &Surroundings::default()).await.is_ok());
    assert!(
        error(AuthType::KubeConfig, &Surroundings::default()).await.starts_with("there is no kubeconfig")
    );
}

#[tokio::test]
async fn a_kubeconfig_that_is_of_no_use_says_why_and_shows_no_secret() {
    let folder = Folder::new();
    for (text, expected) in [
        ("users: [{name: me, user: {token: TOPSECRET", "is no YAML of a kubeconfig"),
        ("users: TOPSECRET", "is no YAML of a kubeconfig"),
        ("", "no current-context"),
        ("current-context: other", "no context `other`"),
        (&KUBECONFIG.replace("current-context: here", "current-context: nowhere"), "no cluster `none`"),
        (&KUBECONFIG.replace("server: \"https://shop.example:6443\"", ""), "no `server`"),
        (
            &KUBECONFIG.replace(
                "https://shop.example:6443\"",
                "https://shop.example:6443\", proxy-url: \"http://p:1\"",
            ),
            "`proxy-url`",
        ),
        (&KUBECONFIG.replace("tokenFile: token", "tokenFile: other"), "other of"),
        (&KUBECONFIG.replace("tokenFile: token", "auth-provider: {name: gcp}"), "auth-provider `gcp`"),
        (
            &KUBECONFIG.replace(
                "tokenFile: token",
                "exec: {apiVersion: client.authentication.k8s.io/v1, command: /nonexistent/plugin}",
            ),
            "No such file",
        ),
        (&KUBECONFIG.replace("server:", "certificate-authority-data: '!', server:"), "certificate"),
    ] {
        folder.write("config", text);
        let error = error(AuthType::KubeConfig, &folder.surroundings()).await;
        assert!(error.contains(expected), "{text}\n{error}");
        assert!(!error.contains("TOPSECRET") && !error.contains('\n'), "{error}");
    }
}

/// A test that waits here for ever has failed.
#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_pipe_among_the_credentials_is_told_at_once() {
    use rustix::fs::{CWD, FileType, Mode, mknodat};

    let folder = Folder::new();
    let pipe = |name: &str| {
        let path = folder.path().join(name);
        drop(std::fs::remove_file(&path));
        mknodat(CWD, path, FileType::Fifo, Mode::from_raw_mode(0o600), 0).unwrap();
    };
    pipe("pipe");
    for line in [
        KUBECONFIG.replace("tokenFile: token", "tokenFile: pipe"),
        KUBECONFIG.replace("server:", "certificate-authority: pipe, server:"),
        KUBECONFIG.replace("tokenFile: token", "client-certificate: pipe, client-key: token"),
        KUBECONFIG.replace("tokenFile: token", "client-certificate: token, client-key: pipe"),
    ] {
        folder.write("config", &line);
        let told = error(AuthType::KubeConfig, &folder.surroundings()).await;
        assert!(told.contains("/pipe") && told.contains("it is a pipe"), "{line}\n{told}");
    }
    for (auth_type, name) in [
        (AuthType::KubeConfig, "config"),
        (AuthType::ServiceAccount, "token"),
        (AuthType::ServiceAccount, "ca.crt"),
        (AuthType::Tls, "ca.crt"),
    ] {
        pipe(name);
        let told = error(auth_type, &folder.surroundings()).await;
        assert!(told.contains(name) && told.contains("it is a pipe"), "{name}: {told}");
    }
    pipe("namespace");
    assert_eq!(folder.surroundings().namespace(), None);
    std::fs::remove_file(folder.path().join("namespace")).unwrap();
    folder.write("namespace", "shop\n");
    assert_eq!(folder.surroundings().namespace().as_deref(), Some("shop"));
}
