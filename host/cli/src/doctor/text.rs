//! The report as text: one line a check, and what to do below it.

use std::io::{self, IsTerminal, Write};

use super::check::{Check, Group};
use super::finding::{Finding, State};
use super::report::Report;
use crate::output::{harmless, may_colour};

/// How the text looks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Style {
    pub(super) ascii: bool,
    pub(super) colour: bool,
}

impl Style {
    /// For this process's standard output.
    pub(super) fn of_process(ascii: bool) -> Self {
        let variable = |name: &str| std::env::var(name).ok();
        let colour = io::stdout().is_terminal() && may_colour(variable);
        Self { ascii: ascii || !is_utf8(variable), colour }
    }

    fn mark(self, state: State) -> &'static str {
        match (self.ascii, state) {
            (false, State::Fine) => "✓",
            (false, State::Warning) => "!",
            (false, State::Failed) => "✗",
            (false, State::Skipped) => "-",
            (true, State::Fine) => "[ok]  ",
            (true, State::Warning) => "[warn]",
            (true, State::Failed) => "[FAIL]",
            (true, State::Skipped) => "[skip]",
        }
    }

    fn paint(self, state: State, text: &str) -> String {
        let colour = match state {
            State::Fine => 32,
            State::Warning => 33,
            State::Failed => 31,
            State::Skipped => 2,
        };
        if self.colour { format!("\x1b[{colour}m{text}\x1b[0m") } else { text.to_owned() }
    }
}

/// Writes checks as they come.
pub(super) struct Text<W> {
    out: W,
    style: Style,
    group: Option<Group>,
}

impl<W: Write> Text<W> {
    pub(super) fn new(out: W, style: Style) -> Self {
        Self { out, style, group: None }
    }

    pub(super) fn write(&mut self, check: Check, finding: &Finding) -> io::Result<()> {
        if self.group != Some(check.group) {
            let gap = if self.group.is_some() { "\n" } else { "" };
            writeln!(self.out, "{gap}{}", check.group.title())?;
            self.group = Some(check.group);
        }
        let mark = self.style.paint(finding.state, self.style.mark(finding.state));
        writeln!(self.out, "{mark} {}: {}", check.title, self.plain(&finding.summary))?;
        for line in finding.details.iter().chain(&finding.advice) {
            writeln!(self.out, "    {}", self.plain(line))?;
        }
        for line in &finding.commands {
            writeln!(self.out, "      {}", self.plain(line))?;
        }
        if matches!(finding.state, State::Warning | State::Failed) {
            writeln!(self.out, "    see {}", finding.see.unwrap_or(check.see))?;
        }
        self.out.flush()
    }

    /// The last line: how many came to what.
    pub(super) fn finish(&mut self, report: &Report<'_>) -> io::Result<()> {
        let counts = State::ALL.map(|state| format!("{} {}", report.count(state), state.name()));
        let result = report.result();
        let word = match result {
            State::Failed => "failed",
            State::Warning => "all right, with warnings",
            State::Fine | State::Skipped => "all right",
        };
        writeln!(self.out, "\n{}: {}", self.style.paint(result, word), counts.join(", "))?;
        self.out.flush()
    }

    /// A line as it may be shown: names come from elsewhere, and a terminal obeys control characters.
    fn plain(&self, line: &str) -> String {
        let ascii = self.style.ascii;
        let shown = |letter: char| if ascii && !letter.is_ascii() { '?' } else { letter };
        harmless(line).chars().map(shown).collect()
    }
}

/// Whether the locale has UTF-8: the first of these that is set decides, as in setlocale(3).
fn is_utf8(variable: impl Fn(&str) -> Option<String>) -> bool {
    let named = ["LC_ALL", "LC_CTYPE", "LANG"].iter().filter_map(|name| variable(name));
    let locale = named.into_iter().find(|locale| !locale.is_empty()).unwrap_or_default().to_lowercase();
    locale.contains("utf-8") || locale.contains("utf8")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::check;

    #[test]
    fn the_locale_decides_on_marks_and_variables_on_colour() {
        let of = |set: &'static [(&'static str, &'static str)]| {
            move |name: &str| {
                set.iter().find(|(other, _)| *other == name).map(|(_, value)| (*value).to_owned())
            }
        };
        for (set, expected) in [
            (&[][..], false),
            (&[("LANG", "en_GB.UTF-8")], true),
            (&[("LANG", "C.utf8")], true),
            (&[("LANG", "en_GB.UTF-8"), ("LC_ALL", "C")], false),
            (&[("LANG", "en_GB.UTF-8"), ("LC_ALL", ""), ("LC_CTYPE", "POSIX")], false),
            (&[("LC_CTYPE", "C.UTF-8"), ("LANG", "C")], true),
        ] {
            assert_eq!(is_utf8(of(set)), expected, "{set:?}");
        }
        assert!(may_colour(of(&[])) && may_colour(of(&[("NO_COLOR", "")])));
        assert!(!may_colour(of(&[("NO_COLOR", "1")])) && !may_colour(of(&[("TERM", "dumb")])));
    }

    #[test]
    fn names_from_elsewhere_cannot_command_a_terminal() {
        let written = |style| {
            let mut out = Vec::new();
            let finding = Finding::failed("evil\x1b[2Jname\n✗ λ", "look");
            Text::new(&mut out, style).write(check::API, &finding).unwrap();
            String::from_utf8(out).unwrap()
        };
        assert_eq!(written(Style::default()).lines().nth(1), Some("✗ API server: evil?[2Jname?✗ λ"));
        let ascii = written(Style { ascii: true, colour: false });
        assert!(ascii.is_ascii() && ascii.contains("[FAIL] API server: evil?[2Jname?? ?"), "{ascii}");
        let coloured = written(Style { ascii: false, colour: true });
        assert!(coloured.contains("\x1b[31m✗\x1b[0m API server"), "{coloured}");
    }
}
