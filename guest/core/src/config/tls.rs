//! `tls`, of a receiver's protocol and of an exporter: the Collector's configtls.

use serde_json::Value;

use crate::config::document::{ENABLED, Entry, Section, Source, is_host};
use crate::interface::Level;

/// How to receive TLS.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServerTls {
    /// The section, for example `receivers.otlp.protocols.http.tls`.
    pub path: String,
    /// The certificate to show to clients.
    pub identity: Identity,
    /// Certificates of the authorities by one of which every client has to be certified; none: clients need no
    /// certificate.
    pub client_ca: Option<Source>,
    /// Whether this machine's authorities may certify clients as well.
    pub system_roots: bool,
    /// What to agree to.
    pub parameters: Parameters,
}

/// How to send by TLS.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClientTls {
    /// The section, for example `exporters.otlphttp.tls`.
    pub path: String,
    /// Certificates of the authorities by one of which the server has to be certified.
    pub ca: Option<Source>,
    /// Whether this machine's authorities may certify the server as well.
    pub system_roots: bool,
    /// The certificate to show to a server that asks.
    pub identity: Option<Identity>,
    /// Whose certificate to expect, where that is not the URL's host.
    pub server_name: Option<String>,
    /// Whether to take any certificate.
    pub skip_verify: bool,
    /// What to agree to.
    pub parameters: Parameters,
}

/// A certificate, with those between it and its authority, and its key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// PEM, the own certificate first.
    pub certificates: Source,
    /// PEM.
    pub private_key: Source,
}

/// What to agree to, and how often to look whether files have changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Parameters {
    /// The least version.
    pub min_version: Version,
    /// The highest version.
    pub max_version: Version,
    /// For TLS 1.2, those to choose from. Empty: all. Those of TLS 1.3 are never restricted, as in Go.
    pub cipher_suites: Vec<CipherSuite>,
    /// For the exchange of keys, the preferred one first. Empty: all.
    pub curves: Vec<Curve>,
    /// Milliseconds between two looks at the files.
    pub reload_interval: u32,
}

impl Default for Parameters {
    fn default() -> Self {
        Self {
            min_version: Version::Tls12,
            max_version: Version::Tls13,
            cipher_suites: Vec::new(),
            curves: Vec::new(),
            reload_interval: DEFAULT_RELOAD_INTERVAL,
        }
    }
}

/// A version of TLS.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[expect(missing_docs, reason = "versions are named by their numbers")]
pub enum Version {
    Tls12,
    Tls13,
}

/// A cipher suite of TLS 1.2.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "named as in RFC 5289 and RFC 7905")]
pub enum CipherSuite {
    EcdheEcdsaAes128GcmSha256,
    EcdheEcdsaAes256GcmSha384,
    EcdheEcdsaChacha20Poly1305Sha256,
    EcdheRsaAes128GcmSha256,
    EcdheRsaAes256GcmSha384,
    EcdheRsaChacha20Poly1305Sha256,
}

/// An elliptic curve.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "curves have names only")]
pub enum Curve {
    X25519,
    P256,
    P384,
}

/// Reads a receiver's section. `None`: it is missing or at fault.
pub(crate) fn read_server_tls(entry: &Entry<'_>) -> Option<ServerTls> {
    // An empty section must not mean to receive in the clear.
    entry.value()?;
    let mut section = entry.section();
    section.pass(&[ENABLED]);
    let common = read_common_tls(&mut section);
    let client_ca = Source::named(&section.take("client_ca_file"));
    // Files are followed in any case.
    let _ = section.take("client_ca_file_reload").flag();
    section.close();
    if let (Some(ca), None) = (&common.ca, &client_ca) {
        let message = format!(
            "`{}` has no effect here, as in the Collector: only `client_ca_file` makes clients show a certificate",
            ca.path
        );
        entry.notice(Level::Warning, "config-no-effect", &message);
    }
    if common.identity.is_none() && !common.faulty {
        entry.fault("needs a certificate and its key: add cert_file and key_file");
    }
    Some(ServerTls {
        path: entry.path().to_owned(),
        identity: common.identity?,
        system_roots: common.include_system && client_ca.is_some(),
        client_ca,
        parameters: common.parameters,
    })
}

