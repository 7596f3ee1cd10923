//! Reads a request's body into one piece, within limits.

use bytes::{Bytes, BytesMut};
use http_body::Body;
use http_body_util::BodyExt;
use hyper::body::Incoming;
use podstamp_core::export::unreadable::Unreadable;

use super::refusal::Refusal;
use crate::admission::Slot;

/// Reads the whole body. One that came in one piece is not copied. `length` may tell from its first bytes how long it will
/// be, where its head does not.
pub(super) async fn collect(
    body: &mut Incoming,
    limit: usize,
    slot: &mut Slot,
    length: fn(&[u8]) -> Option<usize>,
) -> Result<Bytes, Refusal> {
    let declared = body.size_hint().exact().map(|length| usize::try_from(length).unwrap_or(usize::MAX));
    if declared.is_some_and(|length| length > limit) {
        return Err(Unreadable::TooLarge(limit).into());
    }
    let Some(first) = next(body).await? else {
        return Ok(Bytes::new());
    };
    admit(first.len(), 0, limit, slot)?;
    if body.is_end_stream() {
        return Ok(first);
    }
    let declared = declared.or_else(|| length(&first));
    if declared.is_some_and(|length| length > limit) {
        return Err(Unreadable::TooLarge(limit).into());
    }
    let mut whole = BytesMut::with_capacity(declared.unwrap_or(2 * first.len()).clamp(first.len(), EAGER));
    whole.extend_from_slice(&first);
    drop(first);
    while let Some(data) = next(body).await? {
        admit(data.len(), whole.len(), limit, slot)?;
        if whole.capacity() - whole.len() < data.len() {
            whole.reserve(room(whole.len(), data.len(), declared));
        }
        whole.extend_from_slice(&data);
        // hyper says so without another wait.
        if body.is_end_stream() {
            break;
        }
    }
    Ok(whole.freeze())
}

/// How much to make room for. What a client declares is believed as far as it has shown to mean it.
fn room(have: usize, more: usize, declared: Option<usize>) -> usize {
    let generous = have.saturating_mul(7).max(more);
    match declared {
        Some(declared) => declared.saturating_sub(have).clamp(more, generous),
        None => have.max(more),
    }
}

async fn next(body: &mut Incoming) -> Result<Option<Bytes>, Refusal> {
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|error| Refusal::BrokenBody(error.to_string()))?;
        // Trailers have nothing for us.
        if let Ok(data) = frame.into_data() {
            return Ok(Some(data));
        }
    }
    Ok(None)
}

fn admit(more: usize, have: usize, limit: usize, slot: &mut Slot) -> Result<(), Refusal> {
    if have + more > limit {
        Err(Unreadable::TooLarge(limit).into())
    } else if !slot.hold(more) {
        Err(Refusal::TooManyBytes)
    } else {
        Ok(())
    }
}

/// How much room a declared length gets before its bytes have come.
const EAGER: usize = 1 << 20;
