//! A client over HTTP/2 that sends what it is told, also what gRPC forbids.

use std::net::SocketAddr;

use bytes::{Bytes, BytesMut};
use h2::client::SendRequest;
use http::{HeaderMap, HeaderName, Request};
use podstamp_core::config::GRPC_PATH;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::task::JoinHandle;
use tokio::time::timeout;

use crate::PATIENCE;

/// A connection that is kept. Its clones are the same connection.
#[derive(Clone)]
pub struct Http2 {
    sender: SendRequest<Bytes>,
}

/// A response.
#[derive(Debug)]
pub struct Answered {
    pub status: u16,
    pub headers: HeaderMap,
    pub trailers: HeaderMap,
    pub body: Bytes,
}

impl Http2 {
    pub async fn connect(address: SocketAddr) -> Self {
        Self::connect_watched(address).await.0
    }

    /// A client, and a task that ends with the connection.
    pub async fn connect_watched(address: SocketAddr) -> (Self, JoinHandle<()>) {
        let stream = TcpStream::connect(address).await.expect("somebody listens");
        Self::over(stream).await.unwrap()
    }

    /// Over a connection that is there, on which something may have been said already.
    pub async fn over(
        stream: impl AsyncRead + AsyncWrite + Send + Unpin + 'static,
    ) -> Result<(Self, JoinHandle<()>), h2::Error> {
        let (sender, connection) = h2::client::handshake(stream).await?;
        let ended = tokio::spawn(async move { drop(connection.await) });
        Ok((Self { sender: sender.ready().await? }, ended))
    }

    /// Exports what stands in `frame`.
    pub async fn export(&self, frame: impl Into<Bytes>) -> Answered {
        self.export_with(frame, &[]).await
    }

    pub async fn export_with(&self, frame: impl Into<Bytes>, headers: &[(&str, &str)]) -> Answered {
        let mut all = vec![("content-type", "application/grpc"), ("te", "trailers")];
        all.extend_from_slice(headers);
        self.post(GRPC_PATH, frame, &all).await
    }

    /// A POST that says how long its body is.
    pub async fn post(&self, path: &str, body: impl Into<Bytes>, headers: &[(&str, &str)]) -> Answered {
        let body = body.into();
        let length = body.len().to_string();
        let mut all = vec![("content-length", &*length)];
        all.retain(|(name, _)| headers.iter().all(|(other, _)| other != name));
        all.extend_from_slice(headers);
        self.send(path, &all, vec![body], &[]).await
    }

    /// A POST whose body comes in these frames. Its end is that of the last one, or are trailers if there are any.
    pub async fn send(
        &self,
        path: &str,
        headers: &[(&str, &str)],
        frames: Vec<Bytes>,
        trailers: &[(&'static str, &str)],
    ) -> Answered {
        let mut request = Request::post(format!("http://podstamp{path}"));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let request = request.body(()).unwrap();
        let mut after = HeaderMap::new();
        for (name, value) in trailers {
            after.insert(HeaderName::from_static(name), value.parse().unwrap());
        }
        let exchange = exchange(self.sender.clone(), request, frames, after);
        timeout(PATIENCE, exchange).await.expect("no response")
    }
}

async fn exchange(
    sender: SendRequest<Bytes>,
    request: Request<()>,
    frames: Vec<Bytes>,
    trailers: HeaderMap,
) -> Answered {
    let mut sender = sender.ready().await.unwrap();
    let (response, mut body) = sender.send_request(request, false).unwrap();
    // A server that has seen enough answers before it has read everything, and resets the stream.
    let last = frames.len().saturating_sub(1);
    for (index, frame) in frames.into_iter().enumerate() {
        drop(body.send_data(frame, index == last && trailers.is_empty()));
    }
    if !trailers.is_empty() {
        drop(body.send_trailers(trailers));
    }
    let (head, mut data) = response.await.unwrap().into_parts();
    let mut collected = BytesMut::new();
    while let Some(part) = data.data().await {
        let part = part.unwrap();
        data.flow_control().release_capacity(part.len()).unwrap();
        collected.extend_from_slice(&part);
    }
    let trailers = data.trailers().await.unwrap().unwrap_or_default();
    Answered { status: head.status.as_u16(), headers: head.headers, trailers, body: collected.freeze() }
}

impl Answered {
    /// `grpc-status`, from wherever it stands.
    pub fn code(&self) -> &str {
        self.grpc("grpc-status")
    }

    pub fn message(&self) -> &str {
        self.grpc("grpc-message")
    }

    pub fn grpc(&self, name: &str) -> &str {
        let value = self.trailers.get(name).or_else(|| self.headers.get(name));
        value.map_or("", |value| value.to_str().unwrap())
    }
}

/// A message in its frame, uncompressed.
pub fn framed(message: &[u8]) -> Vec<u8> {
    framed_as(0, message)
}

/// A message in a frame that says it is compressed.
pub fn framed_compressed(message: &[u8]) -> Vec<u8> {
    framed_as(1, message)
}

/// A message in its frame; the flag says whether it is compressed.
fn framed_as(flag: u8, message: &[u8]) -> Vec<u8> {
    [&[flag][..], &(message.len() as u32).to_be_bytes(), message].concat()
}
