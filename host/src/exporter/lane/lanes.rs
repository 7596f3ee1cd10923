//! The lanes of all exporters. Those to the same host and port share one.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use http::Uri;

use super::Lane;
use crate::metrics::Metrics;
use crate::notices::Notices;

/// Every lane there is. Dropping it ends their idle connections.
pub(crate) struct Lanes {
    lanes: Arc<Mutex<HashMap<String, Arc<Lane>>>>,
    metrics: Arc<Metrics>,
    notices: Arc<Notices>,
}

impl Lanes {
    pub(crate) fn new(metrics: Arc<Metrics>, notices: Arc<Notices>) -> Self {
        let lanes = Arc::<Mutex<HashMap<String, Arc<Lane>>>>::default();
        let shown = Arc::downgrade(&lanes);
        metrics.watch("upstream_waiting", "Requests that wait for a connection upstream", move || {
            let sum = |lanes: Arc<Mutex<HashMap<String, Arc<Lane>>>>| {
                let lanes = lanes.lock().unwrap_or_else(PoisonError::into_inner);
                lanes.values().map(|lane| lane.waiting() as u64).sum()
            };
            shown.upgrade().map(sum).unwrap_or_default()
        });
        Self { lanes, metrics, notices }
    }

    /// The lane to `uri`. `limit`: connections at a time, for whoever asks first; none: any number.
    pub(in crate::exporter) fn lane(&self, uri: &Uri, limit: Option<usize>) -> Arc<Lane> {
        let host = uri.host().unwrap_or_default();
        let port = uri.port_u16().unwrap_or(if uri.scheme_str() == Some("https") { 443 } else { 80 });
        let key = format!("{host}:{port}");
        let mut lanes = self.lanes.lock().unwrap_or_else(PoisonError::into_inner);
        let new = || Arc::new(Lane::new(limit, Arc::clone(&self.metrics), Arc::clone(&self.notices)));
        Arc::clone(lanes.entry(key).or_insert_with(new))
    }
}

impl Drop for Lanes {
    fn drop(&mut self) {
        let lanes = self.lanes.lock().unwrap_or_else(PoisonError::into_inner);
        lanes.values().for_each(|lane| lane.close());
    }
}
