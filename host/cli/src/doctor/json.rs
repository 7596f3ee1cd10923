//! The report as JSON. Its shape is documented in `docs/operating.md`; keys are added, never changed.

use serde_json::{Map, Value, json};

use super::check::Check;
use super::finding::{Finding, State};
use super::report::Report;

/// The whole report.
pub(super) fn document(report: &Report<'_>) -> Value {
    let counts: Map<_, _> =
        State::ALL.iter().map(|state| (state.name().to_owned(), report.count(*state).into())).collect();
    let checks: Vec<_> = report.found().iter().map(|(check, finding)| one(*check, finding)).collect();
    json!({
        "schema": SCHEMA,
        "version": env!("CARGO_PKG_VERSION"),
        "result": report.result().name(),
        "exit_code": report.exit() as u8,
        "counts": counts,
        "checks": checks,
    })
}

fn one(check: Check, finding: &Finding) -> Value {
    json!({
        "check": check.id,
        "group": check.group.id(),
        "title": check.title,
        "state": finding.state.name(),
        "summary": finding.summary,
        "details": finding.details,
        "advice": finding.advice,
        "commands": finding.commands,
        "see": finding.see.unwrap_or(check.see),
    })
}

/// A new one where a key goes or changes its meaning.
const SCHEMA: u32 = 1;
