//! Copies on their way to the agent.

use std::cell::{Cell, RefCell};
use std::collections::{HashMap, VecDeque};

use podstamp_core::interface::{Attempt, Encoding, Header, Mended, Next, Outcome, Part, Signal, Verdict};
use podstamp_core::labels::{Attempted, Copied, Reason};

use super::capture::Captured;
use crate::abi::{Buffer, Headers, host};
use crate::budget::Held;
use crate::plugin::Plugin;
use crate::response::{self, MAX_RESPONSE};

/// All copies of a root.
#[derive(Default)]
pub(crate) struct Copies {
    /// Nothing has been done to these yet.
    captured: RefCell<VecDeque<Captured>>,
    /// These are ready, and wait for their next attempt.
    waiting: RefCell<Vec<Job>>,
    /// These are out, by the token of their call.
    calls: RefCell<HashMap<u32, Job>>,
    /// A state of a generator for jitter.
    random: Cell<u32>,
}

/// A stamped copy.
struct Job {
    body: Held,
    spans: u32,
    /// When its first attempt began, and when the next is due, nanoseconds.
    begun: u64,
    due: u64,
    attempts: u32,
}

impl Copies {
    /// Whether nothing waits for its time to come.
    pub(crate) fn is_idle(&self) -> bool {
        self.captured.borrow().is_empty() && self.waiting.borrow().is_empty()
    }

    /// Takes a request that has passed.
    pub(crate) fn offer(&self, captured: Captured) {
        self.captured.borrow_mut().push_back(captured);
    }

    /// Sends what is due, for as long as a tick may take.
    pub(crate) fn advance(&self, plugin: &Plugin, cluster: &str) {
        let began = host::now();
        let spent = || host::now().saturating_sub(began) > TICK_SHARE;
        while !spent() {
            let Some(captured) = self.captured.borrow_mut().pop_front() else { break };
            let jobs = prepare(plugin, &captured).unwrap_or_default();
            jobs.into_iter().for_each(|job| self.send(plugin, cluster, job));
        }
        let due: Vec<_> = self.waiting.borrow_mut().extract_if(.., |job| job.due <= began).collect();
        due.into_iter().for_each(|job| self.send(plugin, cluster, job));
    }

    /// A call has ended. Gives false if it is none of these.
    pub(crate) fn called(&self, plugin: &Plugin, token: u32, has_headers: bool, body_size: usize) -> bool {
        let Some(job) = self.calls.borrow_mut().remove(&token) else { return false };
        let headers = if has_headers { host::headers(Headers::CallResponse) } else { Vec::new() };
        let body = match body_size {
            0 => Vec::new(),
            size => host::buffer(Buffer::CallResponseBody, 0, size.min(MAX_RESPONSE)).unwrap_or_default(),
        };
        match response::status(&headers) {
            Some(status) => {
                let outcome = Outcome::Response { status, headers: &headers, body: &body };
                self.ended(plugin, job, Attempted::with(status), &outcome);
            }
            // A proxy tells no more than that there is no response.
            None => {
                let kept = job.body.bytes().to_vec();
                self.ended(plugin, job, Attempted::Closed, &Outcome::Closed(&kept));
            }
        }
        true
    }

    fn send(&self, plugin: &Plugin, cluster: &str, mut job: Job) {
        let exporter = &plugin.config().traces.exporter;
        let mut headers = vec![
            Header::new(":method", "POST"),
            Header::new(":path", exporter.target()),
            Header::new(":authority", exporter.authority()),
        ];
        headers.extend(plugin.filter().outbound_headers(Signal::Traces).iter().cloned());
        job.attempts += 1;
        let elapsed = milliseconds(host::now().saturating_sub(job.begun));
        let left = exporter.timeout.saturating_sub(elapsed).clamp(1, MAX_TIMEOUT);
        plugin.metrics().sent(job.body.bytes().len());
        match host::http_call(cluster, &headers, job.body.bytes(), left) {
            Ok(token) => drop(self.calls.borrow_mut().insert(token, job)),
            Err(refused) => {
                let reason = format!("the proxy makes no call to cluster {cluster:?} (status {})", refused.0);
                self.ended(plugin, job, Attempted::NotConnected, &Outcome::NotConnected(&reason));
            }
        }
    }

    fn ended(&self, plugin: &Plugin, mut job: Job, attempted: Attempted, outcome: &Outcome<'_>) {
        let now = host::now();
        plugin.metrics().attempted(attempted, Some(now.saturating_sub(job.begun.max(job.due))));
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
        match plugin.filter().conclude(&attempt, outcome) {
            Next::Retry(wait) => {
                job.due = now.saturating_add(u64::from(wait) * 1_000_000);
                self.waiting.borrow_mut().push(job);
            }
            Next::Mend(Mended { body, texts }) => {
                plugin.metrics().mended(texts);
                let Job { spans, begun, attempts, .. } = job;
                match plugin.budget().hold(body) {
                    Some(body) => {
                        self.waiting.borrow_mut().push(Job { body, spans, begun, due: now, attempts });
                    }
                    None => plugin.metrics().copied(Copied::Dropped, spans),
                }
            }
            Next::Answer(answer) => {
                plugin.notices().emit_of(&answer);
                let copied = if answer.status == 200 { Copied::Delivered } else { Copied::Failed };
                plugin.metrics().copied(copied, job.spans);
            }
        }
    }

    /// Jitter needs no more than that workers differ: xorshift, from the clock.
    fn random(&self, now: u64) -> u32 {
        let mut state = self.random.get() ^ (now as u32) | 1;
        state ^= state << 13;
        state ^= state >> 17;
        state ^= state << 5;
        self.random.set(state);
        state
    }
}

/// Stamps a copy, which may leave as several requests. What the filter refuses is no loss of ours: the agent would not take it
/// either.
fn prepare(plugin: &Plugin, captured: &Captured) -> Option<Vec<Job>> {
    let limit = plugin.config().limits.body as usize;
    let body = match captured.body(limit) {
        Ok(body) => body,
        Err(refusal) => {
            plugin.metrics().copy_not_taken();
            plugin.notices().warn("copy-unreadable", || {
                format!("a request was not copied: {refusal} ({})", captured.head.origin())
            });
            return None;
        }
    };
    plugin.metrics().received(captured.held.bytes().len(), body.len());
    let (prepared, _) = plugin.prepare(&captured.head.request(&body), true);
    let outbound = match prepared.verdict {
        Verdict::Forward(outbound) => outbound,
        Verdict::Answer(answer) => {
            plugin.notices().emit_with(&answer, &captured.head.origin());
            if Reason::of(&answer).is_some() {
                plugin.metrics().copy_not_taken();
            }
            return None;
        }
    };
    let spans = prepared.report.spans;
    let Some(body) = outbound.content.into_body(body) else {
        plugin.metrics().copied(Copied::Dropped, spans);
        return None;
    };
    let now = host::now();
    let mut jobs = Vec::new();
    for (part, body) in cut(body, &outbound.parts) {
        match plugin.budget().hold(body) {
            Some(body) => jobs.push(Job { body, spans: part.spans, begun: now, due: now, attempts: 0 }),
            None => plugin.metrics().copied(Copied::Dropped, part.spans),
        }
    }
    Some(jobs)
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

/// A document may ask for no limit, where a proxy keeps what a call holds.
const MAX_TIMEOUT: u32 = 300_000;
