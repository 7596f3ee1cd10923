//! The head of an export request.

use std::net::IpAddr;

use podstamp_core::answer::media_type;
use podstamp_core::hosting::encoding;
use podstamp_core::hosting::unreadable::Unreadable;
use podstamp_core::interface::{self, Encoding, Header, Signal};
use podstamp_embedded::coding::Coding;

use crate::abi::{Headers, host};
use crate::notices::Notices;
use crate::plugin::Plugin;

/// The parts of a request's head that are read.
#[derive(Debug)]
pub(crate) struct Head {
    /// The signal that the request carries.
    pub(crate) signal: Signal,
    path: String,
    peer: Option<IpAddr>,
    headers: Vec<Header>,
    /// The client's encoding.
    pub(crate) encoding: Encoding,
    /// Whether the body still has gRPC's frames.
    pub(crate) framed: bool,
    /// The content coding of the body.
    pub(crate) coding: Result<Coding, Unreadable>,
}

impl Head {
    /// The head of the current stream's request; `None` unless that exports a signal that is stamped here.
    pub(crate) fn current(plugin: &Plugin, notices: &Notices) -> Option<Self> {
        // One call for all of them: each costs about as much as checking five kilobytes of spans.
        let mut headers = host::headers_of(Headers::Request, &|name| plugin.reads(name));
        let find = |name: &str| headers.iter().find(|header| header.name == name);
        let is_post = find(":method")?.value == b"POST";
        let path = std::str::from_utf8(&find(":path")?.value).ok()?.split('?').next()?.to_owned();
        let grpc = Signal::ALL.into_iter().find(|signal| path == signal.grpc_path());
        let signal = grpc.or_else(|| plugin.config().receiver.signal_at(&path))?;
        let grpc = grpc.is_some();
        if !is_post || !plugin.carries(signal) {
            return None;
        }
        let content_type = headers.iter_mut().find(|header| header.name == CONTENT_TYPE);
        let framed = content_type.as_ref().is_some_and(|header| header.value.starts_with(GRPC));
        if framed && signal != Signal::Traces {
            // Routes of metrics and logs may be set up without the bridge, from before those were stamped.
            notices.warn("bridge-missing", || {
                let name = signal.name();
                format!("{name} over gRPC pass as they are: envoy.filters.http.grpc_http1_reverse_bridge has to stand ahead of podstamp, with a content type on their routes")
            });
            return None;
        }
        if let (true, false, Some(header)) = (grpc, framed, content_type) {
            // The bridge, ahead of the module, has put the upstream's type there.
            header.value = media_type(Encoding::Grpc).as_bytes().to_vec();
        }
        let coding = if grpc { "grpc-encoding" } else { "content-encoding" };
        let coding = headers.iter().find(|header| header.name == coding);
        Some(Self {
            signal,
            path,
            coding: Coding::named(coding.map(|coding| coding.value.as_slice())),
            peer: plugin.peers().current(&headers, notices),
            encoding: client_encoding(grpc, &headers),
            headers,
            framed,
        })
    }

    /// Whether the request has a header of that name.
    pub(crate) fn has(&self, name: &str) -> bool {
        self.headers.iter().any(|header| header.name == name)
    }

    /// Whether the request has a header with just that value.
    pub(crate) fn says(&self, name: &str, value: &[u8]) -> bool {
        self.headers.iter().any(|header| header.name == name && header.value == value)
    }

    /// The protocol, peer and path of the request, for the operator.
    pub(crate) fn origin(&self) -> String {
        let protocol = if self.encoding == Encoding::Grpc { "OTLP/gRPC" } else { "OTLP/HTTP" };
        let peer = self.peer.map_or_else(|| "an unknown peer".to_owned(), |peer| peer.to_string());
        format!("{protocol} from {peer}, {}", self.path)
    }

    /// The request with its body. [`Plugin::prepare`] adds the time.
    pub(crate) fn request<'a>(&'a self, body: &'a [u8]) -> interface::Request<'a> {
        let Self { signal, path, peer, headers, .. } = self;
        interface::Request { signal: *signal, path, peer: *peer, headers, body, now: None }
    }
}

/// The encoding to answer in where the filter is not asked. The path tells gRPC, whose content type a bridge changes.
fn client_encoding(grpc: bool, headers: &[Header]) -> Encoding {
    let content_type = headers.iter().find(|header| header.name == CONTENT_TYPE);
    match content_type.and_then(|header| encoding::named(&header.value)) {
        _ if grpc => Encoding::Grpc,
        Some(Encoding::Json) => Encoding::Json,
        _ => Encoding::Protobuf,
    }
}

/// Names of the request headers that are read here and in `inline`, besides those that the filter reads.
pub(crate) const READ: [&str; 7] = [
    ":method",
    ":path",
    "content-length",
    "content-encoding",
    "accept-encoding",
    "grpc-encoding",
    "x-forwarded-for",
];

const CONTENT_TYPE: &str = "content-type";

const GRPC: &[u8] = b"application/grpc";
