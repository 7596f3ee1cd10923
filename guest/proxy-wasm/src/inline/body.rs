//! The request's body.

use podstamp_core::answer::{Code, Failure};
use podstamp_core::hosting::labels::Reason;
use podstamp_core::hosting::outgrown::Outgrown;
use podstamp_core::hosting::unreadable::Unreadable;
use podstamp_core::interface::Edits;
use podstamp_core::interface::{Answer, Content, Encoding, Verdict};
use podstamp_embedded::coding::Coding;

use super::exchange::{Exchange, Stage};
use crate::abi::{Action, Buffer, Refused, host};

impl Exchange {
    /// `size` bytes of the body are here.
    pub(crate) fn request_body(&mut self, size: usize, end: bool) -> Action {
        match &mut self.stage {
            Stage::Receiving { size: here } => *here = size,
            Stage::Refusing(_) => {
                drop_body(size);
                return Action::Continue;
            }
            _ => return Action::Continue,
        }
        let limit = self.limit();
        if size > limit {
            return self.refuse_unreadable(&Unreadable::TooLarge(limit), size);
        }
        if end { self.whole(size) } else { Action::Pause }
    }

    /// The body has ended, as it does behind a decompressor: with trailers.
    pub(crate) fn request_trailers(&mut self) -> Action {
        match self.stage {
            Stage::Receiving { size } => self.whole(size),
            _ => Action::Continue,
        }
    }

    /// All of the body is here.
    fn whole(&mut self, size: usize) -> Action {
        let Ok(wire) = host::buffer(Buffer::RequestBody, 0, size) else {
            let text = "the proxy does not hand out the body";
            let answer = Failure::new(500, Code::Internal, text).answer(self.encoding());
            return self.refuse_body(answer, size);
        };
        let received = wire.len();
        let coded = self.is_coded();
        let body = match self.decode(wire) {
            Ok(body) => body,
            Err(refusal) => return self.refuse_unreadable(&refusal, size),
        };
        self.instruments.metrics().received(received, body.len());
        #[cfg(feature = "trap")]
        if body == b"trap" {
            std::process::abort();
        }
        let outbound = match self.prepare(&body) {
            Verdict::Forward(outbound) => outbound,
            Verdict::Answer(answer) if self.is_upstreams_to_say(&answer) => {
                self.told(&answer, Reason::of(&answer));
                return self.send(size, &[], &Content::Unchanged, size > 0);
            }
            Verdict::Answer(answer) => return self.refuse_body(answer, size),
        };
        if outbound.parts.len() > 1 {
            let text = "the batch is more than deepflow-agent takes in one request, and a proxy sends no more than one: send smaller ones";
            self.instruments.notices().warn("batch-too-large", || {
                format!("{text}; see podstamp.guard.agent_memory and spans_per_request")
            });
            let answer = Failure::new(413, Code::ResourceExhausted, text).answer(self.encoding());
            return self.refuse_body(answer, size);
        }
        let action = self.send(size, &body, &outbound.content, coded);
        // JSON that could be transcoded is sound: a full check of it would find nothing later.
        if let Stage::Sent(kept) = &mut self.stage
            && self.head.encoding != Encoding::Json
        {
            *kept = self.plugin.budget().hold(body);
        }
        action
    }

    fn decode(&self, wire: Vec<u8>) -> Result<Vec<u8>, Unreadable> {
        let coding = self.head.coding.clone()?;
        let limit = self.limit();
        match self.encoding() {
            Encoding::Grpc => coding.decode_unflagged(wire, limit),
            Encoding::Protobuf | Encoding::Json => coding.decode(wire, limit),
        }
    }

    /// Puts the stamped body in the place of the one that came.
    fn send(&mut self, size: usize, body: &[u8], content: &Content, coded: bool) -> Action {
        let (length, limit) = (content.length(body.len()), self.limit());
        if length > limit {
            let answer = Outgrown { limit: limit as u64 }.answer(self.encoding());
            return self.refuse_body(answer, size);
        }
        let written = match content {
            Content::Unchanged if !coded => true,
            Content::Unchanged => put(size, body).is_ok(),
            Content::Replaced(other) => put(size, other).is_ok(),
            Content::Edited(edits) => put_edited(edits, body, size, coded),
        };
        if !written {
            let text = "the proxy does not let the body be changed";
            let answer = Failure::new(500, Code::Internal, text).answer(self.encoding());
            return self.refuse_body(answer, size);
        }
        self.instruments.metrics().sent(length);
        self.stage = Stage::Sent(None);
        Action::Continue
    }

    fn refuse_unreadable(&mut self, refusal: &Unreadable, size: usize) -> Action {
        self.refuse_for(refusal.answer(self.encoding()), Some(refusal.reason()), size)
    }

    fn refuse_body(&mut self, answer: Answer, size: usize) -> Action {
        let reason = Reason::of(&answer);
        self.refuse_for(answer, reason, size)
    }

    fn refuse_for(&mut self, answer: Answer, reason: Option<Reason>, size: usize) -> Action {
        if self.encoding() == Encoding::Grpc {
            drop_body(size);
        }
        self.refuse(answer, reason)
    }

    fn is_coded(&self) -> bool {
        self.head.coding != Ok(Coding::Identity)
    }

    fn limit(&self) -> usize {
        self.plugin.config().limits.body as usize
    }
}

/// Edits the proxy's buffer, of `size` bytes, up to the last edit: the spans behind it, mostly all of them, can stay where
/// they are. Returns whether the proxy let it.
fn put_edited(edits: &Edits, body: &[u8], size: usize, coded: bool) -> bool {
    let end = edits.edits.last().map_or(0, |last| last.offset as usize + last.remove as usize);
    let parts = body.split_at_checked(end);
    let Some((head, rest)) = parts.and_then(|(head, rest)| edits.apply(head).zip(Some(rest))) else {
        return false;
    };
    let in_place = !coded && !rest.is_empty();
    in_place && host::set_buffer(Buffer::RequestBody, 0, end, &head).is_ok()
        || put(size, &[head.as_slice(), rest].concat()).is_ok()
}

fn put(size: usize, body: &[u8]) -> Result<(), Refused> {
    host::set_buffer(Buffer::RequestBody, 0, size, body)
}

/// Empties the body of a request that is refused.
fn drop_body(size: usize) {
    // The answer says that nothing was taken even where the proxy refuses this.
    put(size, &[]).ok();
}
