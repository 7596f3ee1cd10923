//! OTLP/gRPC, where any stream may be reset.

use std::net::SocketAddr;

use bytes::{Bytes, BytesMut};
use h2::client::SendRequest;
use http::{HeaderMap, Request};
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceResponse;
use podstamp_core::config::GRPC_PATH;
use prost::Message as _;
use tokio::net::TcpStream;
use tokio::runtime::{Builder, Runtime};
use tokio::time::timeout;

use super::TIMEOUT;
use crate::ledger::Outcome;

/// A client with a connection that it keeps.
pub(super) struct Sender {
    to: SocketAddr,
    gzip: bool,
    kept: Option<SendRequest<Bytes>>,
    runtime: Runtime,
}

impl Sender {
    pub(super) fn new(to: SocketAddr, gzip: bool) -> Self {
        let runtime = Builder::new_current_thread().enable_all().build().unwrap();
        Self { to, gzip, kept: None, runtime }
    }

    pub(super) fn send(&mut self, message: Vec<u8>) -> Outcome {
        let mut frame = vec![u8::from(self.gzip)];
        frame.extend_from_slice(&(message.len() as u32).to_be_bytes());
        frame.extend_from_slice(&message);
        let kept = self.kept.take();
        let (to, gzip) = (self.to, self.gzip);
        let (kept, outcome) = self.runtime.block_on(async move {
            // What came in the meantime, such as the end of the connection, is read first.
            tokio::task::yield_now().await;
            let kept = match kept {
                Some(kept) => kept.ready().await.ok(),
                None => None,
            };
            let connection = match kept {
                Some(kept) => Some(kept),
                None => timeout(TIMEOUT, connect(to)).await.ok().flatten(),
            };
            let Some(connection) = connection else { return (None, Outcome::Unsent) };
            match timeout(TIMEOUT, exchange(connection.clone(), frame.into(), gzip)).await {
                Ok(Ok(outcome)) => (Some(connection), outcome),
                Ok(Err(_)) | Err(_) => (None, Outcome::Unanswered),
            }
        });
        self.kept = kept;
        outcome
    }

    pub(super) fn close(&mut self) {
        self.kept = None;
        // The connection's task ends by that.
        self.runtime.block_on(async {
            for _ in 0..10 {
                tokio::time::sleep(std::time::Duration::from_millis(5)).await;
            }
        });
    }
}

async fn connect(to: SocketAddr) -> Option<SendRequest<Bytes>> {
    let stream = TcpStream::connect(to).await.ok()?;
    stream.set_nodelay(true).ok()?;
    let (requests, connection) = h2::client::handshake(stream).await.ok()?;
    tokio::spawn(connection);
    requests.ready().await.ok()
}

async fn exchange(mut requests: SendRequest<Bytes>, frame: Bytes, gzip: bool) -> Result<Outcome, h2::Error> {
    let mut request = Request::post(format!("http://podstamp{GRPC_PATH}"))
        .header("content-type", "application/grpc")
        .header("te", "trailers");
    if gzip {
        request = request.header("grpc-encoding", "gzip");
    }
    let (answer, mut body) = requests.send_request(request.body(()).unwrap(), false)?;
    // A server that has seen enough answers before it has read everything, and resets the stream.
    body.send_data(frame, true).ok();
    let (head, mut data) = answer.await?.into_parts();
    let mut collected = BytesMut::new();
    while let Some(part) = data.data().await {
        let part = part?;
        data.flow_control().release_capacity(part.len())?;
        collected.extend_from_slice(&part);
    }
    let trailers = data.trailers().await?.unwrap_or_default();
    Ok(outcome(&head.headers, &trailers, head.status.as_u16(), &collected))
}

fn outcome(headers: &HeaderMap, trailers: &HeaderMap, status: u16, body: &[u8]) -> Outcome {
    let value = |name: &str| {
        let value = trailers.get(name).or_else(|| headers.get(name));
        value.and_then(|value| value.to_str().ok()).unwrap_or_default().to_owned()
    };
    let code = value("grpc-status").parse().unwrap_or(status);
    match code {
        0 => {
            let answer = body.get(5..).map(ExportTraceServiceResponse::decode);
            let rejected = match answer {
                Some(Ok(answer)) => answer.partial_success.filter(|partial| partial.rejected_spans != 0),
                Some(Err(_)) | None => {
                    return Outcome::Rejected { status: 0, message: "the answer is no OTLP".to_owned() };
                }
            };
            match rejected {
                None => Outcome::Acknowledged,
                Some(partial) => Outcome::Rejected { status: 0, message: partial.error_message },
            }
        }
        // RESOURCE_EXHAUSTED counts as one of them if RetryInfo comes with it.
        code @ (1 | 4 | 10 | 11 | 14 | 15 | 429 | 502..=504) => Outcome::Refused { status: code, wait: None },
        8 if !value("grpc-status-details-bin").is_empty() => Outcome::Refused { status: 8, wait: None },
        code => Outcome::Rejected { status: code, message: value("grpc-message") },
    }
}
