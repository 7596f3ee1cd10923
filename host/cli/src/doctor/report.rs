//! What all checks came to, in their order.

use super::check::Check;
use super::finding::{Finding, State};
use crate::exit::Exit;

/// What all checks came to. Who reads along is told of each as it comes.
pub(super) struct Report<'t> {
    found: Vec<(Check, Finding)>,
    tell: Tell<'t>,
}

/// Takes a check with what it came to.
type Tell<'t> = Box<dyn FnMut(Check, &Finding) + Send + 't>;

impl<'t> Report<'t> {
    pub(super) fn new(tell: impl FnMut(Check, &Finding) + Send + 't) -> Self {
        Self { found: Vec::new(), tell: Box::new(tell) }
    }

    pub(super) fn add(&mut self, check: Check, finding: Finding) {
        (self.tell)(check, &finding);
        self.found.push((check, finding));
    }

    /// Adds a check that makes no sense where another one failed.
    pub(super) fn skip(&mut self, check: Check, because_of: Check) {
        self.add(check, Finding::skipped(format!("`{}` has to be right first", because_of.title)));
    }

    pub(super) fn skip_all(&mut self, checks: &[Check], because_of: Check) {
        checks.iter().for_each(|check| self.skip(*check, because_of));
    }

    pub(super) fn found(&self) -> &[(Check, Finding)] {
        &self.found
    }

    pub(super) fn count(&self, state: State) -> usize {
        self.found.iter().filter(|(_, finding)| finding.state == state).count()
    }

    /// The worst of all; checks that were skipped are not bad.
    pub(super) fn result(&self) -> State {
        let worst = self.found.iter().map(|(_, finding)| finding.state).max().unwrap_or(State::Fine);
        if worst == State::Skipped { State::Fine } else { worst }
    }

    /// That of the first that failed.
    pub(super) fn exit(&self) -> Exit {
        let failed = self.found.iter().find(|(_, finding)| finding.state == State::Failed);
        failed.map_or(Exit::Success, |(_, finding)| finding.exit)
    }
}
