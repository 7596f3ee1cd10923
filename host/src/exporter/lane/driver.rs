//! A task that takes requests from the queue to one connection.

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::Notify;
use tokio::time::{Instant, sleep, timeout};

use super::super::attempt::Broken;
use super::super::body::OutboundBody;
use super::super::gather::Pieces;
use super::super::sending::Sending;
use super::super::wire::Wire;
use super::{Group, Lane, Turn};
use crate::observe::Attempted;
use crate::sandbox::Ended;

/// The task's connection, and the lane that its requests come from.
pub(super) struct Driver {
    lane: Arc<Lane>,
    wire: Option<Wire>,
    /// Estimated bytes of the upstream's memory that the request on its way takes; `None` while none is.
    on_its_way: Option<u64>,
    /// Whether that request has taken longer than clients wait.
    is_silent: bool,
    has_left: bool,
}

/// How an attempt ended.
struct Exchanged {
    result: Result<Ended, Broken>,
    /// Whether the connection had begun to take the body.
    started: bool,
    /// Whether the upstream may have closed the connection for being idle, before it read the request.
    is_stale: bool,
}

impl Driver {
    pub(super) fn new(lane: Arc<Lane>) -> Self {
        Self { lane, wire: None, on_its_way: None, is_silent: false, has_left: false }
    }

    /// Sends until there has been nothing to send for a while.
    pub(super) async fn run(mut self) {
        while !self.has_left {
            match self.lane.turn(self.wire.is_some()) {
                Turn::Send(first) => self.send(&first).await,
                Turn::Park(parked) => self.park(&parked).await,
                Turn::Leave => self.has_left = true,
            }
        }
    }

