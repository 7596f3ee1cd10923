//! File descriptors that are kept for the admin listener, so that probes are answered when all others are in use.

use std::fs::File;

/// Descriptors that are kept open, to be closed when they are needed.
#[derive(Debug)]
pub(super) struct Reserve {
    kept: Vec<File>,
}

impl Reserve {
    pub(super) fn new() -> Self {
        Self { kept: Vec::with_capacity(SIZE) }
    }

    /// Opens as many as are missing, as far as the system has any.
    pub(super) fn fill(&mut self) {
        while self.kept.len() < SIZE
            && let Ok(file) = File::open(NOTHING)
        {
            self.kept.push(file);
        }
    }

    /// Closes one, so that the next connection can have it; false if none is left.
    pub(super) fn give_one(&mut self) -> bool {
        self.kept.pop().is_some()
    }
}

/// A probe, a scraper, and some who try by hand.
const SIZE: usize = 8;

const NOTHING: &str = if cfg!(windows) { "NUL" } else { "/dev/null" };
