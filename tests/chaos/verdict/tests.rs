//! What a verdict comes to, over evidence that is made up.

use std::collections::HashMap;
use std::collections::hash_map::Entry;

use super::*;
use crate::identity::AttemptId;
use crate::journal::{Occurrence, Request};

const SECOND: Time = 1_000_000_000;

/// Attempts of one client, of two spans each, and what was recorded of them.
struct Case {
    attempts: Vec<(u16, Outcome)>,
    /// Attempts by number, each recorded by a request of its own at this second.
    recorded: Vec<(u16, Time, bool)>,
    queue: Queue,
    events: Vec<Event>,
    podstamp: Vec<Life>,
}

impl Case {
    fn new(attempts: &[(u16, Outcome)]) -> Self {
        let podstamp = vec![life(End::Lives, 0)];
        let attempts = attempts.to_vec();
        Self { attempts, recorded: Vec::new(), queue: Queue::None, events: Vec::new(), podstamp }
    }

    /// An attempt is recorded; whether its answer was heard.
    fn recorded(mut self, attempt: u16, second: Time, is_heard: bool) -> Self {
        self.recorded.push((attempt, second * SECOND, is_heard));
        self
    }

    fn event(mut self, kind: &'static str, from: Time, to: Time) -> Self {
        self.events.push(Event { from: from * SECOND, to: to * SECOND, kind, agent: None });
        self
    }

    /// podstamp was killed at this second.
    fn killed(self, second: Time) -> Self {
        self.ended(second, End::Killed, 0)
    }

    /// podstamp ended at this second, and said that so many spans are lost.
    fn ended(mut self, second: Time, end: End, given_up: u64) -> Self {
        let told = second * SECOND;
        self.podstamp.insert(0, Life { told, given_up, ..life(end, 0) });
        self.podstamp[1].from = told;
        self
    }

    fn queue(self, queue: Queue) -> Self {
        Self { queue, ..self }
    }

    fn verdict(self) -> Verdict {
        let mut journal = Journal { first: HashMap::new(), ..Journal::default() };
        for (index, (attempt, ended, is_heard)) in self.recorded.into_iter().enumerate() {
            let began = ended - SECOND / 100;
            let (peer, status) = (String::new(), Some(200));
            journal.requests.push(Request { agent: 0, life: 0, peer, began, ended, status, is_heard });
            for number in 0..2 {
                let occurrence = Occurrence { request: index as u32, batch: 0, attempt };
                match journal.first.entry((0, number)) {
                    Entry::Vacant(vacant) => drop(vacant.insert(occurrence)),
                    Entry::Occupied(_) => journal.again.push(((0, number), occurrence)),
                }
            }
        }
        let attempts = self.attempts.into_iter().map(|(number, outcome)| {
            // Attempt 0 takes the tenth second, attempt 1 the twentieth.
            let began = (10 + 10 * Time::from(number)) * SECOND;
            let id = AttemptId { run: 0, client: 0, batch: 0, attempt: number };
            Attempt { id, first: 0, count: 2, began, ended: began + SECOND, outcome }
        });
        let evidence = Evidence {
            queue: self.queue,
            attempts: attempts.collect(),
            journal,
            events: self.events,
            podstamp: self.podstamp,
            agents: vec![vec![life(End::Lives, 0)]],
        };
        evidence.verdict()
    }
}

fn life(end: End, from: Time) -> Life {
    Life { from, told: 0, end, given_up: 0, damaged: 0 }
}

fn refused() -> Outcome {
    Outcome::Refused { status: 503, wait: None }
}

fn reasons(verdict: &Verdict) -> Vec<&str> {
    verdict.duplicates.keys().copied().collect()
}

#[test]
fn what_was_acknowledged_and_recorded_once_is_sound() {
    let verdict = Case::new(&[(0, Outcome::Acknowledged)]).recorded(0, 10, true).verdict();
    assert!(verdict.is_sound(), "{verdict:?}");
    assert_eq!((verdict.sent, verdict.acknowledged, verdict.recorded), (2, 2, 2));
}

#[test]
fn what_was_acknowledged_and_is_nowhere_is_lost() {
    let verdict = Case::new(&[(0, Outcome::Acknowledged)]).verdict();
    assert_eq!(verdict.lost, [(0, 0), (0, 1)]);
    assert!(!verdict.is_sound());
}

