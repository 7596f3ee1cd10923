//! The encoding of a request.

use crate::config::AGENT_PATHS;
use crate::hosting::encoding;
use crate::interface::{Encoding, Request};

/// The encoding that a request's content type names. Where that is none of OTLP's, the error is the encoding to answer in.
///
/// On deepflow-agent's own paths the content type may be missing, since the agent never looks at it.
pub(super) fn encoding(request: &Request<'_>) -> Result<Encoding, Encoding> {
    let Some(value) = request.header("content-type").next() else {
        return if AGENT_PATHS.contains(&request.path) {
            Ok(Encoding::Protobuf)
        } else {
            Err(Encoding::Protobuf)
        };
    };
    encoding::named(value).ok_or(Encoding::Protobuf)
}
