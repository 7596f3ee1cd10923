//! What bodies, heads and guests may take of memory together: from the document's limits and the system's.

mod cgroup;

use std::fmt;

use podstamp_core::config::{Config, Exporter, Fault, Limits, SendingQueue, Sizer};
use podstamp_core::interface::{Level, Notice};

use crate::exporter::QUEUE_BYTES;
use crate::memory;
use crate::settings::{descriptors, workers};

/// How much memory there is, and what each part of the process may take of it. The rest of the process, its code, tables of pods
/// and what the allocator keeps, is not in it: some 60 MiB.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Budget {
    /// Bytes for all parts, and where the number comes from; `None` without a limit.
    total: Option<(u64, Origin)>,
    /// The document's limits; those that it leaves open are made to fit.
    pub(crate) limits: Limits,
    /// Costly calls of the filter at a time.
    pub(crate) large_calls: usize,
    /// The most bytes of a queue in memory whose size is not in bytes.
    pub(crate) queue_bytes: u64,
    /// Exporters that get copies.
    copies: usize,
    /// Queues in memory.
    queues: Queues,
}

/// Queues in memory, of all exporters.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Queues {
    /// Bytes of those whose size is in bytes.
    stated: u64,
    /// How many have another measure.
    others: u64,
}

/// The queue of an exporter, unless nothing goes into it.
fn active_queue(exporter: &Exporter) -> Option<&SendingQueue> {
    exporter.queue.as_ref().filter(|queue| exporter.retry.enabled && !queue.wait_for_result)
}

impl Queues {
    fn of(config: &Config) -> Self {
        let carried = config.signals().filter_map(|signal| config.carried(signal));
        let exporters = carried.flat_map(|carried| std::iter::once(&carried.exporter).chain(&carried.copies));
        let mut queues = Self::default();
        for queue in exporters.filter_map(active_queue) {
            match (&queue.storage, queue.sizer) {
                (Some(_), _) => (),
                (None, Sizer::Bytes) => queues.stated = queues.stated.saturating_add(queue.queue_size),
                (None, Sizer::Requests | Sizer::Items) => queues.others += 1,
            }
        }
        queues
    }

    /// All of them, where each of the others has `each` bytes.
    fn bytes(self, each: u64) -> u64 {
        self.stated.saturating_add(self.others.saturating_mul(each))
    }
}

/// Where the limit of memory comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Origin {
    Document,
    System,
}

impl Budget {
    /// The budget of a document in this process.
    pub fn new(config: &Config) -> Self {
        let carried = config.signals().filter_map(|signal| config.carried(signal));
        let copies = carried.map(|carried| carried.copies.len()).sum();
        let room = Room {
            container: cgroup::limit(),
            connections: descriptors::connections(),
            calls: workers().saturating_sub(1).max(1),
        };
        Self::within(config.limits, copies, Queues::of(config), &room)
    }

    fn within(limits: Limits, copies: usize, queues: Queues, room: &Room) -> Self {
        let Room { container, connections, calls } = *room;
        let total = match limits.memory {
            0 => container.map(|bytes| (bytes / 4 * 3, Origin::System)),
            memory => Some((memory, Origin::Document)),
        };
        let mut fitted = limits;
        if limits.connections == 0 {
            fitted.connections = connections.and_then(|most| u32::try_from(most).ok()).unwrap_or_default();
        }
        let (mut large_calls, mut queue_bytes) = (calls, QUEUE);
        if let Some((total, _)) = total {
            let left = total.saturating_sub(copied(copies)).saturating_sub(queues.stated);
            // A quarter for all of them at most.
            queue_bytes = queue_bytes.min(left / 4 / queues.others.max(1));
            let left = left.saturating_sub(queues.others * queue_bytes);
            let part = |share: u64| u32::try_from(left / share).unwrap_or(u32::MAX);
            // Half for bodies, a quarter for what the filter makes of them, a quarter for heads.
            if !limits.stated.body {
                fitted.body = limits.body.min(part(8));
            }
            if !limits.stated.in_flight_bytes {
                fitted.in_flight_bytes = limits.in_flight_bytes.min(part(2)).max(fitted.body);
            }
            if !limits.stated.guest_memory {
                let least = fitted.body.saturating_mul(2);
                fitted.guest_memory = limits.guest_memory.min(part(4)).max(least);
            }
            if limits.connections == 0 {
                let most = (part(4) / HEAD).max(LEAST_CONNECTIONS);
                fitted.connections =
                    if fitted.connections == 0 { most } else { fitted.connections.min(most) };
            }
            large_calls = large_calls.min((part(4) / fitted.guest_memory.max(1)) as usize).max(1);
        }
        Self { total, limits: fitted, large_calls, queue_bytes, copies, queues }
    }

