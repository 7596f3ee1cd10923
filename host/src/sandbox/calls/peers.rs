//! The cost of each peer's calls, and the turns that peers take with costly ones.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::Semaphore;

/// The peers that send larger bodies.
#[derive(Debug)]
pub(super) struct Peers {
    known: Mutex<HashMap<IpAddr, Known>>,
    /// Costly calls that one peer may have at a time.
    share: usize,
}

#[derive(Debug)]
struct Known {
    /// Nanoseconds that a byte takes; `None` before the first call.
    rate: Option<f64>,
    turns: Arc<Semaphore>,
}

impl Peers {
    /// `share` is how many costly calls a peer may have at a time.
    pub(super) fn new(share: usize) -> Self {
        Self { known: Mutex::default(), share: share.max(1) }
    }

    /// How long a call with that many bytes will take, by this peer's earlier calls; `None` before the first of them.
    pub(super) fn expected(&self, peer: IpAddr, size: usize) -> Option<Duration> {
        let rate = self.with(peer, |known| known.rate)?;
        Some(Duration::from_nanos((rate * size as f64) as u64))
    }

    /// Learns from a call: a higher rate counts at once, a lower one by an eighth of the difference.
    pub(super) fn learn(&self, peer: IpAddr, size: usize, took: Duration) {
        let rate = took.as_nanos() as f64 / size.max(1) as f64;
        self.with(peer, |known| {
            known.rate = Some(known.rate.map_or(rate, |old| rate.max(old + (rate - old) / 8.0)));
        });
    }

    /// The semaphore whose permits a peer's costly calls hold while they wait and run. Since a peer has few of them, a call
    /// waits behind that many of each other peer, however many those have.
    pub(super) fn turns(&self, peer: IpAddr) -> Arc<Semaphore> {
        self.with(peer, |known| Arc::clone(&known.turns))
    }

    fn with<T>(&self, peer: IpAddr, call: impl FnOnce(&mut Known) -> T) -> T {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if known.len() >= MAX_KNOWN && !known.contains_key(&peer) {
            // The rates are soon learnt again.
            known.clear();
        }
        let new = || Known { rate: None, turns: Arc::new(Semaphore::new(self.share)) };
        call(known.entry(peer).or_insert_with(new))
    }
}

/// Peers that are kept: a megabyte or so.
const MAX_KNOWN: usize = 8_192;

#[cfg(test)]
mod tests {
    use super::*;

    const PEER: IpAddr = IpAddr::V4(std::net::Ipv4Addr::LOCALHOST);

    #[test]
    fn what_a_call_will_take_is_learnt_by_its_peer_at_once_and_forgotten_slowly() {
        let peers = Peers::new(1);
        assert_eq!(peers.expected(PEER, 1_000), None);
        peers.learn(PEER, 1_000, Duration::from_micros(2));
        assert_eq!(peers.expected(PEER, 1_000_000), Some(Duration::from_millis(2)));
        assert_eq!(peers.expected([10, 0, 0, 1].into(), 1_000), None);
        peers.learn(PEER, 1_000, Duration::from_micros(100));
        assert_eq!(peers.expected(PEER, 1_000_000), Some(Duration::from_millis(100)));
        peers.learn(PEER, 1_000, Duration::from_micros(2));
        assert!(peers.expected(PEER, 1_000_000).unwrap() > Duration::from_millis(80));
        for _ in 0..100 {
            peers.learn(PEER, 1_000, Duration::from_micros(2));
        }
        assert!(peers.expected(PEER, 1_000_000).unwrap() < Duration::from_millis(3));
    }

    #[test]
    fn no_more_peers_are_known_than_there_is_room_for() {
        let peers = Peers::new(1);
        for number in 0..3 * MAX_KNOWN as u32 {
            peers.learn(IpAddr::V4(number.into()), 1, Duration::ZERO);
        }
        assert!(peers.known.lock().unwrap().len() <= MAX_KNOWN);
    }
}
