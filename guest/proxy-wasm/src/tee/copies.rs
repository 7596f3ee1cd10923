//! Copies on their way to the agent.

use std::cell::{Cell, RefCell};
use std::collections::{HashMap, VecDeque};
use std::rc::Rc;

use podstamp_core::hosting::MAX_RESPONSE;
use podstamp_core::hosting::labels::{Attempted, Copied, Reason};
use podstamp_core::interface::{Attempt, Encoding, Header, Mended, Next, Outcome, Part, Signal, Verdict};

use super::captured::Captured;
use crate::abi::{Buffer, Headers, host};
use crate::budget::Held;
use crate::instruments::{Instruments, TICK};
use crate::plugin::Plugin;
use crate::response;

/// All copies of a root.
pub(crate) struct Copies {
    plugin: Rc<Plugin>,
    instruments: Rc<Instruments>,
    /// The cluster that the agent is.
    cluster: String,
    /// Requests that have passed, as they came.
    captured: RefCell<VecDeque<Captured>>,
    /// Stamped copies that wait for their next attempt.
    waiting: RefCell<Vec<Job>>,
    /// Copies that are being sent, by the token of their call.
    calls: RefCell<HashMap<u32, Job>>,
    /// The state of the generator for jitter.
    random: Cell<u32>,
}

/// A stamped copy.
struct Job {
    body: Held,
    spans: u32,
    /// The times at which the first attempt began and the next is due, nanoseconds.
    begun: u64,
    due: u64,
    attempts: u32,
}

impl Copies {
    pub(crate) fn new(plugin: Rc<Plugin>, instruments: Rc<Instruments>, cluster: String) -> Self {
        Self {
            plugin,
            instruments,
            cluster,
            captured: RefCell::default(),
            waiting: RefCell::default(),
            calls: RefCell::default(),
            random: Cell::default(),
        }
    }

    /// Whether nothing waits for its time to come.
    pub(crate) fn is_idle(&self) -> bool {
        self.captured.borrow().is_empty() && self.waiting.borrow().is_empty()
    }

    /// Takes a request that has passed, and sees to it on the next tick.
    pub(super) fn offer(&self, captured: Captured) {
        self.captured.borrow_mut().push_back(captured);
        self.instruments.ticker().within(TICK);
    }

    /// Sends what is due, for as long as a tick may take.
    pub(crate) fn advance(&self) {
        let began = host::now();
        let spent = || host::now().saturating_sub(began) > TICK_SHARE;
        while !spent() {
            let Some(captured) = self.captured.borrow_mut().pop_front() else { break };
            let jobs = self.prepare(&captured).unwrap_or_default();
            jobs.into_iter().for_each(|job| self.send(job));
        }
        let due: Vec<_> = self.waiting.borrow_mut().extract_if(.., |job| job.due <= began).collect();
        due.into_iter().for_each(|job| self.send(job));
    }

    /// A call of the root has ended. Returns false if the call was not for a copy.
    pub(crate) fn on_call_response(&self, token: u32, has_headers: bool, body_size: usize) -> bool {
        let Some(job) = self.calls.borrow_mut().remove(&token) else { return false };
        let headers = if has_headers { host::headers(Headers::CallResponse) } else { Vec::new() };
        let body = match body_size {
            0 => Vec::new(),
            size => host::buffer(Buffer::CallResponseBody, 0, size.min(MAX_RESPONSE)).unwrap_or_default(),
        };
        match response::status(&headers) {
            Some(status) => {
                let outcome = Outcome::Response { status, headers: &headers, body: &body };
                self.ended(job, Attempted::with(status), &outcome);
            }
            // A proxy tells only that a response is missing.
            None => {
                let kept = job.body.bytes().to_vec();
                self.ended(job, Attempted::Closed, &Outcome::Closed(&kept));
            }
        }
        true
    }

    fn send(&self, mut job: Job) {
        let exporter = &self.plugin.config().traces.exporter;
        let mut headers = vec![
            Header::new(":method", "POST"),
            Header::new(":path", exporter.target()),
            Header::new(":authority", exporter.authority()),
        ];
        headers.extend(self.plugin.filter().outbound_headers(Signal::Traces).iter().cloned());
        job.attempts += 1;
        let elapsed = milliseconds(host::now().saturating_sub(job.begun));
        let left = exporter.timeout.saturating_sub(elapsed).clamp(1, MAX_TIMEOUT);
        self.instruments.metrics().sent(job.body.bytes().len());
        match host::http_call(&self.cluster, &headers, job.body.bytes(), left) {
            Ok(token) => drop(self.calls.borrow_mut().insert(token, job)),
            Err(refused) => {
                let Self { cluster, .. } = self;
                let reason = format!("the proxy makes no call to cluster {cluster:?} (status {})", refused.0);
                self.ended(job, Attempted::NotConnected, &Outcome::NotConnected(&reason));
            }
        }
    }

