//! What the upstream does not take goes into the exporter's queue, and the client is answered.

use std::sync::Arc;
use std::time::Duration;

use podstamp_core::config::{self, Fault};
use podstamp_core::interface::{Answer, Encoding, Next, Signal};
use tokio::time::Instant;

use super::batch::Batch;
use super::compress::Coded;
use super::consumer;
use super::lane::Flight;
use super::sending::{Head, Sending, UnusableHead};
use super::{Exporter, ExporterContext, Sent, Times, Unusable};
use crate::queue::{self, Entry, Keeping, NotKept, Queue, Settled, Ticket};
use crate::sandbox::{Ended, Failure};
use crate::settings::{self, milliseconds};

/// An exporter's queue, and what is needed to send what is in it.
pub(super) struct Queueing {
    pub(super) queue: Arc<Queue>,
    /// How long a request may take before it is queued.
    pub(super) patience: Duration,
    /// Tasks that send what is queued.
    pub(super) consumers: usize,
    pub(super) head: Head,
    /// How long one attempt to send what is queued may take.
    pub(super) timeout: Duration,
    /// Bytes of the largest body, before compression.
    pub(super) body_limit: u64,
}

/// A part of a batch that is to be sent, with all that follow it.
#[derive(Clone, Copy)]
pub(super) struct Rest<'a> {
    pub(super) batch: &'a Batch,
    pub(super) sending: &'a Arc<Sending>,
    pub(super) head: &'a Head,
    /// The part's number.
    pub(super) number: usize,
    /// Spans of the batch that the upstream has already.
    pub(super) delivered: u32,
    pub(super) times: Times,
    /// Whether somebody waits for the answer.
    pub(super) is_awaited: bool,
}

/// What the outcome of sending an entry means for it.
pub(super) enum Judged {
    Settled(Settled),
    /// The upstream cannot decode the body, and takes this one perhaps.
    Mended(Vec<u8>),
}

impl Queueing {
    /// Opens the queue. `merges`: whether requests that wait go upstream together.
    pub(super) fn open(
        signal: Signal,
        settings: &settings::Queue,
        merges: bool,
        context: &ExporterContext,
    ) -> Result<Self, Fault> {
        let settings::Queue { sending, memory, patience, exporter } = settings;
        let config::Exporter { id, retry, .. } = exporter;
        let fault =
            |error: UnusableHead| Fault { path: exporter.url_key.clone(), message: error.to_string() };
        let keep_for = (retry.max_elapsed_time > 0).then(|| milliseconds(retry.max_elapsed_time));
        let notices = Arc::clone(&context.notices);
        let kept = Keeping { memory: *memory, keep_for, merges };
        Ok(Self {
            queue: Queue::open(id, signal, sending, kept, &context.metrics, notices)?,
            patience: *patience,
            consumers: sending.num_consumers as usize,
            head: Head::new(&exporter.upstream()).map_err(fault)?,
            timeout: milliseconds(exporter.timeout),
            body_limit: context.body_limit,
        })
    }
}

