//! `podstamp.pods`: where pods come from.

use crate::config::document::{Entry, url};
use crate::config::extensions::{ClientAuth, Extensions};
use crate::config::tls::{ClientTls, read_client_tls};
use crate::interface::Level;

/// Where pods come from.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Pods {
    /// Their source. `None`: the document does not say.
    pub from: Option<PodsFrom>,
    /// Whether the table has all pods of the cluster, so that an address that it lacks does not belong to a pod. `None`: the
    /// document does not say.
    pub covers_cluster: Option<bool>,
}

/// A source of pods.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::large_enum_variant, reason = "a configuration has one")]
pub enum PodsFrom {
    /// A file with what `kubectl get pods -A -o json` prints.
    File(String),
    /// The Kubernetes API.
    Kubernetes,
    /// Another podstamp, whose admin listener hands its pods out.
    Podstamp {
        /// `http://` or `https://`, host and port.
        url: String,
        /// How to send to an `https://` URL.
        tls: Option<ClientTls>,
        /// The credentials to show there.
        auth: Option<ClientAuth>,
    },
}

pub(crate) fn read_pods(entry: &Entry<'_>, extensions: &Extensions<'_, '_>) -> Pods {
    let mut section = entry.section();
    let file = section.take("file").filled_text();
    let from = section.take("from");
    let tls = section.take("tls");
    let auth = section.take("auth").unless_disabled();
    let covers_cluster = section.take("covers_cluster").flag();
    section.close();
    let named = read_from(&from, &tls, &auth, extensions);
    if file.is_some() && from.is_filled() {
        from.fault("stands beside podstamp.pods.file, and pods come from one source: leave out one of them");
    }
    if tls.is_set() && !matches!(named, Some(PodsFrom::Podstamp { .. })) {
        tls.no_effect("it is for pods from another podstamp: `from: https://HOST:8888`");
    }
    if auth.is_set() && !matches!(named, Some(PodsFrom::Podstamp { .. })) {
        auth.no_effect("it is for pods from another podstamp: `from: http://HOST:8888`");
    }
    Pods { from: named.or(file.map(PodsFrom::File)), covers_cluster }
}

fn read_from(
    from: &Entry<'_>,
    tls: &Entry<'_>,
    auth: &Entry<'_>,
    extensions: &Extensions<'_, '_>,
) -> Option<PodsFrom> {
    let text = from.filled_text()?;
    if text == "kubernetes" {
        return Some(PodsFrom::Kubernetes);
    }
    match url::Url::parse(&text) {
        Ok(url) if matches!(url.path(), "" | "/") && !text.contains('?') => {
            let tls = read_client_tls(tls, url.is_https());
            let shown = extensions.client(auth);
            if shown.is_some() && !url.is_https() {
                let message =
                    "the URL is http, without TLS, so that anybody on the way can read the credentials";
                auth.notice(Level::Warning, "config-clear-credentials", message);
            }
            Some(PodsFrom::Podstamp { url: text.trim_end_matches('/').to_owned(), tls, auth: shown })
        }
        Ok(_) => {
            from.fault("has a path; write the address of a podstamp's admin listener alone: `http://podstamp-pods:8888`");
            None
        }
        Err(reason) if text.contains("://") => {
            from.fault(reason);
            None
        }
        Err(_) => {
            from.fault(format!(
                "`{text}` is neither `kubernetes` nor the address of a podstamp's admin listener, `http://podstamp-pods:8888`"
            ));
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::config::catalog::Catalog;
    use crate::config::document::Findings;

    #[test]
    fn pods_come_from_one_source() {
        let findings = Findings::default();
        let extensions = json!({
            "extensions": {"bearertokenauth": {"token": "t"}},
            "service": {"extensions": ["bearertokenauth"]},
        });
        let mut root = Entry::root(&extensions, &findings).section();
        let catalog = Catalog::of_document(&mut root);
        let mut service = root.take("service").section();
        let extensions = Extensions::started(&service.take("extensions"), &catalog);
        service.close();
        root.close();
        let read = |document| read_pods(&Entry::root(&document, &findings), &extensions);
        assert_eq!(read(json!({})), Pods::default());
        let file = PodsFrom::File("/pods.json".to_owned());
        let pods = read(json!({"file": "/pods.json", "covers_cluster": false}));
        assert_eq!(pods, Pods { from: Some(file), covers_cluster: Some(false) });
        assert_eq!(read(json!({"from": "kubernetes"})).from, Some(PodsFrom::Kubernetes));
        let remote = |url: &str| Some(PodsFrom::Podstamp { url: url.to_owned(), tls: None, auth: None });
        assert_eq!(
            read(json!({"from": "http://podstamp-pods:8888/"})).from,
            remote("http://podstamp-pods:8888")
        );
        let secured =
            read(json!({"from": "https://[fd00::1]:8888", "tls": {"server_name_override": "pods"}}));
        assert!(matches!(
            secured.from,
            Some(PodsFrom::Podstamp { tls: Some(ClientTls { server_name: Some(name), .. }), .. }) if name == "pods"
        ));
        let auth = json!({"authenticator": "bearertokenauth"});
        let secured = read(json!({"from": "https://podstamp-pods:8888", "auth": auth}));
        assert!(matches!(secured.from, Some(PodsFrom::Podstamp { auth: Some(ClientAuth::Bearer(_)), .. })));
        assert_eq!(
            read(json!({"from": "kubernetes", "tls": {"insecure": true}, "auth": auth})).from,
            Some(PodsFrom::Kubernetes)
        );
        read(json!({"from": "http://podstamp-pods:8888", "auth": auth}));
        read(json!({"from": "kubernetes", "file": "/pods.json"}));
        for bad in [
            "Kubernetes",
            "podstamp-pods:8888",
            "http://podstamp-pods:8888/pods",
            "http://a:b",
            "http://fd00::1:8888",
        ] {
            assert_eq!(read(json!({"from": bad})).from, None, "{bad}");
        }
        let (faults, notices) = findings.into_parts();
        let paths: Vec<_> = faults.iter().map(|fault| fault.path.as_str()).collect();
        assert_eq!(paths, ["from"; 6]);
        assert!(faults.iter().any(|fault| fault.message.ends_with("write `[fd00::1]:8888`")), "{faults:?}");
        assert!(faults.iter().any(|fault| fault.message.contains("has a path")));
        let keys: Vec<_> = notices.iter().map(|notice| &*notice.key).collect();
        assert_eq!(keys, ["config-no-effect", "config-no-effect", "config-clear-credentials"]);
    }
}
