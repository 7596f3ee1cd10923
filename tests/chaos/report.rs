//! The report of a run: a table, and what is wrong.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::time::Duration;

use crate::event::{End, Life};
use crate::options::Options;
use crate::process::Held;
use crate::shape::SHAPES;
use crate::verdict::{Evidence, Verdict};

pub(crate) struct Report<'a> {
    pub(crate) options: &'a Options,
    pub(crate) evidence: &'a Evidence,
    pub(crate) verdict: Verdict,
    pub(crate) measured: Measured,
    /// What is wrong apart from spans.
    pub(crate) complaints: Vec<String>,
}

/// The figures of podstamp's last process, and of its starts.
pub(crate) struct Measured {
    pub(crate) before: Held,
    /// MiB.
    pub(crate) most: f64,
    pub(crate) after: Held,
    /// Seconds.
    pub(crate) starts: Vec<f64>,
    /// Spans that went through queues, at least.
    pub(crate) queued: f64,
    /// How long there were faults.
    pub(crate) faults: Duration,
}

impl Report<'_> {
    pub(crate) fn is_sound(&self) -> bool {
        self.verdict.is_sound() && self.evidence.journal.wrong.is_empty() && self.complaints.is_empty()
    }

    pub(crate) fn text(&self) -> String {
        let (evidence, verdict, measured) = (self.evidence, &self.verdict, &self.measured);
        let mut rows: Vec<(String, String)> = Vec::new();
        let mut row = |name: &str, value: String| rows.push((name.to_owned(), value));
        row("seed", self.options.seed.to_string());
        row("queue", self.options.queue.name().to_owned());
        row("minutes of faults", format!("{:.1}", measured.faults.as_secs_f64() / 60.0));
        let killed = |lives: &[Life]| lives.iter().filter(|life| life.end == End::Killed).count();
        let agents: usize = evidence.agents.iter().map(|lives| killed(lives)).sum();
        let podstamp = killed(&evidence.podstamp);
        row("SIGKILLs", format!("{} (podstamp {podstamp}, agents {agents})", podstamp + agents));
        let mut kinds: BTreeMap<&str, usize> = BTreeMap::new();
        evidence.events.iter().for_each(|event| *kinds.entry(event.kind).or_default() += 1);
        row("faults", evidence.events.len().to_string());
        for (kind, count) in kinds {
            row(&format!("- {kind}"), count.to_string());
        }
        row("attempts of clients", evidence.attempts.len().to_string());
        for (outcome, count) in &verdict.outcomes {
            row(&format!("- {outcome}"), count.to_string());
        }
        row("requests that agents took", evidence.journal.requests.len().to_string());
        row("- two at a time at one agent", evidence.journal.overlaps().to_string());
        row("spans sent", verdict.sent.to_string());
        row("spans acknowledged", verdict.acknowledged.to_string());
        row("- of them queued, at least", format!("{:.0}", measured.queued));
        row("spans recorded", verdict.recorded.to_string());
        row("**acknowledged spans lost**", verdict.lost.len().to_string());
        for (excuse, count) in &verdict.excused {
            row(&format!("acknowledged spans lost: {excuse}"), count.to_string());
        }
        row("spans under a wrong address", evidence.journal.wrong.len().to_string());
        row("spans that came again", verdict.duplicates.values().sum::<u64>().to_string());
        for (reason, count) in &verdict.duplicates {
            row(&format!("- {reason}"), count.to_string());
        }
        row("**spans that came again for no reason**", verdict.unexplained.len().to_string());
        let Measured { before, most, after, starts, .. } = measured;
        row(
            "memory of podstamp's last process, MiB",
            format!("{:.0} before, at most {most:.0}, {:.0} after", before.resident, after.resident),
        );
        row("its descriptors", format!("{} before, {} after", before.descriptors, after.descriptors));
        row("its threads", format!("{} before, {} after", before.threads, after.threads));
        let longest = starts.iter().copied().fold(0.0, f64::max);
        let mean = starts.iter().sum::<f64>() / starts.len().max(1) as f64;
        row("seconds until podstamp was ready", format!("{mean:.2}, at most {longest:.2}"));
        row("other complaints", self.complaints.len().to_string());
        let mut text = "| | |\n|---|---|\n".to_owned();
        for (name, value) in rows {
            writeln!(text, "| {name} | {value} |").unwrap();
        }
        text
    }

    /// All that is wrong, with ids.
    pub(crate) fn violations(&self) -> String {
        let mut text = String::new();
        let mut list = |title: &str, lines: &[String]| {
            if !lines.is_empty() {
                writeln!(text, "{title}: {}", lines.len()).unwrap();
                for line in lines.iter().take(MOST_LINES) {
                    writeln!(text, "  {line}").unwrap();
                }
            }
        };
        let ids = |(client, number): &(u16, u32)| {
            let attempts = self.evidence.attempts.iter().filter(|attempt| {
                attempt.id.client == *client
                    && (attempt.first..attempt.first + attempt.count).contains(number)
            });
            let attempts: Vec<_> = attempts
                .map(|attempt| format!("{} {}..{}", name(&attempt.outcome), attempt.began, attempt.ended))
                .collect();
            let client = SHAPES[usize::from(*client)].name;
            format!("{client}, span {number}: {}", attempts.join(", "))
        };
        let lost: Vec<_> = self.verdict.lost.iter().take(MOST_LINES).map(ids).collect();
        if !lost.is_empty() {
            list(&format!("LOST, though acknowledged, {} spans, of which", self.verdict.lost.len()), &lost);
        }
        list("under a wrong address", &self.evidence.journal.wrong);
        list("came again for no reason", &self.verdict.unexplained);
        list("refused for good", &self.verdict.rejected);
        list("complaints", &self.complaints);
        text
    }
}

fn name(outcome: &crate::ledger::Outcome) -> String {
    format!("{outcome:?}")
}

const MOST_LINES: usize = 200;
