//! The head of a request, and what it says of the body.

use std::net::IpAddr;

use podstamp_core::address;
use podstamp_core::answer::{Code, Failure};
use podstamp_core::config::Config;
use podstamp_core::hosting::encoding;
use podstamp_core::hosting::unreadable::Unreadable;
use podstamp_core::interface::{Answer, Encoding, Header, Level, Notice, Request, Signal};

use crate::coding::Coding;

/// The head of an export request.
#[derive(Debug)]
pub struct Head {
    signal: Signal,
    path: String,
    peer: Option<IpAddr>,
    headers: Vec<Header>,
    encoding: Encoding,
    coding: Coding,
    limit: usize,
}

impl Head {
    /// Reads a head. `peer_header`: the header in which what stands ahead of this server writes the client's address. The error is
    /// the answer to a request that is refused, whatever its body.
    pub(super) fn read(
        config: &Config,
        peer_header: Option<&str>,
        method: &str,
        target: &str,
        headers: Vec<Header>,
    ) -> Result<Self, Answer> {
        let path = target.split('?').next().unwrap_or_default();
        let content_type = only(&headers, "content-type").unwrap_or_default();
        let encoding = encoding::named(content_type).unwrap_or(Encoding::Protobuf);
        let is_grpc = content_type.get(..GRPC.len()).is_some_and(|start| start.eq_ignore_ascii_case(GRPC));
        if is_grpc {
            return Err(refused(&Refusal::Grpc, Encoding::Grpc));
        }
        let Some(signal) = config.receiver.signal_at(path) else {
            let traces = config.receiver.traces_path().to_owned();
            return Err(refused(&Refusal::Path(traces), encoding));
        };
        if method != "POST" {
            return Err(refused(&Refusal::Method, encoding));
        }
        let unreadable = |error: Unreadable| error.answer(encoding);
        let coding = Coding::named(only(&headers, "content-encoding")).map_err(unreadable)?;
        let own = config.receiver.http.as_ref().and_then(|http| http.max_body).unwrap_or(u32::MAX);
        let limit = own.min(config.limits.body) as usize;
        let length = only(&headers, "content-length").and_then(|text| std::str::from_utf8(text).ok());
        if length.and_then(|text| text.parse::<u64>().ok()).is_some_and(|length| length > limit as u64) {
            return Err(unreadable(Unreadable::TooLarge(limit)));
        }
        let peer = peer_header.and_then(|name| peer(&headers, name));
        Ok(Self { signal, path: path.to_owned(), peer, headers, encoding, coding, limit })
    }

    /// Bytes of the body that a host has to read at most. Of a body that has more, one more is enough.
    pub fn limit(&self) -> usize {
        self.limit
    }

    /// The answer to a request whose body did not come whole within `limits.read_timeout`, milliseconds.
    pub fn is_slow(&self, limit: u32) -> Answer {
        refused(&Refusal::Slow(limit), self.encoding)
    }

    /// The answer to a request whose body broke off.
    pub fn is_broken(&self) -> Answer {
        refused(&Refusal::Broken, self.encoding)
    }

    /// The body without its content coding.
    pub(super) fn decode(&self, wire: Vec<u8>) -> Result<Vec<u8>, Answer> {
        let too_large = wire.len() > self.limit;
        let body = if too_large {
            Err(Unreadable::TooLarge(self.limit))
        } else {
            self.coding.decode(wire, self.limit)
        };
        body.map_err(|error| error.answer(self.encoding))
    }

    /// The request with its body.
    pub(super) fn request<'a>(&'a self, body: &'a [u8], now: Option<u64>) -> Request<'a> {
        let Self { signal, path, peer, headers, .. } = self;
        Request { signal: *signal, path, peer: *peer, headers, body, now }
    }
}

/// The encoding that a request's answer has, as its headers tell.
pub(super) fn client_encoding(headers: &[Header]) -> Encoding {
    only(headers, "content-type").and_then(encoding::named).unwrap_or(Encoding::Protobuf)
}

/// The value of a header that comes first.
fn only<'a>(headers: &'a [Header], name: &str) -> Option<&'a [u8]> {
    headers.iter().find(|header| header.name == name).map(|header| header.value.as_slice())
}

/// The address in a header that comes once. Of two, one may be the client's own, and nothing tells which.
fn peer(headers: &[Header], name: &str) -> Option<IpAddr> {
    let mut values = headers.iter().filter(|header| header.name == name);
    let value = values.next().filter(|_| values.next().is_none())?;
    address::parse_with_port(std::str::from_utf8(&value.value).ok()?.trim())
}

/// Why a request is refused before its body is decoded.
enum Refusal {
    Grpc,
    Path(String),
    Method,
    Slow(u32),
    Broken,
}

fn refused(refusal: &Refusal, encoding: Encoding) -> Answer {
    let (status, code, text, key, advice) = match refusal {
        Refusal::Grpc => (
            505,
            Code::Unimplemented,
            "no gRPC here, since the host passes no trailers: use OTLP/HTTP".to_owned(),
            "no-grpc",
            "set the client's OTEL_EXPORTER_OTLP_PROTOCOL to http/protobuf",
        ),
        Refusal::Path(traces) => (
            404,
            Code::Unimplemented,
            format!("nothing is here; traces go to {traces}"),
            "no-such-path",
            "correct the client's OTEL_EXPORTER_OTLP_TRACES_ENDPOINT, or receivers.otlp.protocols.http.traces_url_path",
        ),
        Refusal::Method => (
            405,
            Code::Unimplemented,
            "only POST is possible here".to_owned(),
            "wrong-method",
            "exports are POST",
        ),
        Refusal::Slow(limit) => (
            408,
            Code::DeadlineExceeded,
            format!("the body did not come within {limit} ms"),
            "slow-body",
            "see podstamp.limits.read_timeout",
        ),
        Refusal::Broken => (
            400,
            Code::InvalidArgument,
            "the body broke off".to_owned(),
            "body-broken",
            "the client, or a proxy on the way, gave up",
        ),
    };
    let mut answer = Failure::new(status, code, &text).answer(encoding);
    if matches!(refusal, Refusal::Method) {
        answer.headers.push(Header::new("allow", "POST"));
    }
    let message = format!("a request was refused: {text}; {advice}");
    Answer { notice: Some(Notice { level: Level::Warning, key: key.into(), message }), ..answer }
}

const GRPC: &[u8] = b"application/grpc";