    /// Each part, as the document names it, with its bytes.
    fn parts(&self) -> Vec<(String, u64)> {
        let Limits { in_flight_bytes, guest_memory, connections, .. } = self.limits;
        let (calls, copies) = (self.large_calls, self.copies);
        let mut parts = vec![
            ("bodies (in_flight_bytes)".to_owned(), in_flight_bytes.into()),
            (
                format!("the filter ({calls} x guest_memory)"),
                u64::from(guest_memory).saturating_mul(calls as u64),
            ),
            (
                format!("heads ({connections} connections x {})", Bytes(HEAD.into())),
                u64::from(connections) * u64::from(HEAD),
            ),
        ];
        if copies > 0 {
            parts.push((format!("copies ({copies} x {})", Bytes(QUEUE_BYTES)), copied(copies)));
        }
        if self.queues != Queues::default() {
            parts.push(("queues in memory (sending_queue)".to_owned(), self.queues.bytes(self.queue_bytes)));
        }
        parts
    }

    fn sum(&self) -> u64 {
        self.parts().iter().map(|(_, bytes)| bytes).sum()
    }

    /// The fault of a document whose own limits do not fit into its `podstamp.limits.memory`.
    pub(crate) fn fault(&self) -> Option<Fault> {
        let (total, _) = self.total.filter(|(_, origin)| *origin == Origin::Document)?;
        let message = format!("is too little: {self}: raise it, or lower a part");
        (self.sum() > total).then(|| Fault { path: PATH.to_owned(), message })
    }

    /// The warning about limits that do not fit into what the system allows.
    pub fn warning(&self) -> Option<Notice> {
        let (total, _) = self.total.filter(|(_, origin)| *origin == Origin::System)?;
        let advice = "under load the system would end this process: lower a part, or give it more";
        let message = format!("{PATH}: the container has too little: {self}: {advice}");
        (self.sum() > total).then(|| Notice { level: Level::Warning, key: "memory".into(), message })
    }
}

impl fmt::Display for Budget {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, (part, bytes)) in self.parts().iter().enumerate() {
            let joint = if index == 0 { "" } else { " + " };
            write!(formatter, "{joint}{part} {}", Bytes(*bytes))?;
        }
        write!(formatter, " = {}", Bytes(self.sum()))?;
        match self.total {
            Some((total, Origin::Document)) => write!(formatter, " of {}", Bytes(total)),
            Some((total, Origin::System)) => {
                write!(formatter, " of {}, three quarters of the container's limit", Bytes(total))
            }
            None => Ok(()),
        }
    }
}

/// Bytes of memory that there are for this process: the container's limit, or else the machine's. `None`: unknown.
pub(super) fn total_memory() -> Option<u64> {
    cgroup::limit().or_else(memory::of_machine)
}

/// What the system allows this process.
struct Room {
    /// The limit of memory, bytes; `None` without one.
    container: Option<u64>,
    /// The connections that the limit of open files leaves room for; `None` where that limit is unknown.
    connections: Option<usize>,
    /// Costly calls that the CPUs allow at a time.
    calls: usize,
}

/// Bytes that may wait for the exporters that get copies.
fn copied(copies: usize) -> u64 {
    QUEUE_BYTES.saturating_mul(copies as u64)
}

/// A number of bytes, for people.
struct Bytes(u64);

impl fmt::Display for Bytes {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            bytes if bytes < 1 << 20 => write!(formatter, "{} KiB", bytes >> 10),
            bytes => write!(formatter, "{} MiB", bytes >> 20),
        }
    }
}

/// The document's key for all memory.
const PATH: &str = "podstamp.limits.memory";

/// Bytes that a queue in memory has at most, unless its size is in bytes: a minute of 1 MiB a second.
pub(super) const QUEUE: u64 = 64 << 20;

/// Bytes of heads that a connection may keep: the receiver's limit.
const HEAD: u32 = 64 << 10;