/// Reads an exporter's section. `is_https`: its URL has TLS, which alone decides, as in the Collector.
pub(crate) fn read_client_tls(entry: &Entry<'_>, is_https: bool) -> Option<ClientTls> {
    let mut section = entry.section();
    let insecure = section.take("insecure").flag() == Some(true);
    let skip = section.take("insecure_skip_verify");
    let skip_verify = skip.flag() == Some(true);
    let override_entry = section.take("server_name_override");
    let server_name = override_entry.filled_text();
    if let Some(name) = &server_name
        && !is_host(name)
    {
        override_entry.fault(format!("`{name}` is no name of a host"));
    }
    let common = read_common_tls(&mut section);
    section.close();
    if !is_https {
        if entry.is_set() && !insecure {
            let message = "has no effect here: the URL is http, without TLS";
            entry.notice(Level::Warning, "config-no-effect", message);
        }
        return None;
    }
    if insecure {
        let message =
            "`insecure` has no effect here: the URL is https, so TLS is used and the server verified";
        entry.notice(Level::Warning, "config-no-effect", message);
    }
    if skip_verify {
        let message = "the upstream's certificate is not verified: anybody on the way can read what is sent, and \
                       take its place";
        skip.notice(Level::Warning, "config-skip-verify", message);
    }
    Some(ClientTls {
        path: entry.path().to_owned(),
        system_roots: common.include_system || common.ca.is_none(),
        ca: common.ca,
        identity: common.identity,
        server_name,
        skip_verify,
        parameters: common.parameters,
    })
}

/// The keys that receivers and exporters share.
struct Common {
    ca: Option<Source>,
    include_system: bool,
    identity: Option<Identity>,
    /// Half an identity was found and reported.
    faulty: bool,
    parameters: Parameters,
}

fn read_common_tls(section: &mut Section<'_>) -> Common {
    let ca = Source::either(section, "ca_file", "ca_pem");
    let include_system = section.take("include_system_ca_certs_pool").flag().unwrap_or_default();
    let certificates = Source::either(section, "cert_file", "cert_pem");
    let private_key = Source::either(section, "key_file", "key_pem");
    let faulty = certificates.is_some() != private_key.is_some();
    let identity = match (certificates, private_key) {
        (Some(certificates), Some(private_key)) => Some(Identity { certificates, private_key }),
        (Some(_), None) => {
            section.take("key_file").fault("is missing: a certificate is of no use without its key");
            None
        }
        (None, Some(_)) => {
            section.take("cert_file").fault("is missing: a key is of no use without its certificate");
            None
        }
        (None, None) => None,
    };
    let parameters = read_parameters(section);
    if section.take("tpm").section().take("enabled").flag() == Some(true) {
        section.take("tpm").fault("podstamp cannot use a TPM: put the key into a file");
    }
    Common { ca, include_system, identity, faulty, parameters }
}

fn read_parameters(section: &mut Section<'_>) -> Parameters {
    let default = Parameters::default();
    let min_version = read_version(&section.take("min_version")).unwrap_or(default.min_version);
    let max = section.take("max_version");
    let max_version = read_version(&max).unwrap_or(default.max_version);
    if max_version < min_version {
        max.fault("is under `min_version`: no version is left");
    }
    let cipher_suites = section.take("cipher_suites").list();
    let cipher_suites: Vec<_> = cipher_suites.iter().filter_map(|name| name.choice(CIPHER_SUITES)).collect();
    let insecure = section.take("include_insecure_cipher_suites");
    if insecure.flag() == Some(true) {
        insecure.fault("podstamp has no insecure cipher suites");
    }
    let curves = section.take("curve_preferences").list();
    let curves = curves.iter().filter_map(|name| name.choice(CURVES)).collect();
    let interval = section.take("reload_interval").duration().filter(|interval| *interval > 0);
    Parameters {
        min_version,
        max_version,
        cipher_suites: cipher_suites.into_iter().flatten().collect(),
        curves,
        reload_interval: interval.unwrap_or(default.reload_interval),
    }
}

