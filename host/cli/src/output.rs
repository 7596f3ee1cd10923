//! What a command prints on stdout.

use std::io::{self, ErrorKind, Write};

/// Stdout. A reader that closes the pipe has read enough: `podstamp check | head` does not fail.
#[derive(Debug)]
pub(crate) struct Output<W>(W);

/// This process's.
pub(crate) fn stdout() -> Output<io::Stdout> {
    Output(io::stdout())
}

impl<W: Write> Write for Output<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self.0.write(bytes) {
            Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(bytes.len()),
            written => written,
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self.0.flush() {
            Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(()),
            flushed => flushed,
        }
    }
}

/// A text as a terminal may show it: names come from elsewhere, and a terminal obeys control characters, turns a line around for
/// letters that run from right to left, and piles marks on a letter. What would do that is shown as `?`.
pub(crate) fn harmless(text: &str) -> String {
    text.chars().map(|letter| if is_harmful(letter) { '?' } else { letter }).collect()
}

fn is_harmful(letter: char) -> bool {
    letter.is_control() || HARMFUL.iter().any(|(first, last)| (*first..=*last).contains(&letter))
}

/// Characters that have no place of their own, or move what stands beside them.
const HARMFUL: [(char, char); 17] = [
    ('\u{ad}', '\u{ad}'),
    ('\u{300}', '\u{36f}'),
    // Hebrew to Arabic, and their forms below.
    ('\u{590}', '\u{8ff}'),
    ('\u{180b}', '\u{180f}'),
    ('\u{1ab0}', '\u{1aff}'),
    ('\u{1dc0}', '\u{1dff}'),
    // Spaces without width, joiners, marks, embeddings, isolates, separators of lines.
    ('\u{200b}', '\u{200f}'),
    ('\u{2028}', '\u{202e}'),
    ('\u{2060}', '\u{206f}'),
    ('\u{20d0}', '\u{20ff}'),
    ('\u{fb1d}', '\u{fdff}'),
    ('\u{fe00}', '\u{fe0f}'),
    ('\u{fe20}', '\u{fe2f}'),
    ('\u{fe70}', '\u{feff}'),
    ('\u{10800}', '\u{10fff}'),
    ('\u{1e800}', '\u{1efff}'),
    ('\u{e0000}', '\u{e0fff}'),
];

/// Whether colours are wanted: <https://no-color.org>, and terminals that know none.
pub(crate) fn may_colour(variable: impl Fn(&str) -> Option<String>) -> bool {
    let refused = variable("NO_COLOR").is_some_and(|value| !value.is_empty());
    !refused && variable("TERM").as_deref() != Some("dumb")
}

/// Writes rows below their header, in columns as wide as their longest cell.
pub(crate) fn write_columns<const COLUMNS: usize>(
    out: &mut impl Write,
    header: [&str; COLUMNS],
    rows: impl Iterator<Item = [String; COLUMNS]>,
) -> io::Result<()> {
    let rows: Vec<_> = std::iter::once(header.map(str::to_owned)).chain(rows).collect();
    let mut widths = [0; COLUMNS];
    for row in &rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = cell.chars().count().max(*width);
        }
    }
    for row in &rows {
        let cells = row.iter().zip(widths).map(|(cell, width)| format!("{cell:<width$}"));
        let line = cells.collect::<Vec<_>>().join("  ");
        writeln!(out, "{}", line.trim_end())?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_terminal_would_obey_is_not_shown() {
        for (text, expected) in [
            ("cart", "cart"),
            ("größe 店 ✓", "größe 店 ✓"),
            ("a\x1b[2Jb\x07\u{9b}c\r\n", "a?[2Jb??c??"),
            ("a\u{202e}b\u{2066}c\u{200f}", "a?b?c?"),
            ("שלום", "????"),
            ("a\u{301}\u{301}\u{feff}", "a???"),
        ] {
            assert_eq!(harmless(text), expected);
        }
        assert!(HARMFUL.is_sorted());
    }
}