    /// Waits to be notified; leaves where the connection ends or is idle for too long meanwhile.
    async fn park(&mut self, parked: &Arc<Notify>) {
        let ended = async {
            match &mut self.wire {
                Some(wire) => wire.ended().await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            biased;
            () = ended => self.wire = None,
            () = parked.notified() => return,
            () = sleep(IDLE) => (),
        }
        self.has_left = self.lane.leave(parked);
    }

    /// Connects before taking requests from the queue: those that come meanwhile go along, and those whose clients go away
    /// meanwhile do not.
    async fn send(&mut self, first: &Arc<Sending>) {
        if let Err(broken) = self.connect(first).await {
            return self.lane.not_connected(first, &broken);
        }
        let wire = self.wire.as_ref();
        let Some(group) = self.lane.take(|sending| wire.is_some_and(|wire| wire.fits(sending))) else {
            return;
        };
        self.on_its_way = Some(group.memory());
        let is_late = self.deliver(group).await;
        self.arrive();
        // The next connection is not opened before this one has ended: the agent would work on two requests.
        if is_late && let Some(wire) = self.wire.take() {
            wire.close().await;
        }
        self.speak();
    }

    /// Sends a group and tells its clients; true where the request took too long and was broken off.
    async fn deliver(&mut self, group: Group) -> bool {
        let pieces = group.body();
        let mut exchanged = self.exchange(&group, &pieces).await;
        // A request that was merged with others goes again in any case, by itself.
        let is_alone = group.len() == 1;
        if exchanged.is_stale && is_alone && self.connect(group.sending()).await.is_ok() {
            exchanged = self.exchange(&group, &pieces).await;
        }
        let Exchanged { result, started, .. } = exchanged;
        if !is_alone && is_refused(&result) {
            self.lane.part(group);
            return false;
        }
        match result {
            Ok(ended) => {
                let counts = group.sending().has_client()
                    && matches!(ended, Ended::Response { status: 200..=299, .. });
                let unheard = group.tell(|_| ended.clone());
                if counts {
                    self.lane.metrics.unheard(unheard);
                }
                false
            }
            Err(broken) => {
                let tls = group.sending().way.tls.clone();
                group.tell(|original| broken.ended(started, original, tls.as_deref()));
                matches!(broken, Broken::Late(_))
            }
        }
    }

    /// Makes sure of a connection that `sending` may go by.
    async fn connect(&mut self, sending: &Sending) -> Result<(), Broken> {
        if let Some(wire) = &mut self.wire
            && wire.fits(sending)
            && timeout(READY, wire.is_ready()).await.unwrap_or(false)
        {
            return Ok(());
        }
        self.wire = None;
        let begun = Instant::now();
        match Wire::open(sending).await {
            Ok(wire) => self.wire = Some(wire),
            Err(broken) => {
                tracing::debug!(url = %sending.uri, error = %broken, "no connection");
                self.attempted(sending, Attempted::NotConnected, begun);
                // A copy's TLS is its own, and so is what is wrong with it.
                if sending.has_client() {
                    self.lane.failed(sending, begun, &broken.to_string());
                }
                return Err(broken);
            }
        }
        Ok(())
    }

    async fn exchange(&mut self, group: &Group, pieces: &Pieces) -> Exchanged {
        let sending = group.sending();
        let Some(wire) = &mut self.wire else {
            let result = Err(Broken::Connect("there is no connection".into()));
            return Exchanged { result, started: false, is_stale: false };
        };
        let begun = Instant::now();
        let body = OutboundBody::new(pieces.clone());
        let started = body.started();
        let was_used = wire.is_used();
        let result = {
            let mut exchange = pin!(wire.exchange(sending, body, group.deadline()));
            match timeout(self.lane.patience, &mut exchange).await {
                Ok(result) => result,
                Err(_) => {
                    // It is waited for all the same: the agent may work on it, and another one beside it may end the agent.
                    if !std::mem::replace(&mut self.is_silent, true) {
                        self.lane.fell_silent();
                    }
                    let reason = format!("no answer for {} ms", self.lane.patience.as_millis());
                    self.lane.failed(sending, begun, &reason);
                    exchange.await
                }
            }
        };
        match &result {
            Err(broken @ Broken::Late(_)) => {
                self.lane.failed(sending, begun, &format!("no answer: {broken}"))
            }
            _ => self.lane.reached(sending),
        }
        let is_stale = was_used && !wire.has_heard() && matches!(result, Err(Broken::Send(_)));
        let keeps = matches!(result, Ok(Ended::Response { .. }) | Err(Broken::Late(_)));
        if !keeps {
            self.wire = None;
        }
        let started = started.is_set();
        let Lane { metrics, notices, .. } = &*self.lane;
        if started && sending.has_client() {
            metrics.sent(pieces.len());
            metrics.merged(group.len());
        }
        if let Err(error) = &result {
            let uri = &sending.uri;
            tracing::debug!(url = %uri, %error, "an attempt to send broke");
            if error.is_no_http() {
                notices.warn("upstream-no-http", || {
                    format!("{uri} answers something that is no HTTP, perhaps TLS (https://): {error}")
                });
            }
        }
        let attempted = match &result {
            Ok(ended) => label(ended),
            Err(broken) => label(&broken.ended(started, &Bytes::new(), sending.way.tls.as_deref())),
        };
        self.attempted(sending, attempted, begun);
        Exchanged { result, started, is_stale }
    }

    /// Counts an attempt, unless it is a copy's: those are counted apart.
    fn attempted(&self, sending: &Sending, attempted: Attempted, begun: Instant) {
        if sending.has_client() {
            self.lane.metrics.attempted(attempted, begun.elapsed());
        }
    }

    /// Notes that no request on this connection takes longer than clients wait any more.
    fn speak(&mut self) {
        if std::mem::take(&mut self.is_silent) {
            self.lane.is_heard();
        }
    }

    /// Notes that the request is not on its way any more.
    fn arrive(&mut self) {
        if let Some(memory) = self.on_its_way.take() {
            self.lane.done(memory);
        }
    }
}

impl Drop for Driver {
    fn drop(&mut self) {
        self.arrive();
        self.speak();
        if !self.has_left {
            self.lane.lost();
        }
    }
}

/// Whether the upstream refuses this request, while it may take some of those that were merged into it.
fn is_refused(result: &Result<Ended, Broken>) -> bool {
    match result {
        Ok(Ended::Response { status: 401 | 403..=405 | 429 | 502..=504, .. }) => false,
        Ok(Ended::Response { status, .. }) => *status >= 400,
        Ok(_) | Err(Broken::Connect(_) | Broken::Late(_)) => false,
        Err(Broken::Send(_) | Broken::Receive(_)) => true,
    }
}

fn label(ended: &Ended) -> Attempted {
    match ended {
        Ended::Response { status, .. } => Attempted::with(*status),
        Ended::NotConnected(_) | Ended::Away { .. } | Ended::Waited => Attempted::NotConnected,
        Ended::Closed(_) => Attempted::Closed,
        Ended::TimedOut => Attempted::TimedOut,
        Ended::Oversized => Attempted::Oversized,
    }
}

/// How long a connection may be idle. deepflow-agent never closes one; a Service in between forgets it after some minutes.
const IDLE: Duration = Duration::from_secs(60);

/// How long a connection may take to be ready again. It is at once, unless the upstream answered a request before it had
/// read it.
const READY: Duration = Duration::from_secs(1);
