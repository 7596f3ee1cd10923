//! An HTTP client as plain as can be: it sends what it is told, also what no library would.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

/// What came back.
#[derive(Debug)]
pub(crate) struct Response {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

impl Response {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(other, _)| other == name).map(|(_, value)| value.as_str())
    }

    /// The message of a `google.rpc.Status` in protobuf: field 2.
    pub(crate) fn message(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }
}

/// A connection that is kept.
pub(crate) struct Client {
    stream: TcpStream,
    answers: BufReader<TcpStream>,
}

impl Client {
    pub(crate) fn connect(to: SocketAddr) -> Self {
        let stream = TcpStream::connect(to).expect("podstamp listens");
        stream.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
        let answers = BufReader::new(stream.try_clone().unwrap());
        Self { stream, answers }
    }

    pub(crate) fn send(
        &mut self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: &[u8],
    ) -> Response {
        let mut head =
            format!("{method} {path} HTTP/1.1\r\nhost: podstamp\r\ncontent-length: {}\r\n", body.len());
        for (name, value) in headers {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        head.push_str("\r\n");
        self.stream.write_all(head.as_bytes()).unwrap();
        // A server that has seen enough answers before it has read everything, and may close.
        drop(self.stream.write_all(body));
        self.receive()
    }

    pub(crate) fn export(&mut self, body: &[u8]) -> Response {
        self.send("POST", "/v1/traces", &[PROTOBUF], body)
    }

    fn receive(&mut self) -> Response {
        let mut line = String::new();
        self.answers.read_line(&mut line).expect("an answer");
        let status =
            line.split(' ').nth(1).and_then(|text| text.parse().ok()).unwrap_or_else(|| panic!("{line:?}"));
        let mut headers = Vec::new();
        loop {
            let mut line = String::new();
            self.answers.read_line(&mut line).unwrap();
            let Some((name, value)) = line.trim_end().split_once(": ") else {
                break;
            };
            headers.push((name.to_ascii_lowercase(), value.to_owned()));
        }
        let mut response = Response { status, headers, body: Vec::new() };
        let length = response.header("content-length").map_or(0, |text| text.parse().unwrap());
        response.body.resize(length, 0);
        self.answers.read_exact(&mut response.body).unwrap();
        response
    }
}

pub(crate) const PROTOBUF: (&str, &str) = ("content-type", "application/x-protobuf");

/// One request on a connection of its own.
pub(crate) fn export(to: SocketAddr, body: &[u8]) -> Response {
    Client::connect(to).export(body)
}

/// One GET; the body as text.
pub(crate) fn get(to: SocketAddr, path: &str) -> (u16, String) {
    let response = Client::connect(to).send("GET", path, &[("connection", "close")], b"");
    (response.status, String::from_utf8(response.body).unwrap())
}
