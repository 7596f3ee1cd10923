//! TLS for clients: who podstamp is, and who they are.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::sync::Arc;

use podstamp_test_support::PATIENCE;
use podstamp_test_support::authority::{Authority, Certified};
use podstamp_test_support::blocking::grpc::Grpc;
use podstamp_test_support::blocking::http::Client;
use podstamp_test_support::spans;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};
use tokio_rustls::TlsConnector;

use crate::fake_agent::FakeAgent;
use crate::served::{Served, Setup, wait_until};

type Stream = StreamOwned<ClientConnection, TcpStream>;

/// A client that trusts an authority, and may have a certificate.
fn client(authority: &Authority, identity: Option<&Certified>) -> ClientConfig {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_file(authority.file()).unwrap()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
    let builder = builder.unwrap().with_root_certificates(roots);
    match identity {
        None => builder.with_no_client_auth(),
        Some(Certified { certificate, key }) => {
            let key = PrivateKeyDer::from_pem_file(key).unwrap();
            builder.with_client_auth_cert(vec![shown(certificate)], key).unwrap()
        }
    }
}

/// A file's certificate, as it goes over the wire.
fn shown(file: &Path) -> CertificateDer<'static> {
    CertificateDer::from_pem_file(file).unwrap()
}

fn name() -> ServerName<'static> {
    "localhost".try_into().unwrap()
}

/// The handshake is done with the first request.
fn connect(config: &ClientConfig, to: SocketAddr) -> Stream {
    let stream = TcpStream::connect(to).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    StreamOwned::new(ClientConnection::new(Arc::new(config.clone()), name()).unwrap(), stream)
}

fn http(config: &ClientConfig, to: SocketAddr) -> Client<Stream> {
    Client::over(connect(config, to))
}

fn grpc(config: &ClientConfig, to: SocketAddr) -> Grpc {
    let mut config = config.clone();
    config.alpn_protocols = vec![b"h2".to_vec()];
    let connecting = async {
        let stream = tokio::net::TcpStream::connect(to).await?;
        TlsConnector::from(Arc::new(config)).connect(name(), stream).await
    };
    Grpc::over(connecting).unwrap()
}

fn serve(agent: &FakeAgent, certified: &Certified, more: &str) -> Served {
    let Certified { certificate, key } = certified;
    let (certificate, key) = (certificate.display(), key.display());
    let tls = format!("        tls:\n          cert_file: {certificate}\n          key_file: {key}\n{more}");
    Setup::load_balancer(&agent.url()).protocols(&tls).serve()
}

fn batch() -> Vec<u8> {
    spans::export(&[("shop", "web-1")])
}

#[test]
fn both_protocols_are_taken_by_tls() {
    let agent = FakeAgent::start();
    let authority = Authority::new("here");
    let served = serve(&agent, &authority.certify("server", "localhost"), "");
    let config = client(&authority, None);
    let mut kept = http(&config, served.address);
    assert_eq!(kept.export(&batch()).status, 200);
    assert_eq!(kept.export(&batch()).status, 200);
    assert_eq!(grpc(&config, served.grpc).export(&batch()).code(), 0);
    assert_eq!(agent.agent().totals().spans, 3);
    let (http, grpc) = (served.address, served.grpc);
    let log = served.whole_log();
    assert!(log.contains(&format!("taking OTLP/HTTP at https://{http}/v1/traces")), "{log}");
    assert!(log.contains(&format!("taking OTLP/gRPC at https://{grpc}")), "{log}");
}

#[test]
fn who_speaks_no_tls_gets_nothing_and_the_log_says_why() {
    let agent = FakeAgent::start();
    let authority = Authority::new("here");
    let served = serve(&agent, &authority.certify("server", "localhost"), "");
    let config = client(&authority, None);
    let mut plain = TcpStream::connect(served.address).unwrap();
    plain.set_read_timeout(Some(PATIENCE)).unwrap();
    plain.write_all(b"POST /v1/traces HTTP/1.1\r\nhost: x\r\ncontent-length: 0\r\n\r\n").unwrap();
    let mut answer = Vec::new();
    drop(plain.read_to_end(&mut answer));
    assert!(!answer.starts_with(b"HTTP/"), "{answer:?}");
    let line = served.wait_for_log("no TLS with it");
    assert!(line.contains("from 127.0.0.1 to ") && line.contains("https://"), "{line}");
    assert_eq!(served.metric("podstamp_refused_connections_total", &["no_tls"]), 1.0);
    assert_eq!(http(&config, served.address).export(&batch()).status, 200);
    assert_eq!(agent.records().len(), 1);
}

#[test]
fn clients_without_the_certificate_that_is_demanded_are_logged_once_and_disturb_nobody() {
    let agent = FakeAgent::start();
    let (here, there) = (Authority::new("here"), Authority::new("there"));
    let demanded = format!("          client_ca_file: {}\n", there.file().display());
    let served = serve(&agent, &here.certify("server", "localhost"), &demanded);
    let known = client(&here, Some(&there.certify("client", "shop")));
    let (mut http, grpc) = (http(&known, served.address), grpc(&known, served.grpc));
    assert_eq!((http.export(&batch()).status, grpc.export(&batch()).code()), (200, 0));

    let unknown = client(&here, None);
    for address in [served.address, served.grpc, served.address] {
        let mut stream = connect(&unknown, address);
        // With TLS 1.3 a client may speak before it learns that it is not wanted.
        let answered = stream.write_all(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n").and_then(|()| {
            let mut answer = Vec::new();
            stream.read_to_end(&mut answer)
        });
        assert!(answered.is_err(), "{answered:?}");
    }
    assert_eq!((http.export(&batch()).status, grpc.export(&batch()).code()), (200, 0));
    assert_eq!(agent.agent().totals().spans, 4);
    let line = served.wait_for_log("no TLS with it");
    assert!(line.contains("client_ca_file demands"), "{line}");
    let log = served.whole_log();
    assert_eq!(log.matches("no TLS with").count(), 1, "{log}");
}

#[test]
fn a_certificate_that_is_replaced_is_shown_to_new_clients_and_costs_old_ones_nothing() {
    let agent = FakeAgent::start();
    let authority = Authority::new("here");
    let certified = authority.certify("server", "localhost");
    let served = serve(&agent, &certified, "          reload_interval: 1s\n");
    let config = client(&authority, None);
    let seen = |address| {
        let mut stream = connect(&config, address);
        stream.conn.complete_io(&mut stream.sock).unwrap();
        stream.conn.peer_certificates().unwrap()[0].clone().into_owned()
    };
    let mut old = http(&config, served.address);
    assert_eq!(old.export(&batch()).status, 200);
    let first = shown(&certified.certificate);
    assert_eq!([seen(served.address), seen(served.grpc)], [first.clone(), first.clone()]);

    // Half of a replacement is none.
    std::fs::write(&certified.certificate, "no certificate").unwrap();
    served.wait_for_log("cert_file");
    assert_eq!([seen(served.address), seen(served.grpc)], [first.clone(), first.clone()]);

    authority.certify("server", "localhost");
    let second = shown(&certified.certificate);
    assert_ne!(first, second);
    for address in [served.address, served.grpc] {
        wait_until("the new certificate is shown", || seen(address) == second);
    }
    assert_eq!(old.export(&batch()).status, 200);
    assert_eq!(http(&config, served.address).export(&batch()).status, 200);
    assert_eq!(agent.agent().totals().spans, 3);
}
