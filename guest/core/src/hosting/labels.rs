//! The labels of the metrics that hosts keep, so that the same things have the same names in all of them.

use crate::interface::{Answer, Report, Signal};

/// A label whose values are known beforehand.
pub trait Label: Copy + 'static {
    /// The label's name.
    const KEY: &'static str;

    /// All values, in the order of their indices.
    const NAMES: &'static [&'static str];

    /// Index of this value in [`Self::NAMES`].
    fn index(self) -> usize;

    /// The text of this value.
    fn name(self) -> &'static str {
        Self::NAMES.get(self.index()).copied().unwrap_or_default()
    }
}

impl Label for Signal {
    const KEY: &'static str = "signal";
    const NAMES: &'static [&'static str] = &[Self::Traces.name(), Self::Metrics.name(), Self::Logs.name()];

    fn index(self) -> usize {
        self as usize
    }
}

macro_rules! label {
    ($(#[$doc:meta])* $name:ident, $key:literal, { $($case:ident => $text:literal),* $(,)? }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        #[expect(missing_docs, reason = "their texts stand beside them")]
        pub enum $name { $($case),* }

        impl Label for $name {
            const KEY: &'static str = $key;
            const NAMES: &'static [&'static str] = &[$($text),*];

            fn index(self) -> usize {
                self as usize
            }
        }
    };
}

label!(
    /// What became of resources and spans that the filter met.
    Fate, "outcome", {
        Accepted => "accepted",
        Refused => "refused",
        Failed => "failed",
        Cancelled => "cancelled",
    }
);

label!(
    /// How an attempt to send ended.
    Attempted, "outcome", {
        Informational => "1xx",
        Success => "2xx",
        Redirection => "3xx",
        ClientError => "4xx",
        ServerError => "5xx",
        NotConnected => "not_connected",
        Closed => "closed",
        TimedOut => "timed_out",
        Oversized => "oversized",
    }
);

label!(
    /// Why a request was answered without having been sent.
    Unsent, "reason", {
        Away => "away",
        Waited => "waited",
    }
);

label!(
    /// Where a resource's `app.host.ip` came from.
    Found, "from", {
        Kept => "kept",
        Pipeline => "pipeline",
        PodIp => "pod_ip",
        Pod => "pod",
        Connection => "connection",
        Unknown => "unknown",
        Contradicted => "contradicted",
    }
);

label!(
    /// What the guard did.
    Repair, "rule", {
        Refused => "refused",
        KindCleared => "kind_cleared",
        ResourceCreated => "resource_created",
        AddressNormalised => "address_normalised",
        AddressRepaired => "address_repaired",
        PeerRenamed => "peer_renamed",
        SpanMoved => "span_moved",
        SpanFar => "span_far",
        SpanSenseless => "span_senseless",
        NameCut => "name_cut",
        TextMended => "text_mended",
        RequestSplit => "request_split",
    }
);

label!(
    /// Why a request was not taken.
    Reason, "reason", {
        Path => "path",
        Method => "method",
        Protocol => "protocol",
        Signal => "signal",
        ContentType => "content_type",
        Credentials => "credentials",
        Cors => "cors",
        TooLarge => "too_large",
        Coding => "coding",
        Frame => "frame",
        Undecodable => "undecodable",
        Unrecognised => "unrecognised",
        Slow => "slow",
        Broken => "broken",
        Busy => "busy",
        Pods => "pods",
        Filter => "filter",
        Upstream => "upstream",
    }
);

label!(
    /// Why a connection was closed that brought no request.
    Unserved, "reason", {
        Tls => "tls",
        NoTls => "no_tls",
        Handshake => "handshake",
        ProxyHeader => "proxy_header",
        NoProxyHeader => "no_proxy_header",
        Thrift => "thrift",
        Other => "other",
        Malformed => "malformed",
        LargeHead => "large_head",
        SlowHead => "slow_head",
        PerPeer => "per_peer",
    }
);

