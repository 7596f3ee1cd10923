//! Users and their passwords, as Apache's `htpasswd` writes them: what go-htpasswd takes, except crypt(3).

use std::collections::HashMap;
use std::fmt;
use std::str::FromStr;
use std::sync::{Mutex, PoisonError};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use podstamp_core::config::{Fault, Htpasswd};
use rustls::crypto::ring;
use sha1::{Digest, Sha1};
use sha2::Sha256;
use subtle::ConstantTimeEq;

use super::md5_crypt;
use crate::files::{fault, read_source};

/// All users and their passwords.
pub(super) struct Users {
    passwords: HashMap<String, Password>,
    /// The keyed hash of each user's password that was found right: bcrypt takes a tenth of a second on purpose, and exporters
    /// send their password with each request.
    remembered: Mutex<HashMap<String, [u8; 32]>>,
    key: [u8; 32],
}

/// What can be said of a password at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    Right,
    Wrong,
    /// Only [`Users::verify`] can say.
    Slow,
}

enum Password {
    Plain(String),
    /// `{SHA}` and `{SSHA}`, which has a salt.
    Sha1 {
        digest: Vec<u8>,
        salt: Vec<u8>,
    },
    /// `$apr1$` and `$1$`.
    Md5 {
        magic: &'static str,
        salt: String,
        digest: String,
    },
    /// `$2y$` and its kin.
    Bcrypt(String),
}

impl Users {
    /// Reads all sources; later lines override earlier ones. Blocks while files are read.
    pub(super) fn load(htpasswd: &Htpasswd) -> Result<Self, Fault> {
        let mut passwords = HashMap::new();
        for source in &htpasswd.sources {
            let text =
                String::from_utf8(read_source(source)?).map_err(|_| fault(source, "is no UTF-8 text"))?;
            for (index, line) in text.lines().enumerate() {
                let line = line.trim();
                if line.is_empty() || line.starts_with('#') {
                    continue;
                }
                let wrong = |why: &str| fault(source, format!("has a fault in line {}: {why}", index + 1));
                let (user, password) = line
                    .split_once(':')
                    .ok_or_else(|| wrong("it is not `user:password`, as `htpasswd -B` writes it"))?;
                passwords.insert(user.to_owned(), password.parse().map_err(wrong)?);
            }
        }
        let unusable = |message: &str| Fault { path: htpasswd.path.clone(), message: message.to_owned() };
        if passwords.is_empty() {
            return Err(unusable("has no users"));
        }
        let mut key = [0; 32];
        let random = ring::default_provider().secure_random;
        random.fill(&mut key).map_err(|_| unusable("needs random numbers, and there are none"))?;
        Ok(Self { passwords, remembered: Mutex::default(), key })
    }

    /// Whether the password is the user's, as far as that can be said at once.
    pub(super) fn verdict(&self, user: &str, password: &[u8]) -> Verdict {
        let Some(known) = self.passwords.get(user) else { return Verdict::Wrong };
        if known.is_slow() {
            if self.remembers(user, password) { Verdict::Right } else { Verdict::Slow }
        } else if known.verify(password) {
            Verdict::Right
        } else {
            Verdict::Wrong
        }
    }

    /// Whether the password is the user's. May take long.
    pub(super) fn verify(&self, user: &str, password: &[u8]) -> bool {
        // Another request may have had the answer while this one waited for its turn.
        if self.remembers(user, password) {
            return true;
        }
        let right = self.passwords.get(user).is_some_and(|known| known.verify(password));
        if right {
            let hash = self.hash(user, password);
            self.remembered.lock().unwrap_or_else(PoisonError::into_inner).insert(user.to_owned(), hash);
        }
        right
    }

    fn remembers(&self, user: &str, password: &[u8]) -> bool {
        let hash = self.hash(user, password);
        let remembered = self.remembered.lock().unwrap_or_else(PoisonError::into_inner);
        remembered.get(user).is_some_and(|known| known.ct_eq(&hash).into())
    }

    /// A keyed hash: without the key nobody can try passwords against it.
    fn hash(&self, user: &str, password: &[u8]) -> [u8; 32] {
        let mut hash = Sha256::new();
        hash.update(self.key);
        hash.update((user.len() as u64).to_le_bytes());
        hash.update(user);
        hash.update(password);
        hash.finalize().into()
    }
}

impl fmt::Debug for Users {
    /// Leaves users and passwords out.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Users").field("users", &self.passwords.len()).finish_non_exhaustive()
    }
}

impl Password {
    fn is_slow(&self) -> bool {
        matches!(self, Self::Bcrypt(_) | Self::Md5 { .. })
    }

    fn verify(&self, password: &[u8]) -> bool {
        match self {
            Self::Plain(known) => known.as_bytes().ct_eq(password).into(),
            Self::Sha1 { digest, salt } => {
                Sha1::new_with_prefix(password).chain_update(salt).finalize().as_slice().ct_eq(digest).into()
            }
            Self::Md5 { magic, salt, digest } => {
                let found = md5_crypt::digest(magic.as_bytes(), salt.as_bytes(), password);
                found.as_bytes().ct_eq(digest.as_bytes()).into()
            }
            Self::Bcrypt(known) => bcrypt::verify(password, known).unwrap_or(false),
        }
    }
}

impl FromStr for Password {
    type Err = &'static str;

