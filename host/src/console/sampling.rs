//! Which requests are examined.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use podstamp_core::interface::Report;

use super::allowance::{Allowance, Credit};

/// Picks requests: of each peer one now and then, more of those with resources without a pod, and any while there are few.
#[derive(Debug, Default)]
pub(super) struct Sampler {
    allowance: Allowance,
    peers: Mutex<Peers>,
    requests: AtomicU64,
    spans: AtomicU64,
}

#[derive(Debug, Default)]
struct Peers {
    tallies: HashMap<IpAddr, Tally>,
    /// When peers that had gone were last looked for.
    swept: Option<Instant>,
}

/// The spans that a picked request stands for. Where it is not examined after all, they count for the peer's next one.
#[derive(Debug)]
pub(super) struct Stake {
    sampler: Arc<Sampler>,
    peer: IpAddr,
    spans: u64,
}

impl Stake {
    /// Whom the request counts for.
    pub(super) fn peer(&self) -> IpAddr {
        self.peer
    }

    /// Takes the spans, once the request has been examined.
    pub(super) fn take(&mut self) -> u64 {
        std::mem::take(&mut self.spans)
    }
}

impl Drop for Stake {
    fn drop(&mut self) {
        if self.spans > 0
            && let Some(tally) = self.sampler.lock().tallies.get_mut(&self.peer)
        {
            tally.spans += self.spans;
        }
    }
}

/// What came from a peer since a request of its was last picked.
#[derive(Clone, Copy, Debug)]
struct Tally {
    spans: u64,
    seen: Instant,
    picked: Option<Instant>,
    /// When a request with a resource without a pod was last picked.
    picked_lost: Option<Instant>,
}

impl Sampler {
    /// What examining may take.
    pub(super) fn allowance(&self) -> Allowance {
        self.allowance.clone()
    }

    /// Requests and spans that came.
    pub(super) fn seen(&self) -> (u64, u64) {
        (self.requests.load(Ordering::Relaxed), self.spans.load(Ordering::Relaxed))
    }

    /// Whether spans of a peer came that no examined request stands for.
    pub(super) fn has_pending(&self, peer: IpAddr) -> bool {
        self.lock().tallies.get(&peer).is_some_and(|tally| tally.spans > 0)
    }

    /// Counts a request of a peer. The answer is what the request stands for, its own spans and those of the peer's requests since
    /// the one that was picked before; `None`: it is not picked, as without `room`.
    pub(super) fn pick(
        self: &Arc<Self>,
        now: Instant,
        peer: IpAddr,
        report: &Report,
        looking: bool,
        room: bool,
    ) -> Option<Stake> {
        self.requests.fetch_add(1, Ordering::Relaxed);
        self.spans.fetch_add(report.spans.into(), Ordering::Relaxed);
        let mut peers = self.lock();
        if !peers.has_room(now, peer) {
            return None;
        }
        let fresh = Tally { spans: 0, seen: now, picked: None, picked_lost: None };
        let tally = peers.tallies.entry(peer).or_insert(fresh);
        tally.seen = now;
        tally.spans += u64::from(report.spans);
        let is_lost = report.address_unknown + report.address_contradicted > 0;
        let [each, each_lost] = if looking { WATCHED } else { UNWATCHED };
        let is_due =
            |last: Option<Instant>, each| last.is_none_or(|last| now.saturating_duration_since(last) >= each);
        let needed = if is_due(tally.picked, each) || is_lost && is_due(tally.picked_lost, each_lost) {
            Credit::Some
        } else {
            Credit::Plenty
        };
        if !room || self.allowance.credit(now, looking) < needed {
            return None;
        }
        tally.picked = Some(now);
        if is_lost {
            tally.picked_lost = Some(now);
        }
        let spans = std::mem::take(&mut tally.spans);
        Some(Stake { sampler: Arc::clone(self), peer, spans })
    }

