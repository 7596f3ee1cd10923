//! What a pool tells people of upstreams and their addresses.

use std::net::SocketAddr;

use podstamp_core::interface::{Level, Notice};

use super::super::sending::Sending;
use super::follow::Name;
use super::pool::Pool;

impl Pool {
    /// Tells people, unless they know already, why nobody knows which addresses of an upstream are on this node.
    pub(super) fn untold(&self, lane: usize, name: &Name, why: Option<&str>) {
        let mut state = self.lock();
        let Some(lane) = state.lanes.get_mut(lane) else { return };
        let before = std::mem::replace(&mut lane.untold, why.map(str::to_owned));
        // Other upstreams than agents may be anywhere.
        if let Some(why) = why.filter(|why| before.as_deref() != Some(why) && lane.limit.is_some()) {
            let count = lane.addresses.len();
            self.notices.warn("upstream-no-local-node", || {
                format!(
                    "podstamp.upstream.prefer_local_node has no effect on {name}, which has {count} address(es): {why}. All of them \
                     are used alike"
                )
            });
        }
    }

    pub(super) fn tell_away(&self, sending: &Sending, reason: &str) {
        self.notices.warn("upstream-away", || {
            format!(
                "{} is away: nobody has reached it for {} ms ({reason}). Until it is back, requests get 503 at once or are \
                 queued, but for one every few seconds that tries it",
                sending.uri,
                self.settings.patience.as_millis(),
            )
        });
    }

    pub(super) fn tell_unwell(&self, sending: &Sending, socket: SocketAddr, reason: &str) {
        self.notices.warn("upstream-address-away", || {
            format!(
                "{socket}, one of the addresses of {}, fails again and again ({reason}). It is left alone but for a try now and \
                 then, and the others get its requests",
                sending.uri,
            )
        });
    }

    pub(super) fn tell_well(&self, socket: SocketAddr) {
        let message = format!("{socket} works again");
        self.notices.emit(&Notice { level: Level::Info, key: "upstream-address-back".into(), message });
    }
}
