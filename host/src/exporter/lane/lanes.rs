//! The lanes of all exporters. Exporters that send to the same host and port share one.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use http::Uri;

use super::Lane;
use crate::observe::{Metrics, Notices};

/// Every lane there is. Dropping this ends their idle connections.
pub(crate) struct Lanes {
    lanes: Arc<Mutex<HashMap<String, Arc<Lane>>>>,
    /// How long clients wait.
    patience: Duration,
    metrics: Arc<Metrics>,
    notices: Arc<Notices>,
}

impl Lanes {
    pub(crate) fn new(patience: Duration, metrics: Arc<Metrics>, notices: Arc<Notices>) -> Self {
        let lanes = Arc::<Mutex<HashMap<String, Arc<Lane>>>>::default();
        let summed = |each: fn(&Lane) -> usize| {
            let shown = Arc::downgrade(&lanes);
            move || {
                let sum = |lanes: Arc<Mutex<HashMap<String, Arc<Lane>>>>| {
                    let lanes = lanes.lock().unwrap_or_else(PoisonError::into_inner);
                    lanes.values().map(|lane| each(lane) as u64).sum()
                };
                shown.upgrade().map(sum).unwrap_or_default()
            }
        };
        metrics.watch(
            "upstream_waiting",
            "Requests that wait for a connection upstream",
            summed(Lane::waiting),
        );
        let away = summed(|lane| usize::from(lane.is_away()));
        metrics.watch("upstream_away", "Upstreams that nobody has reached for a while", away);
        Self { lanes, patience, metrics, notices }
    }

    /// The lane to `uri`. `limit`: connections at a time, as the first one who asks says; `None`: any number.
    pub(in crate::exporter) fn lane(&self, uri: &Uri, limit: Option<usize>) -> Arc<Lane> {
        let host = uri.host().unwrap_or_default();
        let port = uri.port_u16().unwrap_or(if uri.scheme_str() == Some("https") { 443 } else { 80 });
        let key = format!("{host}:{port}");
        let mut lanes = self.lanes.lock().unwrap_or_else(PoisonError::into_inner);
        let new = || {
            let (metrics, notices) = (Arc::clone(&self.metrics), Arc::clone(&self.notices));
            Arc::new(Lane::new(limit, self.patience, metrics, notices))
        };
        Arc::clone(lanes.entry(key).or_insert_with(new))
    }
}

impl Drop for Lanes {
    fn drop(&mut self) {
        let lanes = self.lanes.lock().unwrap_or_else(PoisonError::into_inner);
        lanes.values().for_each(|lane| lane.close());
    }
}
