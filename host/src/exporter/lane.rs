//! The way to one upstream: connections to its addresses, each with one request at a time, and a queue ahead of them.
//!
//! Each deepflow-agent gets one connection. Requests go to an address that has nothing to do; those that wait while there is
//! none are merged: export requests concatenate.

mod address;
mod batches;
mod breaker;
mod destination;
mod driver;
mod flight;
mod follow;
mod group;
mod health;
mod job;
mod lanes;
mod notice;
mod pool;
mod state;
mod told;
mod waiting;

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::oneshot;
use tokio::time::{Instant, sleep};

use super::sending::Sending;
use crate::observe::Unsent;
use crate::sandbox::Ended;
use breaker::Refused;
use follow::Name;
use job::Job;
use pool::Pool;

pub(super) use flight::Flight;
pub(crate) use lanes::Lanes;
pub(crate) use pool::PoolSettings;
pub(crate) use told::Agent;

/// Takes requests to one upstream, in the order in which they come.
pub(super) struct Lane {
    /// The lane's number in the pool.
    number: usize,
    pool: Arc<Pool>,
}

impl Lane {
    fn new(name: Name, limit: Option<usize>, pool: Arc<Pool>) -> Self {
        Self { number: pool.add_lane(name, limit), pool }
    }

    /// Sends once, and says how that ended. `deadline`: until when a response may come; `until`: until when the client
    /// waits. A client that goes away before its turn takes its request out of the queue.
    pub(super) async fn send(
        self: &Arc<Self>,
        sending: &Arc<Sending>,
        deadline: Instant,
        until: Instant,
    ) -> Ended {
        match self.start(sending, deadline, until) {
            Ok(flight) => flight.end(until).await,
            Err(ended) => ended,
        }
    }

    /// Puts a request into the queue, where a batch may hold it for a while of what is left until `until`. The error: it is not sent, since the upstream is away.
    pub(super) fn start(
        self: &Arc<Self>,
        sending: &Arc<Sending>,
        deadline: Instant,
        until: Instant,
    ) -> Result<Flight, Ended> {
        if sending.has_client()
            && !sending.is_drained
            && let Some(Refused { reason, after }) = self.pool.refuse(self.number)
        {
            self.pool.metrics.unsent(Unsent::Away);
            return Err(Ended::Away { reason, after: u32::try_from(after.as_millis()).unwrap_or(u32::MAX) });
        }
        let (reply, ended) = oneshot::channel();
        let ticket = self.pool.enter(self.number, Job::new(Arc::clone(sending), deadline, reply), until);
        Ok(Flight { lane: Arc::clone(self), sending: Arc::clone(sending), ticket, ended })
    }

    /// Waits before another attempt, for `wait` or until the upstream is known to be away.
    pub(super) async fn pause(&self, sending: &Sending, wait: Duration) {
        let away = self.pool.away(self.number).filter(|_| sending.has_client());
        let is_away = async {
            match away {
                // The pool lasts as long as this.
                Some(mut away) => drop(away.wait_for(|away| *away).await),
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            () = sleep(wait) => (),
            () = is_away => (),
        }
    }
}
