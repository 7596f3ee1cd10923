//! The thread that has the filter examine requests.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::Receiver;
use std::thread;

use podstamp_core::interface::{Examination, Examined, ExaminedResource};

use super::allowance::Allowance;
use super::sampling::Stake;
use super::traces::{CAPACITY, UNWATCHED_CAPACITY};
use super::{Shared, TEXT};
use crate::sandbox::{ReceivedRequest, cpu_time};

/// A request that was picked.
#[derive(Debug)]
pub(super) struct Sample {
    pub(super) request: ReceivedRequest,
    /// What the request stands for.
    pub(super) stake: Stake,
    /// When the request came, milliseconds since 1970.
    pub(super) at: u64,
    pub(super) _room: Room,
}

/// Bytes of the bodies that wait to be examined.
#[derive(Debug, Default)]
pub(super) struct Waiting(AtomicUsize);

/// The bytes of one body among those that wait.
#[derive(Debug)]
pub(super) struct Room {
    waiting: Arc<Waiting>,
    bytes: usize,
}

impl Waiting {
    /// Room for a body; `None` while too much waits.
    pub(super) fn reserve(self: &Arc<Self>, bytes: usize, looking: bool) -> Option<Room> {
        let most = if looking { WATCHED_BYTES } else { UNWATCHED_BYTES };
        let reserve = |waiting: usize| waiting.checked_add(bytes).filter(|sum| *sum <= most);
        self.0.fetch_update(Ordering::Relaxed, Ordering::Relaxed, reserve).ok()?;
        Some(Room { waiting: Arc::clone(self), bytes })
    }
}

impl Drop for Room {
    fn drop(&mut self) {
        self.waiting.0.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}

/// What the thread needs.
pub(super) struct Examiner {
    shared: Arc<Shared>,
    allowance: Allowance,
}

impl Examiner {
    pub(super) fn new(shared: Arc<Shared>, allowance: Allowance) -> Self {
        Self { shared, allowance }
    }

    /// Examines what is received, on a thread that ends when nobody sends any more.
    pub(super) fn start(self, received: Receiver<Sample>) -> io::Result<()> {
        let run = move || {
            give_way();
            received.into_iter().for_each(|sample| self.examine(sample));
        };
        thread::Builder::new().name("console".to_owned()).spawn(run).map(drop)
    }

    /// Examines a request and notes what was found. What it took of the processor is charged, whatever came of it.
    fn examine(&self, mut sample: Sample) {
        let begun = cpu_time();
        let looking = self.shared.attention.is_there();
        let options = Examination {
            payloads: self.shared.settings.payloads,
            resources: if looking { WATCHED_RESOURCES } else { UNWATCHED_RESOURCES },
            spans: if looking { WATCHED_SPANS } else { UNWATCHED_SPANS },
            text: TEXT,
        };
        let examined = self.shared.filter.examine(&sample.request, options);
        let is_examined = examined.is_ok();
        match examined {
            Ok(examined) => self.note(&mut sample, examined, looking),
            // No instance can be spared, or a limit is met by what went through the filter before.
            Err(failure) => tracing::debug!(%failure, "a request could not be examined"),
        }
        self.allowance.charge(cpu_time().saturating_sub(begun), is_examined);
    }

    fn note(&self, sample: &mut Sample, mut examined: Examined, looking: bool) {
        if !self.shared.settings.payloads {
            examined.resources.iter_mut().for_each(withhold);
        }
        let spans: Vec<_> =
            examined.resources.iter_mut().map(|resource| std::mem::take(&mut resource.spans)).collect();
        let (peer, stands_for) = (sample.stake.peer(), sample.stake.take());
        let rows = self.shared.services().note(peer, stands_for, sample.at, &examined);
        let capacity = if looking { CAPACITY } else { UNWATCHED_CAPACITY };
        let omitted = examined.spans_omitted > 0;
        self.shared.traces().note(&examined.resources, spans, &rows, omitted, capacity);
    }
}

/// Has this thread run where no other thread wants the processor: examining a large request takes as long as many small ones wait.
#[cfg(target_os = "linux")]
fn give_way() {
    if let Err(error) = rustix::process::nice(LEAST_URGENT) {
        tracing::debug!(%error, "the console's thread is as urgent as those of requests");
    }
}

/// Elsewhere it would be about the whole process.
#[cfg(not(target_os = "linux"))]
fn give_way() {}

/// How much a thread gives way to others, at most.
#[cfg(target_os = "linux")]
const LEAST_URGENT: i32 = 19;

/// Takes out what a resource says of anything but its pod and service: it may be private, and a processor may be there to remove it.
fn withhold(resource: &mut ExaminedResource) {
    let ExaminedResource { claims, changes, .. } = resource;
    let is_known = |key: &str| {
        key == "app.host.ip"
            || ["k8s.", "container.", "host.", "service."].iter().any(|prefix| key.starts_with(prefix))
            || claims.iter().any(|claim| claim.key == key)
    };
    for change in changes.iter_mut().filter(|change| !is_known(&change.key)) {
        for value in [&mut change.before, &mut change.after].into_iter().flatten() {
            WITHHELD.clone_into(value);
        }
    }
}

/// In place of a value that is not kept.
const WITHHELD: &str = "***";

/// Bytes that may wait while nobody looks: within the 8 MiB that the console takes then.
const UNWATCHED_BYTES: usize = 1 << 20;

/// Bytes that may wait while somebody looks: the largest bodies that come by default.
const WATCHED_BYTES: usize = 32 << 20;

const UNWATCHED_RESOURCES: u32 = 256;
const UNWATCHED_SPANS: u32 = 1_024;
const WATCHED_RESOURCES: u32 = 4_096;

/// A trace of 10,000 spans in one request is shown whole.
const WATCHED_SPANS: u32 = 32_768;

#[cfg(test)]
mod tests {
    use podstamp_core::interface::{ExaminedAttribute, ExaminedChange};

    use super::*;

    #[test]
    fn without_payloads_only_what_is_about_pod_and_service_keeps_its_values() {
        let change = |key: &str| ExaminedChange {
            key: key.into(),
            before: Some("a".into()),
            after: (key != "user.email").then(|| "b".into()),
        };
        let keys = ["app.host.ip", "k8s.pod.name", "claimed", "user.email", "other"];
        let mut resource = ExaminedResource {
            claims: vec![ExaminedAttribute { key: "claimed".into(), value: "c".into() }],
            changes: keys.map(change).to_vec(),
            ..ExaminedResource::default()
        };
        withhold(&mut resource);
        let shown = resource.changes.iter().map(|change| change.before.as_deref().unwrap_or_default());
        assert_eq!(shown.collect::<Vec<_>>(), ["a", "a", "a", "***", "***"]);
        let after: Vec<_> = resource.changes.iter().map(|change| change.after.as_deref()).collect();
        assert_eq!(after[3..], [None, Some("***")], "that it was removed is told");
    }

    #[test]
    fn what_waits_is_bounded_in_bytes_and_gives_them_back() {
        let waiting = Arc::new(Waiting::default());
        let room = waiting.reserve(UNWATCHED_BYTES, false).unwrap();
        assert!(waiting.reserve(1, false).is_none());
        let more = waiting.reserve(WATCHED_BYTES - UNWATCHED_BYTES, true).unwrap();
        assert!(waiting.reserve(1, true).is_none());
        drop((room, more));
        assert!(waiting.reserve(usize::MAX, true).is_none());
        assert!(waiting.reserve(WATCHED_BYTES, true).is_some());
    }
}
