//! The judgement: what clients were told against what agents have recorded.

mod duplicates;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use crate::event::{End, Event, Life, Time};
use crate::identity::SpanKey;
use crate::journal::Journal;
use crate::ledger::{Attempt, Outcome};
use crate::options::Queue;

/// All that is known after a run.
pub(crate) struct Evidence {
    pub(crate) queue: Queue,
    pub(crate) attempts: Vec<Attempt>,
    pub(crate) journal: Journal,
    pub(crate) events: Vec<Event>,
    /// podstamp's lives.
    pub(crate) podstamp: Vec<Life>,
    /// Each agent's lives.
    pub(crate) agents: Vec<Vec<Life>>,
}

/// What acknowledged spans may be lost by; each is used up by what it excuses.
struct Excuses {
    /// When bits were flipped on disk that podstamp said something of afterwards.
    flips: Vec<Time>,
    /// The spans that each process of podstamp said were lost with it.
    given_up: Vec<u64>,
}

/// What comes of it.
#[derive(Debug, Default)]
pub(crate) struct Verdict {
    /// Spans of all batches.
    pub(crate) sent: u64,
    pub(crate) acknowledged: u64,
    pub(crate) recorded: u64,
    /// Acknowledged and nowhere.
    pub(crate) lost: Vec<SpanKey>,
    /// The same, where it cannot be otherwise, by reason.
    pub(crate) excused: BTreeMap<&'static str, u64>,
    /// Spans that came more than once, by reason.
    pub(crate) duplicates: BTreeMap<&'static str, u64>,
    /// Spans that came more than once, and should not have.
    pub(crate) unexplained: Vec<String>,
    /// Attempts by outcome.
    pub(crate) outcomes: BTreeMap<String, u64>,
    /// Attempts that were refused for good and should not have been.
    pub(crate) rejected: Vec<String>,
}

impl Evidence {
    pub(crate) fn verdict(&self) -> Verdict {
        let mut verdict = Verdict { recorded: self.journal.first.len() as u64, ..Verdict::default() };
        let mut excuses = Excuses {
            flips: self.flips(),
            given_up: self.podstamp.iter().map(|life| life.given_up).collect(),
        };
        for attempt in &self.attempts {
            if attempt.id.attempt == 0 {
                verdict.sent += u64::from(attempt.count);
            }
            *verdict.outcomes.entry(name(&attempt.outcome)).or_default() += 1;
            match &attempt.outcome {
                Outcome::Acknowledged => self.look_for(attempt, &mut excuses, &mut verdict),
                Outcome::Rejected { status, message } if !self.may_be_rejected(*status, attempt) => {
                    verdict.rejected.push(format!("{:?} got {status}: {message}", attempt.id));
                }
                Outcome::Rejected { .. }
                | Outcome::Refused { .. }
                | Outcome::Unsent
                | Outcome::Unanswered => {}
            }
        }
        duplicates::judge(self, &mut verdict);
        verdict
    }

    fn look_for(&self, attempt: &Attempt, excuses: &mut Excuses, verdict: &mut Verdict) {
        verdict.acknowledged += u64::from(attempt.count);
        let keys = (attempt.first..attempt.first + attempt.count).map(|number| (attempt.id.client, number));
        let lost: Vec<SpanKey> = keys.filter(|key| !self.journal.first.contains_key(key)).collect();
        if lost.is_empty() {
            return;
        }
        let excuse = match self.queue {
            Queue::None => None,
            Queue::Memory => self.in_memory(attempt.ended, lost.len() as u64, excuses),
            Queue::Disk => {
                // Whatever was damaged, it was one request of one client.
                let flip = excuses.flips.iter().position(|flip| *flip > attempt.ended);
                flip.map(|flip| excuses.flips.remove(flip)).map(|_| "damaged on disk")
            }
        };
        match excuse {
            Some(excuse) => *verdict.excused.entry(excuse).or_default() += lost.len() as u64,
            None => verdict.lost.extend(lost),
        }
    }

    /// 500 of an agent goes on to the client, for which it is an end.
    fn may_be_rejected(&self, status: u16, attempt: &Attempt) -> bool {
        let answered_500 = || {
            let mut events = self.events.iter().filter(|event| event.kind == "agent: answers 500");
            events.any(|event| event.from <= attempt.ended && event.to + SLACK >= attempt.began)
        };
        // INTERNAL, or what HTTP has for it.
        [13, 500].contains(&status) && answered_500()
    }

    /// How spans that were acknowledged at that time may be lost with podstamp's process.
    fn in_memory(&self, time: Time, spans: u64, excuses: &mut Excuses) -> Option<&'static str> {
        let number = self.podstamp.iter().rposition(|life| life.from <= time)?;
        match self.podstamp[number].end {
            End::Lives => None,
            End::Killed => Some("in memory when podstamp was killed"),
            End::Terminated => {
                let given_up = &mut excuses.given_up[number];
                *given_up = given_up.checked_sub(spans)?;
                Some("in memory when podstamp had to end, which said so")
            }
        }
    }

    /// The flipped bits that podstamp's log tells of before the next one comes.
    fn flips(&self) -> Vec<Time> {
        let flips = self.events.iter().filter(|event| event.kind == "disk: a flipped bit");
        let flips: Vec<Time> = flips.map(|event| event.from).collect();
        let is_told = |number: usize| {
            let until = flips.get(number + 1).copied().unwrap_or(Time::MAX);
            let mut after = self.podstamp.iter().filter(|life| (flips[number]..until).contains(&life.from));
            after.any(|life| life.damaged > 0)
        };
        (0..flips.len()).filter(|number| is_told(*number)).map(|number| flips[number]).collect()
    }
}

impl Verdict {
    pub(crate) fn is_sound(&self) -> bool {
        self.lost.is_empty() && self.unexplained.is_empty() && self.rejected.is_empty()
    }
}

fn name(outcome: &Outcome) -> String {
    match outcome {
        Outcome::Unsent => "not sent".to_owned(),
        Outcome::Unanswered => "no answer".to_owned(),
        Outcome::Refused { status, .. } => format!("try again ({status})"),
        Outcome::Rejected { status, .. } => format!("refused ({status})"),
        Outcome::Acknowledged => "acknowledged".to_owned(),
    }
}

/// What takes longer to show than the clocks tell: an answer is on its way while its cause is undone.
pub(crate) const SLACK: Time = 5_000_000_000;
