//! Reads a request's body into one piece, within limits.

use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http_body::Body;
use http_body_util::BodyExt;
use hyper::body::Incoming;
use podstamp_core::hosting::unreadable::Unreadable;
use tokio::time::{Instant, timeout_at};

use super::refusal::Refusal;
use crate::receiver::admission::Slot;
use crate::settings::Limits;

/// Reads the whole body. A body that came in one piece is not copied. `length` may tell the body's length from its first
/// bytes, where the headers do not.
pub(super) async fn collect(
    body: &mut Incoming,
    limit: usize,
    slot: &mut Slot,
    limits: &Limits,
    length: fn(&[u8]) -> Option<usize>,
) -> Result<Bytes, Refusal> {
    let pace = Pace::new(limits);
    let declared = body.size_hint().exact().map(|length| usize::try_from(length).unwrap_or(usize::MAX));
    if declared.is_some_and(|length| length > limit) {
        return Err(Unreadable::TooLarge(limit).into());
    }
    let Some(first) = next(body, &pace, 0).await? else {
        return Ok(Bytes::new());
    };
    let mut held = 0;
    admit(first.len(), first.len(), &mut held, limit, slot)?;
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
    while let Some(data) = next(body, &pace, whole.len()).await? {
        let have = whole.len() + data.len();
        // So that of many large bodies some get all their room, rather than all of them half of it.
        let meant = declared.filter(|_| have >= EAGER).unwrap_or(have).max(have);
        admit(have, meant, &mut held, limit, slot)?;
        if whole.capacity() < have {
            whole.reserve(room(whole.len(), data.len(), declared));
        }
        whole.extend_from_slice(&data);
        // hyper knows the end without another wait.
        if body.is_end_stream() {
            break;
        }
    }
    Ok(whole.freeze())
}

/// How much to make room for. A declared length is believed once a good part of it has come.
fn room(have: usize, more: usize, declared: Option<usize>) -> usize {
    match declared {
        Some(declared) => declared.saturating_sub(have).max(more),
        None => have.max(more),
    }
}

/// The next bytes, if they come in time. `have` bytes came before them.
async fn next(body: &mut Incoming, pace: &Pace, have: usize) -> Result<Option<Bytes>, Refusal> {
    let (until, slow) = pace.until(have);
    // Bytes that are there are taken even if late: it may have been this process that was slow.
    timeout_at(until, frame(body)).await.unwrap_or(Err(slow))
}

async fn frame(body: &mut Incoming) -> Result<Option<Bytes>, Refusal> {
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|error| Refusal::BrokenBody(error.to_string()))?;
        // Trailers say nothing that is needed.
        if let Ok(data) = frame.into_data() {
            return Ok(Some(data));
        }
    }
    Ok(None)
}

/// How fast a body has to come.
struct Pace {
    begun: Instant,
    timeout: Duration,
    grace: Duration,
    rate: usize,
}

impl Pace {
    fn new(limits: &Limits) -> Self {
        let Limits { read_timeout: timeout, body_grace: grace, body_rate: rate, .. } = *limits;
        Self { begun: Instant::now(), timeout, grace, rate }
    }

    /// When a body of which `have` bytes have come is too slow, and the refusal for that.
    fn until(&self, have: usize) -> (Instant, Refusal) {
        let covered = match self.rate {
            0 => self.timeout,
            rate => Duration::from_secs_f64(have as f64 / rate as f64),
        };
        let paced = self.grace.saturating_add(covered);
        if paced < self.timeout {
            (self.begun + paced, Refusal::TrickledBody(self.rate))
        } else {
            (self.begun + self.timeout, Refusal::SlowBody(self.timeout))
        }
    }
}

/// Holds room for `meant` bytes of a body of which `have` have come; `held` have room.
fn admit(have: usize, meant: usize, held: &mut usize, limit: usize, slot: &mut Slot) -> Result<(), Refusal> {
    if have > limit {
        return Err(Unreadable::TooLarge(limit).into());
    }
    let more = meant.saturating_sub(*held);
    if !slot.hold(more) {
        return Err(Refusal::Full(slot.full()));
    }
    *held += more;
    Ok(())
}

/// How much room a declared length gets before its bytes have come.
const EAGER: usize = 1 << 20;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_body_has_its_grace_then_its_rate_and_never_more_than_its_timeout() {
        let limits = Limits {
            read_timeout: Duration::from_secs(30),
            body_grace: Duration::from_secs(5),
            body_rate: 1000,
            ..Limits::default()
        };
        let pace = Pace::new(&limits);
        let until = |have| {
            let (until, slow) = pace.until(have);
            ((until - pace.begun).as_secs(), slow)
        };
        assert_eq!(until(0), (5, Refusal::TrickledBody(1000)));
        assert_eq!(until(10_000), (15, Refusal::TrickledBody(1000)));
        assert_eq!(until(25_000), (30, Refusal::SlowBody(limits.read_timeout)));
        assert_eq!(until(usize::MAX), (30, Refusal::SlowBody(limits.read_timeout)));
        let pace = Pace::new(&Limits { body_rate: 0, ..limits });
        assert_eq!(pace.until(0).0 - pace.begun, Duration::from_secs(30));
    }
}
