//! What is known of one upstream, by the host and port that its URLs have.

use std::net::SocketAddr;
use std::sync::Arc;

use tokio::sync::{Notify, watch};
use tokio::time::{Duration, Instant};

use super::address::{Address, Addresses, Id, Kind};
use super::batches::Batches;
use super::breaker::Breaker;
use super::follow::Name;
use super::health::Fitness;
use super::job::Job;
use super::waiting::Waiting;

/// An upstream: its addresses, and the requests that wait for one of them.
pub(super) struct Destination {
    pub(super) name: Name,
    /// Connections at a time to each address; `None`: any number, and no requests are merged.
    pub(super) limit: Option<usize>,
    pub(super) breaker: Breaker,
    /// Whether the upstream is known to be away, for requests that wait for another attempt.
    pub(super) away: watch::Sender<bool>,
    pub(super) waiting: Waiting,
    /// Requests that wait for others before they wait for an address.
    pub(super) batches: Batches,
    /// The addresses as the name was resolved last, those to prefer first, of both families.
    pub(super) addresses: Vec<Id>,
    pub(super) family: Family,
    /// Asks for the name to be resolved; `None` where it is an address itself.
    pub(super) resolve: Option<Arc<Notify>>,
    /// Whether a task resolves the name.
    pub(super) is_followed: bool,
    /// Whether the name could not be resolved, the last time.
    pub(super) is_unresolved: bool,
    /// Why nobody knows which addresses are on this node, as people were told.
    pub(super) untold: Option<String>,
}

/// The address family that a lane uses.
///
/// A name may have addresses of both. A headless Service has both of each pod, and nothing says which two belong together; so
/// that no agent gets two connections, one family is used at a time. It is that of the address which the resolver prefers,
/// until none of that family takes a connection.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Family {
    is_ipv6: bool,
    /// Whether there are addresses of the other one.
    has_other: bool,
    /// Whether a connection was made.
    pub(super) is_proven: bool,
    /// How often the other family was turned to before a connection was made.
    turned: u32,
}

impl Family {
    /// The family to use of `sockets`: the same as before as long as it is there.
    fn among(self, sockets: &[SocketAddr]) -> Self {
        let has = |is_ipv6| sockets.iter().any(|socket| socket.is_ipv6() == is_ipv6);
        if self.is_proven && has(self.is_ipv6) {
            return Self { has_other: has(!self.is_ipv6), ..self };
        }
        let is_ipv6 = sockets.first().is_some_and(SocketAddr::is_ipv6);
        if is_ipv6 == self.is_ipv6 || self.turned > 0 && has(self.is_ipv6) {
            return Self { has_other: has(!self.is_ipv6), ..self };
        }
        Self { is_ipv6, has_other: has(!is_ipv6), ..Self::default() }
    }

    fn has(self, address: &Address) -> bool {
        address.socket.is_ipv6() == self.is_ipv6
    }

    fn turn(&mut self) {
        *self =
            Self { is_ipv6: !self.is_ipv6, is_proven: false, turned: self.turned.saturating_add(1), ..*self };
    }

    /// Whether a connection should not be waited for as long as usual, since the other family may be the one that works.
    pub(super) fn is_in_doubt(self) -> bool {
        self.has_other && !self.is_proven && self.turned < 2
    }
}

/// What is best among the addresses of an upstream: an address that is worse than that gets nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Best {
    /// One on this node works, and is preferred.
    WellHere,
    /// One works.
    Well,
    /// None works.
    Unwell,
}

impl Destination {
    pub(super) fn new(name: Name, limit: Option<usize>, patience: Duration) -> Self {
        let resolve = name.literal().is_none().then(Arc::<Notify>::default);
        Self {
            name,
            limit,
            breaker: Breaker::new(patience),
            away: watch::Sender::new(false),
            waiting: Waiting::default(),
            batches: Batches::default(),
            addresses: Vec::new(),
            family: Family::default(),
            resolve,
            is_followed: false,
            is_unresolved: false,
            untold: None,
        }
    }

    /// Asks for the name to be resolved, where it is one.
    pub(super) fn ask(&self) {
        if let Some(resolve) = &self.resolve {
            resolve.notify_one();
        }
    }

    /// Uses `sockets` from now on.
    pub(super) fn use_family_of(&mut self, sockets: &[SocketAddr]) {
        self.family = self.family.among(sockets);
    }

