//! Access to a listener: TLS, credentials, and the preflight requests of browsers.

use std::sync::Arc;

use podstamp::settings::{Http, Listener};
use podstamp_core::config::{
    Bearer, Cors, Identity, Parameters, Place, Secret, ServerAuth, ServerTls, Source,
};
use podstamp_core::interface::{Answer, Header, Verdict};
use podstamp_test_support::authority::Authority;
use podstamp_test_support::client::{Client, Http2, framed, post};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use crate::support::{Fake, Setup, answer};

/// A filter that answers either protocol with the peer that it sees.
fn accepting() -> Fake {
    Fake::answering(|incoming| {
        let grpc = incoming.headers.iter().any(|header| header.value == b"application/grpc");
        if !grpc {
            return Ok(Verdict::Answer(answer(200, "taken")));
        }
        let headers = vec![Header::new("content-type", "application/grpc"), Header::new("grpc-status", "0")];
        Ok(Verdict::Answer(Answer { status: 200, headers, body: Vec::new(), notice: None }))
    })
}

/// A server with one listener for both protocols.
fn both() -> Listener {
    Listener { http: Some(Http::default()), ..Listener::grpc("127.0.0.1:0") }
}

fn tls(authority: &Authority, client_ca: bool) -> ServerTls {
    let certified = authority.certify("server", "localhost");
    let file = |path: &std::path::Path| Source {
        path: "tls".to_owned(),
        place: Place::File(path.to_str().unwrap().to_owned()),
    };
    ServerTls {
        path: "receivers.otlp.protocols.grpc.tls".to_owned(),
        identity: Identity { certificates: file(&certified.certificate), private_key: file(&certified.key) },
        client_ca: client_ca.then(|| file(&authority.file())),
        system_roots: false,
        parameters: Parameters::default(),
    }
}

async fn connect(setup: &Setup, authority: &Authority, protocol: &[u8]) -> TlsStream<TcpStream> {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_file(authority.file()).unwrap()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = vec![protocol.to_vec()];
    let stream = TcpStream::connect(setup.address()).await.unwrap();
    let name = ServerName::try_from("localhost").unwrap();
    TlsConnector::from(Arc::new(config)).connect(name, stream).await.unwrap()
}

#[tokio::test]
async fn both_protocols_come_over_tls_and_nobody_in_the_clear() {
    let authority = Authority::new("authority");
    let settings = tls(&authority, false);
    let setup = Setup::with(accepting(), |all| {
        all.listeners = vec![Listener { tls: Some(settings), ..both() }];
    })
    .await;
    let (client, _) = Http2::over(connect(&setup, &authority, b"h2").await).await.unwrap();
    assert_eq!(client.export(framed(b"x")).await.code(), "0");
    let answered = client.post("/v1/traces", "x", &[("content-type", "application/x-protobuf")]).await;
    assert_eq!((answered.status, &answered.body[..]), (200, &b"taken"[..]));

    let mut old = Client::over(connect(&setup, &authority, b"http/1.1").await);
    assert_eq!(old.ask(post("/v1/traces", "", b"x")).await.text(), "taken");

    let mut clear = setup.client().await;
    clear.send(post("/v1/traces", "", b"x")).await;
    assert!(clear.is_closed().await);
    // The handshake failed for that client and for nobody else.
    assert_eq!(client.export(framed(b"x")).await.code(), "0");
    assert_eq!(old.ask(post("/v1/traces", "", b"x")).await.status, 200);
}

#[tokio::test]
async fn clients_without_the_certificate_that_is_demanded_get_nothing() {
    let authority = Authority::new("authority");
    let settings = tls(&authority, true);
    let setup = Setup::with(accepting(), |all| {
        all.listeners = vec![Listener { tls: Some(settings), ..both() }];
    })
    .await;
    // In TLS 1.3 a client is through before the server has judged its certificate.
    let mut client = Client::over(connect(&setup, &authority, b"http/1.1").await);
    client.send_what_can_be(post("/v1/traces", "", b"x")).await;
    assert!(client.is_closed().await);
}

