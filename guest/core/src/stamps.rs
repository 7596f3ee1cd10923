//! What Resources were stamped with, kept from request to request.
//!
//! A process sends the same Resource with each of its batches, byte for byte. Where a Resource comes again while the pod directory is in
//! the same state, what was added to it is added again, without a look at its attributes and without a lookup.
//!
//! A stamp is kept only if it depends on nothing but the bytes of the Resource, the address at the far end of the connection, the
//! signal, the configuration and the directory: [`Stamps`] compares the first three, whoever owns it has one per configuration, and a
//! directory that changes makes it forget everything.

use std::net::IpAddr;

use crate::interface::AddressSource;
use crate::signal::Signal;
use crate::words::{hash, same};

/// Stamps of Resources, up to a limit. It allocates when it is made and never again, so that it can live in memory that is given out
/// by counting up.
#[derive(Clone, Debug, Default)]
pub struct Stamps {
    /// Of each stamp the bytes of the Resource and those that are added to it, end to end.
    bytes: Vec<u8>,
    entries: Vec<Entry>,
    /// Where an entry is found by its hash: sets of [`WAYS`] places. They become more with the entries.
    places: Vec<Place>,
    /// The state of the directory that all of them belong to.
    state: Option<u64>,
    /// How many Resources have come that there was no room for.
    turned_away: usize,
}

/// What a Resource's stamp depends on besides its bytes and the directory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Origin {
    /// The address at the far end of the connection.
    pub(crate) connection: Option<IpAddr>,
    pub(crate) signal: Signal,
}

/// What becomes of a Resource that nothing is done to but that attributes are added.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Stamp<'s> {
    /// The bytes that its content ends with; empty where it stays as it is.
    pub(crate) added: &'s [u8],
    pub(crate) facts: Facts,
}

/// What a walk counts of a Resource.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Facts {
    /// How its address was found.
    pub(crate) source: AddressSource,
    /// Attributes and entity references that it came with.
    pub(crate) attributes: usize,
    /// Bytes that deepflow-agent copies for each of its spans.
    pub(crate) copied_each: u64,
}

#[derive(Clone, Debug)]
struct Entry {
    origin: Origin,
    hash: u32,
    /// Where the Resource begins in `bytes`, where what is added begins, and where that ends.
    begin: u32,
    added: u32,
    end: u32,
    facts: Facts,
}

/// The number of an entry, from 1 on; 0 is free.
#[derive(Clone, Copy, Debug, Default)]
struct Place {
    entry: u32,
    /// The hash of the entry, so that of others only this is looked at.
    hash: u32,
}

impl Stamps {
    /// Room for the stamps of some thousand Resources: 8 MiB, of which only what is used is ever touched. Less where there is no memory
    /// for that.
    pub fn with_room() -> Self {
        let mut stamps = Self::default();
        let has_room = stamps.entries.try_reserve_exact(ENTRIES).is_ok()
            && stamps.places.try_reserve_exact(PLACES).is_ok()
            && stamps.bytes.try_reserve_exact(BYTES).is_ok();
        if has_room { stamps } else { Self::default() }
    }

    /// Begins a request, with the directory in this state: stamps of another one are forgotten.
    pub(crate) fn begin(&mut self, state: u64) {
        if self.state != Some(state) {
            self.clear();
            self.state = Some(state);
        }
    }

    /// The stamp of a Resource of these bytes.
    pub(crate) fn find(&self, origin: Origin, content: &[u8]) -> Option<Stamp<'_>> {
        if self.entries.is_empty() {
            return None;
        }
        let hash = hash(content);
        let places = self.places.get(self.set(hash)..)?;
        for place in places.iter().take(WAYS) {
            let entry = self.entries.get((place.entry as usize).checked_sub(1)?)?;
            if place.hash != hash || entry.origin != origin {
                continue;
            }
            let (known, added) = self
                .bytes
                .get(entry.begin as usize..entry.end as usize)?
                .split_at_checked((entry.added - entry.begin) as usize)?;
            if same(known, content) {
                return Some(Stamp { added, facts: entry.facts });
            }
        }
        None
    }

    /// Keeps a stamp that was looked for in vain.
    pub(crate) fn keep(&mut self, origin: Origin, content: &[u8], stamp: Stamp<'_>) {
        let length = content.len() + stamp.added.len();
        if length > MAX_LENGTH || self.bytes.capacity() == 0 {
            return;
        }
        let has_room = length <= self.bytes.capacity() - self.bytes.len()
            && self.entries.len() < self.entries.capacity();
        if !has_room {
            self.turn_away();
            return;
        }
        let hash = hash(content);
        self.spread();
        let begin = self.bytes.len() as u32;
        self.bytes.extend_from_slice(content);
        let added = self.bytes.len() as u32;
        self.bytes.extend_from_slice(stamp.added);
        let end = self.bytes.len() as u32;
        self.entries.push(Entry { origin, hash, begin, added, end, facts: stamp.facts });
        self.place(hash, self.entries.len() as u32);
    }

    /// Counts a Resource that there is no room for. Where many come, those that are kept may be of pods that are gone.
    fn turn_away(&mut self) {
        self.turned_away += 1;
        if self.turned_away > PATIENCE * self.entries.len() {
            self.clear();
        }
    }

    /// Makes more places, if the entries need them.
    fn spread(&mut self) {
        if self.places.len() >= SPARSE * (self.entries.len() + 1) || self.places.len() == PLACES {
            return;
        }
        let places = (self.places.len() * 8).clamp(FEW, PLACES);
        self.places.clear();
        self.places.resize(places, Place::default());
        for number in 0..self.entries.len() {
            let hash = self.entries.get(number).map_or(0, |entry| entry.hash);
            self.place(hash, number as u32 + 1);
        }
    }

    /// Makes an entry be found, unless its places are taken.
    fn place(&mut self, hash: u32, entry: u32) {
        let set = self.set(hash);
        let mut places = self.places.iter_mut().skip(set).take(WAYS);
        if let Some(place) = places.find(|place| place.entry == 0) {
            *place = Place { entry, hash };
        }
    }

    /// The first of the places for a hash.
    fn set(&self, hash: u32) -> usize {
        // The number of places is a power of two.
        hash as usize & self.places.len().wrapping_sub(1) & !(WAYS - 1)
    }

    fn clear(&mut self) {
        self.bytes.clear();
        self.entries.clear();
        self.places.clear();
        self.turned_away = 0;
    }
}

