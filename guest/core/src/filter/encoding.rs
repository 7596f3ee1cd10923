//! The encoding of a request.

use crate::answer::{JSON, PROTOBUF};
use crate::config::AGENT_PATHS;
use crate::interface::{Encoding, Request};

/// The encoding that a request's content type names; the one to answer in if it names none that OTLP has.
///
/// Whoever speaks to deepflow-agent may leave it out, since the agent never looks at it.
pub(super) fn encoding(request: &Request<'_>) -> Result<Encoding, Encoding> {
    let Some(value) = request.header("content-type").next() else {
        return if AGENT_PATHS.contains(&request.path) {
            Ok(Encoding::Protobuf)
        } else {
            Err(Encoding::Protobuf)
        };
    };
    let value = value.split(|byte| *byte == b';').next().unwrap_or_default().trim_ascii();
    let is = |known: &str| value.eq_ignore_ascii_case(known.as_bytes());
    if is(PROTOBUF) {
        Ok(Encoding::Protobuf)
    } else if is(JSON) {
        Ok(Encoding::Json)
    } else if is("application/grpc") || is("application/grpc+proto") {
        Ok(Encoding::Grpc)
    } else {
        Err(Encoding::Protobuf)
    }
}
