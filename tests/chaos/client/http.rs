//! OTLP/HTTP, where any read or write may fail.

use std::io::{self, BufRead as _, BufReader, ErrorKind, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceResponse;
use prost::Message as _;

use super::TIMEOUT;
use crate::ledger::Outcome;
use crate::shape::{Protocol, Shape};

/// A client with a connection that it keeps.
pub(super) struct Sender {
    to: SocketAddr,
    shape: Shape,
    kept: Option<BufReader<TcpStream>>,
}

struct Answer {
    status: u16,
    retry_after: Option<u64>,
    closes: bool,
    body: Vec<u8>,
}

impl Sender {
    pub(super) fn new(to: SocketAddr, shape: &Shape) -> Self {
        Self { to, shape: shape.clone(), kept: None }
    }

    pub(super) fn send(&mut self, body: &[u8]) -> Outcome {
        let kept = self.kept.take().filter(is_open);
        let Some(mut stream) = kept.or_else(|| connect(self.to, TIMEOUT).ok()) else {
            return Outcome::Unsent;
        };
        // A server that has seen enough answers before it has read everything.
        stream.get_mut().write_all(&self.request(body)).ok();
        let Ok(answer) = read(&mut stream) else { return Outcome::Unanswered };
        if !answer.closes {
            self.kept = Some(stream);
        }
        match answer.status {
            200 => match self.rejected(&answer.body) {
                None => Outcome::Acknowledged,
                Some(message) => Outcome::Rejected { status: 200, message },
            },
            status @ (429 | 502 | 503 | 504) => {
                Outcome::Refused { status, wait: answer.retry_after.map(|seconds| seconds * 1000) }
            }
            status => {
                Outcome::Rejected { status, message: String::from_utf8_lossy(&answer.body).into_owned() }
            }
        }
    }

    pub(super) fn close(&mut self) {
        self.kept = None;
    }

    fn request(&self, body: &[u8]) -> Vec<u8> {
        let kind = if self.shape.protocol == Protocol::Json { "json" } else { "x-protobuf" };
        let coding = if self.shape.gzip { "content-encoding: gzip\r\n" } else { "" };
        let head = format!(
            "POST /v1/traces HTTP/1.1\r\nhost: podstamp\r\ncontent-type: application/{kind}\r\n{coding}"
        );
        if self.shape.protocol != Protocol::Chunked {
            return [format!("{head}content-length: {}\r\n\r\n", body.len()).as_bytes(), body].concat();
        }
        let mut request = format!("{head}transfer-encoding: chunked\r\n\r\n").into_bytes();
        for chunk in body.chunks(1000) {
            request.extend_from_slice(format!("{:x}\r\n", chunk.len()).as_bytes());
            request.extend_from_slice(chunk);
            request.extend_from_slice(b"\r\n");
        }
        request.extend_from_slice(b"0\r\n\r\n");
        request
    }

    /// The message of a partial success that has rejected something.
    fn rejected(&self, body: &[u8]) -> Option<String> {
        if self.shape.protocol == Protocol::Json {
            let answer: serde_json::Value = serde_json::from_slice(body).unwrap_or_default();
            let rejected = &answer["partialSuccess"]["rejectedSpans"];
            return (!rejected.is_null() && rejected != 0 && rejected != "0").then(|| answer.to_string());
        }
        let partial = ExportTraceServiceResponse::decode(body).map(|answer| answer.partial_success);
        match partial {
            Ok(None) => None,
            Ok(Some(partial)) => (partial.rejected_spans != 0).then_some(partial.error_message),
            Err(error) => Some(format!("the answer is no OTLP: {error}")),
        }
    }
}

/// Asks for a path; the status and the text.
pub(crate) fn get(to: SocketAddr, path: &str, timeout: Duration) -> Option<(u16, String)> {
    let mut stream = connect(to, timeout).ok()?;
    let request = format!("GET {path} HTTP/1.1\r\nhost: podstamp\r\nconnection: close\r\n\r\n");
    stream.get_mut().write_all(request.as_bytes()).ok()?;
    let answer = read(&mut stream).ok()?;
    Some((answer.status, String::from_utf8_lossy(&answer.body).into_owned()))
}

fn connect(to: SocketAddr, timeout: Duration) -> io::Result<BufReader<TcpStream>> {
    let stream = TcpStream::connect_timeout(&to, timeout)?;
    stream.set_nodelay(true)?;
    stream.set_read_timeout(Some(timeout))?;
    stream.set_write_timeout(Some(timeout))?;
    Ok(BufReader::new(stream))
}

/// Whether the server has left a kept connection open: clients look before they send.
fn is_open(kept: &BufReader<TcpStream>) -> bool {
    let stream = kept.get_ref();
    let looked = stream.set_nonblocking(true).and_then(|()| stream.peek(&mut [0]));
    let nothing = matches!(looked, Err(error) if error.kind() == ErrorKind::WouldBlock);
    nothing && stream.set_nonblocking(false).is_ok()
}

fn read(stream: &mut BufReader<TcpStream>) -> io::Result<Answer> {
    let mut answer = Answer { status: 0, retry_after: None, closes: false, body: Vec::new() };
    let mut length = 0;
    let mut chunked = false;
    loop {
        let mut line = String::new();
        if stream.read_line(&mut line)? == 0 {
            return Err(ErrorKind::UnexpectedEof.into());
        }
        let line = line.trim_end();
        if line.is_empty() {
            break;
        }
        let Some((name, value)) = line.split_once(": ") else {
            answer.status = line.split(' ').nth(1).and_then(|text| text.parse().ok()).unwrap_or(0);
            continue;
        };
        match name.to_ascii_lowercase().as_str() {
            "content-length" => length = value.parse().map_err(io::Error::other)?,
            "transfer-encoding" => chunked = true,
            "retry-after" => answer.retry_after = value.parse().ok(),
            "connection" => answer.closes = value.eq_ignore_ascii_case("close"),
            _ => {}
        }
    }
    if chunked {
        answer.body = podstamp_test_support::blocking::http::chunked(stream)?;
    } else {
        answer.body.resize(length, 0);
        stream.read_exact(&mut answer.body)?;
    }
    Ok(answer)
}
