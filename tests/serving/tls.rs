//! TLS and credentials towards the upstream, which is rustls too.

use std::path::Path;
use std::sync::Arc;

use podstamp::sandbox::Ended;
use podstamp::server::{BindError, Instruments, Server};
use podstamp::settings::{Settings, Upstream as Towards};
use podstamp_core::config::{
    Bearer, ClientAuth, ClientTls, Identity, Login, Parameters, Place, Secret, Source,
};
use podstamp_core::interface::Next;
use podstamp_test_support::authority::{Authority, Certified};
use podstamp_test_support::client::post;
use podstamp_test_support::upstream::Upstream;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

use crate::support::{Fake, Setup, answer};

fn file(key: &str, file: &Path) -> Source {
    let place = Place::File(file.to_str().unwrap().to_owned());
    Source { path: format!("exporters.otlphttp.tls.{key}"), place }
}

fn inline(text: &str) -> Source {
    Source { path: "extensions.x".to_owned(), place: Place::Inline(Secret::new(text)) }
}

/// Trusts an authority.
fn trusting(authority: &Authority) -> ClientTls {
    ClientTls {
        path: "exporters.otlphttp.tls".to_owned(),
        ca: Some(file("ca_file", &authority.file())),
        system_roots: false,
        identity: None,
        server_name: None,
        skip_verify: false,
        parameters: Parameters::default(),
    }
}

/// An upstream with a certificate for `name`, which may demand one of its clients.
async fn upstream(authority: &Authority, name: &str, clients: Option<&Authority>) -> Upstream {
    let Certified { certificate, key } = authority.certify("upstream", name);
    let chain = CertificateDer::pem_file_iter(certificate).unwrap().collect::<Result<_, _>>().unwrap();
    let key = PrivateKeyDer::from_pem_file(key).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder =
        ServerConfig::builder_with_provider(Arc::clone(&provider)).with_safe_default_protocol_versions();
    let builder = match clients {
        None => builder.unwrap().with_no_client_auth(),
        Some(clients) => {
            let mut roots = RootCertStore::empty();
            roots.add(CertificateDer::from_pem_file(clients.file()).unwrap()).unwrap();
            let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider);
            builder.unwrap().with_client_cert_verifier(verifier.build().unwrap())
        }
    };
    let config = builder.with_single_cert(chain, key).unwrap();
    Upstream::secured(TlsAcceptor::from(Arc::new(config))).await
}

/// Sends one request to `url`: what the filter is told of it, in words.
async fn sent(url: String, towards: Towards) -> String {
    let fake = Fake::forwarding(url).concluding(|_, ended| {
        Ok(Next::Answer(match ended {
            Ended::Response { status, .. } => answer(*status, "answered"),
            Ended::NotConnected(reason) => answer(503, reason),
            ended => answer(500, &format!("{ended:?}")),
        }))
    });
    let setup = Setup::with(fake, |settings| settings.upstream = towards).await;
    setup.client().await.ask(post("/v1/traces", "", &[7; 100_000])).await.text().to_owned()
}

fn by(tls: ClientTls) -> Towards {
    Towards { tls: Some(tls), ..Towards::default() }
}

#[tokio::test]
async fn a_batch_arrives_by_tls_over_one_connection() {
    let authority = Authority::new("ours");
    let upstream = upstream(&authority, "127.0.0.1", None).await;
    let fake = Fake::forwarding(upstream.url());
    let setup = Setup::with(fake, |settings| settings.upstream = by(trusting(&authority))).await;
    let mut client = setup.client().await;
    let body: Vec<u8> = (0..900_000).map(|index| (index % 253) as u8).collect();
    for _ in 0..3 {
        assert_eq!(client.ask(post("/v1/traces", "", &body)).await.status, 200);
    }
    let requests = upstream.requests();
    assert_eq!(requests.len(), 3);
    for request in requests {
        assert!(request.connection == 0 && request.body == body);
        assert!(request.head.starts_with("POST /api/v1/otel/trace HTTP/1.1\r\n"), "{}", request.head);
        assert!(request.head.contains(&format!("host: {}\r\n", upstream.address)));
    }
}

