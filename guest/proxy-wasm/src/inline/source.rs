//! The source of a response: the upstream, the proxy itself or another filter.

use podstamp_core::interface::Encoding;

use crate::abi::{Headers, host};
use crate::response::{STATUS, parse_status};

/// The source of the response that passes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Source {
    /// The upstream, with that status.
    Upstream(u16),
    /// The proxy: it has no connection, for that reason.
    NotConnected(String),
    /// The proxy: the connection ended without a response.
    Closed,
    /// The proxy: the time was over.
    TimedOut,
    /// The proxy: the body is over what it holds.
    TooLarge,
    /// Another filter, with that status.
    Other(u16),
}

impl Source {
    /// The source of the current stream's response. A proxy's own answer to a gRPC client always has status 200.
    pub(crate) fn current(encoding: Encoding) -> Self {
        let status =
            host::header(Headers::Response, STATUS).and_then(|status| parse_status(&status)).unwrap_or(0);
        if (200..300).contains(&status) && encoding != Encoding::Grpc {
            return Self::Upstream(status);
        }
        Self::of(host::property_text("response\0code_details").as_deref(), status)
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
