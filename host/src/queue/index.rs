//! The order of a queue's entries, who has them, and how much they are.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use bytes::Bytes;
use tokio::time::Instant;

use super::disk::Key;
use super::entry::Head;
use super::size::Size;

/// All entries, oldest first.
#[derive(Debug, Default)]
pub(super) struct Index {
    slots: BTreeMap<Ticket, Slot>,
    /// Those that nobody has, by when they may be sent: as they came, and those behind that may be at fault themselves.
    ready: BTreeSet<(Instant, Ticket)>,
    next: u64,
    /// The sums of all entries, and of those that are about to come.
    size: Size,
    /// Bytes of the entries that consumers have.
    out: u64,
}

/// An entry's place in the order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Ticket(u64);

/// An entry, and where its body is.
#[derive(Clone, Debug)]
pub(super) struct Slot {
    pub(super) head: Head,
    pub(super) place: Place,
    /// Since when it has been queued, by a clock that nobody sets.
    pub(super) since: Instant,
    /// From when on its time counts: it is given up so long after.
    from: Instant,
    /// When it may be sent.
    due: Instant,
    /// Attempts that it may have broken itself.
    suspicions: u32,
}

/// An entry that nobody has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct First {
    pub(super) ticket: Ticket,
    /// From when on its time counts.
    pub(super) from: Instant,
    pub(super) due: Instant,
}

/// Where a body is.
#[derive(Clone, Debug)]
pub(super) enum Place {
    Memory(Bytes),
    Disk(Key),
}

/// The most that is taken at once.
#[derive(Clone, Copy, Debug)]
pub(super) struct Most {
    pub(super) bytes: u64,
    pub(super) items: u64,
    pub(super) requests: u64,
}

impl Index {
    pub(super) fn size(&self) -> Size {
        self.size
    }

    pub(super) fn is_empty(&self) -> bool {
        self.size.requests == 0
    }

    /// Whether nobody has an entry.
    pub(super) fn is_idle(&self) -> bool {
        self.ready.len() == self.slots.len()
    }

    /// Since when the oldest entry has been queued.
    pub(super) fn oldest(&self) -> Option<Instant> {
        self.slots.values().next().map(|slot| slot.since)
    }

    /// Holds room for entries that are about to come.
    pub(super) fn reserve(&mut self, size: &Size) {
        self.size = self.size.plus(size);
    }

    /// Gives such room back.
    pub(super) fn unreserve(&mut self, size: &Size) {
        self.size = self.size.minus(size);
    }

    /// Adds an entry for which there is room. One that `is_leased` is left alone until it is released.
    pub(super) fn add(&mut self, head: Head, place: Place, since: Instant, is_leased: bool) -> Ticket {
        let ticket = Ticket(self.next);
        self.next += 1;
        // The time before this process was nobody's to send it in.
        let from = Instant::now();
        self.slots.insert(ticket, Slot { head, place, since, from, due: since, suspicions: 0 });
        if !is_leased {
            self.ready.insert((since, ticket));
        }
        ticket
    }

    /// The entry that is to be sent next.
    pub(super) fn first(&self) -> Option<First> {
        let (due, ticket) = *self.ready.first()?;
        self.slots.get(&ticket).map(|slot| First { ticket, from: slot.from, due })
    }

    /// Hands the oldest entries that are due `now` to a consumer: at least one, and more as long as all together are within `most`. None where the
    /// consumers have `out` bytes already.
    pub(super) fn take(&mut self, now: Instant, most: Most, out: u64) -> Vec<(Ticket, Slot)> {
        let mut taken: Vec<(Ticket, Slot)> = Vec::new();
        let mut sum = Size::default();
        while let Some((due, ticket)) = self.ready.first().copied()
            && due <= now
        {
            let Some(slot) = self.slots.get(&ticket) else { break };
            let next = sum.plus(&Size::of(&slot.head));
            let is_over = next.bytes > most.bytes || next.items > most.items || next.requests > most.requests;
            if !taken.is_empty() && is_over || self.out > 0 && self.out + next.bytes > out {
                break;
            }
            sum = next;
            taken.push((ticket, slot.clone()));
            self.ready.pop_first();
        }
        self.out += sum.bytes;
        taken
    }

    /// A consumer does not have these bytes any more.
    pub(super) fn returned(&mut self, bytes: u64) {
        self.out = self.out.saturating_sub(bytes);
    }

    /// Gives an entry back to be sent, in its old place.
    pub(super) fn release(&mut self, ticket: Ticket) {
        if let Some(slot) = self.slots.get(&ticket) {
            self.ready.insert((slot.due, ticket));
        }
    }

    /// Gives an entry back that may have broken the attempt itself. From the second time on it waits, longer each time, so that it
    /// neither stands in the way of others nor ends the upstream again and again. Returns the number of times.
    pub(super) fn suspect(&mut self, ticket: Ticket, now: Instant) -> u32 {
        let Some(slot) = self.slots.get_mut(&ticket) else { return 0 };
        self.ready.remove(&(slot.due, ticket));
        slot.suspicions += 1;
        let suspicions = slot.suspicions;
        if suspicions > 1 {
            slot.due =
                now + LONGEST_SUSPICION.min(FIRST_SUSPICION * 2_u32.saturating_pow(suspicions.min(16)));
        }
        self.release(ticket);
        suspicions
    }

