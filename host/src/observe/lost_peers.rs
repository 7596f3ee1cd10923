//! Peers whose resources led to no pod, for people who ask why.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// The peers of the last minutes some of whose resources led to no pod. Whatever clients do, at most 512 are kept.
#[derive(Debug, Default)]
pub struct LostPeers {
    known: Mutex<Known>,
}

#[derive(Debug, Default)]
struct Known {
    peers: HashMap<IpAddr, Seen>,
    forgotten: u64,
}

#[derive(Clone, Copy, Debug)]
struct Seen {
    requests: u64,
    resources: u64,
    first: Instant,
    last: Instant,
}

/// What came from a peer without leading to a pod.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LostPeer {
    /// The peer's address: the connection's or, behind a trusted proxy, the one that the request was forwarded for.
    pub address: IpAddr,
    /// Requests that held a resource without a pod.
    pub requests: u64,
    /// Resources that led to no pod.
    pub resources: u64,
    /// How long ago the first of the requests came.
    pub first: Duration,
    /// How long ago the last of the requests came.
    pub last: Duration,
}

impl LostPeers {
    /// Notes a request in which so many resources led to no pod.
    pub(crate) fn note(&self, peer: IpAddr, resources: u32) {
        if resources > 0 && !peer.is_unspecified() {
            self.note_at(Instant::now(), peer.to_canonical(), resources);
        }
    }

    fn note_at(&self, now: Instant, peer: IpAddr, resources: u32) {
        let mut known = self.lock();
        let Known { peers, forgotten } = &mut *known;
        if peers.len() >= MAX_PEERS && !peers.contains_key(&peer) {
            peers.retain(|_, seen| now.duration_since(seen.last) < KEPT_FOR);
            if peers.len() >= MAX_PEERS
                && let Some(oldest) = peers.iter().min_by_key(|(_, seen)| seen.last).map(|(peer, _)| *peer)
            {
                peers.remove(&oldest);
                *forgotten += 1;
            }
        }
        let fresh = Seen { requests: 0, resources: 0, first: now, last: now };
        let seen = peers.entry(peer).or_insert(fresh);
        if now.duration_since(seen.last) >= KEPT_FOR {
            *seen = fresh;
        }
        seen.requests += 1;
        seen.resources += u64::from(resources);
        seen.last = now;
    }

    /// The peers of the last [`LostPeers::KEPT_FOR`], those with the most requests first.
    pub fn recent(&self) -> Vec<LostPeer> {
        self.recent_at(Instant::now())
    }

    fn recent_at(&self, now: Instant) -> Vec<LostPeer> {
        let mut known = self.lock();
        known.peers.retain(|_, seen| now.duration_since(seen.last) < KEPT_FOR);
        let mut recent: Vec<_> = known.peers.iter().map(|(address, seen)| seen.told(*address, now)).collect();
        recent.sort_by_key(|peer| (std::cmp::Reverse(peer.requests), peer.address));
        recent
    }

    /// What came from one address in the last [`LostPeers::KEPT_FOR`] without leading to a pod.
    pub fn of(&self, address: IpAddr) -> Option<LostPeer> {
        let (address, now) = (address.to_canonical(), Instant::now());
        let seen = *self.lock().peers.get(&address)?;
        (now.duration_since(seen.last) < KEPT_FOR).then(|| seen.told(address, now))
    }

    /// How many peers had to make room for others while they were still recent.
    pub fn forgotten(&self) -> u64 {
        self.lock().forgotten
    }

    /// How long a peer is kept after its last request.
    pub const KEPT_FOR: Duration = KEPT_FOR;

    fn lock(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Seen {
    fn told(self, address: IpAddr, now: Instant) -> LostPeer {
        let Self { requests, resources, first, last } = self;
        let ago = |time| now.duration_since(time);
        LostPeer { address, requests, resources, first: ago(first), last: ago(last) }
    }
}

/// Long enough to ask after one has seen a trace without its pod.
const KEPT_FOR: Duration = Duration::from_secs(600);

/// The nodes of a large cluster; some 50 KiB.
const MAX_PEERS: usize = 512;

#[cfg(test)]
mod tests {
    use super::*;

    fn peer(number: u32) -> IpAddr {
        IpAddr::from(number.to_be_bytes())
    }

    #[test]
    fn requests_and_resources_are_counted_by_peer_for_some_minutes() {
        let (peers, begun) = (LostPeers::default(), Instant::now());
        let [one, other] = [peer(1), peer(2)];
        peers.note_at(begun, one, 3);
        peers.note_at(begun + Duration::from_secs(60), one, 1);
        peers.note_at(begun + Duration::from_secs(90), other, 1);
        let expected = |address, requests, resources, first, last| LostPeer {
            address,
            requests,
            resources,
            first: Duration::from_secs(first),
            last: Duration::from_secs(last),
        };
        let recent = peers.recent_at(begun + Duration::from_secs(100));
        assert_eq!(recent, [expected(one, 2, 4, 100, 40), expected(other, 1, 1, 10, 10)]);
        let later = begun + KEPT_FOR + Duration::from_secs(70);
        assert_eq!(peers.recent_at(later), [expected(other, 1, 1, 580, 580)]);
        peers.note_at(later, one, 1);
        assert_eq!(peers.recent_at(later).first(), Some(&expected(one, 1, 1, 0, 0)), "it counts anew");
    }

    #[test]
    fn a_mapped_address_is_the_same_peer_and_no_address_is_none() {
        let peers = LostPeers::default();
        peers.note("::ffff:10.0.0.1".parse().unwrap(), 1);
        peers.note("10.0.0.1".parse().unwrap(), 1);
        peers.note("0.0.0.0".parse().unwrap(), 1);
        peers.note("10.0.0.2".parse().unwrap(), 0);
        assert_eq!(peers.recent().iter().map(|peer| peer.requests).collect::<Vec<_>>(), [2]);
        assert_eq!(peers.of("10.0.0.1".parse().unwrap()).map(|peer| peer.resources), Some(2));
        assert_eq!(peers.of("10.0.0.2".parse().unwrap()), None);
    }

    #[test]
    fn however_many_peers_come_few_are_kept() {
        let (peers, begun) = (LostPeers::default(), Instant::now());
        for number in 1..=10_000 {
            peers.note_at(begun + Duration::from_millis(number.into()), peer(number), 1);
        }
        let recent = peers.recent_at(begun + Duration::from_secs(20));
        assert_eq!((recent.len(), peers.forgotten()), (MAX_PEERS, 10_000 - MAX_PEERS as u64));
        assert!(recent.iter().any(|recent| recent.address == peer(10_000)), "the last stay");
        assert!(recent.iter().all(|recent| recent.address != peer(1)), "the first go");
    }
}
