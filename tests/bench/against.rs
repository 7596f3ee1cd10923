//! Another revision and this one, in turns: the benchmark of each runs part by part, and what both have is compared row by row.
//!
//! What goes between the two is the file of results that any revision writes for `--json`, so that a revision needs to know nothing of
//! the comparison. The sides change places from round to round: whoever comes second finds the caches warm.

mod figures;
mod verdict;

use std::collections::BTreeMap;
use std::path::Path;
use std::process::{Command, ExitCode, Stdio};

use serde_json::{Value, json};

use crate::arguments::{Against, Arguments};
use crate::parts;
use figures::Figure;
use verdict::Verdict;

/// Compares, and prints a row for each figure that both have. It fails where a figure is worse than may be.
pub(crate) fn run(arguments: &Arguments, against: &Against) -> ExitCode {
    let rounds = against.rounds.unwrap_or(if arguments.quick { 3 } else { 7 });
    let ours = std::env::current_exe().unwrap();
    println!(
        "{} and this tree, {rounds} rounds in turns. A ratio over 1 is worse here; `worse` and `better` are beyond noise: all \
         rounds agree, by {:.0} % or more.",
        against.revision,
        verdict::LEAST * 100.0
    );
    let mut compared = Vec::new();
    for part in parts::chosen(&arguments.parts) {
        if against.lacking.iter().any(|name| name == part.name) {
            println!("\n{}: {} does not have it", part.name, against.revision);
            continue;
        }
        let mut samples = Samples::default();
        for round in 0..rounds {
            eprint!("\r{}: round {} of {rounds} ", part.name, round + 1);
            let mut taken = [None, None];
            for side in if round % 2 == 0 { [0, 1] } else { [1, 0] } {
                let binary = [&*against.binary, &*ours][side];
                taken[side] = Some(figures::read(&measure(binary, part.name)));
            }
            let [theirs, ours] = taken.map(Option::unwrap_or_default);
            samples.add(theirs, ours);
        }
        eprintln!();
        compared.extend(samples.print(part.name, &against.revision));
    }
    let file = &arguments.json;
    let rows: Vec<_> = compared.iter().map(Compared::to_json).collect();
    std::fs::write(
        file,
        serde_json::to_string_pretty(&json!({"against": against.revision, "rows": rows})).unwrap(),
    )
    .unwrap();
    println!("\nresults also in {}", file.display());
    sum_up(&compared, against.fail_above)
}

/// One run of a part by a revision's benchmark. What it prints are figures of one round: nothing to look at.
fn measure(binary: &Path, part: &str) -> Value {
    let folder = tempfile::TempDir::new().unwrap();
    let file = folder.path().join("bench.json");
    let ended =
        Command::new(binary).args([part, "--quick", "--json"]).arg(&file).stdout(Stdio::null()).status();
    let text = std::fs::read(&file);
    let text = text
        .unwrap_or_else(|error| panic!("{} {part} gave no results: {ended:?}, {error}", binary.display()));
    let mut results: Value = serde_json::from_slice(&text).unwrap();
    results[part].take()
}

/// The figures of one part, from all rounds: theirs and ours in pairs.
#[derive(Default)]
struct Samples {
    both: BTreeMap<String, (Figure, Vec<(f64, f64)>)>,
    only_theirs: BTreeMap<String, Figure>,
    only_ours: BTreeMap<String, Figure>,
}

/// What became of a figure.
struct Compared {
    name: String,
    theirs: f64,
    ours: f64,
    verdict: Verdict,
}

impl Samples {
    fn add(&mut self, theirs: BTreeMap<String, Figure>, mut ours: BTreeMap<String, Figure>) {
        for (name, figure) in theirs {
            let Some(our) = ours.remove(&name) else {
                self.only_theirs.insert(name, figure);
                continue;
            };
            let pair = (figure.value, our.value);
            self.both.entry(name).or_insert((our, Vec::new())).1.push(pair);
        }
        self.only_ours.append(&mut ours);
    }

    /// Prints the part's rows and gives them.
    fn print(self, part: &str, revision: &str) -> Vec<Compared> {
        println!("\n{part}\n{:>58} {revision:>12} {:>12} {:>7}   {:>13}", "", "here", "ratio", "rounds");
        let mut rows = Vec::new();
        for (name, (figure, pairs)) in self.both {
            let Some(verdict) = Verdict::of(figure.better, &pairs) else { continue };
            let [theirs, ours] = verdict::middles(&pairs);
            let [least, most] = verdict.range;
            println!(
                "{name:>58} {:>12} {:>12} {:>7.3}   {least:>5.2} - {most:<5.2} {}",
                short(theirs),
                short(ours),
                verdict.ratio,
                verdict.word()
            );
            rows.push(Compared { name: format!("{part}: {name}"), theirs, ours, verdict });
        }
        for (who, names) in [(revision, self.only_theirs), ("this tree", self.only_ours)] {
            if !names.is_empty() {
                println!("only {who} has: {}", names.into_keys().collect::<Vec<_>>().join("; "));
            }
        }
        rows
    }
}

impl Compared {
    fn to_json(&self) -> Value {
        json!({
            "name": self.name, "theirs": self.theirs, "ours": self.ours, "ratio": self.verdict.ratio,
            "range": self.verdict.range, "verdict": self.verdict.word(),
        })
    }
}

/// Names what is worse, and fails where it is worse by more than may be.
fn sum_up(compared: &[Compared], fail_above: Option<f64>) -> ExitCode {
    let count = |word: &str| compared.iter().filter(|row| row.verdict.word() == word).count();
    println!("{} figures: {} better, {} worse", compared.len(), count("better"), count("WORSE"));
    for row in compared.iter().filter(|row| row.verdict.is_worse()) {
        println!("  WORSE {} {:.3}", row.name, row.verdict.ratio);
    }
    let limit = fail_above.map(|percent| 1.0 + percent / 100.0);
    let has_failed = compared.iter().any(|row| limit.is_some_and(|limit| row.verdict.exceeds(limit)));
    if has_failed { ExitCode::FAILURE } else { ExitCode::SUCCESS }
}

/// With as many places as say something.
fn short(value: f64) -> String {
    match value.abs() {
        large if large >= 100.0 => format!("{value:.0}"),
        middle if middle >= 1.0 => format!("{value:.2}"),
        _ => format!("{value:.4}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_that_only_one_side_has_are_named_and_not_compared() {
        let mut samples = Samples::default();
        for _ in 0..3 {
            let theirs = json!([{"label": "a", "p50_ms": 2.0}, {"label": "old", "p50_ms": 1.0}]);
            let ours = json!([{"label": "a", "p50_ms": 3.0}, {"label": "new", "p50_ms": 1.0}]);
            samples.add(figures::read(&theirs), figures::read(&ours));
        }
        assert!(samples.only_theirs.contains_key("old p50_ms"));
        assert!(samples.only_ours.contains_key("new p50_ms"));
        let rows = samples.print("host", "v1");
        assert_eq!(rows.len(), 1);
        assert_eq!((rows[0].theirs, rows[0].ours, rows[0].verdict.is_worse()), (2.0, 3.0, true));
        let fails = |above: Option<f64>| sum_up(&rows, above) == ExitCode::FAILURE;
        assert!(!fails(None) && !fails(Some(60.0)) && fails(Some(10.0)));
    }
}
