//! The conditions of one lookup.

use std::net::IpAddr;

use crate::address::UNKNOWN;
use crate::directory::{MAX_TERMS, Term};

/// At most [`MAX_TERMS`] conditions, kept without an allocation.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Terms<'r> {
    terms: [Term<'r>; MAX_TERMS],
    count: usize,
}

impl Default for Terms<'_> {
    fn default() -> Self {
        Self { terms: [Term::Ip(UNKNOWN); MAX_TERMS], count: 0 }
    }
}

impl<'r> Terms<'r> {
    /// Adds a condition. There is room for it, since the configuration is checked for that.
    pub(crate) fn push(&mut self, term: Term<'r>) {
        if let Some(free) = self.terms.get_mut(self.count) {
            *free = term;
            self.count += 1;
        }
    }

    pub(crate) fn as_slice(&self) -> &[Term<'r>] {
        self.terms.get(..self.count).unwrap_or_default()
    }

    pub(crate) fn has_name(&self) -> bool {
        self.as_slice().iter().any(|term| matches!(term, Term::Name(_)))
    }

    pub(crate) fn has_namespace(&self) -> bool {
        self.as_slice().iter().any(|term| matches!(term, Term::Namespace(_)))
    }

    /// The first address among them.
    pub(crate) fn address(&self) -> Option<IpAddr> {
        self.as_slice().iter().find_map(|term| match term {
            Term::Ip(address) => Some(*address),
            _ => None,
        })
    }
}
