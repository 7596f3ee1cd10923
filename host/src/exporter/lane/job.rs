//! One client's request, on its way to the upstream once.

use std::sync::Arc;

use tokio::sync::oneshot::Sender;
use tokio::time::Instant;

use super::super::sending::Sending;
use crate::sandbox::Ended;

pub(super) struct Job {
    pub(super) sending: Arc<Sending>,
    /// Until when a response may come.
    pub(super) deadline: Instant,
    /// It goes by itself.
    pub(super) is_alone: bool,
    reply: Sender<Ended>,
}

impl Job {
    pub(super) fn new(sending: Arc<Sending>, deadline: Instant, reply: Sender<Ended>) -> Self {
        let is_alone = !sending.body.takes_others();
        Self { sending, deadline, is_alone, reply }
    }

    /// The same, to go by itself.
    pub(super) fn alone(self) -> Self {
        Self { is_alone: true, ..self }
    }

    /// Whether nobody waits for it any more.
    pub(super) fn is_abandoned(&self) -> bool {
        self.reply.is_closed()
    }

    /// Whether anybody heard it: whoever has gone away need not know.
    pub(super) fn tell(self, ended: Ended) -> bool {
        self.reply.send(ended).is_ok()
    }
}
