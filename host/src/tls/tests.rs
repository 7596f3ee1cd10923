//! Both sides of TLS against each other. Proves nothing about other implementations.

use std::io;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use podstamp_core::config::{
    CipherSuite, ClientTls, Curve, Identity, Parameters, Place, Secret, ServerTls, Source, Version,
};
use podstamp_test_support::authority::{Authority, Certified};
use rustls::ProtocolVersion;
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};
use tokio_rustls::{client, server};

use super::client::NoTls;
use super::*;
use crate::observe::Metrics;

fn file(path: &str, file: &Path) -> Source {
    Source { path: path.to_owned(), place: Place::File(file.to_str().unwrap().to_owned()) }
}

fn identity(certified: &Certified) -> Identity {
    Identity {
        certificates: file("tls.cert_file", &certified.certificate),
        private_key: file("tls.key_file", &certified.key),
    }
}

fn server(certified: &Certified) -> ServerTls {
    ServerTls {
        path: "tls".to_owned(),
        identity: identity(certified),
        client_ca: None,
        system_roots: false,
        parameters: Parameters::default(),
    }
}

fn client(authority: &Authority) -> ClientTls {
    ClientTls {
        path: "exporters.otlphttp.tls".to_owned(),
        ca: Some(file("exporters.otlphttp.tls.ca_file", &authority.file())),
        system_roots: false,
        identity: None,
        server_name: None,
        skip_verify: false,
        parameters: Parameters::default(),
    }
}

fn acceptor(settings: &ServerTls) -> Acceptor {
    Acceptor::new(settings, Duration::from_secs(10)).unwrap().watch_files(&Arc::default())
}

type Server = io::Result<server::TlsStream<DuplexStream>>;

/// Lets the two shake hands, the client with `localhost`.
async fn meet(acceptor: &Acceptor, settings: &ClientTls) -> (Server, Result<Client1, NoTls>) {
    let connecting = Client::new(settings).unwrap();
    let (near, far) = tokio::io::duplex(1 << 16);
    tokio::join!(acceptor.accept(far), connecting.connect("localhost", near))
}

type Client1 = client::TlsStream<DuplexStream>;

async fn refused(acceptor: &Acceptor, settings: &ClientTls) -> String {
    meet(acceptor, settings).await.1.unwrap_err().to_string()
}

fn certificate(client: &Client1) -> Vec<u8> {
    client.get_ref().1.peer_certificates().unwrap()[0].to_vec()
}

#[tokio::test]
async fn a_handshake_with_the_right_authority_carries_bytes() {
    let authority = Authority::new("ours");
    let acceptor = acceptor(&server(&authority.certify("server", "localhost")));
    let (server, client) = meet(&acceptor, &client(&authority)).await;
    let (mut server, mut client) = (server.unwrap(), client.unwrap());
    assert_eq!(server.get_ref().1.alpn_protocol(), Some(&b"http/1.1"[..]));
    assert_eq!(server.get_ref().1.protocol_version(), Some(ProtocolVersion::TLSv1_3));
    client.write_all(b"hello").await.unwrap();
    client.flush().await.unwrap();
    let mut read = [0; 5];
    server.read_exact(&mut read).await.unwrap();
    assert_eq!(&read, b"hello");
}

#[tokio::test]
async fn who_cannot_be_trusted_is_told_with_what_to_correct() {
    let (authority, other) = (Authority::new("ours"), Authority::new("other"));
    let acceptor = acceptor(&server(&authority.certify("server", "agent.example")));
    let told = refused(&acceptor, &client(&other)).await;
    assert!(told.contains("no authority that podstamp trusts: set exporters.otlphttp.tls.ca_file"), "{told}");
    let told = refused(&acceptor, &client(&Authority::new("ours"))).await;
    assert!(told.contains("another key") && told.contains("set exporters.otlphttp.tls.ca_file"), "{told}");
    let told = refused(&acceptor, &client(&authority)).await;
    assert!(told.contains("not for localhost") && told.contains("tls.server_name_override"), "{told}");

    let named = ClientTls { server_name: Some("agent.example".to_owned()), ..client(&authority) };
    assert!(meet(&acceptor, &named).await.1.is_ok());
    let careless = ClientTls { skip_verify: true, ..client(&other) };
    assert!(meet(&acceptor, &careless).await.1.is_ok());
}