/// The most entries, and the most bytes of all Resources and what is added to them.
const ENTRIES: usize = 1 << 14;
const BYTES: usize = 7 << 20;

/// Places at first and at most, and places in a row that an entry may have.
const FEW: usize = 1 << 8;
const PLACES: usize = 1 << 15;
const WAYS: usize = 8;

/// Places for each entry, at least, while more can be made.
const SPARSE: usize = 2;

/// Bytes of the longest Resource that is kept.
const MAX_LENGTH: usize = 16 << 10;

/// How many times what is kept may be turned away before all is forgotten.
const PATIENCE: usize = 2;

#[cfg(test)]
mod tests {
    use super::*;

    const ORIGIN: Origin = Origin { connection: None, signal: Signal::Traces };

    fn facts(attributes: usize) -> Facts {
        Facts { attributes, ..Facts::default() }
    }

    fn keep(stamps: &mut Stamps, content: &[u8], number: usize) {
        let added = number.to_string();
        stamps.keep(ORIGIN, content, Stamp { added: added.as_bytes(), facts: facts(number) });
    }

    #[test]
    fn of_many_resources_each_has_its_own_stamp() {
        let mut stamps = Stamps::with_room();
        stamps.begin(1);
        let content = |number: usize| format!("{number:0>width$}", width = 10 + number % 90).into_bytes();
        let capacities = (stamps.bytes.capacity(), stamps.entries.capacity(), stamps.places.capacity());
        for number in 0..10_000 {
            assert_eq!(stamps.find(ORIGIN, &content(number)), None);
            keep(&mut stamps, &content(number), number);
        }
        let mut found = 0;
        for number in 0..10_000 {
            let stamp = stamps.find(ORIGIN, &content(number));
            let expected = number.to_string();
            assert!(
                stamp.is_none_or(|stamp| stamp.added == expected.as_bytes() && stamp.facts == facts(number))
            );
            found += usize::from(stamp.is_some());
        }
        assert!(found > 9_900, "{found}");
        let after = (stamps.bytes.capacity(), stamps.entries.capacity(), stamps.places.capacity());
        assert_eq!(after, capacities, "it never allocates again");
    }

    #[test]
    fn another_origin_or_state_has_other_stamps() {
        let mut stamps = Stamps::with_room();
        stamps.begin(1);
        keep(&mut stamps, b"one", 1);
        for origin in [
            Origin { connection: Some([10, 1, 0, 7].into()), ..ORIGIN },
            Origin { signal: Signal::Logs, ..ORIGIN },
        ] {
            assert_eq!(stamps.find(origin, b"one"), None);
        }
        stamps.begin(1);
        assert!(stamps.find(ORIGIN, b"one").is_some() && stamps.find(ORIGIN, b"One").is_none());
        stamps.begin(2);
        assert_eq!(stamps.find(ORIGIN, b"one"), None);
        stamps.begin(1);
        assert_eq!(stamps.find(ORIGIN, b"one"), None, "what is forgotten stays so");
    }

    #[test]
    fn what_is_kept_makes_room_where_too_much_comes() {
        let mut stamps = Stamps::with_room();
        stamps.begin(1);
        let content = |number: usize| vec![number as u8; 1_000 + number];
        let kept = |stamps: &Stamps| {
            (0..15_000).filter(|number| stamps.find(ORIGIN, &content(*number)).is_some()).count()
        };
        (0..4_000).for_each(|number| keep(&mut stamps, &content(number), number));
        let full = kept(&stamps);
        assert!((2_000..4_000).contains(&full), "{full}");
        assert!(stamps.find(ORIGIN, &content(0)).is_some());
        (4_000..15_000).for_each(|number| keep(&mut stamps, &content(number), number));
        assert!(stamps.find(ORIGIN, &content(0)).is_none());
        keep(&mut stamps, &vec![1; MAX_LENGTH + 1], 1);
        assert_eq!(stamps.find(ORIGIN, &vec![1; MAX_LENGTH + 1]), None);
    }

    #[test]
    fn without_room_nothing_is_kept() {
        let mut stamps = Stamps::default();
        stamps.begin(1);
        keep(&mut stamps, b"one", 1);
        assert_eq!(stamps.find(ORIGIN, b"one"), None);
    }
}
