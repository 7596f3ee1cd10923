//! A task that takes requests from the queue to one connection.

use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::Notify;
use tokio::time::{Instant, sleep_until, timeout};

use super::super::attempt::Broken;
use super::super::body::OutboundBody;
use super::super::gather::Pieces;
use super::super::sending::Sending;
use super::super::wire::Wire;
use super::address::Id;
use super::group::Group;
use super::health::Failing;
use super::pool::{Pool, Turn};
use crate::observe::Attempted;
use crate::sandbox::Ended;

/// The task's connection, and the address that it leads to.
pub(super) struct Driver {
    pool: Arc<Pool>,
    id: Id,
    wire: Option<Counted>,
    /// Estimated bytes of the upstream's memory that the request on its way takes; `None` while none is.
    on_its_way: Option<u64>,
    /// Whether that request has taken longer than clients wait.
    is_silent: bool,
    has_left: bool,
}

/// A connection that its pool knows of.
struct Counted {
    wire: Wire,
    counted: Count,
}

struct Count {
    pool: Arc<Pool>,
    id: Id,
}

impl Drop for Count {
    fn drop(&mut self) {
        self.pool.disconnected(self.id);
    }
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
    pub(super) fn new(pool: Arc<Pool>, id: Id) -> Self {
        Self { pool, id, wire: None, on_its_way: None, is_silent: false, has_left: false }
    }

    /// Sends until there has been nothing to send for a while. `probe`: a request of a lane to connect for, though others may send
    /// it.
    pub(super) async fn run(mut self, probe: Option<(usize, Arc<Sending>)>) {
        if let Some((lane, sending)) = probe {
            self.connect(lane, &sending, true).await;
        }
        while !self.has_left {
            match self.pool.turn(self.id, self.wire.is_some()) {
                Turn::Send(lane, first) => self.send(lane, &first).await,
                Turn::Park(parked) => self.park(&parked).await,
                Turn::Leave => self.has_left = true,
            }
        }
    }

