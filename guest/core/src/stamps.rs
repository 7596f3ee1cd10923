//! What Resources were stamped with, kept from request to request.
//!
//! A process sends the same Resource with each of its batches, byte for byte. Where a Resource comes again and nothing that the pod
//! directory said of it has changed, what was added to it is added again, without a look at its attributes and without a lookup.
//!
//! A stamp is kept only if it depends on nothing but the bytes of the Resource, the address at the far end of the connection, the
//! signal, the configuration and the directory: [`Stamps`] compares the first three, whoever owns it has one per configuration, and of
//! a directory that has changed it asks whether that concerns what was asked for the stamp.

use std::net::IpAddr;

use crate::directory::Directory;
use crate::interface::AddressSource;
use crate::signal::Signal;
use crate::words::{hash, same};

/// Stamps of Resources, up to a limit. It allocates when it is made and never again, so that it can live in memory that is given out
/// by counting up.
#[derive(Clone, Debug, Default)]
pub struct Stamps {
    /// Of each stamp the bytes of the Resource and those that are added to it, end to end.
    bytes: Vec<u8>,
    /// Of each stamp the keys of what the directory was asked for it.
    keys: Vec<u32>,
    entries: Vec<Entry>,
    /// Where an entry is found by its hash: sets of [`WAYS`] places. They become more with the entries.
    places: Vec<Place>,
    /// The state of the directory as the request began.
    state: u64,
    /// How many Resources have come that there was no room for.
    turned_away: usize,
    /// How many entries are out of date.
    outdated: usize,
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
    /// Where its keys begin and end in `keys`.
    keys: (u32, u32),
    /// A state of the directory to which the stamp belongs; `None` once it has turned out to be out of date.
    state: Option<u64>,
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
            && stamps.keys.try_reserve_exact(KEYS).is_ok()
            && stamps.bytes.try_reserve_exact(BYTES).is_ok();
        if has_room { stamps } else { Self::default() }
    }

    /// Begins a request, with the directory in this state.
    pub(crate) fn begin(&mut self, state: u64) {
        self.state = state;
    }

    /// The stamp of a Resource of these bytes, if it is one of the directory as it is.
    pub(crate) fn find(
        &mut self,
        origin: Origin,
        content: &[u8],
        directory: &dyn Directory,
    ) -> Option<Stamp<'_>> {
        let place = self.seek(origin, content)?;
        let number = self.places.get(place)?.entry.checked_sub(1)?;
        let entry = self.entries.get_mut(number as usize)?;
        if entry.state != Some(self.state) {
            let keys = self.keys.get(entry.keys.0 as usize..entry.keys.1 as usize)?;
            if !entry.state.is_some_and(|since| directory.unchanged(since, keys)) {
                entry.state = None;
                self.outdated += 1;
                *self.places.get_mut(place)? = Place::default();
                return None;
            }
            entry.state = Some(self.state);
        }
        let added = self.bytes.get(entry.added as usize..entry.end as usize)?;
        Some(Stamp { added, facts: entry.facts })
    }

    /// The place of the stamp of a Resource of these bytes.
    fn seek(&self, origin: Origin, content: &[u8]) -> Option<usize> {
        if self.entries.is_empty() {
            return None;
        }
        let hash = hash(content);
        let set = self.set(hash);
        let places = self.places.iter().enumerate().skip(set).take(WAYS);
        let of_hash = places.filter(|(_, place)| place.hash == hash && place.entry > 0);
        let mut alike = of_hash.filter(|(_, place)| {
            let entry = self.entries.get(place.entry as usize - 1).filter(|entry| entry.origin == origin);
            let known = entry.and_then(|entry| self.bytes.get(entry.begin as usize..entry.added as usize));
            known.is_some_and(|known| same(known, content))
        });
        alike.next().map(|(place, _)| place)
    }

    /// Keeps a stamp that was looked for in vain. `keys` are those of what the directory was asked for it.
    pub(crate) fn keep(&mut self, origin: Origin, content: &[u8], stamp: Stamp<'_>, keys: &[u32]) {
        let length = content.len() + stamp.added.len();
        if length > MAX_LENGTH || self.bytes.capacity() == 0 {
            return;
        }
        if !self.has_room(length, keys.len()) && !self.make_room() {
            return;
        }
        let hash = hash(content);
        self.spread();
        let set = self.set(hash);
        let number = self.entries.len() as u32 + 1;
        let Some(place) = free(&mut self.places, set) else { return };
        *place = Place { entry: number, hash };
        let begin = self.bytes.len() as u32;
        self.bytes.extend_from_slice(content);
        let added = self.bytes.len() as u32;
        self.bytes.extend_from_slice(stamp.added);
        let end = self.bytes.len() as u32;
        let first_key = self.keys.len() as u32;
        self.keys.extend_from_slice(keys);
        let keys = (first_key, self.keys.len() as u32);
        let state = Some(self.state);
        self.entries.push(Entry { origin, hash, begin, added, end, keys, state, facts: stamp.facts });
    }

    fn has_room(&self, bytes: usize, keys: usize) -> bool {
        bytes <= self.bytes.capacity() - self.bytes.len()
            && keys <= self.keys.capacity() - self.keys.len()
            && self.entries.len() < self.entries.capacity()
    }

    /// Forgets everything, if little of it is of use: where many Resources come that there is no room for, those that are kept may be of
    /// processes that are gone.
    fn make_room(&mut self) -> bool {
        self.turned_away += 1;
        let current = self.entries.len() - self.outdated;
        let forgets = self.outdated > current || self.turned_away > PATIENCE * current;
        if forgets {
            self.clear();
        }
        forgets
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
            let live = self.entries.get(number).filter(|entry| entry.state.is_some());
            if let Some(hash) = live.map(|entry| entry.hash) {
                let set = self.set(hash);
                let free = free(&mut self.places, set);
                free.into_iter().for_each(|place| *place = Place { entry: number as u32 + 1, hash });
            }
        }
    }

    /// The first of the places for a hash.
    fn set(&self, hash: u32) -> usize {
        // The number of places is a power of two.
        hash as usize & self.places.len().wrapping_sub(1) & !(WAYS - 1)
    }

    fn clear(&mut self) {
        self.bytes.clear();
        self.keys.clear();
        self.entries.clear();
        self.places.clear();
        (self.turned_away, self.outdated) = (0, 0);
    }
}