fn read_version(entry: &Entry<'_>) -> Option<Version> {
    let text = match entry.value()? {
        // YAML makes a number of a version that is not in quotes.
        Value::Number(number) => number.to_string(),
        _ => entry.filled_text()?,
    };
    match text.as_str() {
        "1.2" => Some(Version::Tls12),
        "1.3" => Some(Version::Tls13),
        "1.0" | "1.1" => {
            entry.fault(format!("podstamp has no TLS {text}, which is broken: 1.2 is the least"));
            None
        }
        _ => {
            entry.fault(format!("`{text}` is no version of TLS that podstamp has: write \"1.2\" or \"1.3\""));
            None
        }
    }
}

/// Go's names of what both Go and podstamp take for safe.
const CIPHER_SUITES: &[(&str, Option<CipherSuite>)] = &[
    ("TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256", Some(CipherSuite::EcdheEcdsaAes128GcmSha256)),
    ("TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384", Some(CipherSuite::EcdheEcdsaAes256GcmSha384)),
    ("TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256", Some(CipherSuite::EcdheEcdsaChacha20Poly1305Sha256)),
    ("TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256", Some(CipherSuite::EcdheRsaAes128GcmSha256)),
    ("TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384", Some(CipherSuite::EcdheRsaAes256GcmSha384)),
    ("TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256", Some(CipherSuite::EcdheRsaChacha20Poly1305Sha256)),
    ("TLS_AES_128_GCM_SHA256", None),
    ("TLS_AES_256_GCM_SHA384", None),
    ("TLS_CHACHA20_POLY1305_SHA256", None),
];

const CURVES: &[(&str, Curve)] = &[("X25519", Curve::X25519), ("P256", Curve::P256), ("P384", Curve::P384)];