    /// Takes an entry out for good.
    pub(super) fn remove(&mut self, ticket: Ticket) -> Option<Slot> {
        let slot = self.slots.remove(&ticket)?;
        self.ready.remove(&(slot.due, ticket));
        self.size = self.size.minus(&Size::of(&slot.head));
        Some(slot)
    }
}

const FIRST_SUSPICION: Duration = Duration::from_millis(250);

const LONGEST_SUSPICION: Duration = Duration::from_secs(60);

#[cfg(test)]
mod tests {
    use podstamp_core::interface::Signal;

    use super::super::entry::Coding;
    use super::*;

    const ANY: Most = Most { bytes: u64::MAX, items: u64::MAX, requests: u64::MAX };

    fn head(spans: u32, length: u32) -> Head {
        Head { signal: Signal::Traces, queued: 0, spans, memory: 0, coding: Coding::Identity, length }
    }

    fn index(entries: &[(u32, u32)]) -> (Index, Vec<Ticket>) {
        let mut index = Index::default();
        let mut tickets = Vec::new();
        for &(spans, length) in entries {
            tickets.push(add(&mut index, head(spans, length), false));
        }
        (index, tickets)
    }

    fn add(index: &mut Index, head: Head, is_leased: bool) -> Ticket {
        index.reserve(&Size::of(&head));
        index.add(head, Place::Memory(Bytes::new()), Instant::now(), is_leased)
    }

    fn take(index: &mut Index, most: Most, out: u64) -> Vec<(Ticket, Slot)> {
        index.take(Instant::now(), most, out)
    }

    fn tickets(taken: &[(Ticket, Slot)]) -> Vec<Ticket> {
        taken.iter().map(|(ticket, _)| *ticket).collect()
    }

    #[test]
    fn the_oldest_come_first_up_to_each_limit_and_one_in_any_case() {
        for (most, expected) in [
            (ANY, 4),
            (Most { bytes: 25, ..ANY }, 2),
            (Most { items: 3, ..ANY }, 3),
            (Most { requests: 1, ..ANY }, 1),
            (Most { bytes: 0, ..ANY }, 1),
        ] {
            let (mut index, all) = index(&[(1, 10), (1, 10), (1, 10), (1, 10)]);
            assert_eq!(tickets(&take(&mut index, most, u64::MAX)), all[..expected], "{most:?}");
        }
    }

    #[test]
    fn what_is_given_back_keeps_its_place_and_what_is_leased_is_left_alone() {
        let (mut index, all) = index(&[(1, 10), (2, 20)]);
        let leased = add(&mut index, head(3, 30), true);
        assert_eq!(tickets(&take(&mut index, ANY, u64::MAX)), all);
        assert_eq!(index.first(), None);
        index.release(leased);
        index.release(all[0]);
        assert_eq!(tickets(&take(&mut index, ANY, u64::MAX)), [all[0], leased]);
    }

    #[test]
    fn what_breaks_attempts_again_and_again_lets_others_pass_and_waits() {
        let (mut index, all) = index(&[(1, 10), (1, 10)]);
        let now = Instant::now();
        assert_eq!(tickets(&index.take(now, Most { requests: 1, ..ANY }, u64::MAX)), all[..1]);
        assert_eq!(index.suspect(all[0], now), 1);
        assert_eq!(
            index.first().map(|first| first.ticket),
            Some(all[0]),
            "once is nothing: the upstream may have restarted"
        );
        take(&mut index, Most { requests: 1, ..ANY }, u64::MAX);
        assert_eq!(index.suspect(all[0], now), 2);
        assert_eq!(tickets(&index.take(now, ANY, u64::MAX)), all[1..]);
        let due = index.first().unwrap().due;
        assert!(due > now);
        assert_eq!(tickets(&index.take(due, ANY, u64::MAX)), all[..1]);
        for _ in 0..100 {
            index.suspect(all[0], now);
        }
        assert_eq!(index.first().unwrap().due, now + LONGEST_SUSPICION);
        index.remove(all[0]);
        assert_eq!(index.first(), None);
    }

    #[test]
    fn consumers_have_so_many_bytes_at_a_time_and_one_entry_however_large() {
        let (mut index, all) = index(&[(1, 100), (1, 10), (1, 10)]);
        assert_eq!(tickets(&take(&mut index, Most { requests: 1, ..ANY }, 20)), all[..1]);
        assert!(take(&mut index, ANY, 20).is_empty());
        index.returned(100);
        assert_eq!(tickets(&take(&mut index, ANY, 20)), all[1..]);
    }

    #[test]
    fn sums_follow_what_comes_and_goes() {
        let (mut index, all) = index(&[(1, 10), (2, 20)]);
        assert_eq!(index.size(), Size { requests: 2, items: 3, bytes: 30 });
        assert!(index.oldest() < index.slots.get(&all[1]).map(|slot| slot.since));
        index.remove(all[0]);
        index.remove(all[0]);
        index.release(all[0]);
        assert_eq!(index.size(), Size { requests: 1, items: 2, bytes: 20 });
        assert_eq!(index.first().map(|first| first.ticket), Some(all[1]));
        index.remove(all[1]);
        assert!(index.is_empty());
    }
}
