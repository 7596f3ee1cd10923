//! A client over HTTP/2 that sends what it is told, also what gRPC forbids.

use std::net::SocketAddr;

use bytes::{Bytes, BytesMut};
use http::{HeaderMap, Request, Version};
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http2::{SendRequest, handshake};
use hyper_util::rt::{TokioExecutor, TokioIo};
use podstamp_core::config::GRPC_PATH;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::task::JoinHandle;
use tokio::time::timeout;

use crate::PATIENCE;

#[derive(Clone)]
pub struct Http2 {
    sender: SendRequest<Full<Bytes>>,
}

/// A response, its trailers among the headers.
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

    /// Also a task that ends with the connection.
    pub async fn connect_watched(address: SocketAddr) -> (Self, JoinHandle<()>) {
        let stream = TcpStream::connect(address).await.unwrap();
        Self::over(stream).await
    }

    /// Over a connection on which something was said already.
    pub async fn over(
        stream: impl AsyncRead + AsyncWrite + Send + Unpin + 'static,
    ) -> (Self, JoinHandle<()>) {
        let (sender, connection) = handshake(TokioExecutor::new(), TokioIo::new(stream)).await.unwrap();
        (Self { sender }, tokio::spawn(async move { drop(connection.await) }))
    }

    /// Exports what stands in `frame`.
    pub async fn export(&self, frame: impl Into<Bytes>) -> Answered {
        self.export_with(frame, &[]).await
    }

    pub async fn export_with(
        &self,
        frame: impl Into<Bytes>,
        headers: &[(&'static str, &'static str)],
    ) -> Answered {
        let mut all = vec![("content-type", "application/grpc"), ("te", "trailers")];
        all.extend_from_slice(headers);
        self.post(GRPC_PATH, frame, &all).await
    }

    pub async fn post(
        &self,
        path: &str,
        body: impl Into<Bytes>,
        headers: &[(&'static str, &'static str)],
    ) -> Answered {
        let mut request = Request::post(format!("http://podstamp{path}")).version(Version::HTTP_2);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let request = request.body(Full::new(body.into())).unwrap();
        let mut sender = self.sender.clone();
        timeout(PATIENCE, async {
            sender.ready().await.unwrap();
            let (head, mut body) = sender.send_request(request).await.unwrap().into_parts();
            let mut answered = Answered {
                status: head.status.as_u16(),
                headers: head.headers,
                trailers: HeaderMap::new(),
                body: Bytes::new(),
            };
            let mut collected = BytesMut::new();
            while let Some(frame) = body.frame().await {
                match frame.unwrap().into_data() {
                    Ok(data) => collected.extend_from_slice(&data),
                    Err(frame) => answered.trailers = frame.into_trailers().unwrap(),
                }
            }
            answered.body = collected.freeze();
            answered
        })
        .await
        .expect("no response")
    }
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

fn framed_as(flag: u8, message: &[u8]) -> Vec<u8> {
    [&[flag][..], &(message.len() as u32).to_be_bytes(), message].concat()
}

/// The same, said to be compressed.
pub fn framed_compressed(message: &[u8]) -> Vec<u8> {
    framed_as(1, message)
}
