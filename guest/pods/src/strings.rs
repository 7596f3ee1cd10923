//! Texts of a table, each stored once: a cluster repeats the names of its namespaces, nodes and deployments.

use std::collections::HashMap;

/// Names a text of one [`Strings`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Symbol(u32);

impl Symbol {
    /// The empty text.
    pub(crate) const EMPTY: Self = Self(0);
}

/// The texts, end to end, each behind its length, so that reading one touches one place in memory.
#[derive(Debug, Default)]
pub(crate) struct Strings {
    bytes: Box<str>,
}

impl Strings {
    /// The text that a symbol names.
    pub(crate) fn text(&self, symbol: Symbol) -> &str {
        self.checked_text(symbol).unwrap_or_default()
    }

    /// Bytes on the heap.
    pub(crate) fn memory(&self) -> usize {
        self.bytes.len()
    }

    fn checked_text(&self, symbol: Symbol) -> Option<&str> {
        let mut start = symbol.0.checked_sub(1)? as usize;
        let mut length = 0;
        loop {
            let digit = *self.bytes.as_bytes().get(start)?;
            start += 1;
            length = length << DIGIT_BITS | usize::from(digit & DIGIT_MASK);
            if digit & MORE_DIGITS == 0 {
                return self.bytes.get(start..start.checked_add(length)?);
            }
        }
    }
}

/// Collects texts.
#[derive(Debug, Default)]
pub(crate) struct Interner {
    bytes: String,
    known: HashMap<Box<str>, Symbol>,
}

impl Interner {
    /// Makes room for so many bytes of texts.
    pub(crate) fn reserve(&mut self, bytes: usize) {
        self.bytes.reserve_exact(bytes);
    }

    /// The symbol of a text that others may share; none where all texts together would pass 4 GiB.
    pub(crate) fn intern(&mut self, text: &str) -> Option<Symbol> {
        if text.is_empty() {
            return Some(Symbol::EMPTY);
        }
        if let Some(symbol) = self.known.get(text) {
            return Some(*symbol);
        }
        let symbol = self.add(text)?;
        self.known.insert(text.into(), symbol);
        Some(symbol)
    }

    /// The symbol of a text that is hardly ever shared.
    pub(crate) fn add(&mut self, text: &str) -> Option<Symbol> {
        if text.is_empty() {
            return Some(Symbol::EMPTY);
        }
        let symbol = Symbol(u32::try_from(self.bytes.len() + 1).ok()?);
        let digits = text.len().ilog2() / DIGIT_BITS;
        for digit in (0..=digits).rev() {
            let more = if digit == 0 { 0 } else { MORE_DIGITS };
            let value = (text.len() >> (digit * DIGIT_BITS)) as u8 & DIGIT_MASK;
            self.bytes.push(char::from(value | more));
        }
        self.bytes.push_str(text);
        Some(symbol)
    }

    /// Drops what only collecting needs.
    pub(crate) fn finish(self) -> Strings {
        Strings { bytes: self.bytes.into_boxed_str() }
    }
}

/// Lengths are written six bits a byte, the highest first, so that each byte is a character of its own.
const DIGIT_BITS: u32 = 6;
const DIGIT_MASK: u8 = 0x3F;
/// Set in all bytes of a length but the last.
const MORE_DIGITS: u8 = 0x40;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_text_comes_back_as_it_was_and_shared_ones_have_one_symbol() {
        let long = [1, 63, 64, 4095, 4096, 300_000].map(|length| "ü".repeat(length));
        let texts = ["shop", "", "ünïcode", "shop"].into_iter().chain(long.iter().map(String::as_str));
        let mut interner = Interner::default();
        let symbols: Vec<_> = texts.clone().map(|text| interner.intern(text).unwrap()).collect();
        assert_eq!(symbols[0], symbols[3]);
        assert_eq!(symbols[1], Symbol::EMPTY);
        assert_ne!(interner.add("shop").unwrap(), symbols[0]);
        let strings = interner.finish();
        assert!(symbols.into_iter().map(|symbol| strings.text(symbol)).eq(texts));
        assert_eq!(strings.text(Symbol(u32::MAX)), "");
    }
}
