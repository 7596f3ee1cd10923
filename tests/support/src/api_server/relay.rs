//! What stands between a client and the API server, and fails on request.

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use serde_json::Value;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Runtime;
use tokio::sync::watch;
use tokio_rustls::rustls::crypto::ring::default_provider;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use tokio_rustls::rustls::{ClientConfig, ServerConfig};
use tokio_rustls::{TlsAcceptor, TlsConnector};

use super::ApiServer;
use crate::authority::Certified;

/// Passes on what clients and the API server say to each other, and sees through TLS: it has a certificate of the same
/// authority. It ends with its connections when it is dropped.
pub struct Relay<'a> {
    server: &'a ApiServer,
    address: SocketAddr,
    shared: Arc<Shared>,
    _runtime: Runtime,
}

#[derive(Default)]
struct Shared {
    /// Method and target of each request, in order.
    requests: Mutex<Vec<String>>,
    /// The text after which a connection is cut, once.
    cut_after: Mutex<Option<String>>,
    cuts: AtomicUsize,
    /// Connections are closed as soon as they come.
    is_away: AtomicBool,
    refused: AtomicUsize,
    /// Connections that are older than this number of cuts of all of them are over.
    all_cut: watch::Sender<usize>,
}

impl ApiServer {
    /// Starts a relay in front of it.
    pub fn relay(&self) -> Relay<'_> {
        self.relay_with(&self.authority().certify("relay", "127.0.0.1"))
    }

    /// Starts a relay in front of it that has another certificate.
    pub fn relay_with(&self, certified: &Certified) -> Relay<'_> {
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0")).unwrap();
        let address = listener.local_addr().unwrap();
        let acceptor = acceptor(certified);
        let shared = Arc::<Shared>::default();
        let (client, upstream) = (Arc::clone(&self.client), self.address());
        let accepting = Arc::clone(&shared);
        runtime.spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                if accepting.is_away.load(Ordering::Acquire) {
                    accepting.refused.fetch_add(1, Ordering::AcqRel);
                    continue;
                }
                let (shared, acceptor, client) =
                    (Arc::clone(&accepting), acceptor.clone(), Arc::clone(&client));
                tokio::spawn(async move {
                    let mut all_cut = shared.all_cut.subscribe();
                    tokio::select! {
                        // Whoever is at the other end sees the connection end, whatever the reason.
                        _ = pass_on(stream, &acceptor, client, upstream, &shared) => {}
                        _ = all_cut.changed() => {}
                    }
                });
            }
        });
        Relay { server: self, address, shared, _runtime: runtime }
    }
}

impl Relay<'_> {
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// A kubeconfig that leads to it, for a user in the form that a kubeconfig has.
    pub fn kube_config(&self, user: &Value) -> PathBuf {
        self.server.kube_config_by(self.address, user)
    }

    /// What clients asked for so far, such as `GET /api/v1/pods?watch=true`.
    pub fn requests(&self) -> Vec<String> {
        self.shared.requests.lock().unwrap().clone()
    }

    /// Cuts the connection by which a text goes to a client next, right after that text.
    pub fn cut_after(&self, text: &str) {
        *self.shared.cut_after.lock().unwrap() = Some(text.to_owned());
    }

    /// How many connections were cut after a text.
    pub fn cuts(&self) -> usize {
        self.shared.cuts.load(Ordering::Acquire)
    }

    /// Ends all connections, and those to come as soon as they come.
    pub fn leave(&self) {
        self.shared.is_away.store(true, Ordering::Release);
        self.shared.all_cut.send_modify(|count| *count += 1);
    }

    /// Takes connections again after [`Relay::leave`].
    pub fn return_again(&self) {
        self.shared.is_away.store(false, Ordering::Release);
    }

    /// How many connections came while it was away.
    pub fn refused(&self) -> usize {
        self.shared.refused.load(Ordering::Acquire)
    }
}

