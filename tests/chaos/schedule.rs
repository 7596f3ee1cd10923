//! The schedule: which faults are made, in which order, for how long. It follows from the seed alone.

use std::fmt;
use std::time::Duration;

use fastrand::Rng;

/// A step: after a pause, faults are made, held, and undone.
#[derive(Clone, Debug)]
pub(crate) struct Step {
    pub(crate) pause: Duration,
    pub(crate) faults: Vec<Fault>,
    pub(crate) hold: Duration,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// At an agent, by its number.
    Agent(usize, Trouble),
    /// All agents are killed.
    Away,
    Podstamp(Stroke),
    /// podstamp is killed again while it starts.
    Stumble(Duration),
    /// Nothing more fits on the disk of the queue.
    FullDisk,
    /// A byte of the queue on disk changes while podstamp is down.
    Corruption,
    /// The agents' name leads to this one alone.
    Name(usize),
    /// The agents' name leads nowhere.
    NoName,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Trouble {
    Stroke(Stroke),
    Script(Script),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stroke {
    /// SIGKILL.
    Kill,
    /// SIGTERM.
    Terminate,
    /// SIGSTOP, and SIGCONT at the end.
    Stop,
}

/// What an agent does with each request for the time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Script {
    Silence,
    Close,
    CloseInBody,
    ImportThenClose,
    Answer(u16),
    ImportThenAnswer(u16),
    /// Takes so many milliseconds for each.
    Slow(u64),
}

/// What can be made where the run is.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Means {
    pub(crate) agents: usize,
    pub(crate) name: bool,
    pub(crate) full_disk: bool,
    pub(crate) corruption: bool,
}

/// Steps without end.
pub(crate) struct Schedule {
    rng: Rng,
    means: Means,
    /// Whether podstamp's process may end.
    restarts: bool,
}

impl Schedule {
    /// `part` tells the parts of a run apart.
    pub(crate) fn new(seed: u64, part: u64, means: Means, restarts: bool) -> Self {
        Self { rng: Rng::with_seed(seed ^ part.wrapping_mul(0x9e37_79b9_7f4a_7c15)), means, restarts }
    }

    /// The steps that take so long together.
    pub(crate) fn steps(mut self, time: Duration) -> Vec<Step> {
        let mut steps = Vec::new();
        let mut total = Duration::ZERO;
        while total < time {
            let step = self.step();
            total += step.pause + step.hold;
            steps.push(step);
        }
        steps
    }

    fn step(&mut self) -> Step {
        let mut faults = vec![self.fault()];
        while self.rng.u8(0..10) < 3 {
            let further = self.fault();
            if !faults.iter().any(|fault| fault.touches_what(further)) {
                faults.push(further);
            }
        }
        // Short ones hit what is under way, long ones fill queues.
        let hold = match self.rng.u8(0..10) {
            0..5 => self.rng.u64(0..300),
            5..9 => self.rng.u64(300..1_500),
            _ => self.rng.u64(2_000..6_000),
        };
        let pause = match self.rng.u8(0..10) {
            0..8 => self.rng.u64(0..500),
            _ => self.rng.u64(500..2_500),
        };
        Step { pause: Duration::from_millis(pause), faults, hold: Duration::from_millis(hold) }
    }

    fn fault(&mut self) -> Fault {
        loop {
            let agent = self.rng.usize(0..self.means.agents);
            match self.rng.u8(0..100) {
                0..16 => return Fault::Agent(agent, Trouble::Stroke(Stroke::Kill)),
                16..20 => return Fault::Agent(agent, Trouble::Stroke(Stroke::Terminate)),
                20..28 => return Fault::Agent(agent, Trouble::Stroke(Stroke::Stop)),
                28..48 => return Fault::Agent(agent, Trouble::Script(self.script())),
                48..56 => return Fault::Away,
                56..72 if self.restarts => return Fault::Podstamp(Stroke::Kill),
                72..76 if self.restarts => return Fault::Podstamp(Stroke::Terminate),
                76..82 => return Fault::Podstamp(Stroke::Stop),
                82..86 if self.restarts => {
                    return Fault::Stumble(Duration::from_millis(self.rng.u64(0..600)));
                }
                86..90 if self.means.full_disk => return Fault::FullDisk,
                90..93 if self.means.corruption && self.restarts => return Fault::Corruption,
                93..98 if self.means.name => return Fault::Name(agent),
                98..100 if self.means.name => return Fault::NoName,
                _ => {}
            }
        }
    }

