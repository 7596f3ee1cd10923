//! One request over plain HTTP/1.1, and its response, within bounds of time and size.

use std::time::Duration;

use bytes::Bytes;
use http::header::{AUTHORIZATION, CONTENT_TYPE, HOST};
use http::{Method, Request, Response, Uri};
use http_body_util::{BodyExt, Full, Limited};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use podstamp_core::config::{BRACKETS, bracketed};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::credentials::Credentials;

/// Where to send.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Target {
    /// A name or an address, an IPv6 address in brackets.
    pub(crate) host: String,
    pub(crate) port: u16,
    /// As the URL has it: empty, or from its slash on.
    pub(crate) path: String,
    /// What to show there.
    pub(crate) credentials: Option<Credentials>,
}

/// Why a URL is no [`Target`].
#[derive(Debug)]
pub(crate) enum NoTarget {
    /// It is no URL; the message says why.
    Url(String),
    /// Its scheme is not `http`; the host that it names.
    Scheme(String),
}

impl Target {
    /// Reads `host:port` or `http://user:password@host:port/path`. Without a port, 80.
    pub(crate) fn parse(url: &str) -> Result<Self, NoTarget> {
        let (url, credentials) = Credentials::of_url(url);
        let full = if url.contains("://") { url.to_owned() } else { format!("http://{url}") };
        let uri: Uri = full.parse().map_err(|error| match in_brackets(&full) {
            Some(written) => NoTarget::Url(format!("{url} is no URL: {BRACKETS}, write {written}")),
            None => NoTarget::Url(format!("{url} is no URL: {error}")),
        })?;
        let host = uri.host().unwrap_or_default().to_owned();
        if uri.scheme_str() != Some("http") {
            return Err(NoTarget::Scheme(host));
        }
        let path = if uri.path() == "/" { "" } else { uri.path() };
        Ok(Self { host, port: uri.port_u16().unwrap_or(80), path: path.to_owned(), credentials })
    }

    /// Host and port, for people and for `Host`.
    pub(crate) fn authority(&self) -> String {
        format!("{}:{}", self.host, self.port)
    }

    fn address(&self) -> (&str, u16) {
        (self.host.trim_start_matches('[').trim_end_matches(']'), self.port)
    }

    /// Whether it is on this host.
    pub(crate) fn is_loopback(&self) -> bool {
        let (host, _) = self.address();
        host == "localhost" || host.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback())
    }
}

/// A URL whose host is an IPv6 address without brackets, with them.
pub(crate) fn in_brackets(url: &str) -> Option<String> {
    let (scheme, rest) = url.split_once("://")?;
    let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
    bracketed(authority, None).map(|authority| format!("{scheme}://{authority}{path}"))
}

/// Why there was no response.
#[derive(Debug)]
pub(crate) enum Broken {
    /// The host has no address.
    Resolve(std::io::Error),
    Connect(std::io::Error),
    /// The connection did not come about in time.
    Unreachable,
    /// It did, and then nothing came.
    Silent,
    /// The answer is not HTTP, or the connection ended without one.
    Http(hyper::Error),
    TooLong,
}

impl Broken {
    /// Whether nobody was there to take the request.
    pub(crate) fn is_unreached(&self) -> bool {
        matches!(self, Self::Resolve(_) | Self::Connect(_) | Self::Unreachable)
    }
}

/// Sends one request by a connection of its own.
pub(crate) async fn exchange(
    target: &Target,
    method: Method,
    path: &str,
    body: Bytes,
) -> Result<Response<Bytes>, Broken> {
    let mut addresses = tokio::net::lookup_host(target.address()).await.map_err(Broken::Resolve)?.peekable();
    let mut connected = Err(Broken::Unreachable);
    while addresses.peek().is_some() && connected.is_err() {
        let Some(address) = addresses.next() else { break };
        connected = match timeout(PATIENCE, TcpStream::connect(address)).await {
            Ok(stream) => stream.map_err(Broken::Connect),
            Err(_) => Err(Broken::Unreachable),
        };
    }
    let stream = connected?;
    timeout(PATIENCE, ask(stream, target, method, path, body)).await.unwrap_or(Err(Broken::Silent))
}

async fn ask(
    stream: TcpStream,
    target: &Target,
    method: Method,
    path: &str,
    body: Bytes,
) -> Result<Response<Bytes>, Broken> {
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await.map_err(Broken::Http)?;
    let connection = tokio::spawn(connection);
    let mut request = Request::builder()
        .method(method)
        .uri(path)
        .header(HOST, target.authority())
        .header(CONTENT_TYPE, "application/x-protobuf")
        .body(Full::<Bytes>::new(body));
    // A path that was part of a URL is always fit for a request.
    if let (Ok(request), Some(credentials)) = (&mut request, &target.credentials) {
        request.headers_mut().insert(AUTHORIZATION, credentials.header());
    }
    let response = sender.send_request(request.unwrap_or_default()).await.map_err(Broken::Http)?;
    let (head, body) = response.into_parts();
    let body = Limited::new(body, LONGEST).collect().await;
    connection.abort();
    let body = body.map_err(|error| match error.downcast::<hyper::Error>() {
        Ok(error) => Broken::Http(*error),
        Err(_) => Broken::TooLong,
    })?;
    Ok(Response::from_parts(head, body.to_bytes()))
}

/// For each step. A person is waiting.
pub(crate) const PATIENCE: Duration = Duration::from_secs(3);

/// The document that the agent answers with has some hundred kilobytes.
const LONGEST: usize = 16 << 20;
