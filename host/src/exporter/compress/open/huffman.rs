//! The prefix codes of DEFLATE (RFC 1951, section 3.2), read only to get past them.

/// A prefix code as a table: for each sequence of bits what it begins with.
pub(super) struct Code {
    table: Vec<Step>,
    /// As many bits as the longest code has, all of them set.
    mask: u64,
}

/// One symbol: from the lowest bit on, 5 for how many bits it takes, with those of the number behind it, 2 for its kind, and 9
/// for the symbol itself. 0: no code.
#[derive(Clone, Copy, Default)]
pub(super) struct Step(u16);

/// What comes with a symbol.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// Nothing: a byte, or a distance.
    Plain,
    /// The end of the block.
    End,
    /// A distance.
    Length,
}

impl Step {
    fn new(symbol: u16, kind: Kind, bits: u8) -> Self {
        Self(symbol << 7 | (kind as u16) << 5 | u16::from(bits))
    }

    /// Bits of the code and of the number behind it; 0: no code begins so.
    pub(super) fn bits(self) -> usize {
        usize::from(self.0 & 0x1f)
    }

    pub(super) fn is_plain(self) -> bool {
        self.0 >> 5 & 3 == Kind::Plain as u16
    }

    /// Whether the block ends here.
    pub(super) fn is_end(self) -> bool {
        self.0 >> 5 & 3 == Kind::End as u16
    }

    pub(super) fn symbol(self) -> u16 {
        self.0 >> 7
    }
}

impl Code {
    /// The code of literals and lengths whose codes have these lengths.
    pub(super) fn of_lengths(lengths: &[u8]) -> Self {
        Self::new(lengths, |symbol| match symbol {
            0..=255 => (Kind::Plain, 0),
            256 => (Kind::End, 0),
            257..=264 | 285.. => (Kind::Length, 0),
            265..=284 => (Kind::Length, ((symbol - 261) / 4) as u8),
        })
    }

    /// The code of distances.
    pub(super) fn of_distances(lengths: &[u8]) -> Self {
        Self::new(lengths, |symbol| (Kind::Plain, (symbol / 2).saturating_sub(1) as u8))
    }

    /// A code whose symbols have nothing behind them.
    pub(super) fn of_symbols(lengths: &[u8]) -> Self {
        Self::new(lengths, |_| (Kind::Plain, 0))
    }

    /// The code of literals and lengths of a block without codes of its own.
    pub(super) fn fixed_lengths() -> Self {
        let lengths = [(144, 8), (112, 9), (24, 7), (8, 8)];
        let lengths: Vec<u8> =
            lengths.into_iter().flat_map(|(count, length)| std::iter::repeat_n(length, count)).collect();
        Self::of_lengths(&lengths)
    }

    /// The code of distances of such a block.
    pub(super) fn fixed_distances() -> Self {
        Self::of_distances(&[5; 30])
    }

    /// `lengths` are of 15 bits at most.
    fn new(lengths: &[u8], kind: impl Fn(u16) -> (Kind, u8)) -> Self {
        let mut next = [0_u16; 16];
        for length in lengths {
            // The first code of a length is as far on as those of the length before reach, in bits of its own.
            if let Some(longer) = next.get_mut(usize::from(*length) + 1)
                && *length > 0
            {
                *longer += 1;
            }
        }
        let mut code = 0_u16;
        for first in &mut next {
            code = code.wrapping_add(*first).wrapping_shl(1);
            *first = code;
        }
        let longest = lengths.iter().copied().max().unwrap_or_default().min(15);
        let mut table = vec![Step::default(); 1 << longest];
        for (symbol, length) in (0..).zip(lengths) {
            let (1..=15, Some(code)) = (*length, next.get_mut(usize::from(*length))) else { continue };
            let (kind, more) = kind(symbol);
            let step = Step::new(symbol, kind, length + more);
            // Codes come highest bit first, all else lowest bit first.
            let first = usize::from(code.reverse_bits() >> (16 - u32::from(*length)));
            *code = code.wrapping_add(1);
            table.iter_mut().skip(first).step_by(1 << length).for_each(|place| *place = step);
        }
        Self { table, mask: (1 << longest) - 1 }
    }

    /// What `bits` begin with.
    pub(super) fn step(&self, bits: u64) -> Step {
        self.table.get((bits & self.mask) as usize).copied().unwrap_or_default()
    }
}
