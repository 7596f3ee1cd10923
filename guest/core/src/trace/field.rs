//! Stepping from field to field; a fault is placed where its field begins.

use crate::fault::{Broken, FaultKind};
use crate::message::Message;
use crate::wire;

#[inline]
pub(super) fn tag(start: &[u8]) -> Result<(u32, u8, &[u8]), Broken> {
    wire::tag(start).map_err(|kind| Broken::at(start, kind))
}

/// Skips a field that the walk does not look into; a known one must have its wire type.
#[inline]
pub(super) fn skip<'a>(
    message: Message,
    start: &'a [u8],
    number: u32,
    wire: u8,
    after: &'a [u8],
    depth: u32,
) -> Result<&'a [u8], Broken> {
    let broken = |kind| Broken::at(start, kind);
    if message.field(number).is_some_and(|(_, kind)| kind.wire() != wire) {
        return Err(broken(FaultKind::Mismatch { field: number, wire }));
    }
    wire::skip(number, wire, after, depth).map_err(broken)
}
