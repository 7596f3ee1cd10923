//! The prefix codes of DEFLATE (RFC 1951, section 3.2).

/// A prefix code.
pub(crate) struct Code {
    /// For each sequence of as many bits as the mask has, what it begins with; nothing, where that is a longer code.
    table: Vec<Step>,
    mask: u64,
    /// Longer codes, by how many bits they have: few symbols that occur have one.
    longer: [Longer; MOST - TABLE],
}

/// The codes with so many bits, which are numbers that follow each other.
#[derive(Default)]
struct Longer {
    first: u16,
    steps: Vec<Step>,
}

/// One symbol: from the lowest bit on, 5 for how many bits it takes, with those of the number behind it, 2 for its kind, and 9
/// for the symbol itself. 0: no code.
#[derive(Clone, Copy, Default)]
pub(crate) struct Step(u16);

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
    pub(crate) fn bits(self) -> usize {
        usize::from(self.0 & 0x1f)
    }

    pub(crate) fn is_plain(self) -> bool {
        self.0 >> 5 & 3 == Kind::Plain as u16
    }

    /// Whether the block ends here.
    pub(crate) fn is_end(self) -> bool {
        self.0 >> 5 & 3 == Kind::End as u16
    }

    pub(crate) fn symbol(self) -> u16 {
        self.0 >> 7
    }
}

impl Code {
    /// The code of literals and lengths whose codes have these lengths.
    pub(crate) fn of_literals(lengths: &[u8]) -> Self {
        Self::new(lengths, |symbol| match symbol {
            0..=255 => (Kind::Plain, 0),
            256 => (Kind::End, 0),
            257..=264 | 285.. => (Kind::Length, 0),
            265..=284 => (Kind::Length, ((symbol - 261) / 4) as u8),
        })
    }

    /// The code of distances.
    pub(crate) fn of_distances(lengths: &[u8]) -> Self {
        Self::new(lengths, |symbol| (Kind::Plain, (symbol / 2).saturating_sub(1) as u8))
    }

    /// A code whose symbols have nothing behind them.
    pub(crate) fn of_symbols(lengths: &[u8]) -> Self {
        Self::new(lengths, |_| (Kind::Plain, 0))
    }

    fn new(lengths: &[u8], kind: impl Fn(u16) -> (Kind, u8)) -> Self {
        let longest = usize::from(lengths.iter().copied().max().unwrap_or_default()).min(TABLE);
        let mut table = vec![Step::default(); 1 << longest];
        let mut longer: [Longer; MOST - TABLE] = Default::default();
        for (symbol, word) in (0..).zip(words(lengths)).filter(|(_, word)| word.length > 0) {
            let (kind, more) = kind(symbol);
            let step = Step::new(symbol, kind, word.length + more);
            let length = usize::from(word.length);
            if length <= TABLE {
                table.iter_mut().skip(word.bits.into()).step_by(1 << length).for_each(|place| *place = step);
            } else if let Some(longer) = longer.get_mut(length - TABLE - 1) {
                if longer.steps.is_empty() {
                    longer.first = word.number();
                }
                longer.steps.push(step);
            }
        }
        Self { table, mask: (1 << longest) - 1, longer }
    }

    /// What `bits` begin with.
    pub(crate) fn step(&self, bits: u64) -> Step {
        let step = self.table.get((bits & self.mask) as usize).copied().unwrap_or_default();
        if step.bits() > 0 { step } else { self.longer_step(bits) }
    }

    #[cold]
    fn longer_step(&self, bits: u64) -> Step {
        let numbered = (TABLE + 1..).zip(&self.longer);
        let mut steps = numbered.filter_map(|(length, longer)| {
            let number = Word { bits: bits as u16 & ((1 << length) - 1), length: length as u8 }.number();
            longer.steps.get(usize::from(number.checked_sub(longer.first)?))
        });
        steps.next().copied().unwrap_or_default()
    }
}

/// A code as it is written, its first bit lowest.
#[derive(Clone, Copy, Default)]
pub(crate) struct Word {
    pub(crate) bits: u16,
    /// 0: the symbol has no code.
    pub(crate) length: u8,
}

impl Word {
    /// The code as a number, its first bit highest, in the order of which codes are given.
    fn number(self) -> u16 {
        self.bits.reverse_bits().checked_shr(16 - u32::from(self.length)).unwrap_or_default()
    }
}

/// The codes of symbols, whose codes have these lengths, of 15 bits at most.
pub(crate) fn words(lengths: &[u8]) -> impl Iterator<Item = Word> {
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
    lengths.iter().map(move |length| {
        let (1..=15, Some(code)) = (*length, next.get_mut(usize::from(*length))) else {
            return Word::default();
        };
        // Codes are numbered highest bit first.
        let bits = code.reverse_bits() >> (16 - u32::from(*length));
        *code = code.wrapping_add(1);
        Word { bits, length: *length }
    })
}

/// Bits of the longest code.
const MOST: usize = 15;

/// Bits of the longest code that the table has: with all of them it would take longer to fill than a block takes to read.
const TABLE: usize = 11;
