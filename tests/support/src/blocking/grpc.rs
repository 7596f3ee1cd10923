//! A gRPC client that sends what it is told and shows all that comes back.

use std::io::{self, Write};
use std::net::SocketAddr;

use bytes::Bytes;
use http::HeaderMap;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceResponse;
use podstamp_core::interface::Signal;
use prost::Message;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::runtime::Runtime;

use super::status::Status;
use crate::client::{Answered, Http2};

pub use crate::client::{framed, framed_compressed};

/// A connection that is kept.
pub struct Grpc {
    runtime: Runtime,
    client: Http2,
}

/// The answer to a call.
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
        let runtime = super::runtime()?;
        let client =
            runtime.block_on(async { Http2::over(connecting.await?).await.map_err(io::Error::other) });
        Ok(Self { client: client?.0, runtime })
    }

    /// Exports a message, uncompressed.
    pub fn export(&self, message: &[u8]) -> Called {
        self.call(&[], framed(message))
    }

    /// Exports a message of a signal, uncompressed.
    pub fn export_to(&self, signal: Signal, message: &[u8]) -> Called {
        self.call_to(signal, &[], framed(message))
    }

    pub fn call(&self, headers: &[(&'static str, &str)], frame: Vec<u8>) -> Called {
        self.call_to(Signal::Traces, headers, frame)
    }

    pub fn call_to(&self, signal: Signal, headers: &[(&'static str, &str)], frame: Vec<u8>) -> Called {
        self.calls_to(signal.grpc_path(), &[headers], frame).pop().unwrap()
    }

    /// A call of any method.
    pub fn call_path(&self, path: &'static str, frame: Vec<u8>) -> Called {
        self.calls_to(path, &[&[]], frame).pop().unwrap()
    }

    /// As many calls at a time as there are sets of headers.
    pub fn call_all(&self, each: &[&[(&'static str, &str)]], frame: Vec<u8>) -> Vec<Called> {
        self.calls_to(Signal::Traces.grpc_path(), each, frame)
    }

    fn calls_to(&self, path: &'static str, each: &[&[(&'static str, &str)]], frame: Vec<u8>) -> Vec<Called> {
        let frame = Bytes::from(frame);
        let call = |headers: &&[(&'static str, &str)]| {
            let mut all = vec![("content-type", "application/grpc"), ("te", "trailers")];
            all.extend_from_slice(headers);
            let all: Vec<_> = all.iter().map(|(name, value)| (*name, (*value).to_owned())).collect();
            let (client, frame) = (self.client.clone(), frame.clone());
            self.runtime.spawn(async move {
                let headers: Vec<_> = all.iter().map(|(name, value)| (*name, &**value)).collect();
                client.send(path, &headers, vec![frame], &[]).await
            })
        };
        let calls: Vec<_> = each.iter().map(call).collect();
        calls.into_iter().map(|call| Called::from(self.runtime.block_on(call).unwrap())).collect()
    }
}

impl From<Answered> for Called {
    fn from(answered: Answered) -> Self {
        let Answered { status, mut headers, trailers, body } = answered;
        assert_eq!(status, 200, "gRPC has its own status");
        headers.extend(trailers);
        Self { headers, body }
    }
}

impl Called {
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().unwrap())
    }

    /// `grpc-status`.
    pub fn code(&self) -> i32 {
        self.header("grpc-status").unwrap().parse().unwrap()
    }

    /// The status in `grpc-status-details-bin`.
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

/// Codes by which a client may try again (OTLP, "Failures" of OTLP/gRPC); RESOURCE_EXHAUSTED only with RetryInfo.
pub const RETRYABLE: [i32; 6] = [1, 4, 10, 11, 14, 15];

pub const INVALID_ARGUMENT: i32 = 3;
pub const RESOURCE_EXHAUSTED: i32 = 8;
pub const UNAVAILABLE: i32 = 14;
pub const UNAUTHENTICATED: i32 = 16;
