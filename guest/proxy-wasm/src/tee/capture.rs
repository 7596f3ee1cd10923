//! The body of a request while it passes.

use std::rc::Rc;

use super::captured::Captured;
use super::copies::Copies;
use crate::abi::{Buffer, host};
use crate::budget::Held;
use crate::head::Head;
use crate::instruments::Instruments;
use crate::plugin::Plugin;

/// The body of a request while it passes.
pub(crate) struct Capture {
    plugin: Rc<Plugin>,
    instruments: Rc<Instruments>,
    copies: Rc<Copies>,
    held: Option<(Head, Held)>,
}

impl Capture {
    pub(crate) fn new(
        plugin: Rc<Plugin>,
        instruments: Rc<Instruments>,
        copies: Rc<Copies>,
        head: Head,
    ) -> Self {
        let held = plugin.budget().empty().map(|held| (head, held));
        let capture = Self { plugin, instruments, copies, held };
        if capture.held.is_none() {
            capture.not_taken();
        }
        capture
    }

    /// `size` bytes of the body pass.
    pub(crate) fn chunk(&mut self, size: usize) {
        let Some((_, held)) = &mut self.held else { return };
        if size == 0 {
            return;
        }
        let fits = held.bytes().len() + size <= self.plugin.config().limits.body as usize
            && host::buffer(Buffer::RequestBody, 0, size).is_ok_and(|bytes| held.append(&bytes));
        if !fits {
            self.held = None;
            self.not_taken();
        }
    }

    /// Counts a request that is not copied; how many spans that loses is unknown.
    fn not_taken(&self) {
        self.instruments.metrics().copy_not_taken();
        self.instruments.counted();
        self.instruments.notices().warn("copy-not-taken", || {
            "a request was not copied: its body is over podstamp.limits.body, or all that are held are over \
             podstamp.limits.in_flight_bytes"
                .to_owned()
        });
    }

    /// The body has passed.
    pub(crate) fn end(&mut self) {
        if let Some((head, held)) = self.held.take() {
            self.copies.offer(Captured { head, held });
        }
    }
}
