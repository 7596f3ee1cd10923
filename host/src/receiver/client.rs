//! The client of a connection, and the peers that its requests count for.

use std::net::IpAddr;

use podstamp_core::address;
use podstamp_core::interface::{Header, Request, Signal};

use super::Shared;
use crate::receiver::admission::{Connected, Peer};

/// The other end of a connection.
#[derive(Debug)]
pub(super) struct Client {
    address: Option<IpAddr>,
    peer: Peer,
    /// The place among the peer's connections. A trusted proxy has none: its requests count for the peers that they name.
    _connected: Option<Connected>,
    is_proxy: bool,
}

impl Client {
    /// The client at `address`; `None` where the peer has as many connections as it may.
    pub(super) fn new(shared: &Shared, address: Option<IpAddr>) -> Option<Self> {
        let client = Self::uncounted(shared, address);
        if client.is_proxy {
            return Some(client);
        }
        let connected = client.peer.connect()?;
        Some(Self { _connected: Some(connected), ..client })
    }

    /// The client at `address`, however many connections its peer has.
    pub(super) fn uncounted(shared: &Shared, address: Option<IpAddr>) -> Self {
        let is_proxy = address.is_some_and(|address| shared.proxies.iter().any(|net| net.contains(&address)));
        Self { address, peer: shared.admission.peer(address), _connected: None, is_proxy }
    }

    /// The address that the connection counts for: its peer's, or the PROXY header's.
    pub(super) fn address(&self) -> Option<IpAddr> {
        self.address
    }

    /// The peer that a request with these headers counts for.
    pub(super) fn speaking_for(&self, shared: &Shared, headers: &[Header]) -> Peer {
        if !self.is_proxy {
            return self.peer.clone();
        }
        let request =
            Request { signal: Signal::Traces, path: "", peer: self.address, headers, body: &[], now: None };
        match address::connection(&request, &shared.proxies) {
            Some(address) => shared.admission.peer(Some(address)),
            None => self.peer.clone(),
        }
    }
}
