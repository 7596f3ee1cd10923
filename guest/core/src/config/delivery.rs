//! What of a configuration only a host with queues of its own carries out.

use crate::config::compiled::Config;
use crate::config::podstamp::upstream::Upstream;

impl Config {
    /// What has no effect in a host that hands each request to an upstream of its own: paths, each with the reason.
    #[cold]
    pub fn without_effect_elsewhere(&self) -> Vec<(String, &'static str)> {
        let mut found: Vec<(String, &'static str)> = Vec::new();
        // Several signals may have the same components.
        let mut add = |path: String, why| {
            if !found.iter().any(|(known, _)| *known == path) {
                found.push((path, why));
            }
        };
        for carried in self.signals().filter_map(|signal| self.carried(signal)) {
            for exporter in std::iter::once(&carried.exporter).chain(&carried.copies) {
                if exporter.queue.is_some() {
                    add(format!("exporters.{}.sending_queue", exporter.id), NO_QUEUE);
                }
            }
            if let Some(batch) = &carried.batch {
                add(batch.path.clone(), NO_BATCH);
            }
        }
        if let Some(limiter) = &self.memory_limiter {
            add(limiter.path.clone(), NO_LIMITER);
        }
        let Upstream { max_connection_age, prefer_local_node, .. } = self.upstream;
        let own = Upstream::default();
        if max_connection_age != own.max_connection_age || prefer_local_node {
            add("podstamp.upstream".to_owned(), NO_CONNECTIONS);
        }
        found
    }
}

const NO_QUEUE: &str =
    "there is no queue in this host: a request is acknowledged once the upstream has acknowledged it";
const NO_BATCH: &str = "this host sends a request on as it came";
const NO_LIMITER: &str = "memory is the host's to bound";
const NO_CONNECTIONS: &str = "which connections there are, and how old they grow, is the host's to say";
