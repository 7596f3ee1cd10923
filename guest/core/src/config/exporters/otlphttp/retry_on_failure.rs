//! `retry_on_failure`.

use crate::config::document::Entry;

/// When to try again what could not be sent. Times are milliseconds.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Retry {
    /// Whether to try again at all.
    pub enabled: bool,
    /// Wait ahead of the second attempt.
    pub initial_interval: u32,
    /// By how much a wait is spread at random: 0.5 means from half to one and a half of it.
    pub randomization_factor: f64,
    /// By how much each wait is longer than the one ahead of it.
    pub multiplier: f64,
    /// The longest wait.
    pub max_interval: u32,
    /// When to give up, counted from the first attempt, or with a queue from when a request came; 0: never. What a client
    /// waits for is bounded by the exporter's timeout in any case.
    pub max_elapsed_time: u32,
}

impl Default for Retry {
    /// As in the Collector's configretry.
    fn default() -> Self {
        Self {
            enabled: true,
            initial_interval: 5_000,
            randomization_factor: 0.5,
            multiplier: 1.5,
            max_interval: 30_000,
            max_elapsed_time: 300_000,
        }
    }
}

pub(crate) fn read_retry(entry: &Entry<'_>) -> Retry {
    let default = Retry::default();
    let mut section = entry.section();
    let randomization = section.take("randomization_factor");
    let randomization_factor = randomization.factor();
    if randomization_factor.is_some_and(|factor| factor > 1.0) {
        randomization.fault("is over 1: a wait would be less than nothing");
    }
    let retry = Retry {
        enabled: section.take("enabled").flag().unwrap_or(default.enabled),
        initial_interval: section.take("initial_interval").duration().unwrap_or(default.initial_interval),
        randomization_factor: randomization_factor.unwrap_or(default.randomization_factor),
        multiplier: section.take("multiplier").factor().unwrap_or(default.multiplier),
        max_interval: section.take("max_interval").duration().unwrap_or(default.max_interval),
        max_elapsed_time: section.take("max_elapsed_time").duration().unwrap_or(default.max_elapsed_time),
    };
    section.close();
    retry
}
