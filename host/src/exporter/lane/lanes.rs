//! The lanes of all exporters. Exporters that send to the same host and port share one.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use http::Uri;

use super::Lane;
use super::follow::Name;
use super::pool::{Pool, PoolSettings};
use super::told::Agent;
use crate::network::Network;
use crate::observe::{Metrics, Notices};

/// Every lane there is. Dropping this ends their idle connections.
pub(crate) struct Lanes {
    lanes: Mutex<HashMap<Name, Arc<Lane>>>,
    pool: Arc<Pool>,
}

impl Lanes {
    pub(crate) fn new(
        settings: PoolSettings,
        network: Network,
        metrics: Arc<Metrics>,
        notices: Arc<Notices>,
    ) -> Self {
        let pool = Arc::new(Pool::new(settings, network, Arc::clone(&metrics), notices));
        watch(&metrics, &pool);
        Self { lanes: Mutex::default(), pool }
    }

    /// What tells how the upstreams do, for as long as they are there.
    pub(crate) fn tell_agents(&self) -> impl Fn() -> Vec<Agent> + Send + Sync + 'static {
        let pool = Arc::downgrade(&self.pool);
        move || pool.upgrade().map(|pool| pool.agents()).unwrap_or_default()
    }

    /// The lane to `uri`. `limit`: connections at a time to each address, as the first one who asks says; `None`: any number.
    pub(in crate::exporter) fn lane(&self, uri: &Uri, limit: Option<usize>) -> Arc<Lane> {
        let name = Name::of(uri);
        let mut lanes = self.lanes.lock().unwrap_or_else(PoisonError::into_inner);
        let new = |name: &Name| Arc::new(Lane::new(name.clone(), limit, Arc::clone(&self.pool)));
        Arc::clone(lanes.entry(name).or_insert_with_key(new))
    }
}

impl Drop for Lanes {
    fn drop(&mut self) {
        self.pool.close();
    }
}

fn watch(metrics: &Metrics, pool: &Arc<Pool>) {
    let asked = |ask: fn(&Pool) -> usize| {
        let shown = Arc::downgrade(pool);
        move || shown.upgrade().map(|pool| ask(&pool) as u64).unwrap_or_default()
    };
    metrics.watch("upstream_waiting", "Requests that wait for a connection upstream", asked(Pool::waiting));
    let away = asked(Pool::lanes_away);
    metrics.watch("upstream_away", "Upstreams that nobody has reached for a while", away);
    metrics.watch("upstream_addresses", "Addresses of all upstreams", asked(Pool::addresses));
    let away = asked(Pool::addresses_away);
    metrics.watch(
        "upstream_addresses_away",
        "Addresses of upstreams that are left alone, since they fail",
        away,
    );
    let counted = |count: fn(&Pool) -> &AtomicU64| {
        let shown = Arc::downgrade(pool);
        move || shown.upgrade().map(|pool| count(&pool).load(Ordering::Relaxed)).unwrap_or_default()
    };
    let opened = counted(|pool| &pool.opened);
    metrics.watch_total("upstream_connections", "Connections upstream that were made", opened);
    let aged = counted(|pool| &pool.aged);
    metrics.watch_total(
        "upstream_connections_aged",
        "Connections upstream that were closed for their age",
        aged,
    );
}
