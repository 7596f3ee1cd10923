//! The numbers by which a directory tells which of its answers may have changed.

use std::net::IpAddr;

use super::{Term, container_digits};
use crate::words::hash;

/// The number for a lookup by these terms, for [`Directory::unchanged`](super::Directory::unchanged): that of the term that fewest pods
/// meet, [`ANY_POD`] where many may meet all. Different lookups may have the same number.
pub fn change_key(terms: &[Term<'_>]) -> u32 {
    let keys = terms.iter().filter_map(|term| match term {
        Term::Ip(address) => Some((1, address_key(*address))),
        Term::Uid(uid) => Some((0, key(KIND_UID, uid.as_bytes()))),
        Term::Name(name) => Some((2, key(KIND_NAME, name.as_bytes()))),
        Term::Hostname(name) => Some((3, key(KIND_HOSTNAME, name.as_bytes()))),
        Term::Container(id) => Some((4, container_key(id)?)),
        _ => None,
    });
    keys.min().map_or(ANY_POD, |(_, key)| key)
}

/// The number for an address, which is a pod's or a node's.
pub fn address_key(address: IpAddr) -> u32 {
    match address.to_canonical() {
        IpAddr::V4(address) => key(KIND_ADDRESS, &address.octets()),
        IpAddr::V6(address) => key(KIND_ADDRESS, &address.octets()),
    }
}

/// The number for the id of a container; `None` for one that is not as all runtimes write it, of which a directory need not keep the
/// text.
pub fn container_key(id: &str) -> Option<u32> {
    container_digits(id).map(|digits| key(KIND_CONTAINER, digits.as_bytes()))
}

fn key(kind: u32, bytes: &[u8]) -> u32 {
    // Never 0, which is any pod's.
    (hash(bytes) ^ kind.wrapping_mul(0x9e37_79b9)) | 1
}

/// The number for lookups that any pod may change the answer of.
pub const ANY_POD: u32 = 0;

const KIND_ADDRESS: u32 = 1;
const KIND_UID: u32 = 2;
const KIND_NAME: u32 = 3;
const KIND_HOSTNAME: u32 = 4;
const KIND_CONTAINER: u32 = 5;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_term_that_says_most_counts() {
        let (name, namespace) = (Term::Name("web-1"), Term::Namespace("shop"));
        assert_eq!(change_key(&[namespace, name]), change_key(&[name]));
        assert_eq!(change_key(&[name, Term::Uid("a")]), change_key(&[Term::Uid("a")]));
        assert_eq!(change_key(&[namespace]), ANY_POD);
        assert_eq!(change_key(&[]), ANY_POD);
        let kinds = [Term::Name("a"), Term::Uid("a"), Term::Hostname("a")].map(|term| change_key(&[term]));
        assert!(kinds[0] != kinds[1] && kinds[1] != kinds[2] && kinds[0] != kinds[2]);
    }

    #[test]
    fn an_address_or_a_container_has_one_number_however_it_is_written() {
        let mapped: IpAddr = "::ffff:10.1.1.1".parse().unwrap();
        assert_eq!(address_key(mapped), address_key([10, 1, 1, 1].into()));
        let id = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";
        let with_runtime = format!("containerd://{id}");
        assert_eq!(change_key(&[Term::Container(&with_runtime)]), change_key(&[Term::Container(&id[..16])]));
        assert_eq!(change_key(&[Term::Container("web")]), ANY_POD);
    }
}