/// Milliseconds. The Collector reloads nothing unless it is told to; whoever renews certificates wants it in any case, and
/// a look costs nothing.
pub const DEFAULT_RELOAD_INTERVAL: u32 = 10_000;

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::config::document::Findings;

    fn server(document: Value) -> (Option<ServerTls>, Vec<String>) {
        let findings = Findings::default();
        let read = read_server_tls(&Entry::root(&document, &findings));
        (read, said(findings))
    }

    fn client(document: Value) -> (Option<ClientTls>, Vec<String>) {
        let findings = Findings::default();
        let read = read_client_tls(&Entry::root(&document, &findings), true);
        (read, said(findings))
    }

    fn said(findings: Findings) -> Vec<String> {
        match findings.conclude() {
            Ok(notices) => notices.into_iter().map(|notice| notice.message).collect(),
            Err(faults) => faults.iter().map(ToString::to_string).collect(),
        }
    }

    #[test]
    fn a_receiver_has_an_identity_and_may_demand_one() {
        let (read, said) = server(json!({
            "cert_file": "/tls.crt", "key_file": "/tls.key", "client_ca_file": "/ca.crt", "client_ca_file_reload": true,
            "include_system_ca_certs_pool": true, "min_version": 1.3, "reload_interval": "1m",
            "cipher_suites": ["TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256", "TLS_AES_128_GCM_SHA256"],
            "curve_preferences": ["P256", "X25519"], "tpm": {"enabled": false},
        }));
        assert_eq!(said, [""; 0]);
        let read = read.unwrap();
        assert_eq!(read.identity.certificates.file(), Some("/tls.crt"));
        assert_eq!(read.identity.private_key.path, "key_file");
        assert_eq!(read.client_ca.as_ref().and_then(Source::file), Some("/ca.crt"));
        assert!(read.system_roots);
        let expected = Parameters {
            min_version: Version::Tls13,
            max_version: Version::Tls13,
            cipher_suites: vec![CipherSuite::EcdheRsaAes128GcmSha256],
            curves: vec![Curve::P256, Curve::X25519],
            reload_interval: 60_000,
        };
        assert_eq!(read.parameters, expected);
        let (read, said) = server(json!(null));
        assert_eq!((read, said), (None, vec![]), "no section, no TLS");
    }

    #[test]
    fn what_cannot_be_meant_is_a_fault() {
        let with = |key: &str, value: Value| {
            let mut document = json!({"cert_file": "/c", "key_file": "/k"});
            document[key] = value;
            document
        };
        for (document, expected) in [
            (json!({}), "needs a certificate and its key"),
            (json!({"cert_file": "/c"}), "key_file: is missing: a certificate"),
            (json!({"key_pem": "x"}), "cert_file: is missing: a key"),
            (with("cert_pem", json!("x")), "cert_pem: stands beside `cert_file`"),
            (with("key_pem", json!("x")), "key_pem: stands beside `key_file`"),
            (with("min_version", json!("1.1")), "min_version: podstamp has no TLS 1.1, which is broken: 1.2"),
            (with("min_version", json!("1.0")), "min_version: podstamp has no TLS 1.0"),
            (with("max_version", json!("2")), "max_version: `2` is no version"),
            (
                json!({"cert_file": "/c", "key_file": "/k", "min_version": "1.3", "max_version": "1.2"}),
                "max_version: is under",
            ),
            (
                with("cipher_suites", json!(["TLS_RSA_WITH_RC4_128_SHA"])),
                "cipher_suites[0]: `TLS_RSA_WITH_RC4",
            ),
            (
                with("include_insecure_cipher_suites", json!(true)),
                "include_insecure_cipher_suites: podstamp has",
            ),
            (
                with("curve_preferences", json!(["P521"])),
                "curve_preferences[0]: `P521` is none of X25519, P256",
            ),
            (with("tpm", json!({"enabled": true})), "tpm: podstamp cannot use a TPM"),
            (with("client_ca_fil", json!("/x")), "client_ca_fil: unknown key; did you mean `client_ca_file`"),
        ] {
            let (_, faults) = server(document.clone());
            assert!(faults.len() == 1 && faults[0].starts_with(expected), "{document} {faults:?}");
        }
    }

    #[test]
    fn a_receiver_that_only_seems_to_verify_clients_is_told() {
        let (read, said) = server(json!({"cert_file": "/c", "key_file": "/k", "ca_file": "/ca"}));
        assert_eq!(read.and_then(|read| read.client_ca), None);
        assert!(said.len() == 1 && said[0].contains("only `client_ca_file` makes clients"), "{said:?}");
    }

    #[test]
    fn an_exporter_trusts_this_machines_authorities_unless_it_is_told_others() {
        let (read, said) = client(json!(null));
        let expected = ClientTls {
            path: String::new(),
            ca: None,
            system_roots: true,
            identity: None,
            server_name: None,
            skip_verify: false,
            parameters: Parameters::default(),
        };
        assert_eq!((read, said), (Some(expected), vec![]));
        for (document, system) in [
            (json!({"ca_file": "/ca"}), false),
            (json!({"ca_pem": "x", "include_system_ca_certs_pool": true}), true),
            (json!({"server_name_override": "a.b"}), true),
        ] {
            let (read, said) = client(document);
            assert_eq!((read.unwrap().system_roots, said), (system, vec![]));
        }
        let (_, said) = client(json!({"server_name_override": "a b"}));
        assert_eq!(said, ["server_name_override: `a b` is no name of a host"]);
    }

    #[test]
    fn the_scheme_decides_and_unverified_is_said() {
        let (read, said) = client(json!({"insecure": true, "insecure_skip_verify": true}));
        assert!(read.unwrap().skip_verify);
        assert!(said[0].contains("the URL is https") && said[1].contains("not verified"), "{said:?}");
        let findings = Findings::default();
        let document = json!({"ca_file": "/ca"});
        assert_eq!(read_client_tls(&Entry::root(&document, &findings), false), None);
        assert!(self::said(findings)[0].contains("the URL is http"));
    }

    #[test]
    fn keys_are_never_shown() {
        let (read, _) = client(json!({"cert_pem": "c", "key_pem": "s3cret"}));
        let shown = format!("{read:?}");
        assert!(shown.contains("[REDACTED]") && !shown.contains("s3cret"), "{shown}");
    }
}
