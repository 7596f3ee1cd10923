//! Keys of attributes, made to be told apart fast: rules ask a resource for a dozen keys, of which it has few.

use std::borrow::Cow;
use std::fmt;
use std::ops::Range;

use crate::words::same;

/// A key, and a number that most other keys do not have.
#[derive(Clone)]
pub(crate) struct Key<'a> {
    /// UTF-8, though kept as bytes: a key that nobody reads as a text need not be proven to be one twice.
    bytes: Cow<'a, [u8]>,
    print: Print,
}

/// A number of 32 bits for each key: equal keys have equal ones.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Print(u32);

/// Where in a list keys with some print may stand: between the first and the last one whose prints have the same place here.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Places([Span; PLACES]);

/// From the number of the first one to behind that of the last one, 255 standing for more too; both 0: there is none.
#[derive(Clone, Copy, Debug, Default)]
struct Span {
    from: u8,
    to: u8,
}

impl<'a> Key<'a> {
    /// A key whose bytes have been checked to be UTF-8.
    #[inline(always)]
    pub(crate) fn checked(bytes: &'a [u8]) -> Self {
        Self { print: Print::of(bytes), bytes: Cow::Borrowed(bytes) }
    }

    pub(crate) fn as_str(&self) -> &str {
        std::str::from_utf8(&self.bytes).unwrap_or_default()
    }

    pub(crate) fn as_bytes(&self) -> &[u8] {
        &self.bytes
    }

    #[inline(always)]
    pub(crate) fn print(&self) -> Print {
        self.print
    }

    /// Whether this is the key `other`, whose print is `print`.
    #[inline(always)]
    pub(crate) fn is(&self, other: &str, print: Print) -> bool {
        self.print == print && same(&self.bytes, other.as_bytes())
    }
}

impl PartialEq for Key<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.print == other.print && same(&self.bytes, &other.bytes)
    }
}

impl<'a> From<Cow<'a, str>> for Key<'a> {
    fn from(text: Cow<'a, str>) -> Self {
        let print = Print::of(text.as_bytes());
        let bytes = match text {
            Cow::Borrowed(text) => Cow::Borrowed(text.as_bytes()),
            Cow::Owned(text) => Cow::Owned(text.into_bytes()),
        };
        Self { bytes, print }
    }
}

impl fmt::Debug for Key<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.as_str().fmt(formatter)
    }
}

impl Print {
    /// The print of a key: from its length and its last four bytes, in which the keys of OpenTelemetry differ most.
    #[inline(always)]
    pub(crate) fn of(key: &[u8]) -> Self {
        let end = match key.last_chunk() {
            Some(end) => u32::from_le_bytes(*end),
            None => key.iter().fold(0, |end, byte| end << 8 | u32::from(*byte)),
        };
        // The multiplier is that of Fibonacci hashing: it spreads what differs over the high bits.
        Self((end ^ (key.len() as u32).rotate_right(4)).wrapping_mul(0x9e37_79b1))
    }

    #[inline(always)]
    fn place(self) -> usize {
        (self.0 >> (u32::BITS - PLACES.ilog2())) as usize
    }
}

impl Default for Places {
    fn default() -> Self {
        Self([Span::default(); PLACES])
    }
}

impl Places {
    /// Notes that a key stands at `number`, which is behind all others.
    #[inline(always)]
    pub(crate) fn add(&mut self, print: Print, number: usize) {
        let Some(span) = self.0.get_mut(print.place()) else { return };
        let number = number.min(usize::from(u8::MAX) - 1) as u8;
        if span.to == 0 {
            span.from = number;
        }
        span.to = number + 1;
    }

    /// The numbers among which a key with that print may stand, of `count` in all; empty if there is none.
    #[inline(always)]
    pub(crate) fn within(&self, count: usize, print: Print) -> Range<usize> {
        let span = self.0.get(print.place()).copied().unwrap_or_default();
        usize::from(span.from)..if span.to == u8::MAX { count } else { usize::from(span.to) }
    }
}

/// Enough that most keys of a resource have a place of their own.
const PLACES: usize = 64;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_told_apart_whatever_their_length() {
        let keys = [
            "",
            "a",
            "b",
            "ab",
            "ba",
            "abc",
            "k8s.pod.ip",
            "k8s.pod.uid",
            "app.host.ip",
            "zpp.host.ip",
            "schlüssel",
        ];
        for key in keys {
            let built = Key::from(Cow::Owned(key.to_owned()));
            let read = Key::checked(key.as_bytes());
            assert_eq!((built.print(), read.as_str()), (read.print(), key));
            assert!(keys.iter().all(|other| read.is(other, Print::of(other.as_bytes())) == (*other == key)));
        }
    }

    #[test]
    fn every_key_is_within_its_places() {
        for count in [0, 1, 17, 254, 255, 256, 257, 1000] {
            let keys: Vec<_> = (0..count).map(|number| format!("key-{}", number * 7 % 500)).collect();
            let mut places = Places::default();
            keys.iter().enumerate().for_each(|(number, key)| places.add(Print::of(key.as_bytes()), number));
            for key in keys.iter().map(String::as_str).chain(["absent", "key-1001"]) {
                let found = keys[places.within(count, Print::of(key.as_bytes()))].iter();
                let all = keys.iter().filter(|other| *other == key).count();
                assert_eq!(found.filter(|other| *other == key).count(), all, "{key} of {count}");
            }
        }
    }
}