#[test]
fn what_was_refused_may_be_nowhere() {
    let verdict = Case::new(&[(0, refused())]).verdict();
    assert!(verdict.is_sound(), "{verdict:?}");
}

#[test]
fn memory_may_lose_when_podstamp_is_killed_and_disk_may_not() {
    let acknowledged = || Case::new(&[(0, Outcome::Acknowledged)]);
    let memory = acknowledged().queue(Queue::Memory).killed(30).verdict();
    assert!(memory.is_sound() && memory.excused.values().sum::<u64>() == 2, "{memory:?}");
    // Killed before, it cannot have lost what it had not yet.
    assert!(!acknowledged().queue(Queue::Memory).killed(5).verdict().is_sound());
    assert!(!acknowledged().queue(Queue::Disk).killed(30).verdict().is_sound());
}

#[test]
fn memory_may_lose_on_sigterm_what_podstamp_says_is_lost() {
    let ended = |given_up| {
        let case = Case::new(&[(0, Outcome::Acknowledged)]).queue(Queue::Memory);
        case.ended(30, End::Terminated, given_up).verdict()
    };
    assert!(ended(2).is_sound());
    assert_eq!(ended(1).lost.len(), 2);
    assert_eq!(ended(0).lost.len(), 2);
}

#[test]
fn a_flipped_bit_damages_one_request_that_was_there() {
    let flipped = |second, damaged| {
        let mut case = Case::new(&[(0, Outcome::Acknowledged)]).queue(Queue::Disk).killed(16);
        case.podstamp[1].damaged = damaged;
        case.event("disk: a flipped bit", second, second + 1).verdict().is_sound()
    };
    assert!(flipped(15, 1));
    // podstamp has to say so, and what came later cannot have been damaged.
    assert!(!flipped(15, 0));
    assert!(!flipped(5, 1));
}

#[test]
fn a_second_record_of_an_attempt_has_a_reason_or_is_wrong() {
    let twice = |heard| Case::new(&[(0, Outcome::Acknowledged)]).recorded(0, 10, heard).recorded(0, 12, true);
    assert_eq!(twice(true).verdict().unexplained.len(), 1);
    // Nothing happened for which the answer could have been missed.
    assert_eq!(twice(false).verdict().unexplained.len(), 1);
    let slow = twice(false).event("agent: slow", 9, 11).verdict();
    assert_eq!(reasons(&slow), ["the answer came too late: the agent was slow"]);
    assert!(slow.is_sound());
    // What was heard may be forgotten with the process, where there is a disk to have it from again.
    assert_eq!(twice(true).killed(11).verdict().unexplained.len(), 1);
    assert!(twice(true).queue(Queue::Disk).killed(11).verdict().is_sound());
    assert!(!twice(true).queue(Queue::Disk).killed(13).verdict().is_sound());
}

#[test]
fn a_stopped_agent_may_take_its_copy_after_the_other_one() {
    let twice = |heard| {
        let case = Case::new(&[(0, Outcome::Acknowledged)]).recorded(0, 12, true).recorded(0, 13, heard);
        case.event("agent: SIGSTOP, SIGCONT", 9, 13).verdict()
    };
    assert_eq!(reasons(&twice(false)), ["the answer came too late: a process was stopped"]);
    // One that was heard was not the one that nobody waited for.
    assert_eq!(twice(true).unexplained.len(), 1);
}

#[test]
fn what_was_refused_must_not_be_recorded_without_a_reason() {
    let again = |first| {
        let attempts = [(0, first), (1, Outcome::Acknowledged)];
        Case::new(&attempts).recorded(0, 10, true).recorded(1, 20, true)
    };
    assert_eq!(again(refused()).verdict().unexplained.len(), 1);
    assert_eq!(reasons(&again(Outcome::Unanswered).verdict()), ["the client had no answer"]);
    assert_eq!(again(Outcome::Unsent).verdict().unexplained.len(), 1);
}

#[test]
fn what_is_refused_for_good_has_to_come_from_the_agent() {
    let rejected = |status| Outcome::Rejected { status, message: String::new() };
    assert!(!Case::new(&[(0, rejected(500))]).verdict().is_sound());
    assert!(Case::new(&[(0, rejected(500))]).event("agent: answers 500", 9, 11).verdict().is_sound());
    assert!(!Case::new(&[(0, rejected(400))]).event("agent: answers 500", 9, 11).verdict().is_sound());
}
