//! Questions about short texts, answered for eight bytes at a time.
//!
//! Keys, names and addresses have some dozen bytes. That is too few for loops that the compiler makes vectors of, and in wasm32 the
//! standard library goes byte by byte.

/// Whether all bytes are ASCII. Not copied to where it is asked, which are many places.
#[inline(never)]
pub(crate) fn is_ascii(bytes: &[u8]) -> bool {
    all_words(bytes, 0, |word| word & HIGH == 0)
}

/// Whether two texts are the same.
#[inline]
pub(crate) fn same(one: &[u8], other: &[u8]) -> bool {
    if one.len() != other.len() {
        return false;
    }
    if one.len() >= LONG {
        return is_long_same(one, other);
    }
    match (one.last_chunk::<8>(), other.last_chunk::<8>()) {
        (Some(last), Some(others)) => {
            let mut pairs = one.as_chunks::<8>().0.iter().zip(other.as_chunks::<8>().0);
            last == others && pairs.all(|(one, other)| one == other)
        }
        _ => one.iter().zip(other).all(|(one, other)| one == other),
    }
}

/// As [`same`], for long texts of the same length. In the sandbox each turn of a loop asks whether there is time left, so that more
/// are compared in one.
#[inline(never)]
fn is_long_same(one: &[u8], other: &[u8]) -> bool {
    let (blocks, others) = (one.as_chunks::<LONG>().0, other.as_chunks::<LONG>().0);
    let is_same = |one: &[u8; LONG], other: &[u8; LONG]| {
        let words = one.as_chunks::<8>().0.iter().zip(other.as_chunks::<8>().0);
        words.fold(0, |differ, (one, other)| differ | u64::from_le_bytes(*one) ^ u64::from_le_bytes(*other))
            == 0
    };
    let (Some(last), Some(other_last)) = (one.last_chunk(), other.last_chunk()) else { return one == other };
    is_same(last, other_last) && blocks.iter().zip(others).all(|(one, other)| is_same(one, other))
}

/// Whether a byte of ASCII is among the bytes.
pub(crate) fn has(bytes: &[u8], byte: u8) -> bool {
    let wanted = u64::from(byte) * ONES;
    // What is 0 after that is the byte. A 1 above it may be told as well, but nothing where there is none.
    !all_words(bytes, !byte, |word| {
        let word = word ^ wanted;
        word.wrapping_sub(ONES) & !word & HIGH == 0
    })
}

/// Whether all bytes are ASCII letters, digits, `-`, `.` or `_`.
pub(crate) fn is_plain(bytes: &[u8]) -> bool {
    // The high bit of each byte from `low` to `high`, for bytes below 0x80.
    let within = |word: u64, low: u8, high: u8| {
        let above = |limit: u8| word + u64::from(0x80 - limit) * ONES;
        above(low) & !above(high + 1)
    };
    all_words(bytes, b'-', |word| {
        let letters = within((word | (0x20 * ONES)) & !HIGH, b'a', b'z');
        let word = word & !HIGH;
        let others = within(word, b'0', b'9') | within(word, b'-', b'.') | within(word, b'_', b'_');
        (letters | others) & HIGH == HIGH
    }) && is_ascii(bytes)
}

/// Whether a test holds of all bytes, eight at a time: some of them may be tested twice, and less than eight get `filler` beside them.
#[inline(always)]
fn all_words(bytes: &[u8], filler: u8, mut test: impl FnMut(u64) -> bool) -> bool {
    let mut both =
        |one: &[u8; 8], other: &[u8; 8]| test(u64::from_le_bytes(*one)) & test(u64::from_le_bytes(*other));
    if let Some(last) = bytes.last_chunk::<16>() {
        // A loop that may end early is not unrolled, which for so few rounds is faster.
        return bytes.as_chunks::<16>().0.iter().chain([last]).all(|pair| match pair.as_chunks().0 {
            [one, other] => both(one, other),
            _ => false,
        });
    }
    match (bytes.first_chunk(), bytes.last_chunk()) {
        (Some(first), Some(last)) => both(first, last),
        _ => {
            let fill = u64::from(filler) * ONES;
            test(bytes.iter().fold(fill, |word, byte| word << 8 | u64::from(*byte)))
        }
    }
}

/// A hash, eight bytes at a time in four rows: a multiplication takes some steps, and those of one row need not wait for another's. Not
/// for what others choose to collide: whoever looks by it compares.
pub(crate) fn hash(bytes: &[u8]) -> u32 {
    let mut rows = [(bytes.len() as u64).wrapping_mul(SPREAD), 1, 2, 3];
    if let Some(last) = bytes.last_chunk::<32>() {
        bytes.as_chunks().0.iter().for_each(|block| mix(&mut rows, block));
        mix(&mut rows, last);
    } else {
        let [row, ..] = &mut rows;
        all_words(bytes, 0, |word| {
            *row = mixed(*row, word);
            true
        });
    }
    let [one, two, three, four] = rows;
    let hash = mixed(mixed(one, two), mixed(three, four));
    let hash = (hash ^ hash >> 32).wrapping_mul(SPREAD);
    (hash ^ hash >> 32) as u32
}

/// Mixes a block into the rows of a hash.
#[inline(always)]
fn mix(rows: &mut [u64; 4], block: &[u8; 32]) {
    for (row, word) in rows.iter_mut().zip(block.as_chunks::<8>().0) {
        *row = mixed(*row, u64::from_le_bytes(*word));
    }
}

/// A word mixed into a hash, the high bits of which say most.
#[inline(always)]
fn mixed(hash: u64, word: u64) -> u64 {
    (hash.rotate_left(23) ^ word).wrapping_mul(SPREAD)
}

/// The multiplier of Fibonacci hashing.
const SPREAD: u64 = 0x9e37_79b9_7f4a_7c15;

/// Bytes that are compared in one turn of a loop.
const LONG: usize = 32;

/// The lowest bit of each byte, and the highest.
const ONES: u64 = u64::from_le_bytes([1; 8]);
const HIGH: u64 = ONES << 7;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_byte_counts_in_a_hash() {
        let mut hashes = std::collections::BTreeSet::new();
        let mut count = 0;
        for length in 0..100 {
            let mut bytes = vec![0; length];
            count += 1;
            hashes.insert(hash(&bytes));
            for place in 0..length {
                bytes[place] = 1;
                hashes.insert(hash(&bytes));
                bytes[place] = 0;
                count += 1;
            }
        }
        assert!(hashes.len() >= count - 2, "{} of {count}", hashes.len());
    }

    #[test]
    fn every_byte_counts_at_every_place() {
        let plain = |byte: &u8| byte.is_ascii_alphanumeric() || b"-._".contains(byte);
        for length in 0..40 {
            let mut bytes = vec![b'a'; length];
            assert!(is_ascii(&bytes) && is_plain(&bytes) && !has(&bytes, b'b'));
            for place in 0..length {
                for byte in 0..=u8::MAX {
                    bytes[place] = byte;
                    assert_eq!(is_ascii(&bytes), bytes.is_ascii());
                    assert_eq!(is_plain(&bytes), bytes.iter().all(plain), "{bytes:?}");
                    for wanted in [b'a', b'j', 0, 0x7f] {
                        assert_eq!(has(&bytes, wanted), bytes.contains(&wanted), "{bytes:?}");
                    }
                    assert_eq!(same(&bytes, &vec![b'a'; length]), byte == b'a');
                }
                bytes[place] = b'a';
            }
            assert!(!same(&bytes, &vec![b'a'; length + 1]));
        }
    }
}