async fn pass_on(
    stream: TcpStream,
    acceptor: &TlsAcceptor,
    client: Arc<ClientConfig>,
    upstream: SocketAddr,
    shared: &Shared,
) -> io::Result<()> {
    let (from_client, to_client) = tokio::io::split(acceptor.accept(stream).await?);
    let stream = TcpStream::connect(upstream).await?;
    let name = ServerName::IpAddress(upstream.ip().into());
    let (from_server, to_server) = tokio::io::split(TlsConnector::from(client).connect(name, stream).await?);
    // The first direction that ends, ends both.
    tokio::select! {
        ended = requests(from_client, to_server, shared) => ended,
        ended = responses(from_server, to_client, shared) => ended,
    }
}

async fn requests(
    mut from: impl AsyncRead + Unpin,
    mut to: impl AsyncWrite + Unpin,
    shared: &Shared,
) -> io::Result<()> {
    let mut buffer = vec![0; 1 << 14];
    loop {
        let read = from.read(&mut buffer).await?;
        if read == 0 {
            return Ok(());
        }
        // A client of these tests sends its requests one by one, each in one piece.
        let text = String::from_utf8_lossy(&buffer[..read]);
        if let Some((request, _)) = text.split_once(" HTTP/1.1\r\n") {
            shared.requests.lock().unwrap().push(request.to_owned());
        }
        to.write_all(&buffer[..read]).await?;
        to.flush().await?;
    }
}

async fn responses(
    mut from: impl AsyncRead + Unpin,
    mut to: impl AsyncWrite + Unpin,
    shared: &Shared,
) -> io::Result<()> {
    let mut buffer = vec![0; 1 << 14];
    // The end of what was passed on: a text may come in pieces.
    let mut before = Vec::new();
    loop {
        let read = from.read(&mut buffer).await?;
        if read == 0 {
            return Ok(());
        }
        let (passed, is_cut) = {
            let mut cut_after = shared.cut_after.lock().unwrap();
            let end = cut_after.as_ref().and_then(|text| end_of(text.as_bytes(), &before, &buffer[..read]));
            if end.is_some() {
                *cut_after = None;
            }
            (end.unwrap_or(read), end.is_some())
        };
        to.write_all(&buffer[..passed]).await?;
        to.flush().await?;
        if is_cut {
            to.shutdown().await?;
            shared.cuts.fetch_add(1, Ordering::AcqRel);
            return Ok(());
        }
        before.extend_from_slice(&buffer[..read]);
        before.drain(..before.len().saturating_sub(LONGEST_TEXT));
    }
}

/// Where in `new` a text ends that began in `new` or `before`.
fn end_of(text: &[u8], before: &[u8], new: &[u8]) -> Option<usize> {
    let all = [before, new].concat();
    let starts = all.windows(text.len()).enumerate().filter(|(_, window)| *window == text);
    starts
        .map(|(start, _)| start + text.len())
        .find_map(|end| end.checked_sub(before.len()).filter(|end| *end > 0))
}

fn acceptor(certified: &Certified) -> TlsAcceptor {
    let certificates = vec![CertificateDer::from_pem_file(&certified.certificate).unwrap()];
    let key = PrivateKeyDer::from_pem_file(&certified.key).unwrap();
    let builder = ServerConfig::builder_with_provider(Arc::new(default_provider()));
    let builder = builder.with_safe_default_protocol_versions().unwrap().with_no_client_auth();
    TlsAcceptor::from(Arc::new(builder.with_single_cert(certificates, key).unwrap()))
}

const LONGEST_TEXT: usize = 256;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_found_in_one_piece_or_in_two_and_once() {
        assert_eq!(end_of(b"web", b"", b"a web b"), Some(5));
        assert_eq!(end_of(b"web", b"a w", b"eb b"), Some(2));
        assert_eq!(end_of(b"web", b"web", b" b"), None);
        assert_eq!(end_of(b"web", b"web", b" web"), Some(4));
    }
}