    /// Waits to be notified; leaves where the connection ends, or has been idle or open for too long meanwhile.
    async fn park(&mut self, parked: &Arc<Notify>) {
        let idle = Instant::now() + IDLE;
        let ages = self.wire.as_ref().and_then(|wire| wire.wire.ages());
        let until = ages.map_or(idle, |ages| ages.min(idle));
        let ended = async {
            match &mut self.wire {
                Some(wire) => wire.wire.ended().await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            biased;
            () = ended => {
                self.wire = None;
                self.pool.ask(self.id);
            }
            () = parked.notified() => return,
            () = sleep_until(until) => self.end_aged(),
        }
        self.has_left = self.pool.unpark(self.id, parked);
    }

    /// Ends a connection that is too old, while no request is on its way.
    fn end_aged(&mut self) {
        let is_aged = |wire: &Counted| wire.wire.ages().is_some_and(|ages| ages <= Instant::now());
        if self.wire.take_if(|wire| is_aged(wire)).is_some() {
            self.pool.aged.fetch_add(1, Ordering::Relaxed);
            self.pool.ask(self.id);
        }
    }

    /// Connects before taking requests from the queue: those that come meanwhile go along, those whose clients go away meanwhile
    /// do not, and another address takes them where that is quicker.
    async fn send(&mut self, lane: usize, first: &Arc<Sending>) {
        if !self.connect(lane, first, true).await {
            return;
        }
        let wire = self.wire.as_ref();
        let fits = |sending: &Sending| wire.is_some_and(|wire| wire.wire.fits(sending));
        let Some((lane, group)) = self.pool.take(self.id, fits) else {
            return;
        };
        self.on_its_way = Some(group.memory());
        let is_late = self.deliver(lane, group).await;
        self.arrive();
        // The next connection is not opened before this one has ended: the agent would work on two requests.
        if is_late && let Some(Counted { wire, counted }) = self.wire.take() {
            wire.close().await;
            drop(counted);
        }
        self.speak();
    }

    /// Sends a group and tells its clients; true where the request took too long and was broken off.
    async fn deliver(&mut self, lane: usize, group: Group) -> bool {
        let Some(pieces) = group.body() else {
            self.pool.part(lane, group);
            return false;
        };
        let mut exchanged = self.exchange(lane, &group, &pieces).await;
        // A request that was merged with others goes again in any case, by itself.
        let is_alone = group.len() == 1;
        if exchanged.is_stale && is_alone && self.connect(lane, group.sending(), false).await {
            exchanged = self.exchange(lane, &group, &pieces).await;
        }
        let Exchanged { result, started, .. } = exchanged;
        if !is_alone && is_refused(&result) {
            self.pool.part(lane, group);
            return false;
        }
        match result {
            Ok(ended) => {
                let counts = group.sending().has_client()
                    && matches!(ended, Ended::Response { status: 200..=299, .. });
                let unheard = group.tell(|_| ended.clone());
                if counts {
                    self.pool.metrics.unheard(unheard);
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

    /// Makes sure of a connection that `sending` may go by; false where none could be made. `gives_up`: whether the requests that
    /// wait are told of that.
    async fn connect(&mut self, lane: usize, sending: &Sending, gives_up: bool) -> bool {
        self.end_aged();
        if let Some(Counted { wire, .. }) = &mut self.wire
            && wire.fits(sending)
            && timeout(READY, wire.is_ready()).await.unwrap_or(false)
        {
            return true;
        }
        self.wire = None;
        let begun = Instant::now();
        match self.open(lane, sending).await {
            Ok(wire) => {
                self.pool.connected(lane, self.id, sending.kind());
                let counted = Count { pool: Arc::clone(&self.pool), id: self.id };
                self.wire = Some(Counted { wire, counted });
                true
            }
            Err(broken) => {
                tracing::debug!(url = %sending.uri, error = %broken, "no connection");
                self.attempted(sending, Attempted::NotConnected, begun);
                self.pool.not_connected(lane, self.id, sending, begun, &broken, gives_up);
                false
            }
        }
    }

    /// Connects. Where that takes long, another address is asked as well.
    async fn open(&self, lane: usize, sending: &Sending) -> Result<Wire, Broken> {
        let Some(socket) = self.pool.socket(self.id) else {
            return Err(Broken::Connect("the address has gone".into()));
        };
        let mut opening = pin!(Wire::open(sending, socket, self.pool.settings.max_connection_age));
        if let Ok(opened) = timeout(SOON, &mut opening).await {
            return opened;
        }
        if self.pool.is_in_doubt(lane) {
            return Err(Broken::Connect(format!("no connection within {} ms", SOON.as_millis()).into()));
        }
        self.pool.hedge(lane, self.id);
        opening.await
    }

    async fn exchange(&mut self, lane: usize, group: &Group, pieces: &Pieces) -> Exchanged {
        let sending = group.sending();
        let Some(Counted { wire, .. }) = &mut self.wire else {
            let result = Err(Broken::Connect("there is no connection".into()));
            return Exchanged { result, started: false, is_stale: false };
        };
        let begun = Instant::now();
        let body = OutboundBody::new(pieces.clone());
        let started = body.started();
        let was_used = wire.is_used();
        let patience = self.pool.settings.patience;
        let result = {
            let mut exchange = pin!(wire.exchange(sending, body, group.deadline()));
            match timeout(patience, &mut exchange).await {
                Ok(result) => result,
                Err(_) => {
                    // It is waited for all the same: the agent may work on it, and another one beside it may end the agent.
                    let reason = format!("no answer for {} ms", patience.as_millis());
                    if !std::mem::replace(&mut self.is_silent, true) {
                        self.pool.fell_silent(self.id);
                    }
                    self.pool.failed(lane, self.id, sending, begun, Failing::Late, &reason);
                    self.pool.start_others(self.id);
                    exchange.await
                }
            }
        };
        let is_stale = was_used && !wire.has_heard() && matches!(result, Err(Broken::Send(_)));
        let failing = match &result {
            Err(broken @ Broken::Late(_)) => Some((Failing::Late, format!("no answer: {broken}"))),
            Err(_) if is_stale => None,
            result => busy(result).map(|reason| (Failing::Refused, reason)),
        };
        if !matches!(result, Err(Broken::Late(_))) {
            self.pool.reached(lane, self.id, sending, !is_stale && failing.is_none());
        }
        if let Some((failing, reason)) = failing {
            self.pool.failed(lane, self.id, sending, begun, failing, &reason);
            self.pool.start_others(self.id);
        }
        let keeps = matches!(result, Ok(Ended::Response { .. }) | Err(Broken::Late(_)));
        if !keeps {
            self.wire = None;
            self.pool.ask(self.id);
        }
        let started = started.is_set();
        let Pool { metrics, notices, .. } = &*self.pool;
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
            self.pool.metrics.attempted(attempted, begun.elapsed());
        }
    }

    /// Notes that no request on this connection takes longer than clients wait any more.
    fn speak(&mut self) {
        if std::mem::take(&mut self.is_silent) {
            self.pool.is_heard(self.id);
        }
    }

    /// Notes that the request is not on its way any more.
    fn arrive(&mut self) {
        if let Some(memory) = self.on_its_way.take() {
            self.pool.done(self.id, memory);
        }
    }
}

impl Drop for Driver {
    fn drop(&mut self) {
        self.arrive();
        self.speak();
        if !self.has_left {
            self.pool.lost(self.id);
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

/// Why an address looks as if another one would have done better; `None`: it does not.
fn busy(result: &Result<Ended, Broken>) -> Option<String> {
    match result {
        Ok(Ended::Response { status: status @ (429 | 502..=504), .. }) => Some(format!("status {status}")),
        Ok(_) => None,
        Err(broken) => Some(broken.to_string()),
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

/// A pod on the same network takes a connection in milliseconds: after so long, another address may be quicker. RFC 8305,
/// section 5, has it as the delay between two attempts.
const SOON: Duration = Duration::from_millis(250);

/// How long a connection may take to be ready again. It is at once, unless the upstream answered a request before it had
/// read it.
const READY: Duration = Duration::from_secs(1);
