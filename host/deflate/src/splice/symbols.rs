//! The symbols of a block and what they stand for (RFC 1951, section 3.2.5).

use std::sync::LazyLock;

use crate::stream::{Bits, Lengths, Step, Word, Writer, words};

/// How many bytes a symbol repeats that was just read from `bits`, with those behind it. `None`: it is none for that.
pub(crate) fn length(symbol: Step, bits: Bits<'_>) -> Option<usize> {
    number(LENGTHS.get(usize::from(symbol.symbol()).checked_sub(FIRST_LENGTH)?)?, bits)
}

/// How far back a symbol says that they are.
pub(crate) fn distance(symbol: Step, bits: Bits<'_>) -> Option<usize> {
    if symbol.bits() == 0 {
        return None;
    }
    number(DISTANCES.get(usize::from(symbol.symbol()))?, bits)
}

/// The number of a range of which the last bits tell which it is.
fn number((first, count): &(u16, u8), mut bits: Bits<'_>) -> Option<usize> {
    bits.at = bits.at.checked_sub((*count).into())?;
    Some(usize::from(*first) + bits.take((*count).into()))
}

/// The codes of a block, as they are written.
pub(crate) struct Alphabet {
    literals: Vec<Word>,
    distances: Vec<Word>,
}

/// The codes that DEFLATE knows beforehand.
pub(crate) static FIXED: LazyLock<Alphabet> = LazyLock::new(|| Alphabet::new(&Lengths::fixed()));

impl Alphabet {
    pub(crate) fn new(lengths: &Lengths) -> Self {
        Self { literals: words(&lengths.literals).collect(), distances: words(&lengths.distances).collect() }
    }

    /// Whether each of these bytes has a code.
    pub(crate) fn has(&self, bytes: &[u8]) -> bool {
        bytes.iter().all(|byte| coded(&self.literals, usize::from(*byte)).is_some())
    }

    /// Writes bytes, all of which have a code.
    pub(crate) fn literals(&self, bytes: &[u8], out: &mut Writer) {
        let words = bytes.iter().filter_map(|byte| coded(&self.literals, usize::from(*byte)));
        words.for_each(|word| out.put(word.bits.into(), word.length.into()));
    }

    /// Writes that `length` bytes are those of `distance` bytes ago. `None`, and nothing is written: there is no code for that.
    pub(crate) fn repeat(&self, length: usize, distance: usize, out: &mut Writer) -> Option<()> {
        let (length, of_length) = symbol(&LENGTHS, length)?;
        let (distance, of_distance) = symbol(&DISTANCES, distance)?;
        let words = [coded(&self.literals, FIRST_LENGTH + length)?, coded(&self.distances, distance)?];
        for (word, (bits, count)) in words.into_iter().zip([of_length, of_distance]) {
            out.put(word.bits.into(), word.length.into());
            out.put(bits, count);
        }
        Some(())
    }

    /// Bits of the end of a block.
    pub(crate) fn end_len(&self) -> usize {
        coded(&self.literals, END).map_or(0, |word| word.length.into())
    }

    /// Writes the end of a block.
    pub(crate) fn end(&self, out: &mut Writer) {
        if let Some(word) = coded(&self.literals, END) {
            out.put(word.bits.into(), word.length.into());
        }
    }
}

fn coded(words: &[Word], symbol: usize) -> Option<Word> {
    words.get(symbol).copied().filter(|word| word.length > 0)
}

/// The range of `numbers` that has this one, and the bits that tell which of the range it is, with their count.
fn symbol(numbers: &[(u16, u8)], number: usize) -> Option<(usize, (u64, u32))> {
    let range = numbers.partition_point(|(first, _)| usize::from(*first) <= number).checked_sub(1)?;
    let (first, count) = numbers.get(range)?;
    let rest = number - usize::from(*first);
    (rest < 1 << count).then_some((range, (rest as u64, (*count).into())))
}

/// The symbol that ends a block.
const END: usize = 256;

/// The first symbol that stands for a length.
const FIRST_LENGTH: usize = 257;

/// The first length of each symbol, and how many bits tell which one it is.
const LENGTHS: [(u16, u8); 29] = {
    let mut lengths = ranges(3, 4);
    // All bits of the one before would be the same length.
    lengths[28] = (258, 0);
    lengths
};

/// The first distance of each symbol, and how many bits tell which one it is.
const DISTANCES: [(u16, u8); 30] = ranges(1, 2);

/// Ranges of numbers that become twice as long after each so many, from the second so many on.
#[expect(clippy::indexing_slicing, reason = "evaluated at compile time, where a panic is an error")]
const fn ranges<const N: usize>(mut first: u16, each: usize) -> [(u16, u8); N] {
    let mut ranges = [(0, 0); N];
    let mut at = 0;
    while at < N {
        let bits = (at / each).saturating_sub(1) as u8;
        ranges[at] = (first, bits);
        first = first.wrapping_add(1 << bits);
        at += 1;
    }
    ranges
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_ranges_are_those_of_the_rfc() {
        assert_eq!(LENGTHS[..9], [(3, 0), (4, 0), (5, 0), (6, 0), (7, 0), (8, 0), (9, 0), (10, 0), (11, 1)]);
        assert_eq!(LENGTHS[26..], [(195, 5), (227, 5), (258, 0)]);
        assert_eq!(DISTANCES[..6], [(1, 0), (2, 0), (3, 0), (4, 0), (5, 1), (7, 1)]);
        assert_eq!(DISTANCES[28..], [(16385, 13), (24577, 13)]);
    }

    #[test]
    fn each_number_has_its_symbol() {
        for number in 3..=258 {
            let (range, (bits, _)) = symbol(&LENGTHS, number).unwrap();
            assert_eq!(usize::from(LENGTHS[range].0) + bits as usize, number);
        }
        assert_eq!(symbol(&LENGTHS, 258).unwrap().0, 28);
        for number in 1..=32_768 {
            let (range, (bits, count)) = symbol(&DISTANCES, number).unwrap();
            assert_eq!(usize::from(DISTANCES[range].0) + bits as usize, number);
            assert!(bits < 1 << count);
        }
        for (numbers, number) in [(&LENGTHS[..], 2), (&LENGTHS, 259), (&DISTANCES, 0), (&DISTANCES, 32_769)] {
            assert!(symbol(numbers, number).is_none(), "{number}");
        }
    }
}