label!(
    /// What became of a changed file with certificates, tokens or passwords.
    Reloaded, "outcome", {
        Loaded => "loaded",
        Failed => "failed",
    }
);

label!(
    /// Why the filter gave no answer.
    GuestFailure, "kind", {
        Trap => "trap",
        Timeout => "timeout",
        MemoryLimit => "memory_limit",
        InvalidAnswer => "invalid_answer",
        Busy => "busy",
    }
);

label!(
    /// The limit that a request or a connection ran into, by its key in `podstamp.limits`, or the processor.
    Limited, "limit", {
        Body => "body",
        BodyRate => "body_rate",
        Connections => "connections",
        HeaderTimeout => "header_timeout",
        InFlight => "in_flight",
        InFlightBytes => "in_flight_bytes",
        MemoryLimiter => "memory_limiter",
        PerPeer => "per_peer",
        ReadTimeout => "read_timeout",
    }
);

label!(
    /// What became of a copy.
    Copied, "outcome", {
        Delivered => "delivered",
        Queued => "queued",
        Failed => "failed",
        Dropped => "dropped",
    }
);

label!(
    /// What became of a request that the upstream could not take at once.
    Queued, "outcome", {
        Enqueued => "enqueued",
        NotEnqueued => "not_enqueued",
        Delivered => "delivered",
        Refused => "refused",
        Expired => "expired",
        Lost => "lost",
    }
);

impl Report {
    /// Numbers of resources, by where their `app.host.ip` came from.
    pub fn found(&self) -> [(Found, u32); 7] {
        [
            (Found::Kept, self.address_kept),
            (Found::Pipeline, self.address_pipeline),
            (Found::PodIp, self.address_pod_ip),
            (Found::Pod, self.address_pod),
            (Found::Connection, self.address_connection),
            (Found::Unknown, self.address_unknown),
            (Found::Contradicted, self.address_contradicted),
        ]
    }

    /// How often the guard did what.
    pub fn repairs(&self) -> [(Repair, u32); 12] {
        [
            (Repair::Refused, self.refused),
            (Repair::KindCleared, self.kinds_cleared),
            (Repair::ResourceCreated, self.resources_created),
            (Repair::AddressNormalised, self.addresses_normalised),
            (Repair::AddressRepaired, self.addresses_repaired),
            (Repair::PeerRenamed, self.peers_renamed),
            (Repair::SpanMoved, self.spans_moved),
            (Repair::SpanFar, self.spans_far),
            (Repair::SpanSenseless, self.spans_senseless),
            (Repair::NameCut, self.names_cut),
            (Repair::TextMended, self.texts_mended),
            (Repair::RequestSplit, self.requests_split),
        ]
    }
}

impl Fate {
    /// The fate of a request's content, by the HTTP status of its answer.
    pub fn of(status: u16) -> Self {
        match status {
            200..=299 => Self::Accepted,
            429 | 500.. => Self::Failed,
            _ => Self::Refused,
        }
    }
}

impl Reason {
    /// Why the filter itself answered a request; `None` for a success. A success with a notice is for a request in which nothing
    /// was recognised.
    pub fn of(answer: &Answer) -> Option<Self> {
        match answer.status {
            200..=299 => answer.notice.as_ref().map(|_| Self::Unrecognised),
            400 => Some(Self::Undecodable),
            404 => Some(Self::Signal),
            413 => Some(Self::TooLarge),
            415 => Some(Self::ContentType),
            _ => Some(Self::Filter),
        }
    }
}

impl Attempted {
    /// The end of an attempt that got a response with that HTTP status.
    pub fn with(status: u16) -> Self {
        match status {
            100..=199 => Self::Informational,
            200..=299 => Self::Success,
            300..=399 => Self::Redirection,
            400..=499 => Self::ClientError,
            _ => Self::ServerError,
        }
    }
}
