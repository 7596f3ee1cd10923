//! Reads the requests out of what a client said on a connection: HTTP/1.1, or HTTP/2 with gRPC in it.

use std::future::poll_fn;
use std::io::{BufRead, Cursor, Read};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};

use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use prost::Message;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// A request as its client sent it.
pub(crate) struct Sent {
    pub(crate) path: String,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
}

impl Sent {
    /// All requests of a connection.
    pub(crate) fn read(said: &[u8]) -> Vec<Self> {
        if said.starts_with(b"PRI * HTTP/2.0\r\n") { http2(said) } else { http1(said) }
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(other, _)| other == name).map(|(_, value)| value.as_str())
    }

    /// `grpc`, `http/protobuf` or `http/json`, as OTEL_EXPORTER_OTLP_PROTOCOL has it.
    pub(crate) fn protocol(&self) -> &'static str {
        match self.header("content-type") {
            Some("application/x-protobuf") => "http/protobuf",
            Some("application/json") => "http/json",
            Some(grpc) if grpc.starts_with("application/grpc") => "grpc",
            other => panic!("no OTLP: {other:?}"),
        }
    }

    /// `gzip` or `none`.
    pub(crate) fn compression(&self) -> &str {
        let coding = if self.protocol() == "grpc" { "grpc-encoding" } else { "content-encoding" };
        self.header(coding).filter(|coding| *coding != "identity").unwrap_or("none")
    }

    /// The message in the body.
    pub(crate) fn message(&self) -> ExportTraceServiceRequest {
        let message = match self.protocol() {
            "grpc" => {
                assert_eq!(
                    self.body.len() - 5,
                    u32::from_be_bytes(self.body[1..5].try_into().unwrap()) as usize
                );
                if self.body[0] == 1 { inflated(&self.body[5..]) } else { self.body[5..].to_vec() }
            }
            _ if self.compression() == "gzip" => inflated(&self.body),
            _ => self.body.clone(),
        };
        if self.protocol() == "http/json" {
            return serde_json::from_slice(&message).unwrap();
        }
        ExportTraceServiceRequest::decode(&*message).unwrap()
    }
}

pub(crate) fn inflated(body: &[u8]) -> Vec<u8> {
    let mut plain = Vec::new();
    flate2::read::GzDecoder::new(body).read_to_end(&mut plain).unwrap();
    plain
}

fn http1(said: &[u8]) -> Vec<Sent> {
    let mut rest = Cursor::new(said);
    let mut all = Vec::new();
    while (rest.position() as usize) < said.len() {
        let path = line(&mut rest).split(' ').nth(1).unwrap().to_owned();
        let mut sent = Sent { path, headers: Vec::new(), body: Vec::new() };
        while let Some((name, value)) = line(&mut rest).split_once(':') {
            sent.headers.push((name.to_ascii_lowercase(), value.trim().to_owned()));
        }
        if sent.header("transfer-encoding") == Some("chunked") {
            loop {
                let length = usize::from_str_radix(&line(&mut rest), 16).unwrap();
                take(&mut rest, length, &mut sent.body);
                assert_eq!(line(&mut rest), "");
                if length == 0 {
                    break;
                }
            }
        } else {
            let length = sent.header("content-length").map_or(0, |length| length.parse().unwrap());
            take(&mut rest, length, &mut sent.body);
        }
        all.push(sent);
    }
    all
}

fn line(from: &mut Cursor<&[u8]>) -> String {
    let mut line = String::new();
    from.read_line(&mut line).unwrap();
    line.trim_end().to_owned()
}

fn take(from: &mut Cursor<&[u8]>, length: usize, into: &mut Vec<u8>) {
    let read = from.take(length as u64).read_to_end(into).unwrap();
    assert_eq!(read, length, "the connection ends within a body");
}

/// Plays what was said to an HTTP/2 server whose limits are so large that nothing in it can exceed them.
fn http2(said: &[u8]) -> Vec<Sent> {
    const LARGEST: u32 = (1 << 31) - 1;
    const LARGEST_FRAME: u32 = (1 << 24) - 1;
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    runtime.block_on(async {
        let all_read = Arc::new(AtomicBool::new(false));
        let replay = Replay { said: said.to_vec(), at: 0, paused: false, all_read: Arc::clone(&all_read) };
        let mut builder = h2::server::Builder::new();
        builder
            .initial_window_size(LARGEST)
            .initial_connection_window_size(LARGEST)
            .max_frame_size(LARGEST_FRAME);
        let mut connection: h2::server::Connection<_, bytes::Bytes> =
            builder.handshake(replay).await.unwrap();
        // The connection works through all that can be read before it is pending.
        let mut requests = Vec::new();
        while let Some(next) = poll_fn(|context| match connection.poll_accept(context) {
            Poll::Pending if all_read.load(Ordering::Acquire) => Poll::Ready(None),
            other => other,
        })
        .await
        {
            requests.push(next.unwrap());
        }
        let mut all = Vec::new();
        for (request, respond) in requests {
            let (head, mut data) = request.into_parts();
            let mut body = Vec::new();
            while let Some(part) = data.data().await {
                body.extend_from_slice(&part.unwrap());
            }
            drop(respond);
            let text = |value: &http::HeaderValue| value.to_str().unwrap().to_owned();
            let headers =
                head.headers.iter().map(|(name, value)| (name.as_str().to_owned(), text(value))).collect();
            all.push(Sent { path: head.uri.path().to_owned(), headers, body });
        }
        all
    })
}

/// Reads what was said, then nothing, but not the end: that would cut off what is in hand. Takes what is written.
struct Replay {
    said: Vec<u8>,
    at: usize,
    paused: bool,
    all_read: Arc<AtomicBool>,
}

impl AsyncRead for Replay {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<std::io::Result<()>> {
        if self.at == self.said.len() {
            self.all_read.store(true, Ordering::Release);
            return Poll::Pending;
        }
        // The connection opens its windows only when there is nothing to read.
        self.paused = !self.paused;
        if self.paused {
            context.waker().wake_by_ref();
            return Poll::Pending;
        }
        let rest = &self.said[self.at..];
        let read = rest.len().min(buffer.remaining());
        buffer.put_slice(&rest[..read]);
        self.at += read;
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Replay {
    fn poll_write(
        self: Pin<&mut Self>,
        _context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<std::io::Result<usize>> {
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _context: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _context: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}
