//! The upstreams and how their addresses do, for people.

use std::net::SocketAddr;

use serde::Serialize;
use tokio::time::Instant;

use super::address::Address;
use super::health::Fitness;
use super::pool::Pool;

/// An upstream by host and port, and how its addresses do.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Agent {
    /// Host and port: what is sent there, and whether by TLS, is each exporter's.
    url: String,
    addresses: Vec<AgentAddress>,
}

/// How an address of an upstream does.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct AgentAddress {
    address: SocketAddr,
    state: State,
    /// What keeps it from being used.
    reason: Option<&'static str>,
}

/// Whether an address works.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
enum State {
    Up,
    /// It is left alone, since it fails.
    Away,
    /// Nothing was sent there yet.
    Untried,
}

impl Pool {
    /// The upstreams that something was sent to, and how their addresses do.
    pub(super) fn agents(&self) -> Vec<Agent> {
        let now = Instant::now();
        let state = self.lock();
        let lanes = state.lanes.iter().map(|lane| {
            let known = lane.addresses.iter().filter_map(|id| state.addresses.get(*id));
            Agent {
                url: lane.name.authority(),
                addresses: known.take(MOST).map(|address| AgentAddress::of(address, now)).collect(),
            }
        });
        lanes.take(MOST).collect()
    }
}

impl AgentAddress {
    fn of(address: &Address, now: Instant) -> Self {
        let reason = match address.worst(now) {
            Fitness::Well => None,
            Fitness::Unreachable { .. } => Some("takes no connections"),
            Fitness::Resting | Fitness::Due if address.is_stuck() => Some("does not answer"),
            Fitness::Resting | Fitness::Due => {
                Some("closes connections, says that it is busy, or does not answer")
            }
        };
        let state = match reason {
            Some(_) => State::Away,
            None if address.connections == 0 && address.used == 0 => State::Untried,
            None => State::Up,
        };
        Self { address: address.socket, state, reason }
    }
}

/// What fits on a page.
const MOST: usize = 64;

#[cfg(test)]
mod tests {
    use super::super::address::Addresses;
    use super::super::health::Failing;
    use super::*;

    #[test]
    fn an_address_is_untried_then_up_or_away() {
        let mut addresses = Addresses::default();
        let id = addresses.id(SocketAddr::from(([127, 0, 0, 1], 80)));
        let now = Instant::now();
        let address = addresses.get_mut(id).unwrap();
        let shown = |address: &Address| serde_json::to_value(AgentAddress::of(address, now)).unwrap();
        let expected = |state: &str, reason: Option<&str>| serde_json::json!({"address": "127.0.0.1:80", "state": state, "reason": reason});
        assert_eq!(shown(address), expected("untried", None));
        address.used = 1;
        assert_eq!(shown(address), expected("up", None));
        address.health_mut(None).failed(Failing::Unreachable(now), now, 0.5);
        assert_eq!(shown(address), expected("away", Some("takes no connections")));
        address.health_mut(None).answered();
        (address.limit, address.silent) = (Some(1), 1);
        assert_eq!(shown(address), expected("away", Some("does not answer")));
    }
}
