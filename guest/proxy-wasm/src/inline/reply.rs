//! Answers to clients, as a proxy sends them in place of the upstream.

use podstamp_core::interface::{Answer, Encoding, Header};

use crate::abi::{Refused, host};

/// An answer in the shape in which a proxy sends it in place of the upstream.
pub(crate) struct Reply<'a> {
    status: u16,
    headers: Vec<Header>,
    body: &'a [u8],
    grpc_status: Option<i32>,
}

impl<'a> Reply<'a> {
    pub(crate) fn new(answer: &'a Answer, encoding: Encoding) -> Self {
        let Answer { status, body, .. } = answer;
        let grpc = encoding == Encoding::Grpc;
        let code = answer.headers.iter().find(|header| header.name == "grpc-status");
        let code = code.and_then(|code| std::str::from_utf8(&code.value).ok()?.parse().ok());
        // The body would become grpc-message, which is among the headers already.
        let body = if grpc { &[] } else { body.as_slice() };
        let headers = headers(answer, encoding);
        Self { status: *status, headers, body, grpc_status: code.filter(|_| grpc) }
    }

    pub(crate) fn send(&self) -> Result<(), Refused> {
        host::send_local_response(self.status, DETAILS, &self.headers, self.body, self.grpc_status)
    }
}

/// The headers of an answer, besides those that the proxy itself sets for gRPC.
pub(crate) fn headers(answer: &Answer, encoding: Encoding) -> Vec<Header> {
    let own = |header: &&Header| {
        encoding == Encoding::Grpc && ["content-type", "grpc-status"].contains(&header.name.as_str())
    };
    answer.headers.iter().filter(|header| !own(header)).cloned().collect()
}

/// Adds the headers that the proxy's cors filter has put into the response: an answer in its place goes past that filter.
pub(crate) fn with_cors(mut headers: Vec<Header>, response: &[Header]) -> Vec<Header> {
    let cors = |header: &&Header| header.name.starts_with("access-control-") || header.name == "vary";
    headers.extend(response.iter().filter(cors).cloned());
    headers
}

/// How an answer of this module shows up in access logs.
const DETAILS: &str = "podstamp";
