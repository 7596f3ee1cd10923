//! Uids: nearly always a UUID in lower case, which fits 16 bytes.

use crate::strings::{Interner, Strings, Symbol};

/// A pod's uid.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Uid {
    /// A UUID in canonical text.
    Uuid([u8; 16]),
    /// Anything else, or nothing.
    Text(Symbol),
}

impl Uid {
    /// A uid from its text; none where the interner is full.
    pub(crate) fn new(text: &str, interner: &mut Interner) -> Option<Self> {
        pack(text).map(Self::Uuid).or_else(|| interner.intern(text).map(Self::Text))
    }

    /// Whether the pod has no uid.
    pub(crate) fn is_empty(self) -> bool {
        self == Self::Text(Symbol::EMPTY)
    }

    /// The text that it was made from.
    pub(crate) fn text(self, strings: &Strings) -> String {
        match self {
            Self::Uuid(bytes) => unpack(bytes),
            Self::Text(symbol) => strings.text(symbol).to_owned(),
        }
    }

    /// The bytes to hash: equal uids have equal ones.
    pub(crate) fn key<'a>(&'a self, strings: &'a Strings) -> &'a [u8] {
        match self {
            Self::Uuid(bytes) => bytes,
            Self::Text(symbol) => strings.text(*symbol).as_bytes(),
        }
    }

    /// Whether the uid was made from that text.
    pub(crate) fn is(self, text: &str, strings: &Strings) -> bool {
        match self {
            Self::Uuid(bytes) => pack(text) == Some(bytes),
            Self::Text(symbol) => strings.text(symbol) == text,
        }
    }
}

/// A canonical UUID as bytes: exactly the text that [`unpack`] makes.
pub(crate) fn pack(text: &str) -> Option<[u8; 16]> {
    let mut bytes = [0; 16];
    let mut rest = text.as_bytes();
    for (index, byte) in bytes.iter_mut().enumerate() {
        if DASHES.contains(&index) {
            rest = rest.strip_prefix(b"-")?;
        }
        let (pair, after) = rest.split_first_chunk()?;
        let [high, low] = pair.map(|digit| match digit {
            b'0'..=b'9' => Some(digit - b'0'),
            b'a'..=b'f' => Some(digit - b'a' + 10),
            _ => None,
        });
        *byte = high? << 4 | low?;
        rest = after;
    }
    rest.is_empty().then_some(bytes)
}

fn unpack(bytes: [u8; 16]) -> String {
    let mut text = String::with_capacity(36);
    for (index, byte) in bytes.into_iter().enumerate() {
        if DASHES.contains(&index) {
            text.push('-');
        }
        text.extend(
            [byte >> 4, byte & 15].map(|digit| char::from(if digit < 10 { b'0' } else { b'a' - 10 } + digit)),
        );
    }
    text
}

/// Bytes ahead of which a dash stands.
const DASHES: [usize; 4] = [4, 6, 8, 10];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_uid_comes_back_as_it_was() {
        let mut interner = Interner::default();
        let texts = [
            "0d3adb2e-70f1-4c7e-9a5f-1234567890ab",
            "0D3ADB2E-70F1-4C7E-9A5F-1234567890AB",
            "0d3adb2e70f14c7e9a5f1234567890ab",
            "0d3adb2e-70f1-4c7e-9a5f-1234567890abc",
            "static",
            "",
        ];
        let uids = texts.map(|text| Uid::new(text, &mut interner).unwrap());
        assert!(matches!(uids[0], Uid::Uuid(_)));
        assert!(uids[1..].iter().all(|uid| matches!(uid, Uid::Text(_))));
        let strings = interner.finish();
        for (uid, text) in uids.into_iter().zip(texts) {
            assert_eq!(uid.text(&strings), text);
            assert!(texts.iter().all(|other| uid.is(other, &strings) == (*other == text)));
        }
    }
}