impl Exporter {
    /// Sends a part. Where the upstream does not take it, or not soon, the part and those that follow are queued; where that cannot
    /// be done either, all is as without a queue.
    pub(super) async fn send_or_keep(
        self: &Arc<Self>,
        queueing: &Queueing,
        rest: Rest<'_>,
    ) -> Result<Sent, Failure> {
        let Rest { batch, sending, delivered, times, is_awaited, .. } = rest;
        let queue = &queueing.queue;
        if queue.is_shut() {
            if self.keep(queue, rest, false).await.is_ok() {
                return Ok(Sent::Kept);
            }
            let sent = self.send_part(sending, batch, times, delivered).await?;
            if matches!(&sent, Sent::Answer(answer) if answer.status == 200) {
                queue.reached();
            }
            return Ok(sent);
        }
        let begun = Instant::now();
        let lane = self.lane(sending);
        let patient = if is_awaited { times.until.min(begun + queueing.patience) } else { times.until };
        let ended = match lane.start(sending, times.deadline, patient) {
            Err(ended) => ended,
            Ok(mut flight) => match flight.outcome(patient).await {
                Some(ended) => ended,
                None if flight.leave() => {
                    return match self.keep(queue, rest, false).await {
                        Ok(_) => Ok(Sent::Kept),
                        Err(_) => self.send_part(sending, batch, times, delivered).await,
                    };
                }
                None => {
                    // The outcome may come while there is no room, or while a disk takes its time.
                    let kept = tokio::select! {
                        biased;
                        kept = self.keep(queue, rest, true) => Ok(kept),
                        ended = flight.outcome(times.until) => Err(ended),
                    };
                    match kept {
                        Ok(Ok(ticket)) => {
                            self.settle_later(
                                queueing,
                                ticket,
                                flight,
                                batch.encoding,
                                begun,
                                times.deadline,
                            );
                            return Ok(Sent::Kept);
                        }
                        Ok(Err(_)) => flight.end(times.until).await,
                        Err(ended) => ended.unwrap_or(Ended::TimedOut),
                    }
                }
            },
        };
        let reason = reason(&ended);
        let asks = asks_to_wait(&ended);
        let attempt = self.attempt(batch.encoding, 1, times, delivered);
        let next = self.context.calls.conclude(batch.peer, attempt, ended).await?;
        let Some(delay) = delay(&next, asks) else {
            queue.reached();
            return Ok(match next {
                Next::Mend(mended) => Sent::Mended(mended),
                Next::Answer(answer) => Sent::Answer(answer),
                Next::Retry(_) => return Err(self.unusable(Unusable::LateRetry)),
            });
        };
        queue.failed(begun, delay);
        if self.keep(queue, rest, false).await.is_ok() {
            self.tell_of_queueing(queue, sending, &reason);
            return Ok(Sent::Kept);
        }
        match next {
            Next::Answer(answer) => Ok(Sent::Answer(answer)),
            _ => {
                let wait = delay.min(times.until.saturating_duration_since(Instant::now()));
                lane.pause(sending, wait).await;
                self.send_part(sending, batch, times, delivered).await
            }
        }
    }

    /// Queues a part and all that follow it. `is_leased`: the part is on its way.
    async fn keep(&self, queue: &Queue, rest: Rest<'_>, is_leased: bool) -> Result<Option<Ticket>, NotKept> {
        let Rest { batch, sending, head, number, times, .. } = rest;
        let mut entries = vec![self.entry(&sending.body, sending.load.spans(), sending.load.memory())];
        for number in number + 1..batch.parts() {
            if let Some(part) = batch.part(number) {
                let next = self.sending(batch, part, head).await;
                entries.push(self.entry(&next.body, next.load.spans(), next.load.memory()));
            }
        }
        queue.keep(entries, times.until, is_leased).await
    }

    fn entry(&self, body: &Coded, spans: u64, memory: u64) -> Entry {
        let (coding, body) = body.stored();
        let small = |number: u64| u32::try_from(number).unwrap_or(u32::MAX);
        let head = queue::Head {
            signal: self.signal,
            queued: queue::milliseconds_since_1970(),
            spans: small(spans),
            memory: small(memory),
            coding,
            length: small(body.len() as u64),
        };
        Entry { head, body }
    }

    /// Waits for the outcome of a request that is on its way while it is queued already.
    fn settle_later(
        self: &Arc<Self>,
        queueing: &Queueing,
        ticket: Option<Ticket>,
        flight: Flight,
        encoding: Encoding,
        begun: Instant,
        deadline: Instant,
    ) {
        let Some(ticket) = ticket else { return };
        let queue = Arc::clone(&queueing.queue);
        queue.failed(begun, SLOW);
        let (exporter, more) = (Arc::clone(self), queueing.timeout);
        tokio::spawn(async move {
            let ended = consumer::end(flight, deadline, deadline + more).await;
            let settled = match exporter.judge(&queue, encoding, ended, begun).await {
                Judged::Settled(settled) => settled,
                // The next attempt finds that out again.
                Judged::Mended(_) => Settled::Later,
            };
            queue.settle(ticket, settled);
        });
    }

