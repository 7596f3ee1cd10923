//! File descriptors that are kept for the admin listener, so that probes are answered when all others are in use.

use std::fs::File;

/// Some descriptors that are open for nothing.
#[derive(Debug)]
pub(super) struct Reserve {
    kept: Vec<File>,
}

impl Reserve {
    pub(super) fn new() -> Self {
        Self { kept: Vec::with_capacity(SIZE) }
    }

    /// Takes back what is missing, as far as there is any.
    pub(super) fn fill(&mut self) {
        while self.kept.len() < SIZE
            && let Ok(file) = File::open(NOTHING)
        {
            self.kept.push(file);
        }
    }

    /// Gives one up, for whoever is the first to need one; false if none is left.
    pub(super) fn give_one(&mut self) -> bool {
        self.kept.pop().is_some()
    }
}

/// A probe, a scraper, and some who try by hand.
const SIZE: usize = 8;

const NOTHING: &str = if cfg!(windows) { "NUL" } else { "/dev/null" };
