//! An HTTP client as plain as can be: it sends what it is told, also what no library would.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceResponse;
use prost::Message;

/// A response.
#[derive(Debug)]
pub struct Response {
    pub status: u16,
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

impl Response {
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(other, _)| other == name).map(|(_, value)| value.as_str())
    }

    /// The body as text, with the message of a `google.rpc.Status` in it, also of one in protobuf.
    pub fn message(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// The warning of a success, which is OTLP's partial success.
    pub fn warning(&self) -> String {
        if self.header("content-type") == Some("application/json") {
            let body: serde_json::Value = serde_json::from_slice(&self.body).unwrap();
            return body["partialSuccess"]["errorMessage"].as_str().unwrap_or_default().to_owned();
        }
        let response = ExportTraceServiceResponse::decode(&*self.body).unwrap();
        response.partial_success.map(|partial| partial.error_message).unwrap_or_default()
    }
}

/// A connection that is kept.
pub struct Client<S = TcpStream> {
    stream: BufReader<S>,
}

impl Client {
    pub fn connect(to: SocketAddr) -> Self {
        let stream = TcpStream::connect(to).expect("podstamp listens");
        stream.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
        stream.set_nodelay(true).unwrap();
        Self::over(stream)
    }
}

impl<S: Read + Write> Client<S> {
    /// Over a connection that is there.
    pub fn over(stream: S) -> Self {
        Self { stream: BufReader::new(stream) }
    }

    pub fn send(&mut self, method: &str, path: &str, headers: &[(&str, &str)], body: &[u8]) -> Response {
        let length = body.len().to_string();
        let headers = [&[("content-length", &*length)], headers].concat();
        // At once, so that no answer comes between head and body.
        self.write_what_can_be(&[head(method, path, &headers).as_bytes(), body].concat());
        self.receive()
    }

    /// A POST whose length shows at its end only.
    pub fn send_chunked(&mut self, path: &str, headers: &[(&str, &str)], body: &[u8]) -> Response {
        self.begin_chunked(path, headers);
        for chunk in body.chunks(1 << 20) {
            self.write_chunk(chunk);
        }
        self.end_chunked(&[])
    }

    /// The head of a POST in chunks.
    pub fn begin_chunked(&mut self, path: &str, headers: &[(&str, &str)]) {
        let headers = [&[("transfer-encoding", "chunked")], headers].concat();
        self.write(head("POST", path, &headers).as_bytes());
    }

    /// A chunk of a POST; an empty one would end it.
    pub fn write_chunk(&mut self, chunk: &[u8]) {
        self.write_what_can_be(&[format!("{:x}\r\n", chunk.len()).as_bytes(), chunk, b"\r\n"].concat());
    }

    /// The end of a POST in chunks, with trailers.
    pub fn end_chunked(&mut self, trailers: &[(&str, &str)]) -> Response {
        let trailers: String = trailers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
        self.write_what_can_be(format!("0\r\n{trailers}\r\n").as_bytes());
        self.receive()
    }

    /// Writes any bytes.
    pub fn write(&mut self, bytes: &[u8]) {
        self.stream.get_mut().write_all(bytes).unwrap();
    }

    /// A server that has seen enough answers before it has read everything, and may close.
    fn write_what_can_be(&mut self, bytes: &[u8]) {
        drop(self.stream.get_mut().write_all(bytes));
    }

    pub fn export(&mut self, body: &[u8]) -> Response {
        self.send("POST", "/v1/traces", &[PROTOBUF], body)
    }

    /// The next answer.
    pub fn receive(&mut self) -> Response {
        let mut response = self.receive_head();
        if response.header("transfer-encoding") == Some("chunked") {
            response.body = chunked(&mut self.stream).unwrap();
            return response;
        }
        let length = response.header("content-length").map_or(0, |text| text.parse().unwrap());
        response.body.resize(length, 0);
        self.stream.read_exact(&mut response.body).unwrap();
        response
    }

    /// The next answer, as far as its body, of which an answer to HEAD has none.
    pub fn receive_head(&mut self) -> Response {
        let mut line = String::new();
        self.stream.read_line(&mut line).expect("an answer");
        let status =
            line.split(' ').nth(1).and_then(|text| text.parse().ok()).unwrap_or_else(|| panic!("{line:?}"));
        let mut headers = Vec::new();
        loop {
            let mut line = String::new();
            self.stream.read_line(&mut line).unwrap();
            let Some((name, value)) = line.trim_end().split_once(": ") else {
                break;
            };
            headers.push((name.to_ascii_lowercase(), value.to_owned()));
        }
        Response { status, headers, body: Vec::new() }
    }
}

/// A body in chunks, without the trailers after it.
pub fn chunked(stream: &mut impl BufRead) -> std::io::Result<Vec<u8>> {
    let line = |stream: &mut dyn BufRead| {
        let mut line = String::new();
        stream.read_line(&mut line).map(|_| line.trim_end().to_owned())
    };
    let mut body = Vec::new();
    loop {
        let size = line(stream)?;
        let length = usize::from_str_radix(&size, 16).map_err(std::io::Error::other)?;
        if length == 0 {
            while !line(stream)?.is_empty() {}
            return Ok(body);
        }
        let start = body.len();
        body.resize(start + length, 0);
        stream.read_exact(&mut body[start..])?;
        line(stream)?;
    }
}

fn head(method: &str, path: &str, headers: &[(&str, &str)]) -> String {
    let headers: String = headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
    format!("{method} {path} HTTP/1.1\r\nhost: podstamp\r\n{headers}\r\n")
}

pub const PROTOBUF: (&str, &str) = ("content-type", "application/x-protobuf");

pub const JSON: (&str, &str) = ("content-type", "application/json");

pub const GZIP: (&str, &str) = ("content-encoding", "gzip");

/// Exports on a connection of its own.
pub fn export(to: SocketAddr, body: &[u8]) -> Response {
    Client::connect(to).export(body)
}

/// GETs a path; the body as text.
pub fn get(to: SocketAddr, path: &str) -> (u16, String) {
    let response = Client::connect(to).send("GET", path, &[("connection", "close")], b"");
    (response.status, String::from_utf8(response.body).unwrap())
}

/// A body as a client with `Content-Encoding: gzip` sends it.
pub fn gzipped(plain: &mut dyn Read) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    std::io::copy(plain, &mut encoder).unwrap();
    encoder.finish().unwrap()
}
