//! What every host of the filter needs, so that all of them count, log and answer the same things alike.

pub mod encoding;
pub mod frame;
pub mod labels;
pub mod outgrown;
pub mod throttle;
pub mod unreadable;

use crate::answer;
use crate::interface::{Answer, Encoding, Signal};

/// The answer to a request that a host has taken upon itself to deliver, and what [`Filter::conclude`](crate::Filter::conclude)
/// answers where the upstream has taken it: to any response with a status of 200 to 299 and no body.
pub fn acknowledged(signal: Signal, encoding: Encoding) -> Answer {
    answer::success(signal, encoding, None)
}

/// Bytes that a host reads of an upstream's response: OTLP recommends that a client reads no more than 4 MiB.
pub const MAX_RESPONSE: usize = 4 << 20;
