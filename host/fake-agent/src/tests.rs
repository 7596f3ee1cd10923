//! deepflow-agent's behaviour on the wire, one test for each kind of request.
//!
//! They show that this agent does what is known of deepflow-agent, not that deepflow-agent does it.

use std::io::{self, Write};
use std::net::SocketAddr;

use agent_flate2::Compression;
use agent_flate2::write::{GzEncoder, ZlibEncoder};
use prost::Message;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::import::{self, Sender};
use crate::message::{
    AnyValue, InstrumentationScope, KeyValue, Resource, ResourceSpans, ScopeSpans, Span, TracesData,
    any_value,
};
use crate::record::{Outcome, Record};
use crate::{Abort, Agent, Builder, TRACE_PATH};

mod abort;
mod accepted;
mod closed;
mod families;
mod harms;
mod host_ip;
mod http2;
mod metrics;
mod not_found;
mod recorded;
mod scripted;
mod strict;

fn builder() -> Builder {
    Agent::builder().listen(([127, 0, 0, 1], 0).into()).on_abort(Abort::Record)
}

async fn start() -> Agent {
    builder().start().await.unwrap()
}

// === requests ===

/// A resource with these string attributes and so many spans.
fn resource(attributes: &[(&str, &str)], spans: usize) -> ResourceSpans {
    let attributes = attributes.iter().map(|(key, value)| attribute(key, value)).collect();
    ResourceSpans {
        resource: Some(Resource { attributes, dropped_attributes_count: 0 }),
        scope_spans: vec![ScopeSpans { spans: vec![span(2); spans], ..ScopeSpans::default() }],
        ..ResourceSpans::default()
    }
}

pub(crate) fn attribute(key: &str, value: &str) -> KeyValue {
    let value = Some(any_value::Value::String(value.into()));
    KeyValue { key: key.into(), value: Some(AnyValue { value }) }
}

fn span(kind: i32) -> Span {
    Span {
        trace_id: vec![0xa1; 16],
        span_id: vec![0xb2; 8],
        parent_span_id: vec![0xc3; 8],
        name: "GET /cart".into(),
        kind,
        start_time_unix_nano: 1_700_000_000_000_000_001,
        end_time_unix_nano: 1_700_000_000_000_000_009,
        ..Span::default()
    }
}

/// A resource with this `app.host.ip`, or none, and a span with these attributes.
fn span_with(host: Option<&str>, attributes: &[(&str, &str)]) -> ResourceSpans {
    let mut resource = resource(host.map(|host| ("app.host.ip", host)).as_slice(), 1);
    let attributes = attributes.iter().map(|(key, value)| attribute(key, value));
    resource.scope_spans[0].spans[0].attributes.extend(attributes);
    resource
}

fn body(resources: impl Into<Vec<ResourceSpans>>) -> Vec<u8> {
    TracesData { resource_spans: resources.into() }.encode_to_vec()
}

fn three_spans() -> Vec<u8> {
    body([resource(&[("service.name", "cart")], 3)])
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn zlib(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = ZlibEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

/// `POST` to the right path with `Content-Length` and further header lines.
fn post(headers: &[&str], body: &[u8]) -> Vec<u8> {
    let length = format!("content-length: {}", body.len());
    request(&format!("POST {TRACE_PATH} HTTP/1.1"), &[&[length.as_str()], headers].concat(), body)
}

fn request(line: &str, headers: &[&str], body: &[u8]) -> Vec<u8> {
    let mut request = format!("{line}\r\nhost: agent\r\n").into_bytes();
    for header in headers {
        request.extend_from_slice(header.as_bytes());
        request.extend_from_slice(b"\r\n");
    }
    request.extend_from_slice(b"\r\n");
    request.extend_from_slice(body);
    request
}

// === a client that shows what is on the wire ===

struct Wire(TcpStream);

/// The reason for which the connection was reset.
async fn aborts(agent: &Agent, request: &[u8]) -> String {
    let mut wire = Wire::to(agent).await;
    wire.send(request).await;
    assert_eq!(wire.reply().await.unwrap_err().kind(), io::ErrorKind::ConnectionReset);
    aborted_because(agent)
}

/// A response; the value of `date` is left out.
#[derive(Debug, PartialEq)]
struct Reply {
    status: String,
    headers: Vec<String>,
    body: String,
}

impl Wire {
    async fn to(agent: &Agent) -> Self {
        Self(TcpStream::connect(agent.address()).await.unwrap())
    }

    async fn send(&mut self, bytes: &[u8]) {
        self.0.write_all(bytes).await.unwrap();
    }

    /// No more bytes will come from this side.
    async fn end(&mut self) {
        self.0.shutdown().await.unwrap();
    }

    /// The next response, or nothing if the connection is closed instead.
    async fn reply(&mut self) -> io::Result<Option<Reply>> {
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            match self.0.read_u8().await {
                Ok(byte) => head.push(byte),
                Err(error) if error.kind() == io::ErrorKind::UnexpectedEof && head.is_empty() => {
                    return Ok(None);
                }
                Err(error) => return Err(error),
            }
        }
        let head = String::from_utf8(head).unwrap();
        let mut lines = head.trim_end().lines().map(str::to_owned);
        let status = lines.next().unwrap();
        let headers: Vec<_> =
            lines.map(|line| if line.starts_with("date: ") { "date".into() } else { line }).collect();
        let length = headers.iter().find_map(|line| line.strip_prefix("content-length: ")?.parse().ok());
        let mut body = vec![0; length.unwrap_or(0)];
        self.0.read_exact(&mut body).await?;
        Ok(Some(Reply { status, headers, body: String::from_utf8(body).unwrap() }))
    }

    async fn is_closed(&mut self) -> bool {
        matches!(self.0.read(&mut [0]).await, Ok(0))
    }
}

/// Sends one request over a connection of its own; nothing if that is closed without a response.
async fn exchange(agent: &Agent, request: &[u8]) -> Option<Reply> {
    let mut wire = Wire::to(agent).await;
    wire.send(request).await;
    wire.reply().await.unwrap()
}

/// The one thing that deepflow-agent says to traces.
fn ok() -> Reply {
    reply("200 OK", &["content-length: 0", "date"], "")
}

fn not_found() -> Reply {
    reply("404 Not Found", &["content-length: 9", "date"], "Not Found")
}

fn reply(status: &str, headers: &[&str], body: &str) -> Reply {
    Reply {
        status: format!("HTTP/1.1 {status}"),
        headers: headers.iter().map(|&header| header.to_owned()).collect(),
        body: body.to_owned(),
    }
}

// === what was noted down ===

/// The latest record.
fn last(agent: &Agent) -> Record {
    Record::clone(agent.records().last().unwrap())
}

fn aborted_because(agent: &Agent) -> String {
    match last(agent).outcome {
        Outcome::Aborted(reason) => reason,
        other => panic!("{other:?}"),
    }
}

fn closed_because(agent: &Agent) -> String {
    match last(agent).outcome {
        Outcome::Closed(reason) => reason,
        other => panic!("{other:?}"),
    }
}

/// A record as an import of so many spans leaves it.
pub(crate) fn record_of(spans: usize) -> Record {
    let peer: SocketAddr = ([10, 1, 2, 3], 4711).into();
    let head = agent_hyper::Request::new(()).into_parts().0;
    let mut record = Record::new(&head, peer);
    let body = body([resource(&[], spans)]);
    record.resources = import::import(&body, &Sender::new(peer)).unwrap().resources;
    record
}
