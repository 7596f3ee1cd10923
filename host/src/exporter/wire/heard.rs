//! Whether any byte of a response has come.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::observe::Observer;

/// Set once bytes have come.
#[derive(Clone, Debug, Default)]
pub(super) struct Heard(Arc<AtomicBool>);

impl Heard {
    pub(super) fn is_set(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }

    pub(super) fn forget(&self) {
        self.0.store(false, Ordering::Relaxed);
    }
}

impl Observer for Heard {
    fn came(&mut self, _: &[u8]) {
        self.0.store(true, Ordering::Relaxed);
    }
}