#[tokio::test]
async fn a_server_with_an_authority_for_clients_demands_a_certificate() {
    let (authority, other) = (Authority::new("ours"), Authority::new("other"));
    let client_ca = Some(file("tls.client_ca_file", &authority.file()));
    let acceptor = acceptor(&ServerTls { client_ca, ..server(&authority.certify("server", "localhost")) });
    let with = |authority_of_client: &Authority| {
        let identity = identity(&authority_of_client.certify("client", "me"));
        ClientTls { identity: Some(identity), ..client(&authority) }
    };
    assert!(meet(&acceptor, &with(&authority)).await.0.is_ok());

    let error = meet(&acceptor, &client(&authority)).await.0.unwrap_err();
    let told = of_client(&error).unwrap().why;
    assert_eq!(told, "it shows no certificate, which client_ca_file demands");
    let error = meet(&acceptor, &with(&other)).await.0.unwrap_err();
    assert!(of_client(&error).unwrap().why.contains("UnknownIssuer"));

    // In TLS 1.2 the client knows at once, in 1.3 once it reads.
    let old = Parameters { max_version: Version::Tls12, ..Parameters::default() };
    let told = refused(&acceptor, &ClientTls { parameters: old, ..client(&authority) }).await;
    assert!(told.contains("exporters.otlphttp.tls.cert_file"), "{told}");
    let mut late = meet(&acceptor, &client(&authority)).await.1.unwrap();
    let error = late.read(&mut [0]).await.unwrap_err();
    let told = refusal(&error, "exporters.otlphttp.tls").unwrap();
    assert!(told.contains("CertificateRequired") && told.contains("tls.cert_file"), "{told}");
}

#[tokio::test]
async fn versions_and_cipher_suites_are_kept_to() {
    let authority = Authority::new("ours");
    let certified = authority.certify("server", "localhost");
    let with = |change: &dyn Fn(&mut Parameters)| {
        let mut parameters = Parameters::default();
        change(&mut parameters);
        parameters
    };
    let new = with(&|it| it.min_version = Version::Tls13);
    let old = with(&|it| it.max_version = Version::Tls12);
    let accepting = acceptor(&ServerTls { parameters: new, ..server(&certified) });
    let told = refused(&accepting, &ClientTls { parameters: old.clone(), ..client(&authority) }).await;
    assert!(told.contains("no version of TLS in common"), "{told}");

    let chosen = with(&|it| {
        it.max_version = Version::Tls12;
        it.cipher_suites = vec![CipherSuite::EcdheEcdsaChacha20Poly1305Sha256];
        it.curves = vec![Curve::P384];
    });
    let accepting = acceptor(&ServerTls { parameters: chosen, ..server(&certified) });
    let (server, _) = meet(&accepting, &client(&authority)).await;
    let server = server.unwrap();
    let agreed = server.get_ref().1;
    assert_eq!(agreed.protocol_version(), Some(ProtocolVersion::TLSv1_2));
    let suite = agreed.negotiated_cipher_suite().unwrap().suite();
    assert_eq!(suite, rustls::CipherSuite::TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256);
    let group = agreed.negotiated_key_exchange_group().unwrap().name();
    assert_eq!(group, rustls::NamedGroup::secp384r1);
}

