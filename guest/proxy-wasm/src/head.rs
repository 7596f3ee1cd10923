//! The head of an export request.

use std::net::IpAddr;

use podstamp_core::config::{AGENT_PATH, GRPC_PATH};
use podstamp_core::exchange::{self, Encoding, Header};
use podstamp_core::export::answer::media_type;

use crate::abi::{Headers, host};
use crate::coding::{Coding, Refusal};
use crate::origin;
use crate::plugin::Plugin;

/// What is known of a request before its body.
#[derive(Debug)]
pub(crate) struct Head {
    path: String,
    peer: Option<IpAddr>,
    /// Those that the filter reads.
    headers: Vec<Header>,
    /// What the client speaks.
    pub(crate) encoding: Encoding,
    /// Whether the body still has gRPC's frames.
    pub(crate) framed: bool,
    /// What the body is coded with.
    pub(crate) coding: Result<Coding, Refusal>,
}

impl Head {
    /// The head of the current stream's request; none where that is no export of traces.
    pub(crate) fn read(plugin: &Plugin) -> Option<Self> {
        let is_post = host::header(Headers::Request, ":method")? == b"POST";
        let path = String::from_utf8(host::header(Headers::Request, ":path")?).ok()?;
        let path = path.split('?').next().unwrap_or_default();
        let grpc = path == GRPC_PATH;
        if !is_post || !(grpc || path == AGENT_PATH || path == plugin.config().receiver.traces_path()) {
            return None;
        }
        let mut headers: Vec<_> = plugin
            .filter()
            .request_headers()
            .iter()
            .filter_map(|name| {
                host::header(Headers::Request, name).map(|value| Header { name: name.clone(), value })
            })
            .collect();
        let content_type = headers.iter_mut().find(|header| header.name == CONTENT_TYPE);
        let framed = content_type.as_ref().is_some_and(|header| header.value.starts_with(GRPC));
        if let (true, false, Some(header)) = (grpc, framed, content_type) {
            // The bridge ahead of us has put the upstream's type there.
            header.value = media_type(Encoding::Grpc).as_bytes().to_vec();
        }
        let coding = if grpc { "grpc-encoding" } else { "content-encoding" };
        Some(Self {
            path: path.to_owned(),
            peer: origin::peer(plugin),
            encoding: encoding(grpc, &headers),
            headers,
            framed,
            coding: Coding::named(host::header(Headers::Request, coding).as_deref()),
        })
    }

    /// The request with its body.
    pub(crate) fn request<'a>(&'a self, body: &'a [u8]) -> exchange::Request<'a> {
        exchange::Request { path: &self.path, peer: self.peer, headers: &self.headers, body }
    }
}

/// In what to answer where the filter is not asked.
fn encoding(grpc: bool, headers: &[Header]) -> Encoding {
    let json = media_type(Encoding::Json).as_bytes();
    let is_json = |header: &Header| header.name == CONTENT_TYPE && header.value.starts_with(json);
    match (grpc, headers.iter().any(is_json)) {
        (true, _) => Encoding::Grpc,
        (false, true) => Encoding::Json,
        (false, false) => Encoding::Protobuf,
    }
}

const CONTENT_TYPE: &str = "content-type";

const GRPC: &[u8] = b"application/grpc";
