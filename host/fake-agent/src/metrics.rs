//! The agent's own metrics of what it imports: how many requests each pod and service had in a second.
//!
//! They are kept by the rules of the agent's `l7_quadruple_generator.rs`, since they show two harms that the rows do not:
//! spans of several connections that share a number are counted under one of their pods, and after a span from the
//! future nothing counts until the clock has caught up.

use std::collections::{BTreeMap, HashMap};
use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

use crate::record::ResourceRecord;

/// The requests of one flow in one second. To the agent each span is a flow, named by its number in its connection.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Meter {
    /// Seconds since 1970, from the end of the spans.
    pub second: u64,
    /// The span's number in its connection.
    pub flow_id: u64,
    /// The address that all of these requests are counted under: that of the latest span with that number.
    pub address: IpAddr,
    /// The service of the same span.
    pub service: Option<String>,
    /// Spans with that number, of all connections.
    pub requests: u64,
}

/// The generator of the metrics by second.
#[derive(Debug)]
pub(crate) struct Metrics(Mutex<Generator>);

#[derive(Debug)]
struct Generator {
    /// The first second that still counts; earlier ones have been handed on.
    window_start: u64,
    seconds: BTreeMap<u64, HashMap<u64, Flow>>,
    kept: usize,
}

#[derive(Debug)]
struct Flow {
    address: IpAddr,
    service: Option<String>,
    requests: u64,
}

// === impl Metrics ===

impl Metrics {
    /// The generator of an agent that starts `now`: this minute and the two before it are open.
    pub(crate) fn new(now: SystemTime) -> Self {
        let now = now.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
        let window_start = (now - now % 60).saturating_sub(120);
        Self(Mutex::new(Generator { window_start, seconds: BTreeMap::new(), kept: 0 }))
    }

    /// Counts the spans in their order, and notes at each of them whether it counted.
    pub(crate) fn count(&self, resources: &mut [ResourceRecord]) {
        let mut generator = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        for resource in resources {
            let service = resource.service().map(str::to_owned);
            for span in &mut resource.spans {
                let second = span.end_time_unix_nano / 1_000_000_000;
                let flow = Flow { address: span.metrics_address, service: service.clone(), requests: 1 };
                span.counted = generator.count(second, span.flow_id, flow);
            }
        }
    }

    /// What was counted, by second and number.
    pub(crate) fn meters(&self) -> Vec<Meter> {
        let generator = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut meters: Vec<_> = generator
            .seconds
            .iter()
            .flat_map(|(&second, flows)| {
                flows.iter().map(move |(&flow_id, flow)| Meter {
                    second,
                    flow_id,
                    address: flow.address,
                    service: flow.service.clone(),
                    requests: flow.requests,
                })
            })
            .collect();
        meters.sort_unstable_by_key(|meter| (meter.second, meter.flow_id));
        meters
    }
}

// === impl Generator ===

impl Generator {
    fn count(&mut self, second: u64, flow_id: u64, flow: Flow) -> bool {
        if second < self.window_start {
            return false;
        }
        if second - self.window_start >= WINDOW {
            self.window_start = second - WINDOW + 1;
        }
        let flows = self.seconds.entry(second).or_default();
        match flows.get_mut(&flow_id) {
            // Earlier flows lose their requests to the newest one, as in the agent.
            Some(counted) => *counted = Flow { requests: counted.requests + 1, ..flow },
            None => {
                flows.insert(flow_id, flow);
                self.kept += 1;
            }
        }
        while self.kept > MAX_KEPT_FLOWS
            && let Some((_, oldest)) = self.seconds.pop_first()
        {
            self.kept -= oldest.len();
        }
        true
    }
}

/// How many seconds are open at a time: the agent's default (`second_quadruple_tolerable_delay` in its `trident.rs`).
const WINDOW: u64 = 9;

/// Flows that are kept; more push the oldest second out.
const MAX_KEPT_FLOWS: usize = 200_000;

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn generator() -> Generator {
        let metrics = Metrics::new(UNIX_EPOCH + Duration::from_secs(1_000_030));
        metrics.0.into_inner().unwrap()
    }

    fn flow(last: u8) -> Flow {
        Flow { address: [10, 0, 0, last].into(), service: None, requests: 1 }
    }

    #[test]
    fn two_minutes_before_the_start_are_open_and_then_the_window_moves_with_the_newest_span() {
        let mut generator = generator();
        assert!(!generator.count(999_899, 0, flow(1)));
        assert!(generator.count(999_900, 1, flow(1)));
        assert!(generator.count(999_908, 2, flow(1)));
        assert!(generator.count(999_900, 3, flow(1)), "nine seconds are open");
        assert!(generator.count(999_909, 4, flow(1)));
        assert!(!generator.count(999_900, 5, flow(1)));
        assert!(generator.count(999_901, 6, flow(1)));
    }

    #[test]
    fn after_a_span_from_the_future_nothing_counts_until_then() {
        let mut generator = generator();
        assert!(generator.count(1_000_030, 0, flow(1)));
        assert!(generator.count(1_000_150, 1, flow(1)));
        assert!(!generator.count(1_000_031, 2, flow(1)));
        assert!(!generator.count(1_000_141, 3, flow(1)));
        assert!(generator.count(1_000_142, 4, flow(1)));
        assert!(generator.count(u64::MAX / 1_000_000_000, 5, flow(1)));
        assert!(!generator.count(1_000_151, 6, flow(1)));
    }

    #[test]
    fn what_shares_a_number_and_a_second_is_counted_under_the_last_of_them() {
        let metrics = Metrics(Mutex::new(generator()));
        let mut inner = metrics.0.lock().unwrap();
        for (second, flow_id, last) in
            [(1_000_030, 0, 1), (1_000_030, 1, 1), (1_000_030, 0, 2), (1_000_031, 1, 2)]
        {
            assert!(inner.count(second, flow_id, flow(last)));
        }
        drop(inner);
        let meters: Vec<_> = metrics
            .meters()
            .into_iter()
            .map(|meter| (meter.second, meter.flow_id, meter.address.to_string(), meter.requests))
            .collect();
        let expected =
            [(1_000_030, 0, "10.0.0.2", 2), (1_000_030, 1, "10.0.0.1", 1), (1_000_031, 1, "10.0.0.2", 1)];
        assert_eq!(
            meters,
            expected.map(|(second, id, address, count)| (second, id, address.to_owned(), count))
        );
    }

    #[test]
    fn old_seconds_give_way() {
        let mut generator = generator();
        for flow_id in 0..MAX_KEPT_FLOWS as u64 {
            assert!(generator.count(1_000_030, flow_id, flow(1)));
        }
        assert!(generator.count(1_000_031, 0, flow(1)));
        assert_eq!((generator.kept, generator.seconds.len()), (1, 1));
    }
}