#[tokio::test]
async fn a_renewed_certificate_is_served_and_a_broken_one_is_not() {
    let authority = Authority::new("ours");
    let certified = authority.certify("server", "localhost");
    let acceptor = acceptor(&server(&certified));
    let metrics = Metrics::default();
    let look = async || {
        acceptor.config.look(&metrics);
        acceptor.config.look(&metrics);
        certificate(&meet(&acceptor, &client(&authority)).await.1.unwrap())
    };
    let first = look().await;
    authority.certify("server", "localhost");
    let second = look().await;
    assert_ne!(first, second);
    // A key that does not belong to the certificate, as in the middle of a renewal.
    let whole = std::fs::read(&certified.key).unwrap();
    std::fs::copy(authority.certify("other", "localhost").key, &certified.key).unwrap();
    assert_eq!(look().await, second);
    std::fs::write(&certified.key, whole).unwrap();
    assert_eq!(look().await, second);
    let shown = metrics.encode().unwrap();
    assert!(shown.contains("credential_reloads_total{outcome=\"failed\"} 1"), "{shown}");
    assert!(shown.contains("credential_reloads_total{outcome=\"loaded\"} 2"), "{shown}");
}

#[tokio::test]
async fn a_client_that_speaks_no_tls_is_told_and_one_that_only_looks_is_not() {
    let authority = Authority::new("ours");
    let accepting = acceptor(&server(&authority.certify("server", "localhost")));
    let (mut near, far) = tokio::io::duplex(1 << 16);
    near.write_all(b"POST /v1/traces HTTP/1.1\r\n\r\n").await.unwrap();
    let error = accepting.accept(far).await.unwrap_err();
    assert!(of_client(&error).unwrap().why.contains("https://"));
    assert!(of_client(&error).unwrap().in_the_clear);
    let (near, far) = tokio::io::duplex(1 << 16);
    drop(near);
    assert!(of_client(&accepting.accept(far).await.unwrap_err()).is_none());

    let silent = Acceptor::new(&server(&authority.certify("server", "localhost")), Duration::ZERO).unwrap();
    let (_near, far) = tokio::io::duplex(1 << 16);
    let error = silent.accept(far).await.unwrap_err();
    let NoHandshake { in_the_clear, why } = of_client(&error).unwrap();
    assert_eq!((in_the_clear, why.as_str()), (false, "no handshake within 0 s"));
}

#[test]
fn files_that_are_of_no_use_are_told_with_key_name_and_reason() {
    let authority = Authority::new("ours");
    let certified = authority.certify("server", "localhost");
    let told = |settings: &ServerTls| {
        let fault = Acceptor::new(settings, Duration::from_secs(1)).unwrap_err().to_string();
        assert!(!fault.contains("MHcCAQ") && !fault.contains("MIGH"), "{fault}");
        fault
    };
    let other = authority.certify("other", "localhost");
    let mixed = Certified { key: other.key.clone(), ..certified.clone() };
    let fault = told(&server(&mixed));
    assert!(fault.starts_with("tls.key_file: ") && fault.contains("does not belong to"), "{fault}");

    let swapped = Certified { certificate: certified.key.clone(), key: certified.certificate.clone() };
    let fault = told(&server(&swapped));
    assert!(fault.starts_with("tls.cert_file: ") && fault.contains("holds no certificate"), "{fault}");
    let double = Certified { key: certified.certificate.clone(), ..certified.clone() };
    assert!(told(&server(&double)).contains("holds no private key"));

    for (text, expected) in [
        ("", "holds no private key"),
        ("-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n-----END ENCRYPTED PRIVATE KEY-----\n", "encrypted"),
        ("-----BEGIN PRIVATE KEY-----\nAAAA\n", "no END line"),
        ("-----BEGIN PRIVATE KEY-----\n!\n-----END PRIVATE KEY-----\n", "no base64"),
        ("-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n", "holds no usable key"),
    ] {
        let private_key = Source { path: "tls.key_pem".to_owned(), place: Place::Inline(Secret::new(text)) };
        let identity = Identity { private_key, ..identity(&certified) };
        let fault = told(&ServerTls { identity, ..server(&certified) });
        assert!(fault.starts_with("tls.key_pem: ") && fault.contains(expected), "{fault}");
    }

    let missing = file("tls.client_ca_file", Path::new("/does/not/exist.pem"));
    let fault = told(&ServerTls { client_ca: Some(missing), ..server(&certified) });
    assert!(fault.starts_with("tls.client_ca_file: /does/not/exist.pem cannot be read: "), "{fault}");
}
