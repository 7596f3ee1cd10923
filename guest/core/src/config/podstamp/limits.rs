//! `podstamp.limits`.

use serde_json::Value;

use crate::config::document::{Entry, quantity};

/// Limits that the host keeps. Sizes are bytes, times milliseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// All bodies, heads and guests together; 0: what the system leaves this process.
    pub memory: u64,
    /// Which of the sizes the document states, so that they are not made to fit `memory`.
    pub stated: Stated,
    /// A request's body, before and after decompression.
    pub body: u32,
    /// Requests at a time.
    pub in_flight: u32,
    /// Bytes of all their bodies at a time.
    pub in_flight_bytes: u32,
    /// The part of all of these that one peer may have, in thousandths.
    pub per_peer: u32,
    /// Connections at a time; 0: as many as the system's limit of open files leaves room for.
    pub connections: u32,
    /// From a connection's first byte to the end of a request's header.
    pub header_timeout: u32,
    /// Between two requests of a connection.
    pub idle_timeout: u32,
    /// For a request's body.
    pub read_timeout: u32,
    /// Bytes a second that a body has to come with; 0: any.
    pub body_rate: u32,
    /// For a body before that counts.
    pub body_grace: u32,
    /// For what is in flight when podstamp is told to stop, `podstamp.drain_delay` included.
    pub drain_timeout: u32,
    /// Memory of one guest instance.
    pub guest_memory: u32,
    /// One call of the guest, in CPU time.
    pub guest_timeout: u32,
    /// Warm guest instances; 0: twice as many as there are workers.
    pub instances: u32,
}

/// Which sizes the document states.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stated {
    /// [`Limits::body`], here or in the receiver's section.
    pub body: bool,
    /// [`Limits::in_flight_bytes`].
    pub in_flight_bytes: bool,
    /// [`Limits::guest_memory`].
    pub guest_memory: bool,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            memory: 0,
            stated: Stated::default(),
            body: DEFAULT_BODY,
            in_flight: DEFAULT_IN_FLIGHT,
            in_flight_bytes: DEFAULT_IN_FLIGHT_BYTES,
            per_peer: DEFAULT_PER_PEER,
            connections: 0,
            header_timeout: DEFAULT_HEADER_TIMEOUT,
            idle_timeout: DEFAULT_IDLE_TIMEOUT,
            read_timeout: DEFAULT_READ_TIMEOUT,
            body_rate: DEFAULT_BODY_RATE,
            body_grace: DEFAULT_BODY_GRACE,
            drain_timeout: DEFAULT_DRAIN_TIMEOUT,
            guest_memory: DEFAULT_GUEST_MEMORY,
            guest_timeout: DEFAULT_GUEST_TIMEOUT,
            instances: 0,
        }
    }
}

/// Reads `podstamp.limits`. `body`: the size that the receiver's section states; podstamp's own key goes ahead of it.
pub(crate) fn read_limits(entry: &Entry<'_>, body: Option<u32>) -> Limits {
    let default = Limits::default();
    let mut section = entry.section();
    let guest_memory = section.take("guest_memory");
    let in_flight_bytes = section.take("in_flight_bytes");
    let own_body = section.take("body").positive(Entry::size);
    let limits = Limits {
        memory: section.take("memory").memory().unwrap_or(default.memory),
        stated: Stated {
            body: own_body.or(body).is_some(),
            in_flight_bytes: in_flight_bytes.filled().is_some(),
            guest_memory: guest_memory.filled().is_some(),
        },
        body: own_body.or(body).unwrap_or(default.body),
        in_flight: section.take("in_flight").positive(Entry::count).unwrap_or(default.in_flight),
        in_flight_bytes: in_flight_bytes.size().unwrap_or(default.in_flight_bytes),
        per_peer: section.take("per_peer").share().unwrap_or(default.per_peer),
        connections: section.take("connections").count().unwrap_or(default.connections),
        header_timeout: section
            .take("header_timeout")
            .positive(Entry::duration)
            .unwrap_or(default.header_timeout),
        idle_timeout: section.take("idle_timeout").positive(Entry::duration).unwrap_or(default.idle_timeout),
        read_timeout: section.take("read_timeout").positive(Entry::duration).unwrap_or(default.read_timeout),
        body_rate: section.take("body_rate").size().unwrap_or(default.body_rate),
        body_grace: section.take("body_grace").positive(Entry::duration).unwrap_or(default.body_grace),
        drain_timeout: section.take("drain_timeout").duration().unwrap_or(default.drain_timeout),
        guest_memory: guest_memory.size().unwrap_or(default.guest_memory),
        guest_timeout: section
            .take("guest_timeout")
            .positive(Entry::duration)
            .unwrap_or(default.guest_timeout),
        instances: section.take("instances").up_to(MAX_INSTANCES).unwrap_or(default.instances),
    };
    section.close();
    // The guest holds the body, and in the worst case another one that it makes of it.
    if limits.guest_memory / 2 < limits.body {
        guest_memory.fault(format!(
            "a guest needs twice the largest body, {} bytes, and has {}: raise it or lower `body`",
            limits.body, limits.guest_memory
        ));
    }
    if limits.in_flight_bytes < limits.body {
        in_flight_bytes.fault(format!(
            "is under the largest body, {} bytes, which then never fits: raise it or lower `body`",
            limits.body
        ));
    }
    limits
}

