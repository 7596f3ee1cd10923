//! A gRPC client that sends what it is told and shows all that comes back.

use std::io::{self, Write};
use std::net::SocketAddr;

use bytes::{Bytes, BytesMut};
use h2::client::SendRequest;
use http::{HeaderMap, Request};
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceResponse;
use podstamp_core::signal::Signal;
use prost::Message;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::runtime::Runtime;
use tokio::time::timeout;

use super::status::Status;
use crate::PATIENCE;

/// A connection that is kept.
pub struct Grpc {
    runtime: Runtime,
    sender: SendRequest<Bytes>,
}

/// What came back.
#[derive(Debug)]
pub struct Called {
    /// Headers, and after them the trailers.
    pub headers: HeaderMap,
    pub body: Bytes,
}

impl Grpc {
    pub fn connect(to: SocketAddr) -> Self {
        Self::begin(b"", to)
    }

    /// On a connection on which something is said first.
    pub fn begin(first: &[u8], to: SocketAddr) -> Self {
        let mut stream = std::net::TcpStream::connect(to).expect("podstamp listens");
        stream.write_all(first).unwrap();
        stream.set_nonblocking(true).unwrap();
        stream.set_nodelay(true).unwrap();
        Self::over(async { Ok(TcpStream::from_std(stream).unwrap()) }).unwrap()
    }

    /// Over a connection yet to be made.
    pub fn over<S>(connecting: impl Future<Output = io::Result<S>>) -> io::Result<Self>
    where
        S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
    {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
        let sender = runtime.block_on(async {
            let stream = connecting.await?;
            let (sender, connection) = h2::client::handshake(stream).await.map_err(io::Error::other)?;
            tokio::spawn(async move { drop(connection.await) });
            sender.ready().await.map_err(io::Error::other)
        })?;
        Ok(Self { runtime, sender })
    }

    /// Exports a message, uncompressed.
    pub fn export(&self, message: &[u8]) -> Called {
        self.call(&[], framed(0, message))
    }

    /// Exports a message of a signal, uncompressed.
    pub fn export_to(&self, signal: Signal, message: &[u8]) -> Called {
        self.call_to(signal, &[], framed(0, message))
    }

    pub fn call(&self, headers: &[(&'static str, &str)], frame: Vec<u8>) -> Called {
        self.call_to(Signal::Traces, headers, frame)
    }

    pub fn call_to(&self, signal: Signal, headers: &[(&'static str, &str)], frame: Vec<u8>) -> Called {
        self.calls_to(signal, &[headers], frame).pop().unwrap()
    }

    /// As many calls at a time as there are sets of headers.
    pub fn call_all(&self, each: &[&[(&'static str, &str)]], frame: Vec<u8>) -> Vec<Called> {
        self.calls_to(Signal::Traces, each, frame)
    }

    fn calls_to(&self, signal: Signal, each: &[&[(&'static str, &str)]], frame: Vec<u8>) -> Vec<Called> {
        let frame = Bytes::from(frame);
        let calls: Vec<_> = each
            .iter()
            .map(|headers| {
                let mut request = Request::post(format!("http://podstamp{}", signal.grpc_path()))
                    .header("content-type", "application/grpc")
                    .header("te", "trailers");
                for (name, value) in *headers {
                    request = request.header(*name, *value);
                }
                let call = exchange(self.sender.clone(), request.body(()).unwrap(), frame.clone());
                self.runtime.spawn(call)
            })
            .collect();
        let ended = |call| self.runtime.block_on(async { timeout(PATIENCE, call).await });
        calls.into_iter().map(|call| ended(call).expect("no answer").unwrap()).collect()
    }
}

async fn exchange(sender: SendRequest<Bytes>, request: Request<()>, frame: Bytes) -> Called {
    let mut sender = sender.ready().await.unwrap();
    let (response, mut body) = sender.send_request(request, false).unwrap();
    // A server that has seen enough answers before it has read everything.
    drop(body.send_data(frame, true));
    let (head, mut data) = response.await.unwrap().into_parts();
    assert_eq!(head.status, 200, "gRPC has its own status");
    let mut called = Called { headers: head.headers, body: Bytes::new() };
    let mut collected = BytesMut::new();
    while let Some(part) = data.data().await {
        let part = part.unwrap();
        data.flow_control().release_capacity(part.len()).unwrap();
        collected.extend_from_slice(&part);
    }
    called.body = collected.freeze();
    called.headers.extend(data.trailers().await.unwrap().unwrap_or_default());
    called
}

impl Called {
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().unwrap())
    }

    /// `grpc-status`.
    pub fn code(&self) -> i32 {
        self.header("grpc-status").unwrap().parse().unwrap()
    }

    /// What stands in `grpc-status-details-bin`.
    pub fn details(&self) -> Status {
        self.header("grpc-status-details-bin").map_or_else(Status::default, Status::unpadded)
    }

    /// The message of a success.
    pub fn message(&self) -> ExportTraceServiceResponse {
        assert_eq!(self.code(), 0, "{:?}", self.headers);
        assert_eq!(self.body[0], 0, "it is not compressed");
        assert_eq!(u32::from_be_bytes(self.body[1..5].try_into().unwrap()) as usize, self.body.len() - 5);
        ExportTraceServiceResponse::decode(&self.body[5..]).unwrap()
    }
}

/// A message in its frame; the flag says whether it is compressed.
pub fn framed(flag: u8, message: &[u8]) -> Vec<u8> {
    [&[flag][..], &(message.len() as u32).to_be_bytes(), message].concat()
}

/// Codes by which a client may try again (OTLP, "Failures" of OTLP/gRPC); RESOURCE_EXHAUSTED only with RetryInfo.
pub const RETRYABLE: [i32; 6] = [1, 4, 10, 11, 14, 15];

pub const INVALID_ARGUMENT: i32 = 3;
pub const RESOURCE_EXHAUSTED: i32 = 8;
pub const UNAVAILABLE: i32 = 14;
pub const UNAUTHENTICATED: i32 = 16;