    fn script(&mut self) -> Script {
        match self.rng.u8(0..12) {
            0 | 1 => Script::Silence,
            2 => Script::Close,
            3 => Script::CloseInBody,
            4 => Script::ImportThenClose,
            5 => Script::Answer(500),
            6 => Script::Answer(502),
            7 => Script::Answer(503),
            8 => Script::Answer(429),
            9 => Script::ImportThenAnswer(503),
            _ => Script::Slow(self.rng.u64(10..1_500)),
        }
    }
}

impl Fault {
    /// Whether two faults cannot be had at a time.
    fn touches_what(self, other: Self) -> bool {
        if matches!((self, other), (Self::Away, Self::Agent(..)) | (Self::Agent(..), Self::Away)) {
            return true;
        }
        let target = |fault| match fault {
            Self::Agent(agent, _) => agent,
            Self::Away => usize::MAX - 3,
            Self::Podstamp(_) | Self::Stumble(_) | Self::Corruption => usize::MAX,
            Self::FullDisk => usize::MAX - 1,
            Self::Name(_) | Self::NoName => usize::MAX - 2,
        };
        target(self) == target(other)
    }

    /// The fault's name in the report.
    pub(crate) fn kind(self) -> &'static str {
        match self {
            Self::Agent(_, Trouble::Stroke(Stroke::Kill)) => "agent: SIGKILL",
            Self::Agent(_, Trouble::Stroke(Stroke::Terminate)) => "agent: SIGTERM",
            Self::Agent(_, Trouble::Stroke(Stroke::Stop)) => "agent: SIGSTOP, SIGCONT",
            Self::Agent(_, Trouble::Script(script)) => match script {
                Script::Silence => "agent: never answers",
                Script::Close => "agent: closes without an answer",
                Script::CloseInBody => "agent: closes in mid-body",
                Script::ImportThenClose => "agent: takes, and closes without an answer",
                Script::Answer(500) => "agent: answers 500",
                Script::Answer(_) => "agent: answers 429, 502 or 503",
                Script::ImportThenAnswer(_) => "agent: takes, and answers 503",
                Script::Slow(_) => "agent: slow",
            },
            Self::Away => "all agents: SIGKILL",
            Self::Podstamp(Stroke::Kill) => "podstamp: SIGKILL",
            Self::Podstamp(Stroke::Terminate) => "podstamp: SIGTERM",
            Self::Podstamp(Stroke::Stop) => "podstamp: SIGSTOP, SIGCONT",
            Self::Stumble(_) => "podstamp: SIGKILL while it starts",
            Self::FullDisk => "disk: full",
            Self::Corruption => "disk: a flipped bit",
            Self::Name(_) => "name: moves",
            Self::NoName => "name: unknown",
        }
    }
}

impl fmt::Display for Step {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let faults: Vec<_> = self.faults.iter().map(|fault| format!("{fault:?}")).collect();
        write!(
            formatter,
            "after {:>4} ms, for {:>4} ms: {}",
            self.pause.as_millis(),
            self.hold.as_millis(),
            faults.join(" + ")
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: Means = Means { agents: 2, name: true, full_disk: true, corruption: true };

    fn steps(seed: u64, restarts: bool) -> Vec<Step> {
        Schedule::new(seed, 1, ALL, restarts).steps(Duration::from_secs(600))
    }

    fn text(steps: &[Step]) -> Vec<String> {
        steps.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn a_schedule_follows_from_its_seed() {
        assert_eq!(text(&steps(1, true)), text(&steps(1, true)));
        assert_ne!(text(&steps(1, true)), text(&steps(2, true)));
    }

    #[test]
    fn every_kind_of_fault_comes_in_a_while() {
        let kinds: std::collections::BTreeSet<_> =
            steps(1, true).iter().flat_map(|step| &step.faults).map(|fault| fault.kind()).collect();
        assert_eq!(kinds.len(), 20, "{kinds:?}");
    }

    #[test]
    fn podstamp_does_not_end_where_it_is_to_endure() {
        let faults: Vec<_> = steps(1, false).into_iter().flat_map(|step| step.faults).collect();
        let ends = |fault: &&Fault| {
            matches!(
                fault,
                Fault::Podstamp(Stroke::Kill | Stroke::Terminate) | Fault::Stumble(_) | Fault::Corruption
            )
        };
        assert_eq!(faults.iter().find(ends), None);
        assert!(faults.contains(&Fault::Podstamp(Stroke::Stop)));
    }
}