    /// Reads a password or its hash. The error quotes nothing of it.
    fn from_str(text: &str) -> Result<Self, &'static str> {
        if let Some(encoded) = text.strip_prefix("{SHA}") {
            let digest = STANDARD.decode(encoded).map_err(|_| NO_SHA)?;
            return if digest.len() == SHA1 {
                Ok(Self::Sha1 { digest, salt: Vec::new() })
            } else {
                Err(NO_SHA)
            };
        }
        if let Some(encoded) = text.strip_prefix("{SSHA}") {
            let mut digest = STANDARD.decode(encoded).map_err(|_| NO_SHA)?;
            if digest.len() < SHA1 {
                return Err(NO_SHA);
            }
            let salt = digest.split_off(SHA1);
            return Ok(Self::Sha1 { digest, salt });
        }
        for magic in ["$apr1$", "$1$"] {
            if let Some(rest) = text.strip_prefix(magic) {
                let (salt, digest) = rest.split_once('$').ok_or("it is no MD5 hash")?;
                return Ok(Self::Md5 { magic, salt: salt.to_owned(), digest: digest.to_owned() });
            }
        }
        if text.starts_with("$2") {
            bcrypt::HashParts::from_str(text).map_err(|_| "it is no bcrypt hash")?;
            return Ok(Self::Bcrypt(text.to_owned()));
        }
        // A hash must never be taken for a password: whoever reads the file could log in with it.
        if ["$5$", "$6$", "$7$", "$y$", "$argon2", "$scrypt"].iter().any(|kind| text.starts_with(kind)) {
            return Err("podstamp has no such hash: make it with `htpasswd -B`");
        }
        Ok(Self::Plain(text.to_owned()))
    }
}

const SHA1: usize = 20;
const NO_SHA: &str = "it is no SHA-1 hash in base64";

#[cfg(test)]
mod tests {
    use podstamp_core::config::{Place, Secret, Source};

    use super::*;

    fn users(text: &str) -> Result<Users, Fault> {
        let place = Place::Inline(Secret::new(text));
        let sources = vec![Source { path: "htpasswd.inline".to_owned(), place }];
        Users::load(&Htpasswd { path: "extensions.basicauth".to_owned(), sources })
    }

    /// By openssl's `passwd`, Perl's `crypt` and Python's `hashlib`.
    const HASHES: [&str; 8] = [
        "correct horse",
        "{SHA}L55TUjtiq8FBorTWAZ0jy6g129A=",
        "{SSHA}LhKrkM9Fy+zlstjdD7Kv2s6QvhBzYWx0",
        "$apr1$abcdefgh$sIQmFnT1CuEXAsyjuXjUX/",
        "$1$abcdefgh$y6iHhJNbuC0xpbk0w9pm80",
        "$2b$04$abcdefghijklmnopqrstuujydOTSfIH/d5oUHpsygqV5X9xJLQc6e",
        "$2y$04$abcdefghijklmnopqrstuujydOTSfIH/d5oUHpsygqV5X9xJLQc6e",
        "$2a$04$abcdefghijklmnopqrstuujydOTSfIH/d5oUHpsygqV5X9xJLQc6e",
    ];

    #[test]
    fn every_kind_of_hash_knows_its_password() {
        for hash in HASHES {
            let users = users(&format!("# a comment\n\n u:{hash} \r\n")).unwrap();
            assert!(users.verify("u", b"correct horse"), "{hash}");
            for wrong in [&b""[..], b"correct hors", b"correct horse ", hash.as_bytes()] {
                assert!(
                    hash.as_bytes() == b"correct horse" && wrong == hash.as_bytes()
                        || !users.verify("u", wrong)
                );
            }
            assert!(!users.verify("v", b"correct horse"), "{hash}");
        }
    }

    #[test]
    fn a_slow_hash_is_computed_once() {
        let users = users(&format!("u:{}\nv:{}", HASHES[6], HASHES[6])).unwrap();
        assert_eq!(users.verdict("u", b"correct horse"), Verdict::Slow);
        assert!(!users.verify("u", b"wrong"));
        assert_eq!(users.verdict("u", b"wrong"), Verdict::Slow, "only what is right is remembered");
        assert!(users.verify("u", b"correct horse"));
        assert_eq!(users.verdict("u", b"correct horse"), Verdict::Right);
        assert_eq!(users.verdict("u", b"wrong"), Verdict::Slow);
        assert_eq!(users.verdict("v", b"correct horse"), Verdict::Slow, "each user for himself");
        assert_eq!(users.verdict("w", b"correct horse"), Verdict::Wrong);
    }

    #[test]
    fn a_line_that_cannot_be_used_is_told_by_its_number_alone() {
        for (text, expected) in [
            ("", "has no users"),
            ("a:b\ns3cret\n", "in line 2: it is not `user:password`"),
            ("a:{SHA}s3cret", "in line 1: it is no SHA-1 hash"),
            ("a:{SSHA}czNjcmV0", "in line 1: it is no SHA-1 hash"),
            ("a:$apr1$s3cret", "in line 1: it is no MD5 hash"),
            ("a:$2y$04$s3cret", "in line 1: it is no bcrypt hash"),
            ("a:$6$s3cret$x", "in line 1: podstamp has no such hash"),
        ] {
            let fault = users(text).unwrap_err().to_string();
            assert!(fault.contains(expected) && !fault.contains("s3cret"), "{fault}");
        }
    }
}
