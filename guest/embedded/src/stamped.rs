//! What becomes of a body where the host can only change or refuse it.

use podstamp_core::interface::{Answer, Content, Verdict};

/// What a host does with a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Stamped {
    /// It goes on as it came.
    Unchanged,
    /// This goes on in its place, as protobuf.
    Changed(Vec<u8>),
    /// Nothing is left to send, and the client is told that all is well: with this answer, if the host can.
    Empty(Answer),
    /// It is refused, with this answer if the host can.
    Refused(Answer),
}

impl Stamped {
    pub(crate) fn of(verdict: Verdict, body: &[u8]) -> Self {
        match verdict {
            Verdict::Answer(answer) if answer.status < 300 => Self::Empty(answer),
            Verdict::Answer(answer) => Self::Refused(answer),
            Verdict::Forward(outbound) => match outbound.content {
                Content::Unchanged => Self::Unchanged,
                // The edits were made for this body, so they fit.
                Content::Edited(edits) => edits.apply(body).map_or(Self::Unchanged, Self::Changed),
                Content::Replaced(body) => Self::Changed(body),
            },
        }
    }
}
