//! Spans that were recorded more than once, and why that had to be.
//!
//! A request at an agent is *heard* if another one came by the same connection afterwards: podstamp sends one at a time, so
//! that it has read the answer. What was heard as 200 must not be sent again, by whomever.

use std::collections::{BTreeMap, HashMap, HashSet};

use super::{Evidence, SLACK, Verdict};
use crate::event::{End, Time};
use crate::identity::SpanKey;
use crate::journal::{Occurrence, Request};
use crate::ledger::{Attempt, Outcome};
use crate::options::Queue;

pub(super) fn judge(evidence: &Evidence, verdict: &mut Verdict) {
    let attempts: HashMap<_, _> = evidence
        .attempts
        .iter()
        .map(|attempt| ((attempt.id.client, attempt.id.batch, attempt.id.attempt), attempt))
        .collect();
    let mut all: HashMap<SpanKey, Vec<Occurrence>> = HashMap::new();
    for (key, occurrence) in &evidence.journal.again {
        all.entry(*key).or_insert_with(|| vec![evidence.journal.first[key]]).push(*occurrence);
    }
    let torn = torn(evidence);
    // A line for all spans of a request.
    let mut unexplained: BTreeMap<(u16, u32, u32), (u64, String)> = BTreeMap::new();
    for (key, mut occurrences) in all {
        let request = |occurrence: &Occurrence| &evidence.journal.requests[occurrence.request as usize];
        occurrences.sort_by_key(|occurrence| request(occurrence).ended);
        for pair in occurrences.windows(2) {
            let [before, after] = pair else { continue };
            let attempt = |of: &Occurrence| attempts.get(&(key.0, of.batch, of.attempt)).copied();
            let reason = if before.attempt == after.attempt {
                // A stopped agent takes its copy later than the agent that was asked after it.
                sent_again_by_podstamp(evidence, request(before), request(after))
                    .or_else(|| stopped_with_a_copy(evidence, request(after)))
            } else {
                // Whichever attempt is the earlier one made the client send another.
                let (earlier, at) = if before.attempt < after.attempt {
                    (attempt(before), before)
                } else {
                    (attempt(after), after)
                };
                let parts = torn.contains(&(key.0, at.batch, at.attempt));
                let again = request(before).began.max(request(after).began);
                earlier.and_then(|earlier| sent_again_by_client(evidence, earlier, request(at), again, parts))
            };
            match reason {
                Some(reason) => *verdict.duplicates.entry(reason).or_default() += 1,
                None => {
                    let requests = (key.0, before.request, after.request);
                    let line = unexplained.entry(requests).or_insert_with(|| {
                        let of = [before, after].map(|of| (attempt(of), request(of)));
                        (0, format!("{of:?}"))
                    });
                    line.0 += 1;
                }
            }
        }
    }
    let lines = unexplained.into_values().map(|(spans, line)| format!("{spans} spans: {line}"));
    verdict.unexplained.extend(lines);
}

/// The same attempt twice: podstamp did not hear of the first, or forgot that it had.
fn sent_again_by_podstamp(evidence: &Evidence, before: &Request, after: &Request) -> Option<&'static str> {
    if let Some(status) = before.status.filter(|status| *status != 200) {
        return (status == 503).then_some("the agent took it and answered 503");
    }
    if before.status.is_none() {
        return Some("the agent took it and closed");
    }
    if !before.is_heard
        && let Some(reason) = unheard_because(evidence, before, after.began)
    {
        return Some(reason);
    }
    // The removal from the queue is not durable at once.
    let mut lives = evidence.podstamp.iter().filter(|life| life.end == End::Killed);
    let killed = lives.any(|life| before.ended < life.told && life.told < after.ended);
    (evidence.queue == Queue::Disk && killed)
        .then_some("podstamp was killed before it could note the delivery")
}

/// The later record of two is the one whose answer nobody heard: its agent was stopped, or slow, with the request in hand.
fn stopped_with_a_copy(evidence: &Evidence, after: &Request) -> Option<&'static str> {
    let reason = unheard_because(evidence, after, after.ended);
    reason.filter(|reason| !after.is_heard && reason.starts_with("the answer came too late"))
}

/// Two attempts of a client: the earlier one was not acknowledged, and yet it was recorded.
fn sent_again_by_client(
    evidence: &Evidence,
    earlier: &Attempt,
    request: &Request,
    again: Time,
    in_parts: bool,
) -> Option<&'static str> {
    match earlier.outcome {
        Outcome::Unanswered => Some("the client had no answer"),
        Outcome::Refused { .. } => {
            if request.status.is_none() {
                return Some("the agent took it and closed");
            }
            if request.status != Some(200) {
                return Some("the agent took it and answered 503");
            }
            if request.ended + PROMPT > earlier.ended {
                return Some("the agent took it when the client had been told to come again");
            }
            if in_parts {
                return Some("a part of the request was not taken");
            }
            if !request.is_heard {
                return unheard_because(evidence, request, again);
            }
            None
        }
        Outcome::Unsent | Outcome::Rejected { .. } | Outcome::Acknowledged => None,
    }
}

/// The fault for which podstamp has not heard the answer of an agent when the request was made `again`.
fn unheard_because(evidence: &Evidence, request: &Request, again: Time) -> Option<&'static str> {
    let life = &evidence.agents[request.agent][request.life];
    if life.end != End::Lives && life.told < again.min(request.ended + SLACK) {
        return Some("the agent ended before its answer was read");
    }
    let mut lives = evidence.podstamp.iter();
    if lives.any(|life| life.end != End::Lives && life.told < again && is_near(life.told, request)) {
        return Some("podstamp ended before it read the answer");
    }
    let faults = evidence.events.iter().filter(|event| {
        event.from < again.min(request.ended + SLACK)
            && event.to + SLACK > request.began
            && event.agent.is_none_or(|agent| agent == request.agent)
    });
    let kinds: HashSet<&str> = faults.map(|event| event.kind).collect();
    if kinds.iter().any(|kind| kind.contains("SIGSTOP")) {
        return Some("the answer came too late: a process was stopped");
    }
    let slow = ["agent: slow", "agent: never answers"];
    slow.iter().any(|kind| kinds.contains(kind)).then_some("the answer came too late: the agent was slow")
}

fn is_near(time: Time, request: &Request) -> bool {
    request.began < time + SLACK && time < request.ended + SLACK
}

/// Attempts whose spans arrived in several requests, or some of which did not arrive.
fn torn(evidence: &Evidence) -> HashSet<(u16, u32, u16)> {
    let mut arrived: HashMap<(u16, u32, u16), (HashSet<u32>, u32)> = HashMap::new();
    let again = evidence.journal.again.iter().map(|(key, occurrence)| (key, occurrence));
    for (key, occurrence) in evidence.journal.first.iter().chain(again) {
        let attempt = arrived.entry((key.0, occurrence.batch, occurrence.attempt)).or_default();
        attempt.0.insert(occurrence.request);
        attempt.1 += 1;
    }
    let counts = evidence.attempts.iter().filter_map(|attempt| {
        let key = (attempt.id.client, attempt.id.batch, attempt.id.attempt);
        let (requests, spans) = arrived.get(&key)?;
        (requests.len() > 1 || *spans != attempt.count).then_some(key)
    });
    counts.collect()
}

/// Between an agent's record and the client's: whatever a busy machine takes for it, an answer that podstamp had read when it
/// refused the client was recorded by so much earlier.
const PROMPT: Time = 1_000_000_000;
