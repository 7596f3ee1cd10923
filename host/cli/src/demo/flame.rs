//! A trace as a flame graph in the terminal.

use std::io::{self, Write};

/// One span to draw.
#[derive(Debug)]
pub(super) struct Bar {
    /// Hex.
    pub(super) id: String,
    /// Hex; empty for the root.
    pub(super) parent: String,
    /// Service, span and pod, as they shall read.
    pub(super) service: String,
    /// The span's name.
    pub(super) name: String,
    /// The pod that DeepFlow shows.
    pub(super) pod: String,
    /// Nanoseconds.
    pub(super) start: u64,
    /// Nanoseconds.
    pub(super) end: u64,
}

/// Draws a trace: parents above children, siblings by their start.
pub(super) fn draw(out: &mut impl Write, bars: &[Bar]) -> io::Result<()> {
    let begin = bars.iter().map(|bar| bar.start).min().unwrap_or_default();
    let end = bars.iter().map(|bar| bar.end).max().unwrap_or_default();
    let scale = Scale { begin, length: end.saturating_sub(begin).max(1) };
    branch(out, bars, "", 0, &scale)
}

struct Scale {
    begin: u64,
    length: u64,
}

impl Scale {
    fn column(&self, time: u64) -> usize {
        let part = time.saturating_sub(self.begin) as f64 / self.length as f64;
        (part * COLUMNS as f64).round() as usize
    }
}

fn branch(out: &mut impl Write, bars: &[Bar], parent: &str, depth: usize, scale: &Scale) -> io::Result<()> {
    let mut children: Vec<_> = bars.iter().filter(|bar| bar.parent == parent).collect();
    children.sort_by_key(|bar| bar.start);
    for bar in children {
        let from = scale.column(bar.start).min(COLUMNS - 1);
        let width = (scale.column(bar.end) - from).clamp(1, COLUMNS - from);
        let label = format!("{}{} {}", "  ".repeat(depth), bar.service, bar.name);
        let milliseconds = bar.end.saturating_sub(bar.start) as f64 / 1e6;
        let line = format!("{}{}", " ".repeat(from), "█".repeat(width));
        writeln!(out, "  {label:<44.44} {line:<COLUMNS$} {milliseconds:>6.1} ms  {}", bar.pod)?;
        // A span is never its own child; a loop of several ends where the depth does.
        if depth < MAX_DEPTH && !bar.id.is_empty() {
            branch(out, bars, &bar.id, depth + 1, scale)?;
        }
    }
    Ok(())
}

/// Width of the time axis.
const COLUMNS: usize = 40;

/// No trace of the demo is half as deep.
const MAX_DEPTH: usize = 16;
