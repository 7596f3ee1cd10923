//! One attempt of one client's request.

use std::sync::Arc;

use tokio::sync::oneshot::Sender;
use tokio::time::Instant;

use super::super::sending::Sending;
use crate::sandbox::Ended;
use crate::settings::Batch;

pub(super) struct Job {
    pub(super) sending: Arc<Sending>,
    /// When it began to wait.
    pub(super) entered: Instant,
    /// Until when a response may come.
    pub(super) deadline: Instant,
    /// Whether the request is not to be merged with others.
    pub(super) is_alone: bool,
    reply: Sender<Ended>,
}

impl Job {
    pub(super) fn new(sending: Arc<Sending>, deadline: Instant, reply: Sender<Ended>) -> Self {
        let is_alone = !sending.body.takes_others();
        Self { sending, entered: Instant::now(), deadline, is_alone, reply }
    }

    /// How it is put together with others before it waits for a connection; `None`: not at all.
    pub(super) fn batch(&self) -> Option<Batch> {
        self.sending.way.batch.filter(|_| !self.is_alone && !self.sending.is_drained)
    }

    /// The same job, which begins to wait now.
    pub(super) fn entering(self) -> Self {
        Self { entered: Instant::now(), ..self }
    }

    /// The same job, not to be merged with others.
    pub(super) fn alone(self) -> Self {
        Self { is_alone: true, ..self }
    }

    /// Whether the client has gone.
    pub(super) fn is_abandoned(&self) -> bool {
        self.reply.is_closed()
    }

    /// Tells the client the outcome; false where it has gone.
    pub(super) fn tell(self, ended: Ended) -> bool {
        self.reply.send(ended).is_ok()
    }
}
