//! Texts that pods share, each stored once: a cluster repeats the names of its namespaces, nodes and deployments.

use std::hash::{BuildHasher, RandomState};

use crate::entry::Entry;
use crate::index::Index;
use crate::pages::Pages;

/// Names a text of one [`Texts`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Symbol(pub(crate) u32);

impl Symbol {
    /// The empty text.
    pub(crate) const EMPTY: Self = Self(0);
}

/// The texts, and how often each is used: one that is used no longer is forgotten.
#[derive(Clone, Debug, Default)]
pub(crate) struct Texts {
    /// Each text behind the number of its uses.
    pages: Pages,
    index: Index,
    hasher: RandomState,
}

impl Texts {
    /// The text that a symbol names, as bytes.
    pub(crate) fn bytes(&self, symbol: Symbol) -> &[u8] {
        let number = symbol.0.checked_sub(1);
        number.and_then(|number| self.pages.bytes(number).get(COUNT..)).unwrap_or_default()
    }

    /// The text that a symbol names.
    pub(crate) fn text(&self, symbol: Symbol) -> &str {
        std::str::from_utf8(self.bytes(symbol)).unwrap_or_default()
    }

    /// The symbol of a text, which is unused if it is new; `None` where there are as many texts as there can be.
    pub(crate) fn symbol(&mut self, text: &str) -> Option<Symbol> {
        if text.is_empty() {
            return Some(Symbol::EMPTY);
        }
        let hash = self.hasher.hash_one(text);
        let known = Entry::range(&self.index, hash)
            .map(|number| Symbol(number + 1))
            .find(|symbol| self.bytes(*symbol) == text.as_bytes());
        if known.is_some() {
            return known;
        }
        let number = self.pages.vacant()?;
        let mut bytes = Vec::with_capacity(COUNT + text.len());
        bytes.extend_from_slice(&[0; COUNT]);
        bytes.extend_from_slice(text.as_bytes());
        if !self.pages.put(number, &bytes) {
            return None;
        }
        self.index.insert(Entry::of(hash, number));
        Some(Symbol(number + 1))
    }

    /// Counts one use more.
    pub(crate) fn retain(&mut self, symbol: Symbol) {
        self.count(symbol, |count| count.saturating_add(1));
    }

    /// Counts one use less. Nobody may use a symbol that had one use or none.
    pub(crate) fn release(&mut self, symbol: Symbol) {
        if self.count(symbol, |count| count.saturating_sub(1)) == Some(0)
            && let Some(number) = symbol.0.checked_sub(1)
        {
            let hash = self.hasher.hash_one(self.text(symbol));
            self.index.remove(Entry::of(hash, number));
            self.pages.remove(number);
        }
    }

    /// Forgets a text if it is used by nobody.
    pub(crate) fn forget_unused(&mut self, symbol: Symbol) {
        if self.count(symbol, |count| count) == Some(0) {
            self.release(symbol);
        }
    }

    /// Bytes on the heap.
    pub(crate) fn memory(&self) -> usize {
        self.pages.memory() + self.index.memory()
    }

    /// How often a text is used from now on.
    fn count(&mut self, symbol: Symbol, change: impl Fn(u32) -> u32) -> Option<u32> {
        let bytes = self.pages.bytes_mut::<COUNT>(symbol.0.checked_sub(1)?)?;
        let count = change(u32::from_le_bytes(*bytes));
        *bytes = count.to_le_bytes();
        Some(count)
    }
}

/// Bytes of a count.
const COUNT: usize = size_of::<u32>();

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_text_comes_back_as_it_was_and_shared_ones_have_one_symbol() {
        let long = "ü".repeat(300_000);
        let all = ["shop", "", "ünïcode", "shop", &long];
        let mut texts = Texts::default();
        let symbols = all.map(|text| texts.symbol(text).unwrap());
        assert_eq!((symbols[0], symbols[1]), (symbols[3], Symbol::EMPTY));
        assert!(symbols.into_iter().map(|symbol| texts.text(symbol)).eq(all));
        assert_eq!(texts.text(Symbol(u32::MAX)), "");
    }

    #[test]
    fn a_text_is_there_for_as_long_as_it_is_used() {
        let mut texts = Texts::default();
        let shop = texts.symbol("shop").unwrap();
        texts.retain(shop);
        texts.retain(shop);
        texts.release(shop);
        let snapshot = texts.clone();
        assert_eq!(texts.text(shop), "shop");
        texts.release(shop);
        assert_eq!((texts.text(shop), texts.pages.end()), ("", 0));
        assert_eq!(texts.index.range(0, u64::MAX).count(), 0);
        assert_eq!(texts.symbol("other").unwrap(), shop, "its number is given again");
        assert_eq!(snapshot.text(shop), "shop");
    }
}
