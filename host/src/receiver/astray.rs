//! Connections that bring no request: what was recognised, and what to do about it.

use std::error::Error;
use std::io;
use std::net::IpAddr;
use std::time::Duration;

use super::Receiver;
use super::opening::{Opening, Speech};
use crate::observe::Unserved;
use crate::tls::NoHandshake;

/// Why a connection was closed, for the operator.
#[derive(Debug)]
pub(super) struct Astray {
    reason: Unserved,
    key: &'static str,
    text: String,
}

impl Astray {
    fn new(reason: Unserved, key: &'static str, text: impl Into<String>) -> Self {
        Self { reason, key, text: text.into() }
    }

    /// The reason behind an error of a connection that began with `opening`. `None`: the client went away, or the network
    /// broke.
    pub(super) fn of(error: &(dyn Error + 'static), opening: Option<Opening>) -> Option<Self> {
        let error = error.downcast_ref::<hyper::Error>()?;
        if error.is_parse_too_large() {
            let text = "the headers of a request are over 64 KiB: correct the client, or the proxy that adds to them";
            return Some(Self::new(Unserved::LargeHead, "head-too-large", text));
        }
        if !error.is_parse() {
            return None;
        }
        let malformed = || {
            Self::new(
                Unserved::Malformed,
                "malformed-http",
                format!("a request is no sound HTTP ({error}): correct the client, or the proxy on the way"),
            )
        };
        Some(opening.and_then(Self::opened).unwrap_or_else(malformed))
    }

    /// A head that did not come to its end.
    pub(super) fn slow_head(limit: Duration, opening: Option<Opening>) -> Self {
        let slow = || {
            let limit = limit.as_secs_f32();
            let text = format!(
                "the head of a request was not whole within {limit} s; see podstamp.limits.header_timeout"
            );
            Self::new(Unserved::SlowHead, "slow-head", text)
        };
        opening.and_then(Self::opened).unwrap_or_else(slow)
    }

    /// The reason where the first bytes are not HTTP.
    fn opened(opening: Opening) -> Option<Self> {
        Some(match opening.speech() {
            Speech::Http => return None,
            Speech::Tls => Self::new(
                Unserved::Tls,
                "tls-unexpected",
                "it began with TLS, which this address does not have: begin the client's URL with http:// \
                 (OTEL_EXPORTER_OTLP_INSECURE=true over gRPC), or set tls in receivers.otlp.protocols",
            ),
            Speech::Proxy => Self::new(
                Unserved::ProxyHeader,
                "proxy-protocol-unexpected",
                "it began with a PROXY header, which is not expected from there: turn it off at the load balancer, or put that into \
                 podstamp.trusted_proxies and turn podstamp.proxy_protocol on",
            ),
            Speech::Thrift => Self::new(
                Unserved::Thrift,
                "thrift",
                "it began with Thrift, as clients of Jaeger do, and podstamp takes OTLP only: set the client's exporter to OTLP",
            ),
            Speech::Other => Self::new(
                Unserved::Other,
                "not-http",
                format!(
                    "it began with {opening}, which is no HTTP: correct who sends that here, or its port"
                ),
            ),
        })
    }

    /// A trusted proxy sent no usable PROXY header. `None`: it went away, as port probes do.
    pub(super) fn unintroduced(error: &io::Error) -> Option<Self> {
        if error.kind() == io::ErrorKind::UnexpectedEof {
            return None;
        }
        let text = format!(
            "{error}; it is one of podstamp.trusted_proxies, and podstamp.proxy_protocol expects a header from those: turn it \
             on there, or off here"
        );
        Some(Self::new(Unserved::NoProxyHeader, "proxy-protocol", text))
    }

    /// The TLS handshake failed.
    pub(super) fn without_tls(NoHandshake { in_the_clear, why }: NoHandshake) -> Self {
        let reason = if in_the_clear { Unserved::NoTls } else { Unserved::Handshake };
        Self::new(reason, "tls-handshake", format!("no TLS with it: {why}"))
    }

    /// A peer has as many connections as it may.
    pub(super) fn too_many() -> Self {
        let text = "its peer has as many as one peer may; see podstamp.limits.per_peer";
        Self::new(Unserved::PerPeer, "too-many-connections-of-one-peer", text)
    }
}

impl Receiver {
    /// Counts a connection that brings no request, and tells the operator.
    pub(super) fn turned_away(&self, peer: Option<IpAddr>, astray: &Astray) {
        let Astray { reason, key, text } = astray;
        self.shared.metrics.unserved(*reason);
        self.shared.notices.warn(key, || {
            let peer = peer.map_or_else(|| "an unknown peer".to_owned(), |peer| peer.to_string());
            format!("a connection from {peer} to {} was closed: {text}", self.listener.address)
        });
    }
}
