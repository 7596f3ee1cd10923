//! What is wrong with a text that should be a listing.

use std::fmt;

/// Why a text cannot be read as a listing of pods.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListingError {
    /// Line, from 1.
    pub line: usize,
    /// What is wrong.
    pub message: String,
}

impl fmt::Display for ListingError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "line {}: {}", self.line, self.message)
    }
}

impl std::error::Error for ListingError {}
