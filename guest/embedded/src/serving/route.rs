//! The way of a batch to one upstream.

use podstamp_core::Filter;
use podstamp_core::answer::{Code, Failure};
use podstamp_core::hosting::MAX_RESPONSE;
use podstamp_core::interface::{Answer, Attempt, Encoding, Header, Mended, Next, Outcome, Signal};

use super::batch::Batch;
use super::world::{Outgoing, World};

/// An upstream, and who waits for what becomes of a batch there.
#[derive(Clone, Copy)]
pub(super) struct Route<'a> {
    pub(super) filter: &'a Filter,
    pub(super) signal: Signal,
    pub(super) encoding: Encoding,
    /// The number by which the filter knows the upstream: 0, or n for the nth of its copies.
    pub(super) number: u32,
    pub(super) url: &'a str,
    pub(super) headers: &'a [Header],
    /// Milliseconds for all attempts, and until somebody has to know what came of them.
    pub(super) patience: u32,
}

impl Route<'_> {
    /// Sends the parts of `batch` one after the other, each until the upstream has taken it. The first that it does not take decides.
    /// `body` is the one that the filter made the batch of. The error is what goes in its place.
    pub(super) fn send(&self, batch: &Batch<'_>, body: &[u8], world: &impl World) -> Result<Answer, Mended> {
        let began = world.now();
        let mut delivered = 0;
        let mut last = None;
        for (part, spans) in batch.parts() {
            let answer = self.send_part(part, body, delivered, began, world)?;
            if answer.status != 200 {
                return Ok(answer);
            }
            delivered += spans;
            last = Some(answer);
        }
        let nothing = || Failure::new(500, Code::Internal, "nothing to send").answer(self.encoding);
        Ok(last.unwrap_or_else(nothing))
    }

    fn send_part(
        &self,
        part: &[u8],
        body: &[u8],
        delivered: u32,
        began: u64,
        world: &impl World,
    ) -> Result<Answer, Mended> {
        let Self { filter, signal, encoding, number: upstream, url, headers, patience } = *self;
        let elapsed = || u32::try_from(world.now().saturating_sub(began)).unwrap_or(u32::MAX);
        let mut number = 1;
        loop {
            let time = patience.saturating_sub(elapsed());
            let outgoing = Outgoing { url, headers, body: Some(part), time, limit: MAX_RESPONSE };
            let sent = (time > 0).then(|| world.send(&outgoing));
            // A part whose time is over before it was sent.
            let outcome = sent.as_ref().map_or(Outcome::Waited, |sent| sent.outcome(body));
            let attempt = Attempt {
                signal,
                upstream,
                encoding,
                number,
                elapsed: elapsed(),
                patience,
                delivered,
                random: world.random(),
            };
            match filter.conclude(&attempt, &outcome) {
                Next::Answer(answer) => return Ok(answer),
                Next::Mend(mended) => return Err(mended),
                Next::Retry(wait) => world.wait(wait),
            }
            number += 1;
        }
    }
}
