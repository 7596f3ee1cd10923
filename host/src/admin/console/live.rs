//! What is shown of a running podstamp: `GET /console/live`, and each event of `GET /console/events`.

use std::collections::BTreeMap;

use serde::Serialize;

use super::super::listings::SourceState;
use crate::exporter::Agent;
use crate::observe::{Reading, RecentNotice, bounds, sources};

/// All that is shown at one moment.
#[derive(Debug, Serialize)]
pub(super) struct Live<'l> {
    pub(super) instance: &'l str,
    pub(super) version: &'static str,
    pub(super) settings: &'l Shown,
    #[serde(flatten)]
    pub(super) point: &'l Point,
    /// None in what is older than the newest.
    pub(super) agents: &'l [Agent],
    pub(super) notices: &'l [RecentNotice],
}

/// The settings that the page goes by.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Shown {
    pub(super) payloads: bool,
    pub(super) trace_link: Option<String>,
}

/// What is kept of a moment, so that the page has something to begin with.
#[derive(Clone, Debug, Default, Serialize)]
pub(super) struct Point {
    pub(super) now_ms: u64,
    pub(super) uptime_seconds: u64,
    pub(super) ready: bool,
    pub(super) not_ready_because: Option<String>,
    #[serde(flatten)]
    pub(super) rates: Rates,
    pub(super) totals: Totals,
    /// `None` without a request in the last seconds.
    pub(super) latency_ms: Option<Latency>,
    pub(super) queues: Vec<ShownQueue>,
    pub(super) pods: SourceState,
    pub(super) memory_bytes: Option<u64>,
}

/// Counts a second, since the moment before.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub(super) struct Rates {
    pub(super) requests_per_second: f64,
    pub(super) spans_per_second: f64,
    pub(super) bytes_per_second: f64,
    pub(super) outcomes: Outcomes,
    /// Resources, by where their address came from.
    pub(super) addresses: BTreeMap<&'static str, f64>,
}

/// Requests a second, by how they ended. Those that went into a queue are among the accepted ones too.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub(super) struct Outcomes {
    accepted: f64,
    refused: f64,
    failed: f64,
    cancelled: f64,
    queued: f64,
}

/// Counts since the start.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub(super) struct Totals {
    requests: u64,
    spans: u64,
    /// Resources without an address.
    unknown: u64,
}

/// From a request's head to its answer, milliseconds.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub(super) struct Latency {
    p50: f64,
    /// Whether it was longer, over the last bound that is counted by.
    p50_over: bool,
    p99: f64,
    p99_over: bool,
}

/// A queue as it stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct ShownQueue {
    /// The exporter, and the signal where that is not traces.
    pub(crate) name: String,
    /// By the queue's sizer, as `unit` says.
    pub(crate) requests: u64,
    pub(crate) capacity: u64,
    pub(crate) unit: &'static str,
    pub(crate) oldest_seconds: u64,
    /// `None` where it is in memory.
    pub(crate) disk_bytes: Option<u64>,
}

impl Rates {
    /// What was counted between two moments that are `seconds` apart.
    pub(super) fn between(before: &Reading, now: &Reading, seconds: f64) -> Self {
        let rate = |count: fn(&Reading) -> u64| per_second(count(before), count(now), seconds);
        let addresses = before.addresses.iter().zip(&now.addresses);
        let addresses = addresses.map(|(before, now)| per_second(*before, *now, seconds));
        Self {
            requests_per_second: rate(Reading::requests),
            spans_per_second: rate(|read| read.spans),
            bytes_per_second: rate(|read| read.bytes),
            outcomes: Outcomes {
                accepted: rate(|read| read.accepted),
                refused: rate(|read| read.refused),
                failed: rate(|read| read.failed),
                cancelled: rate(|read| read.cancelled),
                queued: rate(|read| read.queued),
            },
            addresses: sources().iter().copied().zip(addresses).collect(),
        }
    }
}

impl Totals {
    pub(super) fn of(now: &Reading) -> Self {
        let count = |source| sources().iter().zip(&now.addresses).find(|(name, _)| **name == source);
        let count = |source| count(source).map_or(0, |(_, count)| *count);
        Self { requests: now.requests(), spans: now.spans, unknown: count("unknown") + count("contradicted") }
    }
}

