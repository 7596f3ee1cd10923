//! What a check came to.

use crate::exit::Exit;

/// What a check came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum State {
    /// As it should be.
    Fine,
    /// Not tried: it depends on what failed, or cannot be seen from here.
    Skipped,
    /// It works, and could go wrong.
    Warning,
    Failed,
}

impl State {
    pub(super) const ALL: [Self; 4] = [Self::Fine, Self::Warning, Self::Failed, Self::Skipped];

    /// Its name in JSON and in the last line.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Fine => "ok",
            Self::Skipped => "skipped",
            Self::Warning => "warning",
            Self::Failed => "failed",
        }
    }
}

/// What a check came to, and what to do about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Finding {
    pub(super) state: State,
    /// One line: what is so.
    pub(super) summary: String,
    /// Further lines of it.
    pub(super) details: Vec<String>,
    /// What to do.
    pub(super) advice: Option<String>,
    /// Commands that do it, or show more.
    pub(super) commands: Vec<String>,
    /// The exit code of the process, if this is the first that failed.
    pub(super) exit: Exit,
    /// Another section to read than the check's.
    pub(super) see: Option<&'static str>,
}

impl Finding {
    fn new(state: State, summary: impl Into<String>) -> Self {
        Self {
            state,
            summary: summary.into(),
            details: Vec::new(),
            advice: None,
            commands: Vec::new(),
            exit: if state == State::Failed { Exit::Unavailable } else { Exit::Success },
            see: None,
        }
    }

    pub(super) fn fine(summary: impl Into<String>) -> Self {
        Self::new(State::Fine, summary)
    }

    pub(super) fn warning(summary: impl Into<String>, advice: impl Into<String>) -> Self {
        Self { advice: Some(advice.into()), ..Self::new(State::Warning, summary) }
    }

    pub(super) fn failed(summary: impl Into<String>, advice: impl Into<String>) -> Self {
        Self { advice: Some(advice.into()), ..Self::new(State::Failed, summary) }
    }

    pub(super) fn skipped(why: impl Into<String>) -> Self {
        Self::new(State::Skipped, why)
    }

    /// Sets what to do.
    pub(super) fn advise(mut self, advice: impl Into<String>) -> Self {
        self.advice = Some(advice.into());
        self
    }

    pub(super) fn detail(mut self, line: impl Into<String>) -> Self {
        self.details.push(line.into());
        self
    }

    pub(super) fn details(mut self, lines: impl IntoIterator<Item = String>) -> Self {
        self.details.extend(lines);
        self
    }

    pub(super) fn command(mut self, line: impl Into<String>) -> Self {
        self.commands.push(line.into());
        self
    }

    pub(super) fn exits(mut self, exit: Exit) -> Self {
        self.exit = exit;
        self
    }

    pub(super) fn see(mut self, section: &'static str) -> Self {
        self.see = Some(section);
        self
    }
}
