//! The head of an export request.

use std::net::IpAddr;

use podstamp_core::answer::media_type;
use podstamp_core::hosting::encoding;
use podstamp_core::hosting::unreadable::Unreadable;
use podstamp_core::interface::{self, Encoding, Header, Signal};
use podstamp_embedded::coding::Coding;

use crate::abi::map::Pairs;
use crate::notices::Notices;
use crate::plugin::Plugin;

/// The parts of a request's head that are read.
#[derive(Debug)]
pub(crate) struct Head {
    /// The signal that the request carries.
    pub(crate) signal: Signal,
    path: String,
    peer: Option<IpAddr>,
    /// The headers that the filter reads.
    headers: Vec<Header>,
    /// The client's encoding.
    pub(crate) encoding: Encoding,
    /// Whether the body still has gRPC's frames.
    pub(crate) framed: bool,
    /// The content coding of the body.
    pub(crate) coding: Result<Coding, Unreadable>,
}

impl Head {
    /// The head of a request with these headers, the current stream's; `None` unless it exports a signal that is stamped here.
    pub(crate) fn read(headers: &Pairs<'_>, plugin: &Plugin, notices: &Notices) -> Option<Self> {
        let is_post = headers.value(":method")? == b"POST";
        let path = std::str::from_utf8(headers.value(":path")?).ok()?;
        let path = path.split_once('?').map_or(path, |(path, _)| path);
        let grpc = Signal::ALL.into_iter().find(|signal| path == signal.grpc_path());
        let signal = grpc.or_else(|| plugin.config().receiver.signal_at(path))?;
        let grpc = grpc.is_some();
        if !is_post || !plugin.carries(signal) {
            return None;
        }
        let content_type = headers.value(CONTENT_TYPE);
        let framed = content_type.is_some_and(|value| value.starts_with(GRPC));
        if framed && signal != Signal::Traces {
            // Routes of metrics and logs may be set up without the bridge, from before those were stamped.
            notices.warn("bridge-missing", || {
                let name = signal.name();
                format!("{name} over gRPC pass as they are: envoy.filters.http.grpc_http1_reverse_bridge has to stand ahead of podstamp, with a content type on their routes")
            });
            return None;
        }
        let coding = headers.value(if grpc { "grpc-encoding" } else { "content-encoding" });
        let mut kept = headers.named(plugin.filter().request_headers());
        if grpc
            && !framed
            && let Some(header) = kept.iter_mut().find(|header| header.name == CONTENT_TYPE)
        {
            // The bridge, ahead of the module, has put the upstream's type there.
            header.value = media_type(Encoding::Grpc).as_bytes().to_vec();
        }
        Some(Self {
            signal,
            path: path.to_owned(),
            coding: Coding::named(coding),
            peer: plugin.peers().current(headers, notices),
            encoding: client_encoding(grpc, content_type),
            headers: kept,
            framed,
        })
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
fn client_encoding(grpc: bool, content_type: Option<&[u8]>) -> Encoding {
    match content_type.and_then(encoding::named) {
        _ if grpc => Encoding::Grpc,
        Some(Encoding::Json) => Encoding::Json,
        _ => Encoding::Protobuf,
    }
}

const CONTENT_TYPE: &str = "content-type";

const GRPC: &[u8] = b"application/grpc";