    /// The addresses of the family that is used.
    fn used<'a>(&'a self, addresses: &'a Addresses) -> impl Iterator<Item = (Id, &'a Address)> {
        let all = self.addresses.iter().filter_map(|id| Some((*id, addresses.get(*id)?)));
        all.filter(|(_, address)| self.family.has(address))
    }

    fn best(&self, addresses: &Addresses, kind: Kind, now: Instant) -> Best {
        let mut best = Best::Unwell;
        for (_, address) in self.used(addresses) {
            if address.fitness(kind, now) == Fitness::Well {
                if address.is_local {
                    return Best::WellHere;
                }
                best = Best::Well;
            }
        }
        best
    }

    /// The free address to send `job` to: one that is due for a try, else the one with the fewest requests on their way, and of
    /// several the one whose turn is longest ago.
    pub(super) fn choose(
        &self,
        addresses: &Addresses,
        job: &Job,
        now: Instant,
        except: Option<Id>,
    ) -> Option<Id> {
        let best = self.best(addresses, job.sending.kind(), now);
        let free = self.used(addresses).filter(|(id, address)| address.is_free() && Some(*id) != except);
        let ranked = free.filter_map(|(id, address)| {
            let rank = self.rank(address, job, now, best)?;
            Some(((rank, address.load(), address.used), id))
        });
        ranked.min_by_key(|(rank, _)| *rank).map(|(_, id)| id)
    }

    /// Whether `job` may go to an address.
    pub(super) fn permits(&self, addresses: &Addresses, id: Id, job: &Job, now: Instant) -> bool {
        let Some(address) = addresses.get(id).filter(|address| self.family.has(address)) else {
            return false;
        };
        self.rank(address, job, now, self.best(addresses, job.sending.kind(), now)).is_some()
    }

    /// How well an address serves for `job`, the least being the best; `None`: not at all.
    fn rank(&self, address: &Address, job: &Job, now: Instant, best: Best) -> Option<u8> {
        if self.has_failed(address, job) {
            return None;
        }
        let is_local = address.is_local;
        match address.fitness(job.sending.kind(), now) {
            Fitness::Due | Fitness::Well if best == Best::WellHere && !is_local => None,
            Fitness::Due => Some(0),
            Fitness::Well => Some(1),
            Fitness::Resting | Fitness::Unreachable { .. } if best != Best::Unwell => None,
            Fitness::Resting => Some(if is_local { 2 } else { 3 }),
            Fitness::Unreachable { .. } => Some(if is_local { 4 } else { 5 }),
        }
    }

    /// Whether an address has turned out to take no connection while `job` waited. Where requests are not merged, each makes
    /// an attempt of its own.
    fn has_failed(&self, address: &Address, job: &Job) -> bool {
        let unreachable = address.health(job.sending.kind()).and_then(|health| health.unreachable());
        unreachable
            .is_some_and(|(begun, failed)| job.entered <= if self.limit.is_some() { failed } else { begun })
    }

    /// Whether every address has turned out to take no connection while `job` waited.
    pub(super) fn has_failed_everywhere(&self, addresses: &Addresses, job: &Job) -> bool {
        self.used(addresses).all(|(_, address)| self.has_failed(address, job))
    }

    /// The addresses that take no connections, and where one should be tried beside all requests.
    pub(super) fn due<'a>(
        &'a self,
        addresses: &'a Addresses,
        kind: Kind,
        now: Instant,
    ) -> impl Iterator<Item = Id> {
        let best = self.best(addresses, kind, now);
        let is_due = move |address: &Address| {
            address.fitness(kind, now) == Fitness::Unreachable { is_due: true }
                && address.is_free()
                && (address.is_local || best != Best::WellHere)
        };
        self.used(addresses).filter(move |(_, address)| is_due(address)).map(|(id, _)| id)
    }

    /// Turns to the other address family where no address of this one has a connection, and `job` has not tried that yet. True
    /// where it has turned.
    pub(super) fn turn_family(&mut self, addresses: &Addresses, job: &Job) -> bool {
        let has_connection = self.used(addresses).any(|(_, address)| address.connections > 0);
        if !self.family.has_other || has_connection {
            return false;
        }
        let mut other = self.family;
        other.turn();
        let all = self.addresses.iter().filter_map(|id| addresses.get(*id));
        let turns = all.filter(|address| other.has(address)).any(|address| !self.has_failed(address, job));
        if turns {
            self.family = other;
        }
        turns
    }

    /// Whether every address that is used fails.
    pub(super) fn is_failing(&self, addresses: &Addresses, kind: Kind) -> bool {
        self.used(addresses).all(|(_, address)| {
            address.is_stuck() || address.health(kind).is_some_and(|health| health.is_failing())
        })
    }

    /// Whether every connection that there may be waits for an answer that takes longer than clients wait.
    pub(super) fn is_stuck(&self, addresses: &Addresses) -> bool {
        let mut used = self.used(addresses).peekable();
        used.peek().is_some() && used.all(|(_, address)| address.is_stuck())
    }
}