impl Latency {
    /// That of the requests between two moments; `None` where there was none.
    pub(super) fn between(before: &Reading, now: &Reading) -> Option<Self> {
        let buckets: Vec<_> = before
            .durations
            .iter()
            .zip(&now.durations)
            .map(|(before, now)| now.saturating_sub(*before))
            .collect();
        let (p50, p50_over) = milliseconds(&buckets, 0.5)?;
        let (p99, p99_over) = milliseconds(&buckets, 0.99)?;
        Some(Self { p50, p50_over, p99, p99_over })
    }
}

/// The duration that a part of the requests did not exceed: interpolated within its bucket, as Prometheus does. The flag: it is over
/// the last bound, nobody knows by how much.
fn milliseconds(cumulative: &[u64], part: f64) -> Option<(f64, bool)> {
    let all = *cumulative.last().filter(|all| **all > 0)?;
    let rank = part * all as f64;
    let (mut below, mut count_below) = (0.0, 0);
    for (bound, count) in bounds().zip(cumulative) {
        if *count as f64 >= rank {
            let within = (rank - count_below as f64) / (count - count_below) as f64;
            return Some((rounded((below + (bound - below) * within.clamp(0.0, 1.0)) * 1_000.0), false));
        }
        (below, count_below) = (bound, *count);
    }
    Some((rounded(below * 1_000.0), true))
}

fn per_second(before: u64, now: u64, seconds: f64) -> f64 {
    if seconds <= 0.0 { 0.0 } else { rounded(now.saturating_sub(before) as f64 / seconds) }
}

/// More digits than anybody sees would be half of the answer.
fn rounded(number: f64) -> f64 {
    (number * 1_000.0).round() / 1_000.0
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reading(durations: &[u64]) -> Reading {
        let mut durations = durations.to_vec();
        durations.resize(bounds().count() + 1, durations.last().copied().unwrap_or_default());
        Reading { durations, addresses: vec![0; sources().len()], ..Reading::default() }
    }

    #[test]
    fn rates_are_what_was_counted_in_a_second() {
        let before = reading(&[]);
        let now = Reading {
            accepted: 30,
            refused: 10,
            spans: 100,
            bytes: 5_000,
            queued: 1,
            addresses: vec![0, 0, 0, 10, 0, 3, 1],
            ..reading(&[])
        };
        let rates = Rates::between(&before, &now, 2.0);
        assert_eq!(
            (rates.requests_per_second, rates.spans_per_second, rates.bytes_per_second),
            (20.0, 50.0, 2_500.0)
        );
        assert_eq!((rates.outcomes.accepted, rates.outcomes.queued, rates.outcomes.failed), (15.0, 0.5, 0.0));
        assert_eq!((rates.addresses["pod"], rates.addresses["unknown"]), (5.0, 1.5));
        assert_eq!(Totals::of(&now), Totals { requests: 40, spans: 100, unknown: 4 });
        assert_eq!(Rates::between(&before, &now, 0.0).requests_per_second, 0.0);
        assert_eq!(Rates::between(&now, &before, 1.0).requests_per_second, 0.0);
    }

    #[test]
    fn a_latency_is_interpolated_within_its_bucket() {
        let within = |p50, p99| Latency { p50, p50_over: false, p99, p99_over: false };
        let nothing = reading(&[]);
        assert_eq!(Latency::between(&nothing, &nothing), None);
        // A hundred requests in the first bucket, up to 0.25 ms.
        let first = reading(&[100]);
        assert_eq!(Latency::between(&nothing, &first), Some(within(0.125, 0.248)));
        // Nine hundred more in the third, from 0.5 ms to 1 ms.
        let third = reading(&[100, 100, 1_000]);
        assert_eq!(Latency::between(&first, &third), Some(within(0.75, 0.995)));
        // All over the last bound.
        let mut slow = reading(&[]);
        *slow.durations.last_mut().unwrap() = 5;
        let last = bounds().last().unwrap() * 1_000.0;
        assert_eq!(
            Latency::between(&nothing, &slow),
            Some(Latency { p50: last, p50_over: true, p99: last, p99_over: true })
        );
    }
}
