//! Where a request came from and went to, for the log.

use std::fmt::{Display, Formatter, Result};
use std::net::IpAddr;

use http::request::Parts;
use podstamp_core::interface::Encoding;

use super::refusal::Protocol;
use crate::shortened::shortened;

/// The sender and the target of a request.
#[derive(Clone, Copy, Debug)]
pub(super) struct Origin<'a> {
    protocol: Protocol,
    peer: Option<IpAddr>,
    address: &'a str,
    method: &'a str,
    path: &'a str,
}

impl<'a> Origin<'a> {
    /// The origin of a request to the listener at `address`.
    pub(super) fn new(encoding: Encoding, peer: Option<IpAddr>, address: &'a str, head: &'a Parts) -> Self {
        let protocol = if encoding == Encoding::Grpc { Protocol::Grpc } else { Protocol::Http };
        Self { protocol, peer, address, method: head.method.as_str(), path: head.uri.path() }
    }
}

impl Display for Origin<'_> {
    fn fmt(&self, formatter: &mut Formatter<'_>) -> Result {
        let Self { protocol, peer, address, method, path } = self;
        write!(formatter, "{protocol} from ")?;
        match peer {
            Some(peer) => write!(formatter, "{peer}")?,
            None => formatter.write_str("an unknown peer")?,
        }
        let (shown, rest) = shortened(path, SHOWN);
        write!(formatter, " to {address}, {} {}{rest}", method.escape_debug(), shown.escape_debug())
    }
}

/// Bytes of a path that are logged. Clients may make paths as long as they like.
const SHOWN: usize = 200;

#[cfg(test)]
mod tests {
    use http::Request;

    use super::*;

    #[test]
    fn a_request_is_told_by_protocol_peer_address_method_and_path() {
        let told = |path: &str| {
            let (head, ()) = Request::post(path).body(()).unwrap().into_parts();
            let peer = Some("10.1.2.3".parse().unwrap());
            Origin::new(Encoding::Json, peer, "0.0.0.0:4317", &head).to_string()
        };
        assert_eq!(told("/v1/x?token=1"), "OTLP/HTTP from 10.1.2.3 to 0.0.0.0:4317, POST /v1/x");
        assert!(told(&format!("/{}", "a".repeat(1000))).ends_with("aaa..."));
    }
}