    fn lock(&self) -> MutexGuard<'_, Peers> {
        self.peers.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Peers {
    /// Whether there is room for a peer. Those that have gone are looked for now and then only: requests wait meanwhile.
    fn has_room(&mut self, now: Instant, peer: IpAddr) -> bool {
        if self.tallies.len() < MAX_PEERS || self.tallies.contains_key(&peer) {
            return true;
        }
        if self.swept.is_some_and(|swept| now.saturating_duration_since(swept) < BETWEEN_SWEEPS) {
            return false;
        }
        self.swept = Some(now);
        self.tallies.retain(|_, tally| now.saturating_duration_since(tally.seen) < KEPT_FOR);
        self.tallies.len() < MAX_PEERS
    }
}

/// How often a peer's request is picked, and one of its with a resource without a pod, whatever else there is.
const UNWATCHED: [Duration; 2] = [Duration::from_secs(20), Duration::from_secs(5)];

/// The same while somebody looks.
const WATCHED: [Duration; 2] = [Duration::from_secs(2), Duration::from_millis(500)];

/// As many as podstamp on a node, or in front of a large cluster, has; some 400 KiB.
const MAX_PEERS: usize = 4_096;

/// After how long without a request a peer makes room for another.
const KEPT_FOR: Duration = Duration::from_secs(120);

/// A sweep takes some tens of microseconds.
const BETWEEN_SWEEPS: Duration = Duration::from_secs(5);

#[cfg(test)]
mod tests {
    use super::*;

    fn peer(number: u32) -> IpAddr {
        IpAddr::from(number.to_be_bytes())
    }

    /// The spans that the request stands for, which is examined at once.
    fn pick(
        sampler: &Arc<Sampler>,
        now: Instant,
        peer: IpAddr,
        report: &Report,
        looking: bool,
        room: bool,
    ) -> Option<u64> {
        sampler.pick(now, peer, report, looking, room).map(|mut stake| stake.take())
    }

    fn report(spans: u32, unknown: u32) -> Report {
        Report { resources: 1, spans, address_unknown: unknown, ..Report::default() }
    }

    #[test]
    fn while_requests_are_few_each_is_picked_and_stands_for_its_own_spans() {
        let (sampler, begun) = (Arc::new(Sampler::default()), Instant::now());
        for number in 0..100 {
            let now = begun + Duration::from_millis(number);
            assert_eq!(pick(&sampler, now, peer(1), &report(3, 0), false, true), Some(3));
        }
        assert_eq!(sampler.seen(), (100, 300));
    }

    #[test]
    fn while_they_are_many_each_peer_has_its_turn_and_the_one_picked_stands_for_all_since() {
        let (sampler, begun) = (Arc::new(Sampler::default()), Instant::now());
        // Leaves some, which is not plenty.
        sampler.allowance.charge(Duration::from_millis(40), true);
        assert_eq!(pick(&sampler, begun, peer(1), &report(5, 0), false, true), Some(5));
        for _ in 0..10 {
            assert_eq!(pick(&sampler, begun, peer(1), &report(5, 0), false, true), None);
        }
        assert_eq!(pick(&sampler, begun, peer(2), &report(7, 0), false, true), Some(7), "another peer");
        assert_eq!(pick(&sampler, begun, peer(1), &report(5, 1), false, true), Some(55), "without a pod");
        assert_eq!(pick(&sampler, begun, peer(1), &report(5, 1), false, true), None);
        sampler.allowance.charge(Duration::from_millis(100), true);
        assert_eq!(pick(&sampler, begun, peer(3), &report(1, 1), false, true), None, "nothing is left");
    }

    #[test]
    fn without_room_nothing_is_picked_and_its_spans_count_for_the_next() {
        let (sampler, begun) = (Arc::new(Sampler::default()), Instant::now());
        assert_eq!(pick(&sampler, begun, peer(1), &report(5, 0), true, false), None);
        assert_eq!(pick(&sampler, begun, peer(1), &report(2, 0), true, true), Some(7));
    }

    #[test]
    fn what_was_picked_and_not_examined_counts_for_the_next() {
        let (sampler, begun) = (Arc::new(Sampler::default()), Instant::now());
        drop(sampler.pick(begun, peer(1), &report(5, 0), false, true));
        assert!(sampler.has_pending(peer(1)));
        assert_eq!(pick(&sampler, begun, peer(1), &report(2, 0), false, true), Some(7));
        assert!(!sampler.has_pending(peer(1)));
    }

    #[test]
    fn however_many_peers_come_few_are_kept_and_those_that_went_make_room() {
        let (sampler, begun) = (Arc::new(Sampler::default()), Instant::now());
        for number in 0..10_000 {
            pick(&sampler, begun, peer(number), &report(1, 0), false, true);
        }
        assert_eq!(sampler.lock().tallies.len(), MAX_PEERS);
        let later = begun + KEPT_FOR;
        assert_eq!(pick(&sampler, later, peer(20_000), &report(1, 0), false, true), Some(1));
        assert_eq!(sampler.lock().tallies.len(), 1);
    }
}