impl Entry<'_> {
    /// A number that must not be 0.
    fn positive(&self, read: impl FnOnce(&Self) -> Option<u32>) -> Option<u32> {
        let number = read(self);
        if number == Some(0) {
            self.fault("is 0, so that nothing would pass");
        }
        number
    }

    /// Memory of a process; 0: none is stated.
    fn memory(&self) -> Option<u64> {
        let memory = match self.filled()? {
            Value::String(text) => self.quantity(text, quantity::bytes(text)),
            value => value.as_u64().or_else(|| {
                self.expected("a size: bytes, or a text such as `1GiB`", value);
                None
            }),
        }?;
        if (1..LEAST_MEMORY).contains(&memory) {
            self.fault("is under 32 MiB, the least that is of use");
            return None;
        }
        Some(memory)
    }

    /// A part of a whole, in thousandths of it.
    fn share(&self) -> Option<u32> {
        let share = self.factor()?;
        if share <= 0.0 || share > 1.0 {
            self.fault("expected a part of the whole, over 0 and up to 1, such as 0.5");
            return None;
        }
        Some(((share * 1000.0) as u32).max(1))
    }

    /// A number that is not absurd.
    fn up_to(&self, most: u32) -> Option<u32> {
        let number = self.count()?;
        if number > most {
            self.fault(format!("is {number}, and {most} are possible at most"));
            return None;
        }
        Some(number)
    }
}

/// Bodies of 4 MiB, two of them worked on.
const LEAST_MEMORY: u64 = 32 << 20;

/// As the OTLP specification recommends.
const DEFAULT_BODY: u32 = 64 << 20;

/// At 64 KiB a body this is 32 MiB; a few SDKs a node stay far below it, and so do 256 requests at a time of one gateway.
const DEFAULT_IN_FLIGHT: u32 = 512;

/// Whatever one peer does, as much again is left for the others.
const DEFAULT_PER_PEER: u32 = 500;

/// Four bodies of the largest size, or thousands of usual ones.
const DEFAULT_IN_FLIGHT_BYTES: u32 = 256 << 20;

/// A client sends a header in one packet; who needs longer holds a connection for nothing.
const DEFAULT_HEADER_TIMEOUT: u32 = 10_000;

/// Longer than the minute at which SDKs export metrics and some also spans, so that they keep their connection.
const DEFAULT_IDLE_TIMEOUT: u32 = 120_000;

/// SDKs give up after 10 s, Collectors after 30.
const DEFAULT_READ_TIMEOUT: u32 = 30_000;

/// A body of a few bytes a second keeps its place for nothing; a modem is faster.
const DEFAULT_BODY_RATE: u32 = 1 << 10;

/// A lost packet is sent again within some seconds.
const DEFAULT_BODY_GRACE: u32 = 5_000;

/// Kubernetes kills a pod 30 s after it has told it to stop: some are left for copies and for the process to end.
const DEFAULT_DRAIN_TIMEOUT: u32 = 25_000;

/// Four times the largest body: the body, a replacement of it, and what is gathered from them.
const DEFAULT_GUEST_MEMORY: u32 = 256 << 20;

/// The diagnosis of the largest body takes about 0.15 s; a call that takes 2 s is stuck.
const DEFAULT_GUEST_TIMEOUT: u32 = 2_000;

/// Workers are some dozens at most, and each instance reserves some GiB of addresses.
const MAX_INSTANCES: u32 = 1_024;

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::config::document::Findings;

    #[test]
    fn limits_are_texts_or_numbers_and_have_defaults() {
        let findings = Findings::default();
        let document = json!({
            "memory": "6GiB", "body": "32MiB", "in_flight": 8, "header_timeout": "5s", "instances": 4, "per_peer": 0.25, "body_rate": 0,
        });
        let limits = read_limits(&Entry::root(&document, &findings), Some(1));
        let expected = Limits {
            memory: 6 << 30,
            stated: Stated { body: true, ..Stated::default() },
            body: 32 << 20,
            in_flight: 8,
            header_timeout: 5_000,
            instances: 4,
            per_peer: 250,
            body_rate: 0,
            ..Limits::default()
        };
        assert_eq!(limits, expected);
        assert_eq!(read_limits(&Entry::root(&json!(null), &findings), Some(1000)).body, 1000);
        assert_eq!(findings.conclude(), Ok(vec![]));
    }

    #[test]
    fn limits_that_let_nothing_pass_or_do_not_fit_are_faults() {
        let findings = Findings::default();
        let document = json!({
            "body": "200MiB", "in_flight": 0, "in_flight_bytes": "100MiB", "guest_timeout": "0s", "bodies": 1,
            "per_peer": 0, "instances": 1_000_000, "memory": "31MiB",
        });
        read_limits(&Entry::root(&document, &findings), None);
        let paths: Vec<_> = findings.conclude().unwrap_err().into_iter().map(|fault| fault.path).collect();
        assert_eq!(
            paths,
            [
                "memory",
                "in_flight",
                "per_peer",
                "guest_timeout",
                "instances",
                "bodies",
                "guest_memory",
                "in_flight_bytes"
            ]
        );
    }
}