#[tokio::test]
async fn an_upstream_that_cannot_be_trusted_gets_nothing_and_the_key_to_correct_is_named() {
    let (authority, other) = (Authority::new("ours"), Authority::new("other"));
    let upstream = upstream(&authority, "agent.example", None).await;
    let told = sent(upstream.url(), by(trusting(&other))).await;
    assert!(told.starts_with("TLS: ") && told.contains("exporters.otlphttp.tls.ca_file"), "{told}");
    let told = sent(upstream.url(), by(trusting(&authority))).await;
    assert!(told.contains("not for 127.0.0.1") && told.contains("server_name_override"), "{told}");
    assert_eq!(upstream.requests().len(), 0);

    let named = ClientTls { server_name: Some("agent.example".to_owned()), ..trusting(&authority) };
    assert_eq!(sent(upstream.url(), by(named)).await, "answered");
    let careless = ClientTls { skip_verify: true, ..trusting(&other) };
    assert_eq!(sent(upstream.url(), by(careless)).await, "answered");
}

#[tokio::test]
async fn an_upstream_that_demands_a_certificate_gets_it() {
    let authority = Authority::new("ours");
    let upstream = upstream(&authority, "127.0.0.1", Some(&authority)).await;
    let Certified { certificate, key } = authority.certify("client", "podstamp");
    let identity =
        Some(Identity { certificates: file("cert_file", &certificate), private_key: file("key_file", &key) });
    let with = ClientTls { identity, ..trusting(&authority) };
    assert_eq!(sent(upstream.url(), by(with)).await, "answered");

    let old = Parameters { max_version: podstamp_core::config::Version::Tls12, ..Parameters::default() };
    let without = ClientTls { parameters: old, ..trusting(&authority) };
    let told = sent(upstream.url(), by(without)).await;
    assert!(told.contains("exporters.otlphttp.tls.cert_file"), "{told}");
    assert_eq!(upstream.requests().len(), 1);
}

#[tokio::test]
async fn a_scheme_that_does_not_fit_is_told() {
    let plain = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("https://{}/", plain.local_addr().unwrap());
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = plain.accept().await {
            stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n").await.unwrap();
        }
    });
    let told = sent(url.clone(), by(trusting(&Authority::new("ours")))).await;
    assert!(told.contains("speaks no TLS"), "{told}");
    let told = sent(url, Towards::default()).await;
    assert!(told.contains("nothing says how to use it"), "{told}");
}

#[tokio::test]
async fn credentials_go_with_every_request() {
    let bearer = ClientAuth::Bearer(Bearer {
        path: "extensions.bearertokenauth".to_owned(),
        header: "authorization".to_owned(),
        scheme: "Bearer".to_owned(),
        tokens: vec![inline("t0p")],
    });
    let login = ClientAuth::Basic(Login {
        path: "extensions.basicauth".to_owned(),
        username: inline("Aladdin"),
        password: Some(inline("open sesame")),
    });
    for (auth, expected) in [(bearer, "Bearer t0p"), (login, "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==")] {
        let upstream = Upstream::accepting().await;
        let towards = Towards { auth: Some(auth), ..Towards::default() };
        assert_eq!(sent(upstream.url(), towards).await, "answered");
        let head = upstream.requests().pop().unwrap().head;
        assert!(head.contains(&format!("authorization: {expected}\r\n")), "{head}");
    }
}

#[tokio::test]
async fn a_file_that_is_of_no_use_keeps_a_server_from_starting() {
    let ca = Some(file("ca_file", Path::new("/does/not/exist.pem")));
    let tls = ClientTls { ca, ..trusting(&Authority::new("ours")) };
    let settings = Settings { listeners: Vec::new(), upstream: by(tls), ..Settings::default() };
    let fake = Arc::new(Fake::forwarding("https://127.0.0.1:9".to_owned()));
    let error = Server::bind(&settings, fake, &Instruments::default()).await.unwrap_err();
    assert!(matches!(error, BindError::Credentials(_)), "{error:?}");
    assert!(error.to_string().contains("tls.ca_file: /does/not/exist.pem cannot be read"), "{error}");
}
