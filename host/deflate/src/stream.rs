//! Reads DEFLATE streams (RFC 1951) symbol by symbol.

mod huffman;
mod writer;

use std::iter;
use std::sync::LazyLock;

use huffman::Code;
pub(crate) use huffman::{Step, Word, words};
pub(crate) use writer::Writer;

/// Bits of a stream, read from the lowest bit of each byte on.
#[derive(Clone, Copy)]
pub(crate) struct Bits<'a> {
    bytes: &'a [u8],
    /// How many are read.
    pub(crate) at: usize,
}

/// What a block begins with.
pub(crate) struct Head {
    pub(crate) is_last: bool,
    pub(crate) kind: Kind,
}

/// How a block is written.
pub(crate) enum Kind {
    /// As it is.
    Stored,
    /// With the codes that DEFLATE knows beforehand: [`FIXED`].
    Fixed,
    /// With codes of its own.
    Own(Lengths),
}

/// How many bits the codes of a block have: those of literals and lengths, and those of distances; 0: none.
pub(crate) struct Lengths {
    pub(crate) literals: Vec<u8>,
    pub(crate) distances: Vec<u8>,
}

/// What reads the symbols of a block.
pub(crate) struct Codes {
    pub(crate) literals: Code,
    pub(crate) distances: Code,
}

/// The codes of blocks without codes of their own. Such a block may take ten bits, so that its codes are not made anew for each.
pub(crate) static FIXED: LazyLock<Codes> = LazyLock::new(|| Lengths::fixed().codes());

impl Lengths {
    /// Those of [`FIXED`].
    pub(crate) fn fixed() -> Self {
        let literals = [(144, 8), (112, 9), (24, 7), (8, 8)].into_iter();
        let literals = literals.flat_map(|(count, length)| iter::repeat_n(length, count)).collect();
        Self { literals, distances: vec![5; 30] }
    }

    pub(crate) fn codes(&self) -> Codes {
        Codes { literals: Code::of_literals(&self.literals), distances: Code::of_distances(&self.distances) }
    }
}

impl<'a> Bits<'a> {
    /// The bits of a stream, which has [`ROOM`] bytes of anything behind it.
    pub(crate) fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, at: 0 }
    }

    /// The next bits, the first one lowest: 56 of them at least, or zeros behind the end.
    pub(crate) fn peek(&self) -> u64 {
        let word = self.bytes.get(self.at / 8..).and_then(|rest| rest.first_chunk::<8>());
        word.map_or(0, |word| u64::from_le_bytes(*word)) >> (self.at % 8)
    }

    /// So many bytes from this one on.
    pub(crate) fn bytes(&self, from: usize, length: usize) -> Option<&'a [u8]> {
        self.bytes.get(from..)?.get(..length)
    }

    /// Takes so many bits, 32 at most.
    pub(crate) fn take(&mut self, count: usize) -> usize {
        let bits = self.peek() & ((1 << count) - 1);
        self.at += count;
        bits as usize
    }

    /// Reads what a block begins with. `None`: it is none.
    pub(crate) fn read_head(&mut self) -> Option<Head> {
        let is_last = self.take(1) == 1;
        let kind = match self.take(2) {
            0 => Kind::Stored,
            1 => Kind::Fixed,
            2 => Kind::Own(self.read_lengths()?),
            _ => return None,
        };
        Some(Head { is_last, kind })
    }

    /// Gets past a block that is stored as it is, whose head is read.
    pub(crate) fn skip_stored(&mut self) -> Option<()> {
        self.at = self.at.next_multiple_of(8);
        let (length, check) = (self.take(16), self.take(16));
        self.at += 8 * length;
        (length ^ check == 0xffff).then_some(())
    }

    /// Reads up to the end of a block.
    pub(crate) fn skip_symbols(&mut self, codes: &Codes) -> Option<()> {
        let Codes { literals, distances } = codes;
        // Behind the end there are only zeros, which need not say that a block ends.
        while self.at / 8 < self.bytes.len() {
            // What is read at once holds three codes.
            let mut bits = self.peek();
            let mut step = literals.step(bits);
            for _ in 0..2 {
                if !step.is_plain() || step.bits() == 0 {
                    break;
                }
                self.at += step.bits();
                bits >>= step.bits();
                step = literals.step(bits);
            }
            if step.bits() == 0 {
                return None;
            }
            if step.is_plain() {
                self.at += step.bits();
            } else if step.is_end() {
                self.at += step.bits();
                return Some(());
            } else {
                self.at += step.bits();
                let distance = distances.step(self.peek()).bits();
                if distance == 0 {
                    return None;
                }
                self.at += distance;
            }
        }
        None
    }

    /// Reads what the codes of a block are that has its own.
    fn read_lengths(&mut self) -> Option<Lengths> {
        let (literals, distances, own) = (257 + self.take(5), 1 + self.take(5), 4 + self.take(4));
        let mut of_lengths = [0_u8; 19];
        for symbol in ORDER.iter().take(own) {
            *of_lengths.get_mut(*symbol)? = self.take(3) as u8;
        }
        let code = Code::of_symbols(&of_lengths);
        let mut all: Vec<u8> = Vec::with_capacity(literals + distances);
        while all.len() < literals + distances {
            let step = code.step(self.peek());
            if step.bits() == 0 {
                return None;
            }
            self.at += step.bits();
            let (length, count) = match step.symbol() {
                16 => (*all.last()?, 3 + self.take(2)),
                17 => (0, 3 + self.take(3)),
                18 => (0, 11 + self.take(7)),
                length => (length as u8, 1),
            };
            all.resize(all.len() + count, length);
        }
        let (literals, rest) = all.split_at_checked(literals)?;
        Some(Lengths { literals: literals.to_vec(), distances: rest.get(..distances)?.to_vec() })
    }
}

/// The order in which the lengths of the codes for lengths come.
const ORDER: [usize; 19] = [16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15];

/// Bytes that may be looked at behind a stream.
pub(crate) const ROOM: usize = 8;