    fn ended(&self, mut job: Job, attempted: Attempted, outcome: &Outcome<'_>) {
        let now = host::now();
        self.instruments.metrics().attempted(attempted, Some(now.saturating_sub(job.begun.max(job.due))));
        let attempt = Attempt {
            signal: Signal::Traces,
            upstream: 0,
            encoding: Encoding::Protobuf,
            number: job.attempts,
            elapsed: milliseconds(now.saturating_sub(job.begun)),
            patience: u32::MAX,
            delivered: 0,
            random: self.random(now),
        };
        match self.plugin.filter().conclude(&attempt, outcome) {
            Next::Retry(wait) => {
                job.due = now.saturating_add(u64::from(wait) * 1_000_000);
                self.waiting.borrow_mut().push(job);
            }
            Next::Mend(Mended { body, texts }) => {
                self.instruments.metrics().mended(texts);
                let Job { spans, begun, attempts, .. } = job;
                match self.plugin.budget().hold(body) {
                    Some(body) => {
                        self.waiting.borrow_mut().push(Job { body, spans, begun, due: now, attempts });
                    }
                    None => self.instruments.metrics().copied(Copied::Dropped, spans),
                }
            }
            Next::Answer(answer) => {
                self.instruments.notices().emit_of(&answer);
                let copied = if answer.status == 200 { Copied::Delivered } else { Copied::Failed };
                self.instruments.metrics().copied(copied, job.spans);
            }
        }
    }

    /// Stamps a copy, which may leave as several requests. A copy that the filter refuses is not counted as lost: the agent would
    /// not take it either.
    fn prepare(&self, captured: &Captured) -> Option<Vec<Job>> {
        let limit = self.plugin.config().limits.body as usize;
        let body = match captured.body(limit) {
            Ok(body) => body,
            Err(refusal) => {
                self.instruments.metrics().copy_not_taken();
                self.instruments.notices().warn("copy-unreadable", || {
                    format!("a request was not copied: {refusal} ({})", captured.head.origin())
                });
                return None;
            }
        };
        self.instruments.metrics().received(captured.held.bytes().len(), body.len());
        let (prepared, _) = self.plugin.prepare(&captured.head.request(&body), true, &self.instruments);
        let outbound = match prepared.verdict {
            Verdict::Forward(outbound) => outbound,
            Verdict::Answer(answer) => {
                self.instruments.notices().emit_with(&answer, &captured.head.origin());
                if Reason::of(&answer).is_some() {
                    self.instruments.metrics().copy_not_taken();
                }
                return None;
            }
        };
        let spans = prepared.report.spans;
        let Some(body) = outbound.content.into_body(body) else {
            self.instruments.metrics().copied(Copied::Dropped, spans);
            return None;
        };
        let now = host::now();
        let mut jobs = Vec::new();
        for (part, body) in cut(body, &outbound.parts) {
            match self.plugin.budget().hold(body) {
                Some(body) => jobs.push(Job { body, spans: part.spans, begun: now, due: now, attempts: 0 }),
                None => self.instruments.metrics().copied(Copied::Dropped, part.spans),
            }
        }
        Some(jobs)
    }

    /// A number for jitter, by xorshift from the clock: workers have to differ, no more.
    fn random(&self, now: u64) -> u32 {
        let mut state = self.random.get() ^ (now as u32) | 1;
        state ^= state << 13;
        state ^= state >> 17;
        state ^= state << 5;
        self.random.set(state);
        state
    }
}

/// The parts of a body; the usual one is not copied.
fn cut(body: Vec<u8>, parts: &[Part]) -> Vec<(Part, Vec<u8>)> {
    if let [part] = parts {
        return vec![(*part, body)];
    }
    let mut begin = 0;
    let cut = parts.iter().map(|part| {
        let whole = body.get(begin..part.end as usize).unwrap_or_default().to_vec();
        begin = part.end as usize;
        (*part, whole)
    });
    cut.collect()
}

fn milliseconds(nanoseconds: u64) -> u32 {
    u32::try_from(nanoseconds / 1_000_000).unwrap_or(u32::MAX)
}

/// Nanoseconds that copies may take of a tick: requests of the same worker wait meanwhile.
const TICK_SHARE: u64 = 5_000_000;

/// Milliseconds that a call may take at most: a document may set no limit, and a proxy keeps what a call holds.
const MAX_TIMEOUT: u32 = 300_000;
