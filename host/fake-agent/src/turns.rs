//! Turns: requests one after the other keep deepflow-agent alive, since its table of addresses has no lock.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use agent_hyper::Version;

use crate::fault::Fault;

/// Whether a request has the turn.
#[derive(Debug, Default)]
pub(crate) struct Turns(Arc<AtomicBool>);

/// A request's turn, until this is dropped.
#[derive(Debug)]
pub(crate) struct Turn(Arc<AtomicBool>);

impl Turns {
    /// Takes the turn. The error says why the agent would not survive the request.
    pub(crate) fn take(&self, version: Version) -> Result<Turn, Fault> {
        if version == Version::HTTP_2 {
            return Err(Fault::Overlap("a request over HTTP/2, where any number may come at a time"));
        }
        if self.0.swap(true, Ordering::AcqRel) {
            return Err(Fault::Overlap("a request while another one is not answered"));
        }
        Ok(Turn(Arc::clone(&self.0)))
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        self.0.store(false, Ordering::Release);
    }
}
