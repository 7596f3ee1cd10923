//! Containers of pods: names, which many pods share, and ids, of which the beginning is enough.

use podstamp_core::directory::container_id;

use crate::parts::Pair;
use crate::strings::{Interner, Strings, Symbol};

/// Containers of all pods, end to end.
#[derive(Debug, Default)]
pub(crate) struct Containers {
    names: Box<[Symbol]>,
    ids: Box<[Id]>,
    /// Where those of each pod end. Empty where none are kept.
    ends: Box<[u32]>,
}

/// An id as the table keeps it: the first 64 bits, which are random, or a hash of a text that is not such a number. 0 is no id.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct Id(u64);

impl Id {
    /// The id in a text, with the runtime's prefix or without.
    pub(crate) fn new(text: &str) -> Self {
        let text = container_id(text);
        let is_hex = |digits: &&str| digits.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
        let number =
            text.get(..DIGITS).filter(is_hex).and_then(|digits| u64::from_str_radix(digits, 16).ok());
        Self(number.unwrap_or_else(|| if text.is_empty() { 0 } else { fnv(text) }))
    }

    pub(crate) fn is_none(self) -> bool {
        self.0 == 0
    }

    /// A text that [`Id::new`] makes the same id of.
    pub(crate) fn text(self) -> String {
        if self.is_none() { String::new() } else { format!("{:016x}", self.0) }
    }
}

impl Containers {
    /// How many containers there are.
    pub(crate) fn len(&self) -> usize {
        self.ids.len()
    }

    pub(crate) fn id(&self, container: u32) -> Option<Id> {
        self.ids.get(container as usize).copied()
    }

    /// The pod that has a container.
    pub(crate) fn owner(&self, container: u32) -> u32 {
        self.ends.partition_point(|end| *end <= container) as u32
    }

    /// Names and ids of a pod's containers.
    pub(crate) fn of(&self, pod: u32) -> impl Iterator<Item = (Symbol, Id)> {
        let end = |index: usize| self.ends.get(index).map(|end| *end as usize);
        let index = pod as usize;
        let start = index.checked_sub(1).map_or(Some(0), end);
        let range = start.zip(end(index)).map_or(0..0, |(start, end)| start..end);
        let names = self.names.get(range.clone()).unwrap_or_default().iter();
        names.copied().zip(self.ids.get(range).unwrap_or_default().iter().copied())
    }

    pub(crate) fn has_id(&self, pod: u32, id: &str) -> bool {
        let id = Id::new(id);
        !id.is_none() && self.of(pod).any(|(_, known)| known == id)
    }

    pub(crate) fn has_name(&self, pod: u32, name: &str, strings: &Strings) -> bool {
        self.of(pod).any(|(known, _)| strings.text(known) == name)
    }

    /// Bytes on the heap.
    pub(crate) fn memory(&self) -> usize {
        size_of_val(&*self.names) + size_of_val(&*self.ids) + size_of_val(&*self.ends)
    }
}

/// Containers in the making.
#[derive(Debug, Default)]
pub(crate) struct ContainersBuilder {
    names: Vec<Symbol>,
    ids: Vec<Id>,
    ends: Vec<u32>,
}

impl ContainersBuilder {
    /// Adds the containers of the next pod.
    pub(crate) fn add(&mut self, containers: &[Pair<'_>], interner: &mut Interner) {
        let first = self.ids.len();
        for (name, id) in containers {
            let Some(name) = interner.intern(name) else { continue };
            let id = Id::new(id);
            let mut known = self.names.iter().zip(&self.ids).skip(first);
            if !known.any(|(known, is)| *is == id && (!id.is_none() || *known == name)) {
                self.names.push(name);
                self.ids.push(id);
            }
        }
        self.ends.push(u32::try_from(self.ids.len()).unwrap_or(u32::MAX));
    }

    pub(crate) fn finish(self) -> Containers {
        Containers {
            names: self.names.into_boxed_slice(),
            ids: self.ids.into_boxed_slice(),
            ends: self.ends.into_boxed_slice(),
        }
    }
}

/// FNV-1a: the same wherever a listing was written.
fn fnv(text: &str) -> u64 {
    text.bytes()
        .fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
}

/// Hexadecimal digits of 64 bits.
const DIGITS: usize = 16;
