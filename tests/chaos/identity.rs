//! Ids of spans that say who sent them, and of which pod they are.

use std::net::{IpAddr, Ipv4Addr};

/// A span: the eight bytes of its span id.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct SpanId {
    pub(crate) client: u16,
    pub(crate) pod: u16,
    /// Counts the client's spans from 0.
    pub(crate) number: u32,
}

/// A client and the number of its span, which are enough to find it.
pub(crate) type SpanKey = (u16, u32);

/// An attempt to send a batch: the sixteen bytes of the trace id of all its spans.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct AttemptId {
    /// Tells runs apart that share a folder.
    pub(crate) run: u32,
    pub(crate) client: u16,
    /// Counts the client's batches from 0.
    pub(crate) batch: u32,
    /// Counts the attempts of that batch from 0.
    pub(crate) attempt: u16,
}

impl SpanId {
    pub(crate) fn bytes(self) -> Vec<u8> {
        let value = u64::from(self.client) << 48 | u64::from(self.pod) << 32 | u64::from(self.number);
        value.to_be_bytes().to_vec()
    }

    pub(crate) fn read(hex: &str) -> Option<Self> {
        let value = u64::from_str_radix(hex, 16).ok()?;
        Some(Self { client: (value >> 48) as u16, pod: (value >> 32) as u16, number: value as u32 })
    }

    pub(crate) fn key(self) -> SpanKey {
        (self.client, self.number)
    }

    /// The address that the span has to be stored under.
    pub(crate) fn address(self) -> IpAddr {
        if self.pod < PODS { address(self.pod).into() } else { Ipv4Addr::UNSPECIFIED.into() }
    }
}

impl AttemptId {
    pub(crate) fn bytes(self) -> Vec<u8> {
        let high = u64::from(self.run) << 32 | u64::from(self.batch);
        let low = u64::from(self.client) << 32 | u64::from(self.attempt);
        [high.to_be_bytes(), low.to_be_bytes()].concat()
    }

    pub(crate) fn read(hex: &str) -> Option<Self> {
        let value = u128::from_str_radix(hex, 16).ok()?;
        let (high, low) = ((value >> 64) as u64, value as u64);
        Some(Self {
            run: (high >> 32) as u32,
            batch: high as u32,
            client: (low >> 32) as u16,
            attempt: low as u16,
        })
    }
}

/// A pod's name; those from [`PODS`] on are not known to podstamp.
pub(crate) fn pod(pod: u16) -> String {
    format!("pod-{pod}")
}

/// A pod's address.
pub(crate) fn address(pod: u16) -> Ipv4Addr {
    Ipv4Addr::new(10, 77, (pod >> 8) as u8, pod as u8)
}

/// Pods that podstamp knows.
pub(crate) const PODS: u16 = 300;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_read_as_they_were_written() {
        let hex = |bytes: Vec<u8>| bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
        let span = SpanId { client: 7, pod: 299, number: u32::MAX };
        assert_eq!(SpanId::read(&hex(span.bytes())), Some(span));
        let attempt = AttemptId { run: u32::MAX, client: 10, batch: 1_000_000, attempt: 3 };
        assert_eq!(AttemptId::read(&hex(attempt.bytes())), Some(attempt));
    }

    #[test]
    fn a_span_of_no_known_pod_is_stored_under_no_address() {
        let span = |pod| SpanId { client: 0, pod, number: 0 };
        assert_eq!(span(1).address().to_string(), "10.77.0.1");
        assert_eq!(span(299).address().to_string(), "10.77.1.43");
        assert_eq!(span(PODS).address().to_string(), "0.0.0.0");
    }
}
