//! An upstream that reads requests and reacts as it is told.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use podstamp_fake_agent::Latch;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, ToSocketAddrs};
use tokio_rustls::TlsAcceptor;

/// The upstream's reaction to a request.
#[derive(Clone, Debug)]
pub enum Reaction {
    /// Write these bytes and keep the connection.
    Write(Vec<u8>),
    /// Write these bytes after some time and keep the connection.
    Later(Duration, Vec<u8>),
    /// Write these bytes once the latch is open, and keep the connection.
    Held(Latch, Vec<u8>),
    /// Write these bytes and close.
    WriteAndClose(Vec<u8>),
    /// Close at once.
    Close,
    /// Never answer.
    Silence,
}

impl Reaction {
    pub fn answer(status: u16, body: &str) -> Self {
        Self::Write(response(status, body))
    }

    /// Answers 200 once the latch is open.
    pub fn behind(latch: &Latch, body: &str) -> Self {
        Self::Held(latch.clone(), response(200, body))
    }
}

fn response(status: u16, body: &str) -> Vec<u8> {
    format!("HTTP/1.1 {status} X\r\ncontent-length: {}\r\n\r\n{body}", body.len()).into_bytes()
}

/// A request that arrived.
#[derive(Clone, Debug)]
pub struct Request {
    /// Number of the connection that it came by, from 0.
    pub connection: usize,
    pub head: String,
    pub body: Vec<u8>,
}

pub struct Upstream {
    pub address: SocketAddr,
    scheme: &'static str,
    requests: Arc<Mutex<Vec<Request>>>,
    open: Arc<AtomicUsize>,
}

impl Upstream {
    /// `react` gets each request with its number, from 0.
    pub async fn new(react: impl Fn(usize, &Request) -> Reaction + Send + Sync + 'static) -> Self {
        Self::with(None, bind("127.0.0.1:0").await, react)
    }

    /// The same at an address of the caller's.
    pub async fn at(
        address: SocketAddr,
        react: impl Fn(usize, &Request) -> Reaction + Send + Sync + 'static,
    ) -> Self {
        Self::with(None, bind(address).await, react)
    }

    /// Takes everything, once the latch is open.
    pub async fn behind(latch: &Latch) -> Self {
        let latch = latch.clone();
        Self::new(move |_, _| Reaction::behind(&latch, "")).await
    }

    /// Takes everything, by TLS.
    pub async fn secured(tls: TlsAcceptor) -> Self {
        Self::with(Some(tls), bind("127.0.0.1:0").await, |_, _| Reaction::answer(200, ""))
    }

    fn with(
        tls: Option<TlsAcceptor>,
        listener: TcpListener,
        react: impl Fn(usize, &Request) -> Reaction + Send + Sync + 'static,
    ) -> Self {
        let scheme = if tls.is_some() { "https" } else { "http" };
        let address = listener.local_addr().unwrap();
        let requests = Arc::<Mutex<Vec<Request>>>::default();
        let (seen, react) = (Arc::clone(&requests), Arc::new(react));
        let open = Arc::<AtomicUsize>::default();
        let counted = Arc::clone(&open);
        tokio::spawn(async move {
            for connection in 0.. {
                let (stream, _) = listener.accept().await.unwrap();
                let (seen, react) = (Arc::clone(&seen), Arc::clone(&react));
                let tls = tls.clone();
                counted.fetch_add(1, Ordering::Relaxed);
                let counted = Arc::clone(&counted);
                tokio::spawn(async move {
                    match tls {
                        None => serve(stream, connection, &seen, &*react).await,
                        // A client whose handshake fails gets nothing.
                        Some(tls) => {
                            if let Ok(stream) = tls.accept(stream).await {
                                serve(stream, connection, &seen, &*react).await;
                            }
                        }
                    }
                    counted.fetch_sub(1, Ordering::Relaxed);
                });
            }
        });
        Self { address, scheme, requests, open }
    }

    /// Takes everything.
    pub async fn accepting() -> Self {
        Self::new(|_, _| Reaction::answer(200, "")).await
    }

    pub fn url(&self) -> String {
        format!("{}://{}/api/v1/otel/trace", self.scheme, self.address)
    }

    pub fn requests(&self) -> Vec<Request> {
        self.requests.lock().unwrap().clone()
    }

    /// Connections that are open now, as far as this side knows.
    pub fn open(&self) -> usize {
        self.open.load(Ordering::Relaxed)
    }
}

async fn bind(address: impl ToSocketAddrs) -> TcpListener {
    TcpListener::bind(address).await.unwrap()
}

async fn serve(
    mut stream: impl AsyncRead + AsyncWrite + Unpin,
    connection: usize,
    seen: &Mutex<Vec<Request>>,
    react: &(dyn Fn(usize, &Request) -> Reaction + Send + Sync),
) {
    let mut buffer = Vec::new();
    while let Some((head, body)) = read(&mut stream, &mut buffer).await {
        let request = Request { connection, head, body };
        let number = {
            let mut seen = seen.lock().unwrap();
            seen.push(request.clone());
            seen.len() - 1
        };
        match react(number, &request) {
            Reaction::Write(bytes) => {
                stream.write_all(&bytes).await.unwrap();
                stream.flush().await.unwrap();
            }
            Reaction::Later(pause, bytes) => {
                tokio::time::sleep(pause).await;
                stream.write_all(&bytes).await.unwrap();
            }
            Reaction::Held(latch, bytes) => {
                latch.opened().await;
                stream.write_all(&bytes).await.unwrap();
            }
            Reaction::WriteAndClose(bytes) => {
                stream.write_all(&bytes).await.unwrap();
                return;
            }
            Reaction::Close => return,
            Reaction::Silence => std::future::pending().await,
        }
    }
}

async fn read(stream: &mut (impl AsyncRead + Unpin), buffer: &mut Vec<u8>) -> Option<(String, Vec<u8>)> {
    let end = loop {
        if let Some(at) = buffer.windows(4).position(|window| window == b"\r\n\r\n") {
            break at + 4;
        }
        if stream.read_buf(buffer).await.ok()? == 0 {
            return None;
        }
    };
    let head = String::from_utf8(buffer.drain(..end).collect()).unwrap();
    let length =
        head.lines().find_map(|line| line.strip_prefix("content-length: ")).map_or(0, |n| n.parse().unwrap());
    while buffer.len() < length {
        if stream.read_buf(buffer).await.ok()? == 0 {
            return None;
        }
    }
    Some((head, buffer.drain(..length).collect()))
}