fn bearer() -> ServerAuth {
    let place = Place::Inline(Secret::new("s3cret"));
    ServerAuth::Bearer(Bearer {
        path: "extensions.bearertokenauth".to_owned(),
        scheme: "Bearer".to_owned(),
        header: "authorization".to_owned(),
        tokens: vec![Source { path: "extensions.bearertokenauth.token".to_owned(), place }],
    })
}

#[tokio::test]
async fn who_shows_no_token_gets_401_or_unauthenticated() {
    let setup = Setup::with(accepting(), |settings| {
        let mut listener = both();
        listener.http.as_mut().unwrap().auth = Some(bearer());
        listener.grpc.as_mut().unwrap().auth = Some(bearer());
        settings.listeners = vec![listener];
    })
    .await;
    let mut http = setup.client().await;
    let json = "content-type: application/json\r\n";
    let response = http.ask(post("/v1/traces", json, b"{}")).await;
    assert_eq!((response.status, response.header("www-authenticate")), (401, Some("Bearer")));
    assert!(response.text().contains(r#""code":16"#), "{}", response.text());
    assert!(!response.text().contains("s3cret"));
    let wrong = format!("{json}authorization: Bearer guess\r\n");
    assert_eq!(http.ask(post("/v1/traces", &wrong, b"{}")).await.status, 401);
    let right = format!("{json}authorization: Bearer s3cret\r\n");
    assert_eq!(http.ask(post("/v1/traces", &right, b"{}")).await.status, 200);

    let grpc = setup.grpc().await;
    assert_eq!(grpc.export(framed(b"x")).await.code(), "16");
    let right = [("authorization", "Bearer s3cret")];
    assert_eq!(grpc.export_with(framed(b"x"), &right).await.code(), "0");
    // Nor is there a way around by the other's protocol.
    let setup = Setup::with(accepting(), |settings| {
        settings.listeners[0].http.as_mut().unwrap().auth = Some(bearer());
    })
    .await;
    let around = Http2::connect(setup.address()).await;
    assert_eq!(around.export(framed(b"x")).await.code(), "16");
    assert_eq!(around.export_with(framed(b"x"), &right).await.code(), "0");
    setup.shows("podstamp_refused_requests_total{reason=\"credentials\"} 1").await;
    // Probes have no credentials.
    let check = [("content-type", "application/grpc")];
    let answered = grpc.post("/grpc.health.v1.Health/Check", framed(b""), &check).await;
    assert_eq!(answered.code(), "0");
}

#[tokio::test]
async fn pages_of_allowed_origins_may_send() {
    let cors = Cors {
        allowed_origins: vec!["https://*.shop.example".to_owned()],
        allowed_headers: vec!["x-tenant".to_owned()],
        exposed_headers: Vec::new(),
        max_age: 600,
    };
    let setup = Setup::with(accepting(), |settings| {
        settings.listeners[0].http = Some(Http { cors: Some(cors), auth: Some(bearer()), ..Http::default() });
    })
    .await;
    let mut client = setup.client().await;
    let preflight = "OPTIONS /v1/traces HTTP/1.1\r\nhost: x\r\norigin: https://www.shop.example\r\n\
                     access-control-request-method: POST\r\naccess-control-request-headers: content-type,x-tenant\r\n\r\n";
    let response = client.ask(preflight).await;
    assert_eq!(response.status, 204, "without credentials, which browsers do not send ahead");
    assert_eq!(response.header("access-control-allow-origin"), Some("https://www.shop.example"));
    assert_eq!(response.header("access-control-max-age"), Some("600"));

    let origin = "origin: https://www.shop.example\r\nauthorization: Bearer s3cret\r\n";
    let response = client.ask(post("/v1/traces", origin, b"x")).await;
    assert_eq!(response.status, 200);
    assert_eq!(response.header("access-control-allow-origin"), Some("https://www.shop.example"));
    let refused = client.ask(post("/v1/traces", "origin: https://www.shop.example\r\n", b"x")).await;
    assert_eq!(refused.status, 401);
    assert!(refused.header("access-control-allow-origin").is_some(), "the page may read why");
    let other = client.ask(post("/v1/traces", "origin: https://evil.example\r\n", b"x")).await;
    assert_eq!(other.header("access-control-allow-origin"), None);
}