    /// What the outcome of an entry's attempt, which `begun`, means for it, and for what follows.
    pub(super) async fn judge(
        &self,
        queue: &Queue,
        encoding: Encoding,
        ended: Ended,
        begun: Instant,
    ) -> Judged {
        let asks = asks_to_wait(&ended);
        let later = if is_suspect(&ended) { Settled::Suspect } else { Settled::Later };
        let times = Times { begun, deadline: begun, until: begun + FOR_EVER };
        let number = queue.tries().saturating_add(1);
        let attempt = self.attempt(encoding, number, times, 0);
        let Ok(next) = self.context.calls.conclude(NOBODY, attempt, ended).await else {
            queue.failed(begun, SLOW);
            return Judged::Settled(later);
        };
        if let Some(delay) = delay(&next, asks) {
            queue.failed(begun, delay);
            return Judged::Settled(later);
        }
        match next {
            Next::Mend(mended) => Judged::Mended(mended.body),
            Next::Answer(Answer { status: 200..=299, .. }) => {
                queue.reached();
                Judged::Settled(Settled::Delivered)
            }
            Next::Answer(answer) => {
                // Refused for what it is, unless it is the configuration that is at fault, which somebody may correct.
                let is_refused = matches!(answer.status, 400 | 413);
                answer.notice.iter().for_each(|notice| self.context.notices.emit(notice));
                if is_refused {
                    queue.reached();
                    return Judged::Settled(Settled::Refused);
                }
                queue.failed(begun, LONGEST);
                Judged::Settled(later)
            }
            Next::Retry(_) => Judged::Settled(later),
        }
    }

    fn tell_of_queueing(&self, queue: &Queue, sending: &Sending, reason: &str) {
        self.context.notices.warn("queue-fills", || {
            let place = if queue.is_durable() { "on disk" } else { "in memory" };
            format!(
                "{} takes nothing now ({reason}): requests are acknowledged and queued {place}",
                sending.uri
            )
        });
    }
}

/// When the next attempt is due, where `next` says that there is to be one. `asks`: the upstream itself said when.
fn delay(next: &Next, asks: bool) -> Option<Duration> {
    let delay = match next {
        Next::Retry(wait) => Duration::from_millis((*wait).into()),
        Next::Answer(Answer { status: 429 | 502..=504, headers, .. }) => {
            let after = headers.iter().find(|header| header.name == "retry-after");
            let after = after.and_then(|header| std::str::from_utf8(&header.value).ok()?.parse().ok());
            after.map_or(SLOW, Duration::from_secs)
        }
        _ => return None,
    };
    Some(delay.min(if asks { LONGEST_ASKED } else { LONGEST }))
}

/// Whether an upstream said when to come again.
fn asks_to_wait(ended: &Ended) -> bool {
    matches!(ended, Ended::Response { headers, .. } if headers.iter().any(|header| header.name == "retry-after"))
}

/// Whether the body itself may be why an attempt came to nothing.
fn is_suspect(ended: &Ended) -> bool {
    match ended {
        Ended::Response { status, .. } => !matches!(status, 429 | 502..=504),
        Ended::Closed(_) | Ended::TimedOut | Ended::Oversized => true,
        Ended::NotConnected(_) | Ended::Away { .. } | Ended::Waited => false,
    }
}

/// Why an upstream has not taken a request, for people.
fn reason(ended: &Ended) -> String {
    match ended {
        Ended::Response { status, .. } => format!("status {status}"),
        Ended::NotConnected(reason) | Ended::Away { reason, .. } => reason.clone(),
        Ended::Waited => "busy with others".to_owned(),
        Ended::Closed(_) => "it closes the connection".to_owned(),
        Ended::TimedOut => "no answer".to_owned(),
        Ended::Oversized => "its answer is too large".to_owned(),
    }
}

/// The filter's calls about entries count for no client.
const NOBODY: std::net::IpAddr = std::net::IpAddr::V4(std::net::Ipv4Addr::UNSPECIFIED);

/// How long it takes until an upstream is tried that does not answer.
const SLOW: Duration = Duration::from_secs(1);

/// An upstream that is back is tried after that time at the latest, unless it asked for more.
const LONGEST: Duration = Duration::from_secs(10);

/// The same where it asked for more: what is queued must not expire over what one answer asked.
const LONGEST_ASKED: Duration = Duration::from_secs(60);

/// The patience of an entry for which nobody waits.
const FOR_EVER: Duration = Duration::from_millis(u32::MAX as u64);
