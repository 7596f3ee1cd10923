//! Ids of containers, of which the beginning is enough.

use podstamp_core::directory::{container_digits, container_id};

/// An id as the table keeps it: the first 64 bits, which are random, or a hash of a text that is not such a number. 0 is no id.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct Id(pub(crate) u64);

impl Id {
    /// The id in a text, with the runtime's prefix or without.
    pub(crate) fn new(text: &str) -> Self {
        let number = container_digits(text).and_then(|digits| u64::from_str_radix(digits, 16).ok());
        let text = container_id(text);
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

/// FNV-1a: the same wherever a listing was written.
fn fnv(text: &str) -> u64 {
    text.bytes()
        .fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
}
