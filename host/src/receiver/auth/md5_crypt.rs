//! The MD5 hash of passwords that `htpasswd` makes by default.

use md5::{Digest, Md5};

/// The 22 letters that follow magic, salt and `$` in the hash. After FreeBSD's crypt-md5.c, which Apache's apr_md5.c follows
/// with a magic of its own.
pub(super) fn digest(magic: &[u8], salt: &[u8], password: &[u8]) -> String {
    let salt = salt.get(..SALT).unwrap_or(salt);
    let inner: [u8; 16] =
        Md5::new_with_prefix(password).chain_update(salt).chain_update(password).finalize().into();
    let mut hash = Md5::new_with_prefix(password).chain_update(magic).chain_update(salt);
    for index in 0..password.len() {
        hash.update([inner.get(index % 16).copied().unwrap_or_default()]);
    }
    let mut bits = password.len();
    while bits > 0 {
        // The password's first byte rather than the one at that bit: a slip that has become the format.
        hash.update([if bits & 1 == 1 { 0 } else { password.first().copied().unwrap_or_default() }]);
        bits >>= 1;
    }
    let mut digest: [u8; 16] = hash.finalize().into();
    for round in 0..ROUNDS {
        let mut hash = Md5::new();
        let (first, last) = if round % 2 == 1 { (password, &digest[..]) } else { (&digest[..], password) };
        hash.update(first);
        if round % 3 != 0 {
            hash.update(salt);
        }
        if round % 7 != 0 {
            hash.update(password);
        }
        hash.update(last);
        digest = hash.finalize().into();
    }
    encode(digest)
}

fn encode(digest: [u8; 16]) -> String {
    let [d0, d1, d2, d3, d4, d5, d6, d7, d8, d9, d10, d11, d12, d13, d14, d15] = digest;
    let groups = [[d0, d6, d12], [d1, d7, d13], [d2, d8, d14], [d3, d9, d15], [d4, d10, d5], [0, 0, d11]];
    let mut text = String::with_capacity(22);
    for (index, [high, middle, low]) in groups.into_iter().enumerate() {
        let mut bits = u32::from_be_bytes([0, high, middle, low]);
        for _ in 0..if index == 5 { 2 } else { 4 } {
            text.push(char::from(LETTERS.get((bits & 63) as usize).copied().unwrap_or_default()));
            bits >>= 6;
        }
    }
    text
}

const SALT: usize = 8;
const ROUNDS: u32 = 1000;
const LETTERS: &[u8; 64] = b"./0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hashes_are_those_of_openssl() {
        let digest = |magic: &str, salt: &str, password: &str| {
            digest(magic.as_bytes(), salt.as_bytes(), password.as_bytes())
        };
        assert_eq!(digest("$apr1$", "abcdefgh", "correct horse"), "sIQmFnT1CuEXAsyjuXjUX/");
        assert_eq!(digest("$1$", "abcdefgh", "correct horse"), "y6iHhJNbuC0xpbk0w9pm80");
        assert_eq!(digest("$apr1$", "ab", ""), "S8K6Sgp3W8c9Jb6LxgywZ.");
    }
}
