//! A load generator and a sink, as cheap as can be: what is measured is what lies between them.

use std::io::{BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// The measurements of a round of load.
#[derive(Debug, Default)]
pub(crate) struct Round {
    pub(crate) seconds: f64,
    /// Seconds of each request.
    pub(crate) latencies: Vec<f64>,
}

impl Round {
    pub(crate) fn rate(&self) -> f64 {
        self.latencies.len() as f64 / self.seconds
    }

    pub(crate) fn quantile(&self, quantile: f64) -> f64 {
        let mut sorted = self.latencies.clone();
        sorted.sort_by(f64::total_cmp);
        sorted[((sorted.len() - 1) as f64 * quantile) as usize]
    }
}

/// Sends the same request again and again on each of `connections` connections, each waiting for its answer.
pub(crate) fn run(to: SocketAddr, request: &Arc<Vec<u8>>, connections: usize, time: Duration) -> Round {
    let begin = Instant::now();
    let threads: Vec<_> = (0..connections)
        .map(|_| {
            let request = Arc::clone(request);
            std::thread::spawn(move || client(to, &request, begin + time))
        })
        .collect();
    let latencies = threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect();
    Round { seconds: begin.elapsed().as_secs_f64(), latencies }
}

fn client(to: SocketAddr, request: &[u8], until: Instant) -> Vec<f64> {
    let mut client = Client::connect(to);
    let mut latencies = Vec::new();
    while Instant::now() < until {
        let begin = Instant::now();
        client.exchange(request);
        latencies.push(begin.elapsed().as_secs_f64());
    }
    latencies
}

/// A connection with one request at a time.
pub(crate) struct Client {
    requests: TcpStream,
    answers: BufReader<TcpStream>,
}

impl Client {
    pub(crate) fn connect(to: SocketAddr) -> Self {
        Self::over(TcpStream::connect(to).unwrap())
    }

    fn over(stream: TcpStream) -> Self {
        stream.set_nodelay(true).unwrap();
        Self { answers: BufReader::new(stream.try_clone().unwrap()), requests: stream }
    }

    /// Sends a request and reads the answer, which has to be a success.
    pub(crate) fn exchange(&mut self, request: &[u8]) {
        self.requests.write_all(request).unwrap();
        let (head, length) = read_head(&mut self.answers).expect("an answer");
        assert!(head.starts_with("HTTP/1.1 200"), "{head}");
        skip_body(&mut self.answers, length);
    }
}

/// Whether a server takes this request by now. It may not listen yet, or answer that it is not ready.
pub(crate) fn is_taken(to: SocketAddr, request: &[u8]) -> bool {
    let Ok(mut stream) = TcpStream::connect(to) else { return false };
    if stream.write_all(request).is_err() {
        return false;
    }
    read_head(&mut BufReader::new(stream)).is_some_and(|(head, _)| head.starts_with("HTTP/1.1 200"))
}

/// An export request ready for the wire.
pub(crate) fn request(body: &[u8], content_type: &str, gzip: bool) -> Arc<Vec<u8>> {
    let coding = if gzip { "content-encoding: gzip\r\n" } else { "" };
    let mut request = format!(
        "POST /v1/traces HTTP/1.1\r\nhost: podstamp\r\ncontent-type: {content_type}\r\n{coding}content-length: {}\r\n\r\n",
        body.len()
    )
    .into_bytes();
    request.extend_from_slice(body);
    Arc::new(request)
}

/// Takes any request and answers as deepflow-agent does, without looking at it. Never returns.
pub(crate) fn sink(listener: TcpListener) {
    for stream in listener.incoming().flatten() {
        std::thread::spawn(move || {
            stream.set_nodelay(true).unwrap();
            let mut requests = BufReader::with_capacity(64 << 10, stream.try_clone().unwrap());
            let mut stream = stream;
            while let Some((_, length)) = read_head(&mut requests) {
                skip_body(&mut requests, length);
                stream.write_all(ANSWER).unwrap();
            }
        });
    }
}

/// What the sink answers.
pub(crate) const ANSWER: &[u8] = b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n";

/// How long a body is.
#[derive(Clone, Copy)]
pub(crate) enum Length {
    Known(u64),
    /// The body comes in chunks, each with its own length.
    Chunked,
}

impl Length {
    /// Bytes of the body; `None` where it comes in chunks.
    pub(crate) fn known(self) -> Option<usize> {
        match self {
            Self::Known(length) => usize::try_from(length).ok(),
            Self::Chunked => None,
        }
    }
}

fn skip_body(from: &mut impl std::io::BufRead, length: Length) {
    let skip = |from: &mut dyn std::io::BufRead, length| {
        std::io::copy(&mut from.take(length), &mut std::io::sink()).unwrap();
    };
    let Length::Chunked = length else {
        let Length::Known(length) = length else { return };
        return skip(from, length);
    };
    let mut line = String::new();
    loop {
        line.clear();
        from.read_line(&mut line).unwrap();
        let length = u64::from_str_radix(line.trim_end(), 16).unwrap();
        // Each chunk ends with a line break, as does the list of no trailers behind the last.
        skip(from, length + 2);
        if length == 0 {
            return;
        }
    }
}

/// Reads up to the empty line; gives the first line and the content length.
pub(crate) fn read_head(from: &mut impl std::io::BufRead) -> Option<(String, Length)> {
    let mut first = String::new();
    let mut length = Length::Known(0);
    let mut line = String::new();
    loop {
        line.clear();
        if from.read_line(&mut line).ok()? == 0 {
            return None;
        }
        let text = line.trim_end();
        if text.is_empty() {
            return Some((first, length));
        }
        if first.is_empty() {
            first = text.to_owned();
        } else if let Some((name, value)) = text.split_once(':') {
            if name.eq_ignore_ascii_case("content-length") {
                length = Length::Known(value.trim().parse().ok()?);
            } else if name.eq_ignore_ascii_case("transfer-encoding") {
                length = Length::Chunked;
            }
        }
    }
}