/// The first free one of a set of places.
fn free(places: &mut [Place], set: usize) -> Option<&mut Place> {
    places.iter_mut().skip(set).take(WAYS).find(|place| place.entry == 0)
}

/// The most entries, the most bytes of all Resources and what is added to them, and the most keys.
const ENTRIES: usize = 1 << 14;
const BYTES: usize = 6 << 20;
const KEYS: usize = ENTRIES * 6;

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
    use crate::directory::{Details, Lookup, NoPods, Term};

    const ORIGIN: Origin = Origin { connection: None, signal: Signal::Traces };

    /// A directory of which some keys have changed in some state.
    struct Changed {
        keys: Vec<u32>,
        state: u64,
    }

    impl Directory for Changed {
        fn find(&self, _: &[Term<'_>], _: Details) -> Lookup {
            Lookup::Unknown
        }

        fn unchanged(&self, since: u64, keys: &[u32]) -> bool {
            since >= self.state || !keys.iter().any(|key| self.keys.contains(key))
        }
    }

    fn facts(attributes: usize) -> Facts {
        Facts { attributes, ..Facts::default() }
    }

    fn keep(stamps: &mut Stamps, content: &[u8], number: usize) {
        let added = number.to_string();
        let stamp = Stamp { added: added.as_bytes(), facts: facts(number) };
        stamps.keep(ORIGIN, content, stamp, &[number as u32]);
    }

    fn has(stamps: &mut Stamps, content: &[u8]) -> bool {
        stamps.find(ORIGIN, content, &NoPods).is_some()
    }

    #[test]
    fn of_many_resources_each_has_its_own_stamp() {
        let mut stamps = Stamps::with_room();
        let content = |number: usize| format!("{number:0>width$}", width = 10 + number % 90).into_bytes();
        let capacities = |stamps: &Stamps| {
            let Stamps { bytes, keys, entries, places, .. } = stamps;
            (bytes.capacity(), keys.capacity(), entries.capacity(), places.capacity())
        };
        let before = capacities(&stamps);
        for number in 0..10_000 {
            assert!(!has(&mut stamps, &content(number)));
            keep(&mut stamps, &content(number), number);
        }
        let mut found = 0;
        for number in 0..10_000 {
            let stamp = stamps.find(ORIGIN, &content(number), &NoPods);
            let (added, facts) = (number.to_string(), facts(number));
            assert!(stamp.is_none_or(|stamp| stamp == Stamp { added: added.as_bytes(), facts }));
            found += usize::from(stamp.is_some());
        }
        assert!(found > 9_900, "{found}");
        assert_eq!(capacities(&stamps), before, "it never allocates again");
    }

    #[test]
    fn another_origin_has_other_stamps() {
        let mut stamps = Stamps::with_room();
        keep(&mut stamps, b"one", 1);
        for origin in [
            Origin { connection: Some([10, 1, 0, 7].into()), ..ORIGIN },
            Origin { signal: Signal::Logs, ..ORIGIN },
        ] {
            assert_eq!(stamps.find(origin, b"one", &NoPods), None);
        }
        assert!(has(&mut stamps, b"one") && !has(&mut stamps, b"One"));
    }

    #[test]
    fn a_change_concerns_the_stamps_that_were_asked_about_it() {
        let mut stamps = Stamps::with_room();
        stamps.begin(1);
        (1..40).for_each(|number| keep(&mut stamps, &[number as u8], number));
        let changed = Changed { keys: vec![7, 9], state: 2 };
        for state in [2, 3] {
            stamps.begin(state);
            for number in 1..40 {
                let found = stamps.find(ORIGIN, &[number], &changed).is_some();
                assert_eq!(found, ![7, 9].contains(&number), "{number}");
            }
        }
        // Kept again, it is there again.
        keep(&mut stamps, &[7], 70);
        assert_eq!(stamps.find(ORIGIN, &[7], &changed).unwrap().added, b"70");
        stamps.begin(4);
        assert!(stamps.find(ORIGIN, &[8], &Changed { keys: vec![8], state: 3 }).is_some());
        assert!(stamps.find(ORIGIN, &[10], &Changed { keys: vec![10], state: 4 }).is_none());
        // A directory that cannot tell.
        assert!(!has(&mut stamps, &[11]));
    }

    #[test]
    fn what_is_kept_makes_room_where_too_much_comes() {
        let mut stamps = Stamps::with_room();
        let content = |number: usize| vec![number as u8; 1_000 + number];
        (0..4_000).for_each(|number| keep(&mut stamps, &content(number), number));
        let full = (0..4_000).filter(|number| has(&mut stamps, &content(*number))).count();
        assert!((1_500..4_000).contains(&full), "{full}");
        assert!(has(&mut stamps, &content(0)));
        (4_000..12_000).for_each(|number| keep(&mut stamps, &content(number), number));
        assert!(!has(&mut stamps, &content(0)));
        keep(&mut stamps, &vec![1; MAX_LENGTH + 1], 1);
        assert!(!has(&mut stamps, &vec![1; MAX_LENGTH + 1]));
    }

    #[test]
    fn what_is_out_of_date_makes_room() {
        let mut stamps = Stamps::with_room();
        for state in 1..2_000 {
            stamps.begin(state);
            for number in 0..20 {
                let content = [number; 500];
                assert!(!has(&mut stamps, &content));
                keep(&mut stamps, &content, number.into());
                assert!(has(&mut stamps, &content), "{number} in state {state}");
            }
        }
    }

    #[test]
    fn without_room_nothing_is_kept() {
        let mut stamps = Stamps::default();
        keep(&mut stamps, b"one", 1);
        assert!(!has(&mut stamps, b"one"));
    }
}
