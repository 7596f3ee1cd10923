//! Answers to clients that the proxy sends, and whose answer it is that passes.

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

/// The status of a response with these headers.
pub(crate) fn status(headers: &[Header]) -> Option<u16> {
    let status = headers.iter().find(|header| header.name == ":status")?;
    std::str::from_utf8(&status.value).ok()?.parse().ok()
}

/// Adds what the proxy's cors filter has put into the response so far: an answer in its place goes past that filter.
pub(crate) fn with_cors(mut headers: Vec<Header>, response: &[Header]) -> Vec<Header> {
    let cors = |header: &&Header| header.name.starts_with("access-control-") || header.name == "vary";
    headers.extend(response.iter().filter(cors).cloned());
    headers
}

/// Whose response it is that passes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Source {
    /// The upstream's, with that status.
    Upstream(u16),
    /// The proxy's own: it has no connection, for that reason.
    NotConnected(String),
    /// The proxy's own: the connection ended without a response.
    Closed,
    /// The proxy's own: the time was over.
    TimedOut,
    /// The proxy's own: the body is over what it holds.
    TooLarge,
    /// That of another filter, with that status.
    Other(u16),
}

impl Source {
    /// The source of the current stream's response, which has these headers. To gRPC clients a proxy itself says everything
    /// with status 200.
    pub(crate) fn current(headers: &[Header], encoding: Encoding) -> Self {
        let status = status(headers).unwrap_or(0);
        if (200..300).contains(&status) && encoding != Encoding::Grpc {
            return Self::Upstream(status);
        }
        Self::of(host::property_text(&["response", "code_details"]).as_deref(), status)
    }

    /// Reads what Envoy writes into `%RESPONSE_CODE_DETAILS%`. Hosts without it only show responses of upstreams.
    fn of(details: Option<&str>, status: u16) -> Self {
        let Some(details) = details.filter(|details| *details != "via_upstream") else {
            return Self::Upstream(status);
        };
        let reset = details.strip_prefix("upstream_reset_before_response_started");
        match (details, reset) {
            (_, Some(why))
                if why.contains("connection_termination")
                    || why.contains("remote_reset")
                    || why.contains("protocol_error") =>
            {
                Self::Closed
            }
            (_, Some(_))
            | ("no_healthy_upstream" | "cluster_not_found" | "route_not_found" | "maintenance_mode", _) => {
                Self::NotConnected(details.to_owned())
            }
            ("upstream_response_timeout" | "response_timeout" | "upstream_per_try_timeout", _) => {
                Self::TimedOut
            }
            ("request_payload_too_large", _) => Self::TooLarge,
            _ => Self::Other(status),
        }
    }
}

/// What of an upstream's answer is read, as in the host.
pub(crate) const MAX_RESPONSE: usize = 4 << 20;

/// How an answer of this module shows up in access logs.
const DETAILS: &str = "podstamp";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn envoys_details_say_whose_response_it_is() {
        let details =
            "upstream_reset_before_response_started{remote_connection_failure|delayed_connect_error:_111}";
        for (text, expected) in [
            (None, Source::Upstream(200)),
            (Some("via_upstream"), Source::Upstream(200)),
            (Some(details), Source::NotConnected(details.to_owned())),
            (Some("upstream_reset_before_response_started{connection_termination}"), Source::Closed),
            (Some("upstream_reset_before_response_started{remote_reset}"), Source::Closed),
            (Some("no_healthy_upstream"), Source::NotConnected("no_healthy_upstream".to_owned())),
            (Some("route_not_found"), Source::NotConnected("route_not_found".to_owned())),
            (Some("response_timeout"), Source::TimedOut),
            (Some("request_payload_too_large"), Source::TooLarge),
            (Some("rbac_access_denied_matched_policy[none]"), Source::Other(200)),
        ] {
            assert_eq!(Source::of(text, 200), expected, "{text:?}");
        }
    }
}