/// The connections that even a small container takes: most have no head in the process at a time.
const LEAST_CONNECTIONS: u32 = 128;

#[cfg(test)]
mod tests {
    use podstamp_core::config::Stated;

    use super::*;

    const MIB: u64 = 1 << 20;

    fn within(limits: Limits, container: Option<u64>) -> Budget {
        Budget::within(limits, 0, Queues::default(), &Room { container, connections: Some(16_384), calls: 3 })
    }

    #[test]
    fn without_a_limit_of_memory_the_defaults_stay() {
        let budget = within(Limits::default(), None);
        assert_eq!(budget.limits, Limits { connections: 16_384, ..Limits::default() });
        assert_eq!((budget.large_calls, budget.fault(), budget.warning()), (3, None, None));
        let told = "bodies (in_flight_bytes) 256 MiB + the filter (3 x guest_memory) 768 MiB + heads (16384 connections x \
                    64 KiB) 1024 MiB = 2048 MiB";
        assert_eq!(budget.to_string(), told);
    }

    #[test]
    fn what_the_document_leaves_open_fits_into_the_container() {
        for container in [64 * MIB, 128 * MIB, 512 * MIB, 1024 * MIB, 4096 * MIB, 64_000 * MIB] {
            let budget = within(Limits::default(), Some(container));
            let Limits { body, in_flight_bytes, guest_memory, .. } = budget.limits;
            assert!(budget.sum() <= container / 4 * 3, "{budget}");
            assert!(
                body <= in_flight_bytes && body <= guest_memory / 2 && budget.large_calls > 0,
                "{budget}"
            );
            assert_eq!(budget.warning(), None);
        }
        let large = within(Limits::default(), Some(64_000 * MIB));
        assert_eq!(large, Budget { total: large.total, ..within(Limits::default(), None) });
    }

    #[test]
    fn copies_have_their_queues() {
        let room = Room { container: Some(512 * MIB), connections: Some(16_384), calls: 3 };
        let budget = Budget::within(Limits::default(), 2, Queues::default(), &room);
        assert!(
            budget.sum() <= 384 * MIB && budget.to_string().contains("copies (2 x 64 MiB) 128 MiB"),
            "{budget}"
        );
    }

    #[test]
    fn queues_in_memory_have_a_quarter_unless_they_state_bytes() {
        for container in [64 * MIB, 128 * MIB, 512 * MIB, 4096 * MIB] {
            for others in [1, 3] {
                let room = Room { container: Some(container), connections: Some(16_384), calls: 3 };
                let queues = Queues { stated: 0, others };
                let budget = Budget::within(Limits::default(), 0, queues, &room);
                assert!(budget.sum() <= container / 4 * 3, "{budget}");
                assert!(budget.queue_bytes <= QUEUE && budget.queue_bytes * others <= container / 16 * 3);
                assert_eq!(budget.warning(), None);
            }
        }
        let room = Room { container: Some(512 * MIB), connections: Some(16_384), calls: 3 };
        let stated = Budget::within(Limits::default(), 0, Queues { stated: 500 * MIB, others: 0 }, &room);
        let told = stated.warning().unwrap().message;
        assert!(told.contains("queues in memory (sending_queue) 500 MiB"), "{told}");
    }

    #[test]
    fn what_the_document_states_is_kept_and_told_where_it_is_too_much() {
        let stated = Stated { body: true, in_flight_bytes: true, guest_memory: true };
        let limits = Limits { stated, ..Limits::default() };
        let budget = within(Limits { connections: 1024, ..limits }, Some(512 * MIB));
        assert_eq!(budget.limits, Limits { connections: 1024, ..limits });
        assert_eq!((budget.large_calls, budget.fault()), (1, None));
        let told = budget.warning().unwrap().message;
        assert!(told.starts_with("podstamp.limits.memory: the container has too little: bodies"), "{told}");

        let budget = within(Limits { connections: 1024, memory: 512 * MIB, ..limits }, Some(64 * MIB));
        let fault = budget.fault().unwrap();
        assert_eq!((fault.path.as_str(), budget.warning()), ("podstamp.limits.memory", None));
        assert!(fault.message.contains("= 576 MiB of 512 MiB"), "{fault}");
        assert_eq!(within(Limits { memory: 2048 * MIB, ..limits }, None).fault(), None);
    }
}
