//! `peer_family`: renames a span's own peer address that is not of the family of the address that its resource is stamped with.
//!
//! deepflow-agent puts a span's `net.peer.ip` opposite `app.host.ip` and looks the pair up; a pair of two families ends its
//! process (`generate_mask_ip`, from v7.0.8 on). Of several `net.peer.ip` the last one that is an address decides. The agent
//! converts it with `to_ipv4` where it can, so that `::1` is IPv4 to it.
//!
//! DeepFlow's server reads `net.peer.ip`, `network.peer.address` and, on its branch v6.6 since June 2026, `net.sock.peer.addr`,
//! all that are there: an IPv6 address in one of them, `::1` included, makes the whole row IPv6, and an IPv4 pod is gone from it.
//!
//! The attribute keeps its value under another key of the same length, so that no length around it changes.

use std::net::IpAddr;

use crate::attributes::HOST_IP;
use crate::edit::draft::Draft;
use crate::resource::read::read_attribute;
use crate::resource::{Resource, Value};
use crate::wire;
use crate::words::same;

/// A peer's address in a span's attributes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Peer<'a> {
    /// Where the span begins, which tells one span from the next.
    span: usize,
    /// The bytes of the key that counts.
    key: &'a [u8],
    family: Family,
}

/// The family of an address for its two readers, the agent and the server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Family {
    /// IPv4 to both, also where it is mapped into IPv6.
    V4,
    /// IPv4 to the agent and IPv6 to the server: `::` with an IPv4 address or a small number behind it.
    Compatible,
    /// IPv6 to both.
    V6,
}

impl Family {
    fn of(address: IpAddr) -> Self {
        match (address, address.to_canonical()) {
            (_, IpAddr::V4(_)) => Self::V4,
            (IpAddr::V6(v6), _) if v6.to_ipv4().is_some() => Self::Compatible,
            _ => Self::V6,
        }
    }
}

impl<'a> Peer<'a> {
    /// Reads an attribute of `span`; `None` unless it is a peer's address. An attribute that cannot be decoded needs none: the
    /// agent does not take its batch.
    pub(crate) fn read(span: &'a [u8], attribute: &'a [u8]) -> Option<Self> {
        if is_plainly_harmless(attribute) {
            return None;
        }
        let (key, value) = read_attribute(attribute).ok()?;
        if !KEYS.contains(&key) {
            return None;
        }
        // Both readers parse it like this: the agent with this very function, the server with Go's, which takes the same texts.
        let address = value.as_str()?.parse().ok()?;
        Some(Self { span: span.as_ptr().addr(), key: key.as_bytes(), family: Family::of(address) })
    }

    fn is_agents(&self) -> bool {
        self.key.len() == NET_PEER_IP.len()
    }
}

/// Whether an attribute in the form that encoders write is harmless: either only the server reads its key and its value is not
/// IPv6, as with most, or its key merely begins like one of [`KEYS`] and is as long.
#[inline(never)]
pub(crate) fn is_plainly_harmless(attribute: &[u8]) -> bool {
    let [0x0a, key @ 0..0x80, rest @ ..] = attribute else { return false };
    let Some((key, [0x12, length @ 0..0x80, value @ ..])) = rest.split_at_checked(usize::from(*key)) else {
        return false;
    };
    if value.len() != usize::from(*length) {
        return false;
    }
    if let [0x0a, text_length, text @ ..] = value
        && text.len() == usize::from(*text_length)
        && key.len() != NET_PEER_IP.len()
        // A group of IPv6 has four digits at most, and an address of IPv4 seven characters at least.
        && text.first_chunk().is_some_and(|[a, b, c, d, e]| ![a, b, c, d, e].contains(&&b':'))
    {
        return true;
    }
    !KEYS.iter().any(|known| same(known.as_bytes(), key))
}

/// Drafts new keys for those `peers` that do not go with the address of `resource`, and gives their number. `peers` are those of
/// one ResourceSpans, in order.
pub(crate) fn rename(body: &[u8], resource: &Resource<'_>, peers: &[Peer<'_>], draft: &mut Draft) -> u32 {
    if peers.is_empty() {
        return 0;
    }
    let host = host(resource);
    let is_pods_v4 = host.is_some_and(|host| host.to_canonical().is_ipv4() && !host.is_unspecified());
    let mut settled = None;
    let mut renamed = 0;
    // From the back: once the last `net.peer.ip` of a span is renamed, the one before it is the last.
    for peer in peers.iter().rev() {
        let misleads_server = is_pods_v4 && peer.family != Family::V4;
        let kills_agent = || {
            let is_v4 = peer.family != Family::V6;
            // A resource without an address gets the agent's fallback, which is unknown here.
            peer.is_agents() && settled != Some(peer.span) && host.is_none_or(|host| host.is_ipv4() != is_v4)
        };
        if misleads_server || kills_agent() {
            let at = wire::offset_in(body, peer.key);
            let renamed_byte = |byte: &u8| if *byte == b'.' { b'_' } else { *byte };
            draft.edit(at, peer.key.len(), |out| out.extend(peer.key.iter().map(renamed_byte)));
            renamed += 1;
        } else if peer.is_agents() {
            settled = Some(peer.span);
        }
    }
    renamed
}

/// The address that the agent takes for a resource's own; here the agent converts nothing to IPv4.
fn host(resource: &Resource<'_>) -> Option<IpAddr> {
    let texts = resource.all(HOST_IP).filter_map(Value::as_str);
    texts.filter_map(|text| text.parse().ok()).last()
}

const NET_PEER_IP: &str = "net.peer.ip";

/// The keys of peers' addresses, each at most 127 bytes long and of a length of its own. Such an attribute keeps its value under
/// the same key with `_` for each dot.
pub(crate) const KEYS: [&str; 3] = [NET_PEER_IP, "network.peer.address", "net.sock.peer.addr"];
