//! Whom a connection is from, and whose what comes by it is.

use std::net::IpAddr;

use podstamp_core::address;
use podstamp_core::interface::{Header, Request, Signal};

use super::Shared;
use crate::receiver::admission::{Connected, Peer};

/// Who is at the other end of a connection.
#[derive(Debug)]
pub(super) struct Client {
    address: Option<IpAddr>,
    peer: Peer,
    /// A trusted proxy has none: it counts by the peers that it speaks for.
    _connected: Option<Connected>,
    is_proxy: bool,
}

impl Client {
    /// None: the peer has as many connections as it may.
    pub(super) fn new(shared: &Shared, address: Option<IpAddr>) -> Option<Self> {
        let client = Self::uncounted(shared, address);
        if client.is_proxy {
            return Some(client);
        }
        let connected = client.peer.connect()?;
        Some(Self { _connected: Some(connected), ..client })
    }

    /// One that comes in whatever others its peer has.
    pub(super) fn uncounted(shared: &Shared, address: Option<IpAddr>) -> Self {
        let is_proxy = address.is_some_and(|address| shared.proxies.iter().any(|net| net.contains(&address)));
        Self { address, peer: shared.admission.peer(address), _connected: None, is_proxy }
    }

    /// Where the connection is from, or whom it was opened for.
    pub(super) fn address(&self) -> Option<IpAddr> {
        self.address
    }

    /// Whose request it is that has these headers.
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
